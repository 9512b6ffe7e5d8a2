"""Authentication of mail: DKIM signing, and what of a message's form it rests on. Pure rules, no I/O."""

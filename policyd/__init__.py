"""The policy daemon: Postfix asks it whether a message may leave. It decides nothing itself; `smailor.sending` does."""

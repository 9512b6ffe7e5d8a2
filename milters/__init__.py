"""The milters: one adapter to libmilter, and its tenants, which know mail but no protocol."""

"""May this message leave, and why not? Limits of accounts, counted exactly over all daemons and hosts."""

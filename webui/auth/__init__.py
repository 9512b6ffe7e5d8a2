"""Getting in and out: log-in, sign-up, forgotten passwords, second factors."""

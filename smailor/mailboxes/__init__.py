"""Inboxes, aliases, groups and catch-alls, and the bridge to Dovecot."""

"""A workspace's own pages: its name and settings, members, invitations, ownership, leaving and going."""

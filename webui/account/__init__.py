"""A person's own pages: what they say of themselves, how they log in, where they are logged in."""

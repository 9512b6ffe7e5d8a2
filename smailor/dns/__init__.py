"""The DNS room: one cached client for every part that asks the DNS, and its stand-in for tests."""

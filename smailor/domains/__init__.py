"""Domains of the tenants: ownership, wanted DNS records and their check, DKIM keys, the operator's transports."""

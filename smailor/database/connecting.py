"""How we connect to the database, whoever does: how long is waited, and for what."""

BUSY_TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
# A process that hangs with a row locked must not make all others wait for as long as it hangs.
POSTGRESQL_OPTIONS = (
    "-c timezone=UTC -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)

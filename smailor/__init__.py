"""The domain of Smailor: what the service knows and decides."""

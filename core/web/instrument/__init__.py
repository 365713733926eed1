"""The Instrument page: what it reads, draws, and offers."""

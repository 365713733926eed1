"""The Business case page: what it reads, draws, and offers."""

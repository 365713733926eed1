"""The web: the HTTP API, and what the dashboard's pages are made of."""

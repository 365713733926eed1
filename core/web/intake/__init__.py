"""Where figures come from, for the Sources page: what is read, its pieces, and trying a query."""

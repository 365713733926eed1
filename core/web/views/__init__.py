"""Read models: pure functions from records to what a page shows, in words, marks and numbers ready to be laid out."""

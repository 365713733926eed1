"""Revisions, each as the tables were then: later changes of schema.py do not change them."""

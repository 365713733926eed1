"""A small real service with two analyzers, its traffic, and its faults."""

"""The Experiment and Segments pages: what they read, draw, and offer. Both show one experiment, loaded once."""

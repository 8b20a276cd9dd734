"""Layers for which torch's own are slower, or can't be resumed bit for bit."""

"""Layers of our own, where torch has none that is as fast or that can be resumed to the bit."""

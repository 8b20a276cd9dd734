"""The screen to draw a digit on, and what networks say of it."""

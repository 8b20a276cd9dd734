"""The monitor: one run, live or over, seen whole, and steered where that can be."""

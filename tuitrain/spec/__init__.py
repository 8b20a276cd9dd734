"""What to train, as checked values; no torch, no textual."""

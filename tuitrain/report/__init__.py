"""What is written down for others to read: curves as pictures. Neither textual nor rich."""

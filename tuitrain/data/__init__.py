"""Images as arrays, and what is done to them on the device."""

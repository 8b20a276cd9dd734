"""The lab: choose a preset, change it, see at once what it costs, start it."""

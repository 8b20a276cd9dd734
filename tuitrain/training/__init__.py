"""From a preset to a stream of events."""

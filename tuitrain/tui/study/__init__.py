"""The monitor of a study: a group of seeds, or a duel."""

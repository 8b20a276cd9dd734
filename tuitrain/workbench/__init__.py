"""What a person sets and edits before something is trained: the settings of a session, presets with their edits."""

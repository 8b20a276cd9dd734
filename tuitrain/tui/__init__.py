"""The terminal lab; the only room that imports textual."""

"""How things are drawn: text, lines that scroll, charts, digits."""

"""What all screens share: header, footer, help, palette, questions, themes."""

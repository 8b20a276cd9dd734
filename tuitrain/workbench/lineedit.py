"""A line of text under change: what is typed, where the caret is. No textual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONGEST = 64


@dataclass
class LineEdit:
    """A value that is being typed: its field's key, the text, the caret, and the value before."""

    key: str
    text: str
    caret: int
    before: Any

    def insert(self, text: str) -> None:
        """Puts text in at the caret, as far as it fits."""
        text = text[: max(0, LONGEST - len(self.text))]
        self.text = self.text[: self.caret] + text + self.text[self.caret :]
        self.caret += len(text)

    def press(self, key: str, character: str | None) -> bool:
        """Takes a key by its name, or a printable character; False where it means nothing here."""
        match key:
            case "backspace":
                if self.caret:
                    self.text = self.text[: self.caret - 1] + self.text[self.caret :]
                    self.caret -= 1
            case "delete":
                self.text = self.text[: self.caret] + self.text[self.caret + 1 :]
            case "left":
                self.caret = max(0, self.caret - 1)
            case "right":
                self.caret = min(len(self.text), self.caret + 1)
            case "home" | "ctrl+a":
                self.caret = 0
            case "end" | "ctrl+e":
                self.caret = len(self.text)
            case "ctrl+u" | "ctrl+w" | "ctrl+backspace":
                self.text, self.caret = self.text[self.caret :], 0
            case "ctrl+k":
                self.text = self.text[: self.caret]
            case _:
                if character is None:
                    return False
                self.insert(character)
        return True

    def window(self, room: int) -> tuple[str, str, str]:
        """What is in sight of it in so many cells: before, under and after the caret."""
        start = max(0, self.caret - room + 2)
        text = self.text[start:] + " "
        caret = self.caret - start
        return text[:caret], text[caret], text[caret + 1 :][: max(0, room - caret - 1)]

"""What is done to every painted line: ASCII instead of drawing characters, and NO_COLOR."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.app import App

_ASCII = {
    "─": "-", "━": "=", "│": "|", "┃": "|", "┄": "-", "┈": ".", "╌": "-", "┆": ":", "═": "=", "║": "|",
    "╭": "+", "╮": "+", "╯": "+", "╰": "+", "╱": "/", "╲": "\\", "╳": "X", "╸": "-", "╺": "-", "╴": "-", "╶": "-",
    "▔": "-", "▕": "|", "▀": "'", "▄": ".", "█": "#", "▌": "[", "▐": "]", "░": ".", "▒": ":", "▓": "%",
    "▁": "_", "▂": "_", "▃": ".", "▅": "o", "▆": "O", "▇": "#",
    "▏": "|", "▎": "|", "▍": "[", "▋": "#", "▊": "#", "▉": "#",
    "▰": "#", "▱": ".", "■": "#", "□": ".", "▪": "*", "▫": ".", "●": "*", "○": "o", "◉": "@", "◌": "o", "◆": "*",
    "◇": "o", "★": "*", "☆": "*", "✓": "v", "✔": "v", "✗": "x", "✘": "x", "⚠": "!", "‖": "=", "•": "*", "·": ".",
    "…": "~", "–": "-", "—": "-", "−": "-", "×": "x", "÷": "/", "±": "+", "°": "o", "µ": "u", "≥": ">", "≤": "<",
    "≈": "~", "≠": "#", "→": ">", "←": "<", "↑": "^", "↓": "v", "↵": "<", "⏎": "<", "⇥": ">", "↔": "-", "▸": ">",
    "▹": ">", "▶": ">", "▷": ">", "►": ">", "◂": "<", "◀": "<", "◁": "<", "◄": "<", "▾": "v", "▼": "v", "▽": "v",
    "▴": "^", "▲": "^", "△": "^", "▣": "#", "‹": "<", "›": ">", "“": '"', "”": '"', "‘": "'", "’": "'", "⏸": "=",
    "ü": "u", "ö": "o", "ä": "a", "Ü": "U", "Ö": "O", "Ä": "A", "ß": "s", "é": "e", "è": "e", "\u00a0": " ",
    "🮇": "|", "🭸": "-", "▖": ".", "▗": ".", "▘": "'", "▝": "'", "▙": "#", "▛": "#", "▜": "#", "▟": "#", "▚": "\\",
    "▞": "/",
}  # fmt: skip


def _ascii_char(char: str) -> str:
    if char in _ASCII:
        return _ASCII[char]
    code = ord(char)
    if 0x2800 <= code <= 0x28FF:  # braille: by the highest and the lowest row with a dot
        dots = code - 0x2800
        rows = [bool(dots & mask) for mask in (0x09, 0x12, 0x24, 0xC0)]
        if not any(rows):
            return " "
        if sum(rows) >= 3:
            return "|"
        return "'" if rows[0] else "-" if rows[1] else "." if rows[2] else "_"
    if 0x2500 <= code <= 0x257F:
        return "+"
    if 0x2580 <= code <= 0x259F:
        return "#"
    return "?"


@lru_cache(4096)
def to_ascii(text: str) -> str:
    """The text in ASCII, as many cells wide as before."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else _ascii_char(char) * max(0, min(2, cell_len(char))) for char in text
    )


class AsciiFilter(LineFilter):
    """Every character outside ASCII becomes one of as many cells inside it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


class PlainFilter(LineFilter):
    """NO_COLOR: no colours at all; what stood out by its background stands out reversed."""

    def __init__(self, app: App[Any]) -> None:
        super().__init__()
        self._app = app

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with attributes only."""
        theme = self._app.current_theme
        base = theme.background or ("#000000" if theme.dark else "#ffffff")
        return [
            Segment(text, None if style is None else plain_style(style, base), control)
            for text, style, control in segments
        ]


@lru_cache(2048)
def plain_style(style: Style, base: str) -> Style:
    """The style without colours: reversed where its background is far from `base`, dim stays dim."""
    reverse = bool(style.reverse)
    if style.bgcolor is not None and not style.bgcolor.is_default and not base.startswith("ansi"):
        ground, back = Color.parse(base), Color.from_rich_color(style.bgcolor)
        if abs(ground.brightness - back.brightness) > 0.25:
            reverse = True
    return Style(
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        strike=style.strike,
        reverse=reverse,
        meta=style.meta or None,
    )

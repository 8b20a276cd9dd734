"""What is done to every painted line: ASCII instead of drawing characters, and NO_COLOR."""

from __future__ import annotations

from dataclasses import dataclass
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
    "▔": "-", "▕": "|", "▀": "'", "▄": ".", "█": "#", "▌": "[", "▐": "]", "░": ":", "▒": "*", "▓": "%",
    "▁": "_", "▂": "_", "▃": ".", "▅": "o", "▆": "O", "▇": "#",
    "▏": ".", "▎": ".", "▍": ".", "▋": "#", "▊": "#", "▉": "#",
    "▰": "#", "▱": ".", "■": "#", "□": ".", "▪": "*", "▫": ".", "●": "*", "○": "o", "◉": "@", "◌": "o", "◆": "*",
    "◇": "o", "★": "*", "☆": "*", "✓": "v", "✔": "v", "✗": "x", "✘": "x", "⚠": "!", "‖": "=", "•": "*", "·": ".",
    "…": "~", "–": "-", "—": "-", "−": "-", "×": "x", "÷": "/", "µ": "u", "≈": "~",
    "↑": "^", "↓": "v", "▸": ">",
    "▹": ">", "▶": ">", "▷": ">", "►": ">", "◂": "*", "◀": "*", "◁": "*", "◄": "*", "▾": "v", "▼": "v", "▽": "v",
    "▴": "^", "▲": "^", "△": "^", "▣": "#", "‹": "<", "›": ">", "“": '"', "”": '"', "‘": "'", "’": "'", "⏸": "=",
    "ü": "u", "ö": "o", "ä": "a", "Ü": "U", "Ö": "O", "Ä": "A", "ß": "s", "é": "e", "è": "e", "\u00a0": " ",
    "🮇": "|", "🭸": "-", "▖": ".", "▗": ".", "▘": "'", "▝": "'", "▙": "#", "▛": "#", "▜": "#", "▟": "#", "▚": "\\",
    "▞": "/", "∂": "d", "σ": "s", "∞": "?", "🔎": "/",
}  # fmt: skip


#: What one character can't say without meaning something else: `10 → 11` is not `10 > 11`.
_SPELLED = {
    "≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "←": "<-", "↔": "<->", "±": "+-", "°": "deg", "⏎": "Enter",
    "↵": "Enter", "⇥": "Tab", "²": "^2",
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


def spelled(text: str) -> str:
    """The text in ASCII, where it may be wider than before."""
    return "".join(_pieces(text))


def _pieces(text: str) -> list[str]:
    """What stands for each character: as many cells, or a word."""
    out: list[str] = []
    for place, char in enumerate(text):
        if char.isascii():
            out.append(char)
        elif char in _SPELLED:
            apart = char == "°" and text[place - 1 : place].isdigit()  # `5 deg`
            out.append(f" {_SPELLED[char]}" if apart else _SPELLED[char])
        elif char == "▌" and text[place - 1 : place] == "█":  # the end of a bar; alone it marks the cursor
            out.append(".")
        else:
            out.append(_ascii_char(char) * max(0, min(2, cell_len(char))))
    return out


@lru_cache(4096)
def _fitted(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of a line in ASCII, together as many cells wide as before: spaces near its words give way."""
    whole = "".join(texts)
    if whole.isascii():
        return texts
    owners = [number for number, text in enumerate(texts) for _ in text]
    line = [
        _Piece(piece, owner, char) for char, piece, owner in zip(whole, _pieces(whole), owners, strict=True)
    ]
    for word in [piece for piece in line if piece.char in _SPELLED]:
        cells = cell_len(word.char)
        narrower = list(line)
        while len(word.text) > cells and (spare := _spare(narrower, word)) is not None:
            del narrower[spare]
            cells += 1
        if len(word.text) > cells:  # half a word would be another one
            word.text = ("o" if word.char == "°" else "?") * cell_len(word.char)
        else:
            line = narrower
    out = [""] * len(texts)
    for piece in line:
        out[piece.owner] += piece.text
    return tuple(out)


@dataclass(slots=True, eq=False)
class _Piece:
    """What stands for a character of a line, and the number of the text that it is of."""

    text: str
    owner: int
    char: str


def _spare(line: list[_Piece], word: _Piece) -> int | None:
    """Where a cell can best be spared for a word: in the gap or rule behind it, so that columns stay where they are.

    Else the space right behind it, one of a gap before it, any space, or, for a sign, the end of the line's last word.
    """
    here = line.index(word)
    texts = [piece.text for piece in line]
    behind, before = range(here + 1, len(texts)), range(here - 1, -1, -1)
    for place in behind:
        if texts[place] == " " and texts[place + 1 : place + 2] in ([], [" "]):
            return place
        rule = line[place].char
        if rule in "─━" and place + 1 < len(line) and line[place + 1].char == rule:
            return place
    if texts[here + 1 : here + 2] == [" "]:
        return here + 1
    for place in before:
        if place and texts[place] == texts[place - 1] == " ":
            return place
    everywhere: list[int] = [*behind, *before]
    for place in everywhere:
        if texts[place] == " ":
            return place
    letters = [place for place in behind if len(texts[place]) == 1 and texts[place].isalnum()]
    return letters[-1] if letters and len(word.text) == 2 else None


class AsciiFilter(LineFilter):
    """Every character outside ASCII becomes one of as many cells inside it, or a word that has room in its line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        texts = _fitted(tuple("" if segment.control else segment.text for segment in segments))
        return [
            segment if segment.control else Segment(text, segment.style)
            for text, segment in zip(texts, segments, strict=True)
        ]


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

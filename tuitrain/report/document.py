"""A report as a list of blocks, and how it is written: as Markdown, or as one HTML file that needs no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tuitrain.errors import visible
from tuitrain.report.markdown import escaped, fenced, grid

#: A command in a sentence.
_CODE = re.compile(r"`([^`]+)`")
#: So many characters fit into a tile in its usual size.
_LONG = 10


@dataclass(frozen=True)
class Heading:
    """Of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences; `emphasis` for the one that matters most."""

    text: str
    emphasis: bool = False


@dataclass(frozen=True)
class Tile:
    """A figure that is to be found first: `good`, `bad` or nothing of `kind` colours it."""

    label: str
    value: str
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Tiles:
    """Figures side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Facts:
    """What is said of each of several topics: (topic, sentences)."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows of texts below their headings; columns of figures are aligned right, those of `left` are not.

    Rows whose index is in `strong` are emphasised, those in `faint` the contrary.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[str, ...]
    strong: frozenset[int] = frozenset()
    faint: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """An SVG file: `name` is that of the file, without its folder; `text` says what it shows."""

    name: str
    svg: str
    text: str


@dataclass(frozen=True)
class Code:
    """Text to be typed, in the shell."""

    text: str


Block = Heading | Paragraph | Tiles | Facts | Table | Picture | Code


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: its heading.
        badge: how it ended, in a few words.
        kind: `good`, `warn`, `bad` or nothing, as of `figures.glyph_and_kind`.
        lead: the sentence below the heading.
        blocks: the rest, in order.
    """

    title: str
    badge: str
    kind: str
    lead: str
    blocks: tuple[Block, ...]

    @property
    def pictures(self) -> dict[str, str]:
        """The SVG files by their names."""
        return {block.name: block.svg for block in self.blocks if isinstance(block, Picture)}


# ------------------------------------------------------------------------------------------ Markdown


def markdown(document: Document, prefix: str = "") -> str:
    """The report as Markdown, whose pictures are files beside it; `prefix` stands before their names."""
    out = [f"# {escaped(document.title)}", f"**{escaped(document.badge)}**  \n{escaped(document.lead)}"]
    for block in document.blocks:
        match block:
            case Heading():
                out.append(f"## {escaped(block.text)}")
            case Paragraph():
                out.append(f"**{_said(block.text)}**" if block.emphasis else _said(block.text))
            case Tiles():
                rows = (f"- **{escaped(tile.label)}:** {escaped(_noted(tile))}" for tile in block.tiles)
                out.append("\n".join(rows))
            case Facts():
                rows = (f"- **{escaped(topic)}:** {_said(text)}" for topic, text in block.rows)
                out.append("\n".join(rows))
            case Table():
                out.append(grid(block.head, block.rows, block.left).rstrip())
            case Picture():
                out.append(f"![{escaped(block.text)}]({prefix}{block.name})")
            case Code():
                out.append(fenced(block.text, "sh").rstrip())
    return "\n\n".join(out) + "\n"


def _said(text: str) -> str:
    """A sentence, with the commands in it as code."""
    return "".join(f"`{part}`" if n % 2 else escaped(part) for n, part in enumerate(_parts(text)))


def _parts(text: str) -> list[str]:
    """What stands outside of backticks and within, by turns; what is shown is harmless."""
    return _CODE.split(visible(text))


def _noted(tile: Tile) -> str:
    return f"{tile.value} ({tile.note})" if tile.note else tile.value


# ------------------------------------------------------------------------------------------ HTML

#: A table of so many columns does not need the page's width.
_FEW_COLUMNS = 4
_CSS = """
:root { color-scheme: light dark; --page: #f6f8fa; --card: #fff; --ink: #1f2328; --soft: #59636e; --rule: #d1d9e0;
  --blue: #0969da; --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --page: #010409; --card: #0d1117; --ink: #f0f6fc; --soft: #9198a1;
  --rule: #3d444d; --blue: #4493f8; --good: #3fb950; --warn: #d29922; --bad: #f85149; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
header { margin-bottom: 24px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 10px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p { margin: 8px 0; max-width: 78ch; }
.lead { color: var(--soft); margin: 0; }
.badge { display: inline-block; font-weight: 600; font-size: 14px; padding: 3px 12px; margin: 0 0 10px; color: var(--soft);
  border: 1px solid currentColor; border-radius: 99px; }
.badge.good, .value.good, .met { color: var(--good); } .badge.warn, .value.warn { color: var(--warn); }
.badge.bad, .value.bad, .missed { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px; }
.tile:first-child .value { font-size: 34px; }
.label { color: var(--soft); font-size: 13px; }
.value { font-size: 24px; line-height: 40px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile .value.long { font-size: 19px; }
code { font: 0.92em ui-monospace, monospace; }
.note { color: var(--soft); font-size: 13px; }
dl { display: grid; grid-template-columns: 180px 1fr; gap: 10px 20px; margin: 12px 0; }
dt { font-weight: 600; } dd { margin: 0; max-width: 78ch; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; margin: 12px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 6px 14px; text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--rule); }
tbody tr + tr:not(.faint) td { border-top: 1px solid color-mix(in srgb, var(--rule) 45%, transparent); }
th.left, td.left { text-align: left; } td.wide { white-space: normal; min-width: 260px; }
tr.strong td { font-weight: 600; } tr.faint td { color: var(--soft);
  border: 0; padding-top: 0; padding-bottom: 3px; font-size: 13px; }
.narrow { max-width: 720px; }
.pictures { display: grid; gap: 12px; margin: 12px 0; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; background: var(--card); }
figure:only-child { max-width: 720px; }
figure svg { display: block; width: 100%; height: auto; }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 16px; overflow-x: auto;
  font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 600px) { dl { grid-template-columns: 1fr; gap: 2px; } dd { margin-bottom: 10px; } }
@media print { body { background: none; } main { max-width: none; padding: 0; } }
"""


def html(document: Document) -> str:
    """The report as one HTML file that loads nothing; it is light or dark as the reader has set."""
    out = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(document.title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n<header>",
        f"<h1>{_text(document.title)}</h1>",
        f'<p class="badge {document.kind}">{_text(document.badge)}</p>',
        f'<p class="lead">{_text(document.lead)}</p>\n</header>',
    ]
    pictures: list[str] = []
    for block in document.blocks:
        if isinstance(block, Picture):
            pictures.append(f"<figure>\n{block.svg}</figure>")
            continue
        out += _side_by_side(pictures)
        pictures = []
        out.append(_html(block))
    out += _side_by_side(pictures)
    return "\n".join([*out, "</main>\n</body>\n</html>\n"])


def _side_by_side(pictures: Sequence[str]) -> list[str]:
    return ['<div class="pictures">', *pictures, "</div>"] if pictures else []


def _text(text: str) -> str:
    return escape(visible(text))


def _prose(text: str) -> str:
    return "".join(
        f"<code>{escape(part)}</code>" if n % 2 else escape(part) for n, part in enumerate(_parts(text))
    )


def _html(block: Heading | Paragraph | Tiles | Facts | Table | Code) -> str:
    match block:
        case Heading():
            return f"<h2>{_text(block.text)}</h2>"
        case Paragraph():
            text = _prose(block.text)
            return f"<p><strong>{text}</strong></p>" if block.emphasis else f"<p>{text}</p>"
        case Tiles():
            return f'<div class="tiles">\n{"".join(map(_tile, block.tiles))}</div>'
        case Facts():
            rows = (f"<dt>{_text(topic)}</dt><dd>{_prose(text)}</dd>" for topic, text in block.rows)
            return "<dl>\n" + "\n".join(rows) + "\n</dl>"
        case Table():
            return _table(block)
        case Code():
            return f"<pre>{_text(block.text)}</pre>"


def _tile(tile: Tile) -> str:
    note = f'<div class="note">{_text(tile.note)}</div>' if tile.note else ""
    return (
        f'<div class="tile"><div class="label">{_text(tile.label)}</div>'
        f'<div class="value {tile.kind}{" long" if len(tile.value) > _LONG else ""}">{_text(tile.value)}</div>{note}</div>\n'
    )


def _table(block: Table) -> str:
    looks = [" ".join(["left"] if name in block.left else []) for name in block.head]
    head = "".join(
        f'<th class="{look}">{_text(name)}</th>' for name, look in zip(block.head, looks, strict=True)
    )
    rows = []
    for n, cells in enumerate(block.rows):
        look = "strong" if n in block.strong else "faint" if n in block.faint else ""
        texts = "".join(
            f'<td class="{_cell_look(text, of_column)}">{_text(text)}</td>'
            for text, of_column in zip(cells, looks, strict=True)
        )
        rows.append(f'<tr class="{look}">{texts}</tr>')
    body = "\n".join(rows)
    width = "scroll narrow" if len(block.head) <= _FEW_COLUMNS else "scroll"
    return f'<div class="{width}"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _cell_look(text: str, of_column: str) -> str:
    if text.startswith(("✓", "✗")):
        return f"{of_column} {'met' if text.startswith('✓') else 'missed'}"
    return f"{of_column} wide" if len(text) > 60 else of_column

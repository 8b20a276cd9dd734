"""Painted lines on stdout: what the app draws too, in Rich's colours, or in characters where there are none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tuitrain.cli.console import stdout
from tuitrain.figures import RICH_COLOURS

if TYPE_CHECKING:
    from rich.style import Style
    from rich.text import Text

    from tuitrain.tui.paint.digits import Ink
    from tuitrain.tui.paint.text import HeadedLines, Parts

LARGE_FROM, SMALL_BELOW = 124, 60  # columns: four images of 28 beside each other, and two
#: Rich's styles by the names of those in the app's theme.
_STYLES = RICH_COLOURS | {
    "": "", "bold": "bold", "underline": "underline", "reverse": "reverse", "dim": "dim", "faint": "dim", "track": "dim",
    "primary": "cyan", "second": "magenta", "accent": "yellow", "third": "blue",
}  # fmt: skip


def has_colours() -> bool:
    """Whether greys can be told apart on stdout."""
    console = stdout()
    return console.is_terminal and not console.no_color and console.color_system in ("256", "truecolor")


def ink() -> Ink:
    """How images are drawn on stdout: in half blocks, or in characters."""
    return "light" if has_colours() else "plain"


def small_images() -> bool:
    """Whether images are drawn at half their size on stdout; in characters that would leave little of them."""
    width = stdout().width
    return width < (LARGE_FROM if has_colours() else SMALL_BELOW)


def painted(parts: Parts) -> Text:
    """Parts as Rich's text."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ignore", end="")
    for piece, style in parts:
        text.append(piece, _style(style))
    if not has_colours():
        text.rstrip()
    return text


def _style(style: str | Style) -> str | Style:
    if not isinstance(style, str):
        return style
    return " ".join(_STYLES[name] for name in style.split())


def show_lines(lines: Iterable[Parts]) -> None:
    """Print painted lines."""
    for line in lines:
        stdout().print(painted(line), crop=False, soft_wrap=True)


def show_headed(headed: HeadedLines) -> None:
    """Print a heading and the lines below it."""
    show_wrapped(headed[0])
    show_lines(headed[1])


def show_wrapped(parts: Parts, indent: int = 1) -> None:
    """Print a sentence on as many lines as it takes; all but the first are indented."""
    from tuitrain.tui.paint.text import wrap

    show_lines(wrap(parts, stdout().width, indent))

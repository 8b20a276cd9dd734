"""How a study stands, on top of its screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.runs import wording
from tuitrain.tui.paint.cells import Bar, Field
from tuitrain.tui.paint.text import Parts, wrap

if TYPE_CHECKING:
    from tuitrain.study.watching import StudyLook

STYLES = {"live": "good", "waiting": "dim"}


def state_style(state: str) -> str:
    """The colour of a state."""
    kind = figures.glyph_and_kind(state)[1]
    return STYLES.get(kind, kind)


def state_parts(state: str) -> Parts:
    """Glyph and word of a state, in its colour."""
    word = "training" if state == "live" else wording.state_text(state)
    return ((f"{figures.glyph_and_kind(state)[0]} {word}", state_style(state)),)


def time_parts(seen: StudyLook, state: str, *, at_most: bool = False) -> Parts:
    """How long a study takes still, or has taken; nothing while it waits for its turn."""
    if state == "queued":
        return ()
    if state != "live":
        took = sum(run.history.seconds for group in seen.groups for run in group.runs)
        return ("took ", "dim"), (figures.elapsed_text(took), "bold")
    return ("at most " if at_most else "ETA ", "dim"), (figures.duration_text(seen.left_s), "bold")


class StudyHead(Vertical):
    """State, a bar with what it counts, and the first thing that is said of the study."""

    DEFAULT_CSS = """
    StudyHead { height: auto; width: 1fr; }
    StudyHead Horizontal { height: 1; width: 1fr; }
    StudyHead #left { width: 22; }
    StudyHead #count { width: 22; }
    """

    def __init__(self, label: str, lines: int) -> None:
        """`label` stands before the bar; the sentence has so many lines."""
        super().__init__()
        self._label, self._lines = label, lines

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Field(id="state")
            yield Field(right=True, id="left")
        with Horizontal():
            label = Field(((f"{self._label} ", "dim"),), id="count-label")
            label.styles.width = len(self._label) + 1
            yield label
            yield Bar(id="count-bar")
            yield Field(id="count")
        for _ in range(self._lines):
            yield Field(classes="-said")

    def show(
        self,
        seen: StudyLook,
        state: str,
        *,
        fraction: float,
        count: str,
        says: Sequence[str],
        about: str = "",
        at_most: bool = False,
    ) -> None:
        """Show how a study stands.

        Args:
            count: behind the bar.
            says: what is said of it; the first of it is said here.
            about: behind the state.
            at_most: whether the time left is all that it may take.
        """
        self.query_one("#state", Field).set(*state_parts(state), (f"  {about}", "dim"))
        self.query_one("#left", Field).set(*time_parts(seen, state, at_most=at_most))
        style = {"done": "good", "live": "primary", "queued": "primary"}.get(state, "warn")
        self.query_one("#count-bar", Bar).set(fraction, style)
        self.query_one("#count", Field).set((f" {count}", ""))
        text = visible(says[0]) if says else ""
        lines = wrap(((text, "bold"),), self.size.width or 78)
        if len(lines) > self._lines:
            cut = "".join(part for part, _ in lines[self._lines - 1])
            lines[self._lines - 1] = ((f"{cut.rstrip()} …", "bold"),)
        for number, field in enumerate(self.query(".-said").results(Field)):
            field.display = number < max(1, len(lines))
            field.set(*(lines[number] if number < len(lines) else ()))

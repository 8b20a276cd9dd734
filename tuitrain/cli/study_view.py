"""What a study shows while its members train: a line for each that ended, or a picture that is redrawn on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from tuitrain.cli.console import stderr
from tuitrain.errors import visible
from tuitrain.figures import RICH_COLOURS, accuracy_text, duration_text, elapsed_text, glyph_and_kind, plural
from tuitrain.runs import wording
from tuitrain.watch.group import Group, SeedRun, mean_text
from tuitrain.watch.study_pace import StudyPace, fraction_done

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOW_S = 0.5
Below = Callable[[Sequence[Group]], list[str]]


class StudyView(Protocol):
    """Shows a study. Broken output never reaches the training."""

    def show(self, groups: Sequence[Group]) -> None:
        """How its groups stand."""

    def close(self) -> None:
        """It has ended."""


def choose_view(
    lines: Below, *, quiet: bool, plain: bool, redrawn: Callable[[Below], Redrawn] | None = None
) -> StudyView:
    """The view for this terminal.

    Args:
        lines: what is said below the members, as of a duel.
        quiet: whether nothing is shown.
        plain: whether lines are shown in place of a picture.
        redrawn: makes the picture; where left out, that of groups.
    """
    if quiet:
        return Silent()
    return PlainLines() if plain or not stderr().is_terminal else (redrawn or Redrawn)(lines)


class Silent:
    """Shows nothing."""

    def show(self, groups: Sequence[Group]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def member_line(group: Group, run: SeedRun, *, named: bool) -> str:
    """A member that ended, in one line."""
    history = run.history
    what = f"{visible(group.label)} seed {run.seed}" if named else f"seed {run.seed}"
    how = "" if history.outcome == "completed" else f"  {group.stopped or wording.state_text(run.state)}"
    best = (
        f", best {accuracy_text(run.best)} in epoch {history.best.epoch}" if history.best is not None else ""
    )
    return f"{what}: {accuracy_text(run.accuracy)}{best}  {elapsed_text(history.seconds)}{how}"


class PlainLines:
    """A line on stderr for each member that has ended; of those that were stopped, which may go on, at the end."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._groups: Sequence[Group] = ()

    def show(self, groups: Sequence[Group]) -> None:
        """Says which have ended since the last time."""
        self._groups = groups
        self._tell(lambda run: run.history.outcome != "stopped")

    def close(self) -> None:
        """Says which were stopped."""
        self._tell(lambda run: True)

    def _tell(self, wanted: Callable[[SeedRun], bool]) -> None:
        total = sum(len(group.runs) for group in self._groups)
        for group in self._groups:
            for run in group.runs:
                if run.run in self._told or run.history.finished is None or run.state == "live":
                    continue
                if not wanted(run) or (run.history.waits and not group.stopped):
                    continue
                self._told.add(run.run)
                text = member_line(group, run, named=len(self._groups) > 1)
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(f"{text}  ({len(self._told)} of {total})\n")
                    sys.stderr.flush()


class Redrawn:
    """The groups on a terminal, redrawn in place: a bar, the figures so far, and the members that train."""

    def __init__(self, lines: Below) -> None:
        from rich.live import Live

        self._groups: Sequence[Group] = ()
        self._lines, self._pace = lines, StudyPace()
        self._live = Live(console=stderr(), refresh_per_second=4, get_renderable=self.picture, transient=True)
        self._live.start()

    def show(self, groups: Sequence[Group]) -> None:
        """Takes what is drawn next."""
        self._groups = groups

    def close(self) -> None:
        """Takes the picture away."""
        with contextlib.suppress(OSError, ValueError):
            self._live.stop()

    def picture(self) -> RenderableType:
        """The groups as they stand."""
        from rich.console import Group as Stack
        from rich.text import Text

        groups = self._groups
        if not groups:
            return Text("starting …")
        parts = [self.head(groups), *self.body(groups)]
        parts += [Text(line) for line in self._lines(groups)]
        parts += [self._member(group, run) for group in groups for run in group.runs if self._shown(run)][:12]
        return Stack(*parts)

    def head(self, groups: Sequence[Group]) -> RenderableType:
        """A bar, how many runs have ended, and how long the others take."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        done = sum(len(group.ended) for group in groups)
        total = sum(len(group.runs) for group in groups)
        grid = Table.grid(padding=(0, 2))
        grid.add_row(
            ProgressBar(total=1.0, completed=fraction_done(groups), width=30),
            f"{done} of {plural(total, 'run')}",
            f"ETA {duration_text(self._pace.left_s(groups))}",
        )
        return grid

    def body(self, groups: Sequence[Group]) -> list[RenderableType]:
        """What the groups have come to."""
        from rich.text import Text

        parts: list[RenderableType] = []
        for group in groups:
            label = f"{visible(group.label)}: " if len(groups) > 1 else ""
            text = group.stopped or mean_text(group)
            parts.append(Text(f"{label}{text}", style="bold" if len(groups) == 1 else ""))
        return parts

    @staticmethod
    def _shown(run: SeedRun) -> bool:
        return run.state not in ("waiting", "stopped", "done", "diverged")

    def _member(self, group: Group, run: SeedRun) -> RenderableType:
        from rich.text import Text

        glyph, kind = glyph_and_kind(run.state)
        label = f"{visible(group.label)} " if len(self._groups) > 1 else ""
        last = accuracy_text(run.accuracy)
        epochs = (
            f"epoch {len(run.history.epochs)} of {run.history.planned}" if run.history.planned else "starting"
        )
        return Text.assemble(
            (glyph, RICH_COLOURS.get(kind, "dim")), f" {label}seed {run.seed}  {epochs}  {last}"
        )

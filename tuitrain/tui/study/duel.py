"""The monitor of a duel: the interval that shrinks with each pair, the line of zero, and the pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.intervals import Row, interval_lines
from tuitrain.tui.paint.lines import DrawnView, SheetLines
from tuitrain.tui.paint.text import Line, Parts, fit
from tuitrain.tui.study.head import StudyHead
from tuitrain.tui.study.members import Members
from tuitrain.tui.study.screen import StudyScreen, sentences
from tuitrain.watch.duel import Duel, looks_for_text
from tuitrain.watch.evidence import figure_rows, signed_interval
from tuitrain.watch.group import SeedRun
from tuitrain.watch.runlist import state_look

if TYPE_CHECKING:
    from tuitrain.study.watching import StudyLook


HEAD = Line().add("    seed        A        B    B − A   images that only one has right", "dim underline")


class DuelScreen(StudyScreen):
    """B against A with the same seeds, until it is decided; looking at it does not change what it says."""

    HELP_TITLE = "Monitor of a duel"
    DEFAULT_CSS = """
    DuelScreen.-tall StudyHead, DuelScreen.-very-tall StudyHead { margin: 1 0; }
    DuelScreen #intervals { height: 1fr; width: 1fr; }
    DuelScreen #says { display: none; width: 1fr; margin-left: 2; }
    DuelScreen.-two #says { display: block; width: 54; }
    DuelScreen.-says #intervals { display: none; }
    DuelScreen.-says #says { display: block; width: 1fr; margin: 0; }
    DuelScreen Members { height: 7; }
    DuelScreen.-tall Members { height: 10; }
    DuelScreen.-very-tall Members { height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("A", "open_a", "Open the run of A", show=False, id="duel.open_a"),
    ]

    def parts(self) -> ComposeResult:
        yield StudyHead("pairs", 3)
        yield SectionLine("B − A in points, at each look", id="looks-head")
        with Horizontal(id="middle"):
            yield DrawnView(self._intervals, id="intervals")
            yield SheetLines(id="says")
        yield SectionLine("Pairs", id="members-head")
        yield Members()

    def context(self, seen: StudyLook) -> str:
        a, b = seen.groups[0].label, seen.groups[1].label
        return f"duel  {a}  ▸  {b.removeprefix(a).lstrip(' ·') or b}"

    def show(self, seen: StudyLook) -> None:
        duel = seen.duel
        if duel is None:
            return
        done, most = len(duel.pairs), duel.plan.last
        over = self.state not in ("live", "queued")
        self.query_one(StudyHead).show(
            seen,
            "done" if over and duel.decided else self.state,
            fraction=done / most,
            count=f"{done} of at most {most}",
            says=seen.says,
            about=looks_for_text(duel.plan),
            at_most=duel.to_go is None,
        )
        self.query_one("#intervals", DrawnView).rebuild()
        goal = (("┆ the gain", "dim"),) if duel.plan.gain is not None else ()
        self.query_one("#looks-head", SectionLine).set(right=goal)
        says = self.query_one("#says", SheetLines)
        width = (says.size.width or self.size.width) - 3
        says.set([*_figures(duel, width), [], *sentences(seen.says[1:], width, first="")])
        self.query_one("#members-head", SectionLine).set(
            after=((f"A {visible(duel.a.label)}", "dim"), ("   ", ""), (f"B {visible(duel.b.label)}", "dim"))
        )
        self.query_one(Members).show(HEAD, pair_rows(duel))

    def _intervals(self, width: int, height: int) -> list[Parts]:
        """What each look has left of the interval."""
        duel = self.looked.duel if self.looked is not None else None
        if duel is None:
            return []
        rows = [
            Row(
                str(look.pairs),
                look.difference,
                look.interval.low,
                look.interval.high,
                f"{figures.signed_points_text(look.difference)} ({signed_interval(look.interval)})",
            )
            for look in duel.looks
        ]
        return interval_lines(rows, width, height, duel.plan.gain)

    def member_at(self, index: int) -> str | None:
        """The run of B of a pair, or where it has not begun that of A."""
        return self._run_of(index, ("b", "a"))

    def action_open_a(self) -> None:
        run = self._run_of(self.query_one(Members).cursor, ("a",))
        if run is not None:
            self.open_member(run)
        else:
            self.app.bell()

    def _run_of(self, index: int, sides: Sequence[str]) -> str | None:
        duel = self.looked.duel if self.looked is not None else None
        runs: list[SeedRun] = []
        if duel is not None and 0 <= index < len(duel.a.runs):
            runs = [{"a": duel.a, "b": duel.b}[side].runs[index] for side in sides]
        return next((run.run for run in runs if run.state != "waiting"), None)


def pair_rows(duel: Duel) -> list[Parts]:
    """A line for each pair that has begun; those that don't count yet with how far they are."""
    counted = {pair.seed: pair for pair in duel.pairs}
    rows: list[Parts] = []
    for run_a, run_b in zip(duel.a.runs, duel.b.runs, strict=True):
        if run_a.state == run_b.state == "waiting":
            break
        line = Line().add(str(run_a.seed), "", 6, right=True)
        pair = counted.get(run_a.seed)
        if pair is None:
            rows.append(
                line.add(_stands(run_a), "dim", 9, right=True).add(_stands(run_b), "dim", 9, right=True)
            )
            continue
        line.add(figures.percent_text(pair.a), "", 9, right=True)
        line.add(figures.percent_text(pair.b), "", 9, right=True)
        style = "good" if pair.b > pair.a else "warn" if pair.b < pair.a else ""
        line.add(figures.signed_points_text(pair.b - pair.a), style, 9, right=True)
        rows.append(line.add(f"{pair.only_a:>6} A, {pair.only_b} B"))
    return rows


def _stands(run: SeedRun) -> str:
    """How far a run is that does not count yet."""
    if run.ended:
        return figures.percent_text(run.accuracy)
    if run.state == "waiting" or not run.history.planned:
        return "–"
    return f"{state_look(run.state)[0]} {len(run.history.epochs)}/{run.history.planned}"


def _figures(duel: Duel, width: int) -> list[Parts]:
    """The figures of both side by side, as far as there is room for their texts."""
    cells = max(8, min(22, (width - 21) // 2))
    head = Line().add("", "", 21).add("A", "bold", cells, right=True).add("B", "bold", cells, right=True)
    rows: list[Parts] = [head]
    for label, a, b in figure_rows(duel.a, duel.b):
        if max(len(a), len(b)) < cells:
            line = Line().add(fit(label, 21), "dim")
            rows.append(line.add(a, "", cells, right=True).add(b, "", cells, right=True))
    return rows

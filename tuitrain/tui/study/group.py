"""The monitor of a group of seeds: their mean, the band over the epochs, and the members."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from tuitrain import figures
from tuitrain.tui.monitor.curves import SIGNS
from tuitrain.tui.paint.axes import Curve, Picture, horizon
from tuitrain.tui.paint.cells import Bar, BigNumber, Field, LargeHead, SectionLine
from tuitrain.tui.paint.chart import Chart
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.text import Line, Part, Parts
from tuitrain.tui.runs.curves import group_curve
from tuitrain.tui.runs.table import KINDS
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.study.head import state_parts, time_parts
from tuitrain.tui.study.members import Members
from tuitrain.tui.study.screen import StudyScreen, sentences
from tuitrain.watch.group import (
    Group,
    SeedRun,
    extremes_text,
    interval_text,
    sd_text,
    so_far_text,
    target_text,
)
from tuitrain.watch.reproduction import claim_text
from tuitrain.watch.runlist import state_look
from tuitrain.watch.study_pace import fraction_done

if TYPE_CHECKING:
    from tuitrain.study.watching import StudyLook


class GroupHead(LargeHead):
    """The mean in large digits, how sure it is, the target; two bars; the worst and the best."""

    DEFAULT_CSS = """
    GroupHead #left { width: 28; }
    GroupHead #run-label { width: 4; }
    GroupHead #share { width: 6; }
    GroupHead #seeds-label { width: 8; }
    GroupHead #seeds { width: 20; }
    """

    def compose(self) -> ComposeResult:
        """Every figure that changes on its own is a field of its own."""
        with Horizontal(id="head"):
            yield BigNumber(ascii_only=self._ascii, id="mean")
            with Vertical(id="facts"):
                with Horizontal():
                    yield Field(id="state")
                    yield Field(right=True, id="left")
                yield Field(id="sure")
                yield Field(id="target")
        with Horizontal(id="bars"):
            yield Field((("run ", "dim"),), id="run-label")
            yield Bar(id="run-bar")
            yield Field(right=True, id="share")
            yield Field((("  seeds ", "dim"),), id="seeds-label")
            yield Bar(id="seeds-bar")
            yield Field(id="seeds")
        yield Field(id="ends")

    def show(self, seen: StudyLook, state: str) -> None:
        group, mean = seen.group, seen.group.mean
        share = group.at_target("end")
        style = "good" if share is not None and share.count == share.of else "accent"
        self.query_one(BigNumber).set(figures.percent_text(mean.value) if mean else "–", style)
        live = [run for run in group.runs if run.state not in ("waiting",) and not run.ended]
        epochs = max((len(run.history.epochs) for run in live), default=0)
        planned = max((run.history.planned for run in group.runs), default=0)
        where = f"  epoch {epochs + 1} of {planned}" if live and seen.held and epochs < planned else ""
        self._set("state", *state_parts(state), (where, "bold"))
        self._set("left", *time_parts(seen, state))
        self._set("sure", *sure_parts(group))
        none = "no target accuracy" if any(run.history.started for run in group.runs) else ""
        self._set("target", (target_text(group) or none, "" if share else "dim"))
        fraction = fraction_done([group])
        bar = "good" if seen.state == "done" else "warn" if seen.over else "primary"
        self.query_one("#run-bar", Bar).set(fraction, bar)
        self._set("share", (f"{fraction * 100:.0f} %", ""))
        done, of = len(group.ended), len(group.runs)
        self.query_one("#seeds-bar", Bar).set(done / max(1, of), bar)
        self._set("seeds", (f" {done} of {of} finished", ""))
        ends, claim = extremes_text(group), claim_text(seen.source) if seen.source is not None else ""
        between = "  " if ends and claim else ""
        fits = len(ends + between + claim) <= self.query_one("#ends").size.width
        self._set("ends", (ends, ""), (between if fits else "", ""), (claim if fits else "", "dim"))


def sure_parts(group: Group) -> Parts:
    """What is in large digits, its interval and the standard deviation between seeds."""
    if group.mean is None:
        return ((so_far_text(group), "dim"),)
    if len(group.accuracies) < 2:
        return (("the last epoch of one seed", "dim"),)
    return (
        ("mean, ", "dim"),
        (interval_text(group.mean.interval()), "bold"),
        (f", {sd_text(group)}, {figures.plural(len(group.accuracies), 'seed')}", ""),
    )


def picture(seen: StudyLook, cursor: int | None = None) -> Picture:
    """The mean over the band of all seeds, and the published curve."""
    group = seen.group
    mean, band = group_curve(group, "primary bold")
    curves = [mean]
    if seen.source is not None and seen.source.curve:
        curves.append(Curve("published", seen.source.curve, "second", "dot", "beside"))
    planned = max((run.history.planned for run in group.runs), default=1)
    target = None if group.target is None else group.target / 100
    epochs = horizon(len(mean.values), planned)
    return Picture(tuple(curves), epochs, "accuracy", target, False, cursor, (band,))


def title(seen: StudyLook, shown: Picture) -> Parts:
    """What is what in the chart, or the values under the cursor."""
    parts: list[Part] = [("Accuracy %", "bold")]
    points = {point.epoch: point for point in seen.group.band}
    at = points.get(shown.cursor) if shown.cursor is not None else None
    if shown.cursor is not None:
        parts.append((f"  epoch {shown.cursor}", "accent"))
    span = (
        f" {figures.percent_text(at.low)} to {figures.percent_text(at.high)}" if at else " lowest to highest"
    )
    parts += [("  ░░", "primary"), (span, "dim")]
    for curve in shown.curves:
        value = ""
        if shown.cursor is not None:
            known = curve.values[shown.cursor - 1 : shown.cursor]
            value = f" {figures.percent_text(known[0] if known else None)}"
        parts += [(f"  {SIGNS[curve.pattern]}", curve.style), (f" {curve.name}{value}", "dim")]
    if shown.target is not None and at is None:
        parts += [("  ┈", "faint"), (f" target {figures.percent_text(shown.target)}", "dim")]
    return tuple(parts)


HEAD = Line().add("   state       seed  epochs    last    best   differs from the others on", "dim underline")


def member_parts(group: Group, run: SeedRun) -> Parts:
    """A line of the table."""
    glyph, word, kind = state_look(run.state)
    history, differs = run.history, group.disagreement_of(run)
    epochs = f"{len(history.epochs)}/{history.planned}" if history.planned else "–"
    line = Line().add(f"{glyph} {word}", KINDS.get(kind, kind), 11).add(str(run.seed), "", 6, right=True)
    line.add(epochs, "", 8, right=True).add(figures.percent_text(run.accuracy), "bold", 8, right=True)
    line.add(figures.percent_text(run.best), "", 8, right=True)
    return line.add(f"{differs:.0f} images" if differs is not None else "–", "", 15, right=True)


class GroupScreen(StudyScreen):
    """Seeds of one setting: the mean of their last epochs with its interval, the band over the epochs, the members."""

    HELP_TITLE = "Monitor of a group"
    DEFAULT_CSS = """
    GroupScreen.-narrow BigNumber { width: 21; }
    GroupScreen.-tall GroupHead, GroupScreen.-very-tall GroupHead { margin: 1 0; }
    GroupScreen #picture { height: 1fr; width: 1fr; }
    GroupScreen #says { display: none; width: 1fr; margin-left: 2; }
    GroupScreen.-two #says { display: block; width: 46; }
    GroupScreen.-says #picture { display: none; }
    GroupScreen.-says #says { display: block; width: 1fr; margin: 0; }
    GroupScreen Members { height: 6; }
    GroupScreen.-tall Members { height: 10; }
    GroupScreen.-very-tall Members { height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "more", "More seeds", key_display="+", id="group.more"),
        Binding("M", "board", "Leaderboard", id="group.board"),
        Binding("left", "cursor(-1)", "Value cursor left", show=False, id="group.cursor_left"),
        Binding("right", "cursor(1)", "Value cursor right", show=False, id="group.cursor_right"),
        Binding("escape", "cursor_off", "Cursor off", show=False, id="group.cursor_off"),
        Binding("left_square_bracket", "setting(-1)", "Previous setting of the study", show=False, key_display="[",
                id="group.previous"),
        Binding("right_square_bracket", "setting(1)", "Next setting of the study", show=False, key_display="]",
                id="group.next"),
    ]  # fmt: skip

    _cursor: int | None = None  # of the chart

    def parts(self) -> ComposeResult:
        yield GroupHead(ascii_only=shell(self).settings.ascii_only)
        with Horizontal(id="middle"):
            with Vertical(id="picture"):
                yield Field(id="chart-title")
                yield Chart()
            yield SheetLines(id="says")
        yield SectionLine("Members", id="members-head")
        yield Members()

    def context(self, seen: StudyLook) -> str:
        """The setting and how many seeds it has; of several settings which one."""
        seeds = figures.plural(len(seen.group.runs), "seed")
        of = f"{seen.setting + 1} of {len(seen.groups)}: " if len(seen.groups) > 1 else ""
        return f"{of}{seen.group.label} · {seeds}"

    def show(self, seen: StudyLook) -> None:
        self.query_one(GroupHead).show(seen, self.state)
        shown = picture(seen, self._cursor)
        self.query_one("#chart-title", Field).set(*title(seen, shown))
        self.query_one(Chart).show(shown)
        says = self.query_one("#says", SheetLines)
        says.set(sentences(seen.says, (says.size.width or self.size.width) - 3))
        rows = [member_parts(seen.group, run) for run in seen.group.runs]
        self.query_one(Members).show(HEAD, rows)

    def member_at(self, index: int) -> str | None:
        """The run of a line, once it has begun."""
        if self.looked is None or not 0 <= index < len(self.looked.group.runs):
            return None
        run = self.looked.group.runs[index]
        return None if run.state == "waiting" else run.run

    # -- keys ------------------------------------------------------------------------------------

    @on(Chart.CursorMoved)
    def _cursor_moved(self, event: Chart.CursorMoved) -> None:
        event.stop()
        self._cursor = event.epoch
        self.show_again()

    def action_cursor(self, by: int) -> None:
        self.query_one(Chart).action_cursor(by)

    def action_cursor_off(self) -> None:
        self.query_one(Chart).action_cursor_off()

    def action_board(self) -> None:
        if self.watcher is not None:
            shell(self).show_study(self.watcher, None, self.readonly)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A study of one setting has no leaderboard."""
        if action == "board":
            return self.looked is not None and self.looked.board is not None
        return super().check_action(action, parameters)

    def action_setting(self, by: int) -> None:
        if self.watcher is not None and self.looked is not None and len(self.looked.groups) > 1:
            self.watcher.setting = (self.looked.setting + by) % len(self.looked.groups)
            self.look()

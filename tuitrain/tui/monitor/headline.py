"""The monitor's headline and its line about the machine: always in sight, whatever view is open."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.monitor.sheets import LEVEL_MARKS, LEVEL_STYLES
from tuitrain.tui.paint.bars import spark_range
from tuitrain.tui.paint.cells import Bar, BigNumber, Field, LargeHead, Spark
from tuitrain.tui.paint.sizes import NORMAL
from tuitrain.tui.paint.text import Line, Part, cells
from tuitrain.watch.alerts import Alert
from tuitrain.watch.machine import Reading
from tuitrain.watch.state import Ghost, MonitorState, ahead

NARROW = NORMAL - 2  # columns below which the headline is shortened; its screen has a margin


class Headline(LargeHead):
    """State, epoch, best accuracy in large digits, last, target, time left; two bars; the running figures."""

    DEFAULT_CSS = """
    Headline .-side { width: 24; }
    Headline #epoch-label { width: 6; }
    Headline #run-label { width: 6; }
    Headline #steps { width: 16; }
    Headline #share { width: 6; }
    Headline #low { width: 12; }
    Headline #loss { width: 13; }
    Headline #acc { width: 13; }
    Headline #gap { width: 12; }
    Headline #lr { width: 11; }
    """

    def compose(self) -> ComposeResult:
        """Every figure that changes on its own is a field of its own."""
        with Horizontal(id="head"):
            yield BigNumber(ascii_only=self._ascii, id="best")
            with Vertical(id="facts"):
                with Horizontal():
                    yield Field(id="state")
                    yield Field(right=True, id="eta", classes="-side")
                with Horizontal():
                    yield Field(id="best-where")
                    yield Field(right=True, id="last", classes="-side")
                with Horizontal():
                    yield Field(id="target")
                    yield Field(right=True, id="versus", classes="-side")
        with Horizontal(id="bars"):
            yield Field((("epoch ", "dim"),), id="epoch-label")
            yield Bar(id="epoch-bar")
            yield Field(id="steps")
            yield Field((("  run ", "dim"),), id="run-label")
            yield Bar(id="run-bar")
            yield Field(right=True, id="share")
        with Horizontal(id="now"):
            yield Field(id="low")
            yield Spark(id="spark")
            yield Field(id="loss")
            yield Field(id="acc")
            yield Field(id="gap")
            yield Field(right=True, id="lr")

    @property
    def narrow(self) -> bool:
        """Whether only the shortest form of each figure fits."""
        return self.size.width < NARROW

    def show(self, state: MonitorState, ghosts: Sequence[Ghost], silent_s: float = 0.0) -> None:
        """Show a state; `silent_s` is how long nothing was heard of a run that should be talking."""
        self._show_state(state, silent_s)
        self._show_best(state)
        self._show_target(state, ghosts)
        self._show_bars(state)
        self._show_now(state)

    def _show_state(self, state: MonitorState, silent_s: float) -> None:
        if state.started is None and not state.asks and state.phase == "waiting" and not state.log:
            self._set("state", ("○ no run", "dim"))
            self._set("eta")
            return
        glyph, kind = figures.glyph_and_kind(state.status)
        style = {"live": "good", "waiting": "dim"}.get(kind, kind)
        parts: list[Part] = [(f"{glyph} {state.status_text}", style)]
        if state.started is not None or state.epochs:
            where = f"epoch {state.epoch}{'/' if self.narrow else ' of '}{state.planned}"
            parts.append((f"  {figures.plural(state.epoch, 'epoch') if state.over else where}", "bold"))
        self._set("state", *parts)
        self._set("eta", *self._waiting_for(state, silent_s))

    def _waiting_for(self, state: MonitorState, silent_s: float) -> list[Part]:
        """What was asked and isn't done yet, else how long it still takes."""
        if state.asks:
            return [(f"{state.asks[-1].text}…", "accent")]
        if state.over:
            return [("took ", "dim"), (figures.elapsed_text(state.elapsed_s), "bold")]
        if state.stopping:
            return [("stopping…", "accent")]
        if silent_s >= 5:
            return [(f"no news for {figures.duration_text(silent_s - silent_s % 5)}", "warn")]
        if state.started is None:
            return []
        spent = figures.duration_text(state.elapsed_s)
        left = figures.duration_text(None if state.stalled_s else state.eta_s)
        if state.pause_after:
            return [(f"pause after {state.pause_after}  ", "warn"), ("ETA ", "dim"), (left, "bold")]
        fits = not self.narrow and len(spent) + len(left) <= 10
        return [(f"{spent} elapsed  " if fits else "", "dim"), ("ETA ", "dim"), (left, "bold")]

    def _show_best(self, state: MonitorState) -> None:
        best, last = state.best, state.last
        style = "good" if state.hits else "accent"
        self.query_one(BigNumber).set(figures.percent_text(best.test_acc) if best else "–", style)
        judged = state.history.judged_by
        if best is None:
            self._set("best-where", (f"best {judged} accuracy", "dim"))
            self._set("last")
            return
        what = "best, " if self.narrow else f"best {judged} accuracy, "
        self._set("best-where", (what, "dim"), (f"epoch {best.epoch}", ""))
        self._set(
            "last", ("last ", "dim"), (f"{figures.percent_text(last.test_acc if last else None)} %", "")
        )

    def _show_target(self, state: MonitorState, ghosts: Sequence[Ghost]) -> None:
        target, hits = state.target, state.hits
        if target is None:
            self._set("target", ("no target accuracy" if state.started else "", "dim"))
        elif hits:
            text = f"✓ {target:.2f} reached in epoch {hits[0]}"
            more = f", {len(hits)} times" if len(hits) > 1 and not self.narrow else ""
            self._set("target", (text, "good"), (more, "dim"))
        else:
            gap = figures.points_text(target / 100 - state.best.test_acc) if state.best else ""
            word = "missed" if state.over else "not yet"
            rest = (f" by {gap}" if state.over else f": {gap} to go") if gap else ""
            rest = "" if self.narrow else rest
            self._set("target", (f"target {target:.2f} ", "dim"), (word, ""), (rest, "dim"))
        for ghost in ghosts:
            by = ahead(state, ghost)
            if by is not None:
                self._set("versus", *self._versus(by, ghost.name))
                return
        self._set("versus")

    def _versus(self, by: float, name: str) -> list[Part]:
        if abs(by) < figures.LEVEL:
            return [("level" if self.narrow else f"level with {name}", "dim")]
        side, style = (" ahead", "good") if by > 0 else (" behind", "warn")
        whom = "" if self.narrow else f" of {name}" if by > 0 else f" {name}"
        return [(figures.points_text(by), style), (f"{side}{whom}", "dim")]

    def _show_bars(self, state: MonitorState) -> None:
        style = "good" if state.status == "completed" else "warn" if state.paused or state.over else "primary"
        self.query_one("#epoch-bar", Bar).set(state.step / state.steps if state.steps else 0.0, style)
        self.query_one("#run-bar", Bar).set(state.run_fraction, style)
        steps = f" {state.step:,} / {state.steps:,}" if state.steps else ""
        self._set("steps", (steps, ""))
        self._set("share", (f"{state.run_fraction * 100:.0f} %", ""))

    def _show_now(self, state: MonitorState) -> None:
        values = [e.test_acc for e in state.epochs]
        low, high = spark_range(values)
        self.query_one(Spark).set(values, low, figures.percent_text(high) if values else "")
        judge = "val " if state.history.judged_by == "validation" else "test "
        self._set("low", (judge, "dim"), (figures.percent_text(low), ""))
        now, last = state.train_now, state.last
        loss = now.train_loss if now else None
        acc = now.train_acc if now else None
        self._set("loss", ("  loss ", "dim"), (figures.loss_text(loss), ""))
        self._set("acc", ("  train ", "dim"), (figures.percent_text(acc), ""))
        gap = acc - last.test_acc if acc is not None and last else math.nan  # of the two that are shown
        self._set("gap", ("  gap ", "dim"), (figures.signed_points_text(gap), ""))
        self._set("lr", ("lr ", "dim"), (figures.rate_text(state.lr), ""))


def brief(state: MonitorState) -> list[str]:
    """The headline as short lines, for a terminal too small for the screen; nothing before a run."""
    if state.started is None:
        return []
    glyph, _ = figures.glyph_and_kind(state.status)
    where, time = f"epoch {state.epoch}/{state.planned}", f"ETA {figures.duration_text(state.eta_s)}"
    if state.over:
        where, time = figures.plural(state.epoch, "epoch"), f"took {figures.elapsed_text(state.elapsed_s)}"
    lines = [f"{glyph} {state.status_text}  {where}  {time}", visible(state.started.name or "run")]
    if state.best is not None and state.last is not None:
        best, last = figures.accuracy_text(state.best.test_acc), figures.accuracy_text(state.last.test_acc)
        lines.insert(1, f"best {best} in epoch {state.best.epoch}, last {last}")
    return lines


class MachineLine(Horizontal):
    """What the machine says: GPU or CPU, memory, power, temperature, others; and the speed of the run."""

    DEFAULT_CSS = """
    MachineLine { height: 1; width: 1fr; }
    MachineLine #rate { width: 14; }
    MachineLine #step-ms { width: 15; }
    """

    def compose(self) -> ComposeResult:
        yield Field(id="machine")
        yield Field(right=True, id="rate")
        yield Field(right=True, id="step-ms")

    def show_speed(self, state: MonitorState) -> None:
        """Images a second and milliseconds a step."""
        progress = state.progress
        rate = self.query_one("#rate", Field)
        step = self.query_one("#step-ms", Field)
        if state.over:
            mean = state.finished.images_per_s or None if state.finished else None
            rate.set()
            step.set((figures.count_text(mean), ""), (" img/s", "dim"))
        elif state.started is None:
            rate.set()
            step.set()
        elif progress is None or state.paused:
            rate.set(("–", ""), (" img/s", "dim"))
            step.set(("–", ""), (" ms/step", "dim"))
        else:
            style = "dim" if state.stalled_s else ""  # of before it stood still
            rate.set((figures.count_text(progress.images_per_s), style), (" img/s", "dim"))
            step.set((figures.milliseconds_text(progress.step_ms), style), (" ms/step", "dim"))

    def show_machine(self, state: MonitorState, reading: Reading | None) -> None:
        """A reading of the run's machine, or why there is none."""
        field = self.query_one("#machine", Field)
        started = state.started
        device = started.device if started else "cpu"
        if reading is None:
            name = visible(started.device_name or device) if started else ""
            field.set((name, "bold"), ("" if not name else "   sensors n/a" if not state.over else "", "dim"))
            return
        groups = _gpu(device, reading) if device.startswith("cuda") else _cpu(device, reading)
        parts: list[Part] = []
        for group in groups:  # what doesn't fit is left out whole, the most important first
            if cells((*parts, *group)) > field.size.width:
                break
            parts += group
        field.set(*parts)


def _share(value: float | None) -> str:
    return figures.NA if value is None else f"{value * 100:.0f} %"


def _gpu(device: str, r: Reading) -> list[list[Part]]:
    total = f"/{figures.gigabytes_text(r.gpu_memory_total, 0)} GB" if r.gpu_memory_total is not None else ""
    name = (r.gpu or "").replace("NVIDIA ", "")
    torch = (
        [] if r.torch_memory is None else [(", torch ", "dim"), (figures.gigabytes_text(r.torch_memory), "")]
    )
    others = f"  +{figures.plural(len(r.others), 'other')}" if r.others else ""
    return [
        [(f"{device} ", "bold"), (_share(r.gpu_util), "")],
        [(f"  {figures.gigabytes_text(r.gpu_memory_used)}{total}", ""), *torch],
        [(others, "warn")],
        [(f"  {figures.NA if r.power_w is None else f'{r.power_w:.0f}'} W", "")],
        [(f"  {figures.NA if r.temperature_c is None else f'{r.temperature_c:.0f}'} °C", "")],
        [("  cpu ", "dim"), (_share(r.cpu), "")],
        [("  ram ", "dim"), (_ram(r), "")],
        [(f"  {visible(name)}" if name else "", "dim")],
    ]


def _ram(r: Reading) -> str:
    return f"{figures.gigabytes_text(r.ram_used)}/{figures.gigabytes_text(r.ram_total, 0)} GB"


def _cpu(device: str, r: Reading) -> list[list[Part]]:
    cores = f" of {figures.plural(r.cpus, 'core')}" if r.cpus else ""
    return [
        [(f"{visible(device)} ", "bold"), (_share(r.cpu), ""), (cores, "dim")],
        [("  ram ", "dim"), (_ram(r), "")],
        [("  gpu n/a", "dim")],
        [("  own ", "dim"), (f"{figures.gigabytes_text(r.own_ram)} GB", "")],
    ]


class News(Vertical):
    """The lowest lines: alerts with their remedy first, then the latest of the log."""

    DEFAULT_CSS = "News { height: 2; width: 1fr; }"

    def compose(self) -> ComposeResult:
        """As many lines as the tallest layout has."""
        for _ in range(5):
            yield Field()

    def show(self, state: MonitorState, alerts: Sequence[Alert]) -> None:
        """Alerts, then the log's end, the newest last."""
        room = max(1, self.size.height)
        shown = alerts[: max(1, room - 1)]
        hidden, rest = len(alerts) - len(shown), room - len(shown)
        lines: list[Line] = []
        for number, alert in enumerate(shown, 1):
            mark = LEVEL_MARKS[alert.level].strip() or "·"
            line = Line().add(f"{mark} {alert.message}", LEVEL_STYLES[alert.level] or "accent")
            line.add(f" – {alert.remedy}" if alert.remedy else "")
            lines.append(line.add(f"  (+{hidden})" if hidden and number == len(shown) else "", "dim"))
        for entry in state.log[-rest:] if rest else ():
            style = LEVEL_STYLES[entry.level] or "dim"
            lines.append(Line().add(f"{LEVEL_MARKS[entry.level]} {entry.text}", style))
        for number, field in enumerate(self.query(Field)):
            field.set(*(lines[number] if number < len(lines) else ()))

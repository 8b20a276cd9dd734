"""What a headless run shows while it goes on: lines, or bars on a terminal, or events as JSON lines."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING, Protocol

from tuitrain.cli.console import stderr
from tuitrain.errors import visible
from tuitrain.figures import (
    accuracy_text,
    duration_text,
    loss_text,
    plural,
    rate_text,
    sparkline,
    waiting_text,
)
from tuitrain.runs import wording
from tuitrain.runs.history import History
from tuitrain.runs.signals import data_stream
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Notice,
    Phase,
    Record,
    RunStarted,
    StepProgress,
    to_line,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from tuitrain.runs.snapshot import Snapshot

SPARKLINE = 24  # cells


class RunView(Protocol):
    """Something that shows a run. Broken output never reaches the training."""

    def record(self, record: Record) -> None:
        """A new record."""

    def progress(self, now: Snapshot) -> None:
        """The latest step and phase, a few times a second."""

    def close(self) -> None:
        """The run has ended."""


def epoch_line(e: EpochFinished, judged_by: str = "test") -> str:
    """One finished epoch in one line; `judged_by` names the images that judged it, `test` or `validation`."""
    right = e.test_acc * e.test_images
    correct = f"{round(right)}" if math.isfinite(right) else "?"
    return (
        f"epoch {e.epoch:>{len(str(e.epochs))}}/{e.epochs}  "
        f"train loss {loss_text(e.train_loss)} acc {accuracy_text(e.train_acc)}  "
        f"{judged_by} loss {loss_text(e.test_loss)} acc {correct}/{e.test_images} ({accuracy_text(e.test_acc)})  "
        f"{_averaged(e)}lr {rate_text(e.lr)}  {e.train_s + e.test_s:.1f} s  {e.images_per_s:,.0f} images/s"
    )


def _averaged(e: EpochFinished) -> str:
    """The figures of the averaged weights, where they were judged."""
    if e.ema_test_loss is None or e.ema_test_acc is None:
        return ""
    return f"ema loss {loss_text(e.ema_test_loss)} acc {accuracy_text(e.ema_test_acc)}  "


class PlainView:
    """One line an epoch on stderr; no carriage returns, no colour. `earlier` are records of before a resume."""

    def __init__(self, earlier: Sequence[Record] = (), *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._compiling_s: float | None = None
        self._history = History.of(earlier)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def record(self, record: Record) -> None:
        """A new record as a line."""
        self._history = self._history.add(record)
        match record.event:
            case Notice() as notice:
                self._say(f"{notice.level}: {wording.notice_text(notice)}")
            case _ if self.quiet:
                pass
            case RunStarted() as e:
                self._say(
                    f"{visible(e.name)}: {e.parameters:,} parameters, {e.dataset} ({e.train_images:,} training, "
                    f"{e.test_images:,} {e.judged_by} images), {plural(e.epochs, 'epoch')} on "
                    f"{visible(e.device_name)}, seed {e.seed}"
                )
            case EpochFinished() as e:
                self._say(epoch_line(e, self._history.judged_by))
            case Control() as e:
                self._say(wording.control_text(e, self._history.planned))

    def progress(self, now: Snapshot) -> None:
        """Not shown, but for compiling: a line when it begins and one when it is over."""
        if now.phase == "compiling":
            if self._compiling_s is None and not self.quiet:
                self._say("compiling the network")
            self._compiling_s = now.phase_s
        elif self._compiling_s is not None and now.phase == "training":
            if not self.quiet:
                self._say(f"compiling took {waiting_text(self._compiling_s)}")
            self._compiling_s = None

    def close(self) -> None:
        """Nothing to tidy."""


class EventView:
    """The event stream as JSON lines on stdout, progress included; talk on stderr as lines."""

    def __init__(self) -> None:
        self._lines = PlainView(quiet=True)
        self._last: StepProgress | None = None
        self._phase: str | None = None

    def _emit(self, record: Record) -> None:
        out = data_stream()
        out.write(to_line(record) + "\n")
        out.flush()

    def record(self, record: Record) -> None:
        """A new record as a JSON line."""
        self._emit(record)
        self._lines.record(record)

    def progress(self, now: Snapshot) -> None:
        """The latest step, when it is new; and that compiling has begun."""
        progress = now.progress
        if now.phase == "compiling" != self._phase:
            elapsed_s = progress.elapsed_s if progress else 0.0
            self._emit(Record(Phase("compiling", now.epoch), time.time(), elapsed_s))
        self._phase = now.phase
        if progress is not None and progress is not self._last and progress != self._last:
            self._last = progress
            self._emit(Record(progress, time.time(), progress.elapsed_s))

    def close(self) -> None:
        """Nothing to tidy."""


class BarsView:
    """Two bars, losses, accuracy with a sparkline, speed and ETA, redrawn in place; epochs scroll above."""

    def __init__(self, earlier: Sequence[Record] = ()) -> None:
        from rich.live import Live

        from tuitrain.watch.state import MonitorState, reduce_all

        self._plain = PlainView(earlier)
        self.state = reduce_all(MonitorState(phase="starting"), earlier)
        self._live = Live(console=stderr(), refresh_per_second=8, get_renderable=self.picture, transient=True)
        self._live.start()

    def record(self, record: Record) -> None:
        """A new record: a line above the bars."""
        from tuitrain.watch.state import reduce

        self.state = reduce(self.state, record)
        with contextlib.suppress(OSError, ValueError):
            self._plain.record(record)

    def progress(self, now: Snapshot) -> None:
        """The latest step and phase."""
        from tuitrain.watch.state import reduce, with_phase

        state = reduce(self.state, now.progress) if now.progress is not None else self.state
        self.state = with_phase(state, now.phase, now.phase_s)

    def close(self) -> None:
        """Takes the bars away."""
        with contextlib.suppress(OSError, ValueError):
            self._live.stop()

    def picture(self) -> RenderableType:
        """The bars and figures as they stand."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        state = self.state
        step, now = state.progress, state.train_now
        if state.started is None or step is None or now is None:
            return Text(f"{state.status_text} …")
        grid = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=state.steps, completed=state.step, width=30)
        whole = ProgressBar(total=1.0, completed=state.run_fraction, width=30)
        train = f"train loss {loss_text(now.train_loss)} acc {accuracy_text(now.train_acc)}  lr {rate_text(state.lr)}"
        pace = f"{step.images_per_s:,.0f} images/s  ETA {duration_text(state.eta_s)}  {state.status_text}"
        grid.add_row("epoch", bar, f"{state.step}/{state.steps}", train)
        grid.add_row("run", whole, f"{state.epoch}/{state.planned}", pace)
        if state.best is None or state.last is None:
            return grid
        finite = [e.test_acc for e in state.epochs if math.isfinite(e.test_acc)][-SPARKLINE:]
        line = (
            f"{state.history.judged_by} acc {accuracy_text(state.last.test_acc)}  {sparkline(finite, min(finite))}  "
            f"best {accuracy_text(state.best.test_acc)} in epoch {state.best.epoch}"
        )
        return Group(grid, Text(line))


def choose_view(earlier: Sequence[Record], *, events: bool, quiet: bool, plain: bool) -> RunView:
    """The view that fits the flags and the terminal; `earlier` are the records of a run that goes on."""
    if events:
        return EventView()
    if quiet or plain or not stderr().is_terminal or stderr().is_dumb_terminal:
        return PlainView(earlier, quiet=quiet)
    return BarsView(earlier)

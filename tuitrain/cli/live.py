"""What a headless run shows while it goes on: lines, or bars on a terminal, or events as JSON lines."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING, Protocol

from tuitrain.cli.console import stderr
from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, activity_text, duration_text, plural, sparkline, waiting_text
from tuitrain.runs import wording
from tuitrain.runs.signals import data_stream
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Notice,
    Phase,
    Record,
    RunFinished,
    RunStarted,
    StepProgress,
    to_line,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuitrain.runs.session import Snapshot

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
        f"epoch {e.epoch:>{len(str(e.epochs))}}/{e.epochs}  train loss {e.train_loss:.4f} acc {accuracy_text(e.train_acc)}  "
        f"{judged_by} loss {e.test_loss:.4f} acc {correct}/{e.test_images} ({accuracy_text(e.test_acc)})  "
        f"lr {e.lr:.3g}  {e.train_s + e.test_s:.1f} s  {e.images_per_s:,.0f} images/s"
    )


class PlainView:
    """One line an epoch on stderr; no carriage returns, no colour."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._compiling_s: float | None = None
        self._judged_by = "test"

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def record(self, record: Record) -> None:
        """A new record as a line."""
        match record.event:
            case Notice() as notice:
                self._say(f"{notice.level}: {wording.notice_text(notice)}")
            case _ if self.quiet:
                pass
            case RunStarted() as e:
                self._judged_by = e.judged_by
                self._say(
                    f"{visible(e.name)}: {e.parameters:,} parameters, {e.dataset} ({e.train_images:,} training, "
                    f"{e.test_images:,} {e.judged_by} images), {plural(e.epochs, 'epoch')} on "
                    f"{visible(e.device_name)}, seed {e.seed}"
                )
            case EpochFinished() as e:
                self._say(epoch_line(e, self._judged_by))
            case Control() as e:
                self._say(wording.control_text(e))

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
        self._talk = PlainView(quiet=True)
        self._last: StepProgress | None = None
        self._phase: str | None = None

    def _emit(self, record: Record) -> None:
        out = data_stream()
        out.write(to_line(record) + "\n")
        out.flush()

    def record(self, record: Record) -> None:
        """A new record as a JSON line."""
        self._emit(record)
        self._talk.record(record)

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

    def __init__(self) -> None:
        from rich.live import Live

        self._plain = PlainView()
        self._started: RunStarted | None = None
        self._history: list[EpochFinished] = []
        self._step: StepProgress | None = None
        self._phase = "starting"
        self._live = Live(
            console=stderr(), refresh_per_second=8, get_renderable=self._picture, transient=True
        )
        self._live.start()

    def record(self, record: Record) -> None:
        """A new record: a line above the bars."""
        match record.event:
            case RunStarted() as e:
                self._started = e
            case EpochFinished() as e:
                self._history = [*(h for h in self._history if h.epoch < e.epoch), e]
            case RunFinished():
                return
        with contextlib.suppress(OSError, ValueError):
            self._plain.record(record)

    def progress(self, now: Snapshot) -> None:
        """The latest step."""
        self._step = now.progress
        self._phase = activity_text(now.phase, now.phase_s) if now.phase else self._phase

    def close(self) -> None:
        """Takes the bars away."""
        with contextlib.suppress(OSError, ValueError):
            self._live.stop()

    def eta_s(self) -> float | None:
        """Seconds left, from whole epochs but the first, which holds the warm-up; None before one is known."""
        if self._started is None or self._step is None:
            return None
        sure = self._history[1:] or self._history
        total = (
            max(self._started.epochs, *(e.epochs for e in self._history), 0)
            if self._history
            else self._started.epochs
        )
        if sure:
            an_epoch = sum(e.train_s + e.test_s for e in sure) / len(sure)
        elif self._step.step > 20:
            an_epoch = self._step.steps * self._step.step_ms / 1000
        else:
            return None
        done = self._step.epoch - 1 + self._step.step / max(1, self._step.steps)
        return max(0.0, (total - done) * an_epoch)

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        started, step = self._started, self._step
        if started is None or step is None:
            return Text(f"{self._phase} …")
        epochs = max([started.epochs, *(e.epochs for e in self._history)])
        grid = Table.grid(padding=(0, 2))
        done = (step.epoch - 1) * step.steps + step.step
        bar = ProgressBar(total=step.steps, completed=step.step, width=30)
        whole = ProgressBar(total=epochs * step.steps, completed=done, width=30)
        eta = self.eta_s()
        left = duration_text(eta) if eta is not None else "…"
        grid.add_row("epoch", bar, f"{step.step}/{step.steps}",
                     f"train loss {step.train_loss:.4f} acc {accuracy_text(step.train_acc)}  lr {step.lr:.3g}")  # fmt: skip
        grid.add_row("run", whole, f"{step.epoch}/{epochs}",
                     f"{step.images_per_s:,.0f} images/s  ETA {left}  {self._phase}")  # fmt: skip
        if self._history:
            accs = [e.test_acc for e in self._history[-SPARKLINE:]]
            best = max(self._history, key=lambda e: (e.test_acc, -e.epoch))
            line = (
                f"{started.judged_by} acc {accuracy_text(accs[-1])}  {sparkline(accs, min(accs))}  "
                f"best {accuracy_text(best.test_acc)}"
            )
            return Group(grid, Text(f"{line} in epoch {best.epoch}"))
        return grid


def choose_view(*, events: bool, quiet: bool, plain: bool) -> RunView:
    """The view that fits the flags and the terminal."""
    if events:
        return EventView()
    if quiet or plain or not stderr().is_terminal or stderr().is_dumb_terminal:
        return PlainView(quiet=quiet)
    return BarsView()

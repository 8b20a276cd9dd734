"""Files that are derived from the events: `log.txt`, `metrics.csv` and TensorBoard's.

Whole lines are appended as records come; after a resume or a failed write all of it is derived again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from tuitrain.errors import visible
from tuitrain.runs import durable, wording
from tuitrain.runs.history import History
from tuitrain.runs.tfevents import EventFile
from tuitrain.training.events import (
    CheckpointSaved,
    Control,
    EpochFinished,
    Notice,
    Record,
    RunFinished,
    RunStarted,
)

CSV_FIELDS = (
    "epoch", "train_loss", "train_acc", "test_loss", "test_acc",
    "lr", "train_s", "test_s", "elapsed_s", "images_per_s",
)  # fmt: skip
#: And of a run that judges averaged weights too.
AVERAGED_FIELDS = ("ema_test_loss", "ema_test_acc")
SCALARS = {
    "loss/train": "train_loss",
    "loss/test": "test_loss",
    "loss/ema": "ema_test_loss",
    "accuracy/train": "train_acc",
    "accuracy/test": "test_acc",
    "accuracy/ema": "ema_test_acc",
    "lr": "lr",
    "images_per_s": "images_per_s",
}
_OUTPUT_BYTES = 1 << 16


def log_lines(record: Record, history: History) -> list[str]:
    """A record as lines of text, in the form of PyTorch's MNIST example; without line ends.

    Args:
        record: what happened.
        history: of the run up to then, with this record.
    """
    event = record.event
    match event:
        case RunStarted():
            model = event.own_network.get("model", "?") if event.own_network else ""
            return [
                f"run {visible(event.run)}: {f'network {visible(model)}, ' if model else ''}"
                f"preset {visible(event.name)}, {event.parameters:,} parameters, {visible(event.dataset)}, "
                f"{visible(event.device)}, seed {event.seed}",
                *([f"repeat with: {visible(event.command)}"] if event.command else []),
            ]
        case EpochFinished():
            return epoch_lines(event, history.judged_by)
        case CheckpointSaved():
            return [wording.checkpoint_text(event)]
        case Control():
            return [wording.control_text(event, history.planned)]
        case Notice():
            return [f"{event.level}: {wording.notice_text(event)}"]
        case RunFinished():
            return [wording.end_text(history)]
    return []


def epoch_lines(event: EpochFinished, judged_by: str = "test") -> list[str]:
    """`Test set: Average loss: 0.0188, Accuracy: 9940/10000 (99.40%)`, below a line with the epoch."""
    right = event.test_acc * event.test_images
    count = f"{round(right)}" if right == right else "?"
    return [
        f"EPOCH: {event.epoch} of {event.epochs}, lr {event.lr:.6g}, "
        f"{event.train_s:.1f} s + {event.test_s:.1f} s, {event.images_per_s:,.0f} images/s",
        f"Train set: Average loss: {event.train_loss:.4f}, Accuracy: {100 * event.train_acc:.2f}%",
        f"{judged_by.capitalize()} set: Average loss: {event.test_loss:.4f}, "
        f"Accuracy: {count}/{event.test_images} ({100 * event.test_acc:.2f}%)",
        *_averaged_lines(event, judged_by),
    ]


def _averaged_lines(event: EpochFinished, judged_by: str) -> list[str]:
    """The same of the averaged weights, where they were judged."""
    if event.ema_test_loss is None or event.ema_test_acc is None:
        return []
    right = event.ema_test_acc * event.test_images
    count = f"{round(right)}" if right == right else "?"
    return [
        f"{judged_by.capitalize()} set, averaged weights: Average loss: {event.ema_test_loss:.4f}, "
        f"Accuracy: {count}/{event.test_images} ({100 * event.ema_test_acc:.2f}%)"
    ]


def csv_fields(history: History) -> tuple[str, ...]:
    """The columns of `metrics.csv`."""
    return (*CSV_FIELDS, *(AVERAGED_FIELDS if history.averages else ()))


def csv_line(event: EpochFinished, fields: Iterable[str] = CSV_FIELDS) -> str:
    """One line of `metrics.csv`; accuracies are fractions."""
    values = (getattr(event, name) for name in fields)
    return ",".join("" if value is None else repr(value) for value in values)


class DerivedFiles:
    """Writes the derived files of one run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dirty = True
        self._history = History()
        self._board: EventFile | None = None
        self._output_offset = 0

    def add(self, record: Record) -> None:
        """Append a record's lines; if `dirty`, use `rebuild` instead.

        Raises:
            OSError: a file could not be written, and all is dirty.
        """
        try:
            self._history = self._history.add(record)
            lines = [*self._output_lines(), *log_lines(record, self._history)]
            self._append("log.txt", lines)
            if isinstance(record.event, EpochFinished):
                self._append("metrics.csv", [csv_line(record.event, csv_fields(self._history))])
                self._add_to_board(record.event, record.time)
        except OSError:
            self.dirty = True
            raise

    def rebuild(self, records: Iterable[Record]) -> None:
        """Write all files again from the current records."""
        self.dirty = True
        self._output_offset = 0
        lines: list[str] = []
        epochs: list[tuple[EpochFinished, float]] = []
        self._history = History()
        for record in records:
            self._history = self._history.add(record)
            lines += log_lines(record, self._history)
            if isinstance(record.event, EpochFinished):
                epochs.append((record.event, record.time))
        lines += self._output_lines()
        fields = csv_fields(self._history)
        rows = [",".join(fields), *(csv_line(event, fields) for event, _ in epochs)]
        durable.replace(self.folder / "log.txt", _text(lines), durable=False)
        durable.replace(self.folder / "metrics.csv", _text(rows), durable=False)
        if self._board is not None:
            self._board.close()
            self._board = None
        for event, wall_time in epochs:
            self._add_to_board(event, wall_time)
        self.dirty = False

    def close(self) -> None:
        """Close what is open."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def _append(self, name: str, lines: list[str]) -> None:
        path = self.folder / name
        if not lines:
            return
        fd = durable.open_append(path)
        try:
            durable.write_all(fd, _text(lines), path)
        finally:
            os.close(fd)

    def _output_lines(self) -> list[str]:
        """What libraries have printed to fd 2 since the last call, each line after a bar."""
        data = b""
        with contextlib.suppress(OSError), durable.open_plain(self.folder / "output.txt") as file:
            file.seek(self._output_offset)
            data = file.read(_OUTPUT_BYTES)
        end = data.rfind(b"\n") + 1
        self._output_offset += end
        return [f"| {visible(line)}" for line in data[:end].decode("utf-8", "replace").splitlines()]

    def _add_to_board(self, event: EpochFinished, wall_time: float) -> None:
        if self._board is None:
            self._board = EventFile(self.folder / "tensorboard")
        values = {tag: getattr(event, field) for tag, field in SCALARS.items()}
        scalars = {tag: float(value) for tag, value in values.items() if value is not None}
        self._board.add(scalars, event.epoch, wall_time)


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace") if lines else b""

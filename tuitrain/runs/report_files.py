"""The report that a run leaves in its directory when it has ended: who makes it is told from above (`report.run`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain.runs import durable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.runs.history import History
    from tuitrain.runs.inspect import Evaluations

REPORT = "report.md"
#: What the report of a run consists of; the last is made by `tuitrain report --html`.
FILES = (REPORT, "accuracy.svg", "loss.svg", "confusion.svg", "mistakes.svg", "network.svg", "report.html")
#: Makes the texts of its files, by name, from a run, the predictions that it kept, the images of its judging set
#: (uint8 (N, 28, 28), None where they aren't here) and the names of the classes.
Reporter = Callable[
    ["History", "Evaluations", "NDArray[np.uint8] | None", Sequence[str]],
    Mapping[str, str],
]
#: How a run ended that has something to report. Others can be reported on by `tuitrain report`.
_REPORTED = ("completed", "stopped", "diverged")


def is_reported(history: History) -> bool:
    """Whether a run writes a report as it ends: not if it was told to be gone within two seconds."""
    done = history.finished
    return (
        done is not None
        and done.outcome in _REPORTED
        and bool(history.epochs)
        and not (done.outcome == "stopped" and done.message.startswith("SIGTERM"))
    )


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Replace the files.

    Raises:
        OSError: one of them can't be written.
    """
    for name, text in texts.items():
        durable.replace(folder / name, text.encode("utf-8", "replace"), durable=False)


def remove(folder: Path) -> None:
    """Remove the report, as of a run that goes on."""
    for name in FILES:
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)

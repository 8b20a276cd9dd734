"""What is written down for others to read: reports of runs, and curves as pictures. Neither textual nor rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.runs.history import History
    from tuitrain.runs.inspect import Evaluations


def report_files(
    history: History, seen: Evaluations, images: NDArray[np.uint8] | None, classes: Sequence[str]
) -> dict[str, str]:
    """What a run that has ended leaves in its directory: `report.md` and its pictures, by name.

    Args:
        history: of the run.
        seen: the predictions that it kept.
        images: of its judging set, uint8 (N, 28, 28); None where they aren't here.
        classes: the names of the ten.
    """
    from tuitrain.report.document import markdown  # nothing is loaded before a run has ended
    from tuitrain.report.run import run_report

    document = run_report(history, seen, images, classes)
    return {**document.pictures, "report.md": markdown(document)}

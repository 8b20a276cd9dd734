"""What a command shows of its run, in the order in which it happened."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tuitrain.cli.session import _follow
from tuitrain.runs.snapshot import Snapshot
from tuitrain.training.events import Record, RunFinished, end_of


def test_the_end_is_the_last_that_is_shown() -> None:
    end = Record(end_of((), "completed", "", seconds=1.0, images_per_s=0.0), 0.0, 1.0)
    shown: list[Any] = []
    view = SimpleNamespace(
        record=lambda record: shown.append(record.event), progress=shown.append, close=lambda: None
    )
    waits = iter([False, False, True])
    session = SimpleNamespace(records=[], snapshot=Snapshot(), recorder=SimpleNamespace(finished=None))

    def join(_: float) -> bool:
        session.records, session.recorder.finished = [end], cast(RunFinished, end.event)
        return next(waits)

    session.join = join
    _follow(cast(Any, session), cast(Any, view), None)
    assert shown == [end.event], "its report is made after it, while nothing is new"

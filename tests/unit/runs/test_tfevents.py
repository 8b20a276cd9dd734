"""TensorBoard's event files: the bytes are those of TensorBoard's own classes, and its readers take them."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from tuitrain.runs import tfevents
from tuitrain.runs.exports import SCALARS


def theirs(event: event_pb2.Event) -> bytes:
    """The record as TensorBoard's own classes write it."""

    class Collected(list[bytes]):
        write = list.append

    parts = Collected()
    RecordWriter(parts).write(event.SerializeToString())
    return b"".join(parts)


def their_scalars(scalars: dict[str, float], step: int, wall_time: float) -> bytes:
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    return theirs(event_pb2.Event(wall_time=wall_time, step=step, summary=summary_pb2.Summary(value=values)))


@given(
    scalars=st.dictionaries(st.text(min_size=1, max_size=200), st.floats(), max_size=8),
    step=st.integers(-(2**63), 2**63 - 1),
    wall_time=st.floats(min_value=1.0, allow_nan=False),
)
def test_an_events_bytes_are_those_that_tensorboard_writes(scalars, step, wall_time) -> None:
    # A NaN's sign and payload are nobody's business, and not kept alike by all versions of protobuf.
    scalars = {tag: math.nan if math.isnan(value) else value for tag, value in scalars.items()}
    ours = tfevents.record(tfevents.event(wall_time, step, tfevents.SUMMARY, tfevents.summary(scalars)))
    assert ours == their_scalars(scalars, step, wall_time)


def test_a_files_bytes_are_those_that_tensorboard_writes(tmp_path: Path) -> None:
    file = tfevents.EventFile(tmp_path)
    epochs = [{tag: 0.1 * epoch + place for place, tag in enumerate(SCALARS)} for epoch in range(1, 200)]
    for epoch, scalars in enumerate(epochs, start=1):
        file.add(scalars, epoch, 1.8e9 + epoch / 3)
    file.close()
    loaded = list(EventFileLoader(str(file.path)).Load())
    began = loaded[0].wall_time
    wanted = [
        theirs(event_pb2.Event(wall_time=began, file_version="brain.Event:2")),
        theirs(
            event_pb2.Event(
                wall_time=began, step=0,
                session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START),
            )
        ),
        *(their_scalars(scalars, epoch, 1.8e9 + epoch / 3) for epoch, scalars in enumerate(epochs, start=1)),
    ]  # fmt: skip
    assert file.path.read_bytes() == b"".join(wanted)
    assert len(loaded) == 201 and began > 1.7e9


def test_tensorboards_reader_takes_values_that_are_not_finite(tmp_path: Path) -> None:
    values = [math.nan, math.inf, -math.inf, 1e300, 0.0, -0.0, 1e-300, sys.float_info.max]
    file = tfevents.EventFile(tmp_path)
    for epoch, value in enumerate(values, start=1):
        file.add({"loss/train": value}, epoch, 1.8e9)
    file.close()
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    read = board.Scalars("loss/train")
    assert [scalar.step for scalar in read] == list(range(1, 9))
    wanted = [math.nan, math.inf, -math.inf, math.inf, 0.0, 0.0, 0.0, math.inf]
    assert [scalar.value for scalar in read] == pytest.approx(wanted, nan_ok=True)

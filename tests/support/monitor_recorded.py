"""The recorded run of docs/recorded, without Textual: its records, the first of them, reports from between; made-up epochs."""

from __future__ import annotations

import dataclasses

from support import ROOT
from tuitrain.training.events import EpochFinished, Record, RunStarted, StepProgress, from_line
from tuitrain.watch.state import MonitorState, reduce, reduce_all

#: step13 on genuine MNIST, as it was trained; the README's pictures are made of the same.
DIRECTORY = ROOT / "docs" / "recorded" / "2026-11-20T18-06-44_step13_6e05"


def recorded() -> list[Record]:
    """The recorded run."""
    return [from_line(line) for line in (DIRECTORY / "events.jsonl").read_text("utf-8").splitlines()]


def report(epoch: int, step: int) -> StepProgress:
    """A report from the middle of an epoch of the recorded run, by the figures of the whole epoch."""
    records = recorded()
    started = records[0].event
    assert isinstance(started, RunStarted)
    steps = started.steps_per_epoch
    done = {r.event.epoch: r.event for r in records if isinstance(r.event, EpochFinished)}
    here = done[epoch]
    return StepProgress(
        epoch=epoch,
        step=step,
        steps=steps,
        train_loss=here.train_loss,
        train_acc=here.train_acc,
        lr=here.lr,
        images_per_s=here.images_per_s,
        step_ms=here.train_s / steps * 1000,
        elapsed_s=here.elapsed_s - here.test_s - here.train_s * (1 - step / steps),
    )


def up_to(records: list[Record], epoch: int) -> list[Record]:
    """The records up to the end of an epoch."""
    out = []
    for record in records:
        out.append(record)
        if isinstance(record.event, EpochFinished) and record.event.epoch == epoch:
            return out
    return out


STEPS = 938


def epoch(number: int, acc: float = 0.99, **changes: object) -> EpochFinished:
    plain = EpochFinished(
        epoch=number, epochs=14, train_loss=0.05, train_acc=0.98, test_loss=0.03, test_acc=acc, lr=0.019,
        train_s=9.0, test_s=1.0, elapsed_s=10.0 * number, images_per_s=6000.0, test_images=10000,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def at(event: object, time: float = 100.0) -> Record:
    return Record(event, time, time)  # type: ignore[arg-type]


def begun() -> MonitorState:
    return reduce(MonitorState(), recorded()[0])


def after(*accuracies: float) -> MonitorState:
    return reduce_all(begun(), [at(epoch(i, acc)) for i, acc in enumerate(accuracies, 1)])

"""The recorded run of docs/recorded, without Textual: its records, the first of them, and reports from between."""

from __future__ import annotations

from support import ROOT
from tuitrain.training.events import EpochFinished, Record, RunStarted, StepProgress, from_line

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


def until(records: list[Record], epoch: int) -> list[Record]:
    """The records up to the end of an epoch."""
    out = []
    for record in records:
        out.append(record)
        if isinstance(record.event, EpochFinished) and record.event.epoch == epoch:
            return out
    return out

"""The recorded run, without Textual: its records, the first of them, and reports from between."""

from __future__ import annotations

from pathlib import Path

from tuitrain.training.events import EpochFinished, Record, StepProgress, from_line

RECORDED = Path(__file__).parent / "data" / "recorded" / "step13.jsonl"


def recorded() -> list[Record]:
    """The recorded run."""
    return [from_line(line) for line in RECORDED.read_text("utf-8").splitlines()]


def report(epoch: int, step: int) -> StepProgress:
    """A report from the middle of an epoch of the recorded run."""
    records = recorded()
    done = [r.event for r in records if isinstance(r.event, EpochFinished)]
    here = next(e for e in done if e.epoch == epoch)
    before = next((e.elapsed_s for e in done if e.epoch == epoch - 1), 2.0)
    steps = 938
    return StepProgress(
        epoch=epoch,
        step=step,
        steps=steps,
        train_loss=here.train_loss * 1.02,
        train_acc=here.train_acc - 0.0003,
        lr=here.lr,
        images_per_s=here.images_per_s,
        step_ms=here.train_s / steps * 1000,
        elapsed_s=before + here.train_s * step / steps,
    )


def until(records: list[Record], epoch: int) -> list[Record]:
    """The records up to the end of an epoch."""
    out = []
    for record in records:
        out.append(record)
        if isinstance(record.event, EpochFinished) and record.event.epoch == epoch:
            return out
    return out

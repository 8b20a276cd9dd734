"""Groups of seeds whose runs were never trained: from which images each seed gets right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from support.training_small import tiny
from tuitrain.runs.history import History
from tuitrain.study.plan import Plan, Setting, slugs
from tuitrain.training.events import EpochFinished, Record, RunFinished, RunStarted
from tuitrain.training.runtime import Runtime
from tuitrain.watch.group import Group, SeedRun


def epoch(number: int, accuracy: float, epochs: int = 0, images: int = 100) -> EpochFinished:
    return EpochFinished(
        epoch=number, epochs=epochs or number, train_loss=0.1, train_acc=accuracy, test_loss=0.1, test_acc=accuracy,
        lr=0.1, train_s=1.0, test_s=0.1, elapsed_s=float(number), images_per_s=1000.0, test_images=images,
    )  # fmt: skip


def history(
    accuracies: Sequence[float],
    seed: int = 0,
    outcome: str | None = "completed",
    target: float | None = 99.0,
    images: int = 100,
) -> History:
    preset: dict[str, Any] = {"name": "made", "challenge": {"target_accuracy": target}}
    started = RunStarted(
        run=f"seed{seed}", name="made", preset=preset, seed=seed, device="cpu", device_name="CPU", versions={}, runtime={},
        parameters=10, mult_adds=10, dataset="digits", train_images=10, test_images=images, judged_by="test",
        epochs=len(accuracies), steps_per_epoch=1,
    )  # fmt: skip
    events: list[Any] = [started]
    events += [epoch(n, a, len(accuracies), images) for n, a in enumerate(accuracies, 1)]
    if outcome is not None:
        last = accuracies[-1] if accuracies else float("nan")
        events.append(
            RunFinished(outcome, len(accuracies), last, len(accuracies), last, last, 0.1, 1.0, 1000.0)
        )  # type: ignore[arg-type]
    return History.of(Record(event, float(n), float(n)) for n, event in enumerate(events))


def group(label: str, right: ArrayLike, seeds: Sequence[int] | None = None, waiting: int = 0) -> Group:
    """Ended runs whose last epoch got these images right (K, N), and some that have not begun."""
    rows = np.asarray(right, dtype=np.bool_)
    numbers = list(seeds if seeds is not None else range(len(rows)))
    runs = [
        SeedRun(
            seed, f"{label}{seed}", "done", history([0.5, float(row.mean())], seed, images=rows.shape[1]), 1.0
        )
        for seed, row in zip(numbers, rows, strict=True)
    ]
    after = max(numbers, default=-1) + 1
    runs += [SeedRun(after + n, f"{label}{after + n}", "waiting", History()) for n in range(waiting)]
    return Group(label, tuple(runs), rows if len(rows) else None)


def plan(*labels: str, seeds: tuple[int, ...] = (0, 1, 2), name: str = "study", **more) -> Plan:
    """A study of these settings, of networks of a few hundred parameters."""
    several = slugs(labels) if len(labels) > 1 else [""]
    settings = tuple(
        Setting(
            label,
            tiny(dropout=n / 10),
            {"train.dropout": [0, n]},
            f"tuitrain run --preset tiny --seed 5 --x {n}",
            slug,
        )
        for n, (label, slug) in enumerate(zip(labels, several, strict=True))
    )
    return Plan(name, "seeds", settings, seeds, Runtime(device="cpu", threads=1, compile="off"), **more)

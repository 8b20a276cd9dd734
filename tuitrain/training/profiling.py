"""Where the time of a step goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tuitrain.training.events import Notice
from tuitrain.training.step import Stepper

STEPS = 20
#: The parts of a step, by the name of the stepper's (or its optimizer's) method.
PARTS = {
    "random bits": "_draw",
    "taking the batch": "_batch",
    "forward": "_forward",
    "backward": "_backward",
    "optimizer": "optimizer.step",
    "running sums": "_tally",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the table: milliseconds a step, and the share of the step from 0 to 1."""

    name: str
    ms: float
    share: float


def profile(stepper: Stepper, steps: int = STEPS) -> list[Part]:
    """Times the parts of eager steps, waiting for the device after each; the steps are undone.

    A captured or compiled step has no parts; its eager form is what is timed.
    """
    spent: dict[str, list[float]] = {name: [] for name in PARTS}

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            _wait(stepper.device)
            begun = time.perf_counter()
            result = method(*args)
            _wait(stepper.device)
            spent[name].append(1000 * (time.perf_counter() - begun))
            return result

        return call

    places = {name: _place(stepper, path) for name, path in PARTS.items()}
    with stepper.rehearsal():
        for name, (owner, attribute) in places.items():
            setattr(owner, attribute, timed(name, getattr(owner, attribute)))
        try:
            for _ in range(steps + 2):
                if stepper.position >= stepper.images:
                    stepper.seek(0, 0.0, 0)
                stepper.step_eagerly()
        finally:
            for owner, attribute in places.values():
                delattr(owner, attribute)
    # Means, as bits are drawn in some steps only.
    means = {name: statistics.fmean(times[2:]) for name, times in spent.items()}
    whole = sum(means.values()) or 1.0
    return [Part(name, ms, ms / whole) for name, ms in means.items()]


def notices(parts: list[Part]) -> list[Notice]:
    """The table, one notice per row, largest first."""
    rows = [(p.name, p.ms, p.share) for p in sorted(parts, key=lambda p: -p.ms)]
    rows.append(("a step", sum(p.ms for p in parts), 1.0))
    wide = max(len(name) for name, _, _ in rows)
    return [
        Notice(f"{name:<{wide}}  {ms:8.2f} ms  {100 * share:3.0f} %", level="info", code="profile")
        for name, ms, share in rows
    ]


def _place(stepper: Stepper, path: str) -> tuple[Any, str]:
    owner, _, attribute = path.rpartition(".")
    return (getattr(stepper, owner) if owner else stepper), attribute


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

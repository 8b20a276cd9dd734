"""What a run must achieve, and the verdict of a run against it.

Points that the preset alone decides (parameters, epochs, layers, dropout) are true or false before
training; the rest are None until an epoch has been judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field, field_validator, model_validator

from tuitrain.figures import reaches_target
from tuitrain.spec.best import EpochLike, best_epoch
from tuitrain.spec.layers import Conv, NetworkSpec
from tuitrain.spec.table import NetworkTable
from tuitrain.spec.train import Train
from tuitrain.spec.validation import Spec

RequiredLayer = Literal[
    "conv", "conv1x1", "linear", "maxpool", "avgpool", "global_avgpool", "batchnorm", "dropout", "relu"
]
_LAYER_WORDS = {
    "conv": "a convolution", "conv1x1": "a 1×1 convolution", "linear": "a fully connected layer",
    "maxpool": "max pooling", "avgpool": "average pooling", "global_avgpool": "global average pooling",
    "batchnorm": "batch norm", "dropout": "dropout", "relu": "ReLU",
}  # fmt: skip
#: Shown for the layers of a network in Python, which are not known.
_UNKNOWN = "n/a of a --model"

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Percent = Annotated[float, Field(gt=0, le=100)]


class Consistently(Spec):
    """At least `epochs` of the last `of_last` epochs must reach the target."""

    epochs: Annotated[int, Field(ge=1, le=1000)]
    of_last: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _possible(self) -> Consistently:
        if self.epochs > self.of_last:
            raise ValueError(f"epochs = {self.epochs} is more than of_last = {self.of_last}; swap them")
        return self


class Challenge(Spec):
    """The constraints that a family of presets set itself; every one may be left out."""

    min_parameters: Count | None = None
    max_parameters: Count | None = None
    max_epochs: Annotated[int, Field(ge=1, le=10_000)] | None = None
    exact_epochs: Annotated[int, Field(ge=1, le=10_000)] | None = None
    required_layers: tuple[RequiredLayer, ...] = ()
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    rotation: Annotated[float, Field(ge=0, le=180)] | None = None
    target_accuracy: Percent | None = None
    consistently: Consistently | None = None

    @field_validator("required_layers", mode="before")
    @classmethod
    def _a_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _possible(self) -> Challenge:
        if self.min_parameters and self.max_parameters and self.min_parameters > self.max_parameters:
            raise ValueError("min_parameters is above max_parameters; swap them")
        if self.consistently and self.target_accuracy is None:
            raise ValueError("consistently needs a target_accuracy; add one")
        return self


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the challenge: `met` is None while it can't be known yet."""

    point: str
    wanted: str
    got: str
    met: bool | None


class PresetLike(Protocol):
    """The parts of a preset that a challenge is checked against."""

    @property
    def challenge(self) -> Challenge:
        """What must be achieved."""

    @property
    def train(self) -> Train:
        """How it is trained."""

    @property
    def model(self) -> NetworkSpec:
        """What is trained."""


def has_layer(network: NetworkSpec, kind: str) -> bool:
    """Whether the network holds a layer or operation of this kind."""
    for layer in network.layers:
        if layer.kind == kind or (kind == "conv1x1" and isinstance(layer, Conv) and layer.kernel == 1):
            return True
        if any(op.kind == kind or (kind == "dropout" and op.kind == "dropout2d") for op in layer.then):
            return True
    return False


def _parameters(challenge: Challenge, parameters: int) -> list[Point]:
    low, high = challenge.min_parameters, challenge.max_parameters
    if low is None and high is None:
        return []
    if low is not None and high is not None:
        wanted = f"{low:,} to {high:,}"
    else:
        wanted = f"at most {high:,}" if high is not None else f"at least {low:,}"
    met = (low is None or parameters >= low) and (high is None or parameters <= high)
    return [Point("parameters", wanted, f"{parameters:,}", met)]


def _epochs(challenge: Challenge, epochs: int, *, cut_off: bool) -> list[Point]:
    exact, most = challenge.exact_epochs, challenge.max_epochs
    limit = most if exact is None else exact
    if limit is None:
        return []
    met: bool | None = epochs <= limit if exact is None else epochs == exact
    got = str(epochs)
    if cut_off and epochs <= limit:  # it may still become more
        met, got = None, f"{epochs} so far" if epochs else "–"
    return [Point("epochs", f"{'at most' if exact is None else 'exactly'} {limit}", got, met)]


def _layers(preset: PresetLike, table: NetworkTable | int) -> list[Point]:
    points = []
    for kind in preset.challenge.required_layers:
        known = isinstance(table, NetworkTable)
        there = has_layer(preset.model, kind) if known else None
        got = _UNKNOWN if there is None else ("there" if there else "missing")
        points.append(Point(kind, f"with {_LAYER_WORDS[kind]}", got, there))
    return points


def _dropout(challenge: Challenge, table: NetworkTable | int) -> list[Point]:
    if challenge.dropout is None:
        return []
    if isinstance(table, int):
        return [Point("dropout", f"exactly {challenge.dropout:g}", _UNKNOWN, None)]
    rates = sorted({row.dropout for row in table.rows if row.dropout is not None})
    got = ", ".join(f"{rate:g}" for rate in rates) or "none"
    return [Point("dropout", f"exactly {challenge.dropout:g}", got, rates == [challenge.dropout])]


def _settings(challenge: Challenge, preset: PresetLike) -> list[Point]:
    points = []
    if challenge.batch_size is not None:
        got = preset.train.batch_size
        points.append(
            Point("batch size", f"exactly {challenge.batch_size}", str(got), got == challenge.batch_size)
        )
    if challenge.rotation is not None:
        low, high = preset.train.rotation_range
        turn = f"{high:g}°" if low == -high else f"{low:g}° to {high:g}°"
        met = (low, high) == (-challenge.rotation, challenge.rotation)
        points.append(Point("rotation", f"exactly {challenge.rotation:g}°", turn, met))
    return points


def _accuracy(challenge: Challenge, history: Sequence[EpochLike], finished: bool) -> list[Point]:
    target = challenge.target_accuracy
    if target is None:
        return []
    hits = [e for e in history if reaches_target(e.test_acc, target)]
    best = best_epoch(history)
    got = "–" if best is None else f"{best.test_acc * 100:.2f} %"
    if hits:
        got += f", first in epoch {hits[0].epoch}"
    met = True if hits else (False if finished else None)
    points = [Point("accuracy", f"{target:.2f} %", got, met)]
    if challenge.consistently:
        need, window = challenge.consistently.epochs, challenge.consistently.of_last
        last = list(history)[-window:]
        count = sum(reaches_target(e.test_acc, target) for e in last)
        wanted = (
            f"{target:.2f} % in the last {window}"
            if need == window
            else f"{target:.2f} % in {need} of the last {window}"
        )
        got = f"{count} of {len(last)}" if last else "–"
        points.append(Point("consistency", wanted, got, count >= need if finished else None))
    return points


def check_challenge(
    preset: PresetLike,
    table: NetworkTable | int,
    history: Sequence[EpochLike] = (),
    *,
    finished: bool = False,
    cut_off: bool = False,
    epochs: int | None = None,
) -> list[Point]:
    """The challenge as a checklist.

    Args:
        preset: what is or was trained.
        table: its network's figures; of a network in Python (`--model`) the number of its parameters alone.
        history: the finished epochs so far, in order.
        finished: whether the run has ended; then nothing that concerns accuracy stays open.
        cut_off: whether it ended before its last epoch; then the number of its epochs stays open.
        epochs: epochs of the run where they differ from the preset (extended, or stopped early).
    """
    challenge = preset.challenge
    if epochs is None:
        # A branch has fewer of its own than its network was trained for.
        done = max((epoch.epoch for epoch in history), default=0)
        epochs = done if cut_off or (finished and history) else preset.train.epochs
    return (
        _parameters(challenge, table if isinstance(table, int) else table.parameters)
        + _epochs(challenge, epochs, cut_off=cut_off)
        + _layers(preset, table)
        + _dropout(challenge, table)
        + _settings(challenge, preset)
        + _accuracy(challenge, history, finished)
    )

"""The fields of the lab's form: what they are called, what they may hold, and why not. No textual.

Ranges are read from the schema, so that the form refuses exactly what a preset file would.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from tuitrain.spec.choices import DATASETS
from tuitrain.spec.describe import label_of, number
from tuitrain.spec.layers import LAYERS, sides_text
from tuitrain.spec.train import OPTIMIZERS, SCHEDULES, AugmentP, Cyclic, EarlyStop, Normalize, Train
from tuitrain.training.runtime import COMPILE, PRECISIONS

Kind = Literal["float", "int", "choice", "toggle", "list", "sides"]


@dataclass(frozen=True)
class Field:
    """One line of the form."""

    key: str
    label: str
    kind: Kind
    help: str = ""
    low: float | None = None
    high: float | None = None
    above: bool = False  # low itself is refused
    below: bool = False  # high itself is refused
    choices: tuple[str, ...] = ()
    step: float | Callable[[float], float] = 1
    doubles: bool = False  # a step doubles or halves it
    group: str = ""  # the field under which this one unfolds
    optional: bool = False
    whole: bool = False  # the items of a list are whole numbers
    length: int = 0  # of a list; 0 is any
    pair: bool = False  # a range of two numbers will do as well
    empty: str = ""  # what an empty value is shown as
    names: dict[str, str] = field(default_factory=dict, compare=False)  # what a choice is shown as

    @property
    def typed(self) -> bool:
        """Whether its value is typed, not chosen."""
        return self.kind in ("float", "int", "list", "sides")

    def range_text(self) -> str:
        """The range in a few words, for beside the field."""
        if self.kind in ("choice", "toggle"):
            return "←/→ choose" if self.kind == "choice" else "space switches"
        low, high = self.low, self.high
        big = high is None or high >= 1e8
        if low is None and big:
            return "any number"
        lower = "" if low is None else f"{'above' if self.above else 'from'} {_bound(low)}"
        upper = "" if big or high is None else f"{'below' if self.below else 'to'} {_bound(high)}"
        return (
            f"{lower} {upper}".strip()
            + (" or empty" if self.optional else "")
            + (", or from, to" if self.pair else "")
        )

    def parse(self, text: str) -> Any:
        """The value of a text.

        Raises:
            ValueError: with the reason, short enough for a line of the form.
        """
        text = text.strip()
        if not text:
            if self.optional:
                return None
            raise ValueError("type a number")
        if self.kind == "list":
            values = [self._one(part.strip(), self.whole) for part in text.split(",") if part.strip()]
            if self.length and len(values) != self.length:
                raise ValueError(f"{self.length} numbers with a comma")
            if not values:
                raise ValueError("at least one number")
            if self.whole and any(a >= b for a, b in itertools.pairwise(values)):
                raise ValueError("ascending, no repeats")
            return values
        if self.kind == "sides":
            sides = [self._one(part.strip(), True) for part in re.split("[x×,]", text)]
            if len(sides) > 2:
                raise ValueError("one number, or two as in 1x7")
            return sides[0] if sides[0] == sides[-1] else sides
        if self.pair and "," in text:
            values = [self._one(part.strip(), whole=False, low=-(self.high or 0)) for part in text.split(",")]
            if len(values) != 2 or values[0] > values[1]:
                raise ValueError("from, to; the smaller first")
            return values
        return self._one(text, self.kind == "int")

    def _one(self, text: str, whole: bool, low: float | None = None) -> int | float:
        low = self.low if low is None else low
        if whole and re.fullmatch(r"\d{1,3}(,\d{3})+", text):
            text = text.replace(",", "")
        value = arithmetic(text)
        if value is None:
            raise ValueError("not a number" if len(text) > 1 or text not in ".-+" else "type a number")
        if not math.isfinite(value):
            raise ValueError("must be finite")
        if whole:
            if value != int(value):
                raise ValueError("whole numbers only")
            if re.fullmatch(r"\+?\d+", text):
                value = int(text)
        if low is not None and (value < low or (self.above and value == low)):
            raise ValueError(f"must be {'above' if self.above else 'at least'} {_bound(low)}")
        if self.high is not None and (value > self.high or (self.below and value == self.high)):
            raise ValueError(f"must be {'below' if self.below else 'at most'} {_bound(self.high)}")
        return int(value) if whole else float(value)

    def nudge(self, value: Any, direction: int) -> Any:
        """The value one step up or down, kept within the range; a choice goes round."""
        if self.kind == "toggle":
            return not value
        if self.kind == "choice":
            at = self.choices.index(value) if value in self.choices else 0
            return self.choices[(at + direction) % len(self.choices)]
        if self.kind == "list" or value is None:
            return value
        if self.kind == "sides" and not isinstance(value, int):
            return [self.nudge(side, direction) for side in value]
        if isinstance(value, list | tuple):  # a range has no one direction
            return value
        if self.doubles:
            new = float(value) * 2.0**direction if direction > 0 or value > 1 else float(value)
        else:
            step = self.step(value) if callable(self.step) else self.step
            new = round(float(value) + direction * step, 10)
        if self.low is not None and (new < self.low or (self.above and new <= self.low)):
            new = value if self.above else self.low
        if self.high is not None and (new > self.high or (self.below and new >= self.high)):
            new = value if self.below else self.high
        return int(new) if self.kind in ("int", "sides") else float(new)

    def show(self, value: Any) -> str:
        """A value as it stands in the form."""
        if self.kind == "choice":
            return self.names.get(str(value), str(value))
        if value is None and self.optional:
            return self.empty
        if self.kind == "sides":
            return sides_text(value)
        return f"{value:,}" if self.kind == "int" and self.key == "lab.budget" else number(value)


def _bound(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:g}"


_NUMBER = r"[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d+)(?:[eE][+-]?\d+)?"


def arithmetic(text: str) -> float | None:
    """A number, or one number times or divided by another (`0.069/2`); None where it is neither."""
    match = re.fullmatch(rf"({_NUMBER})(?:\s*([*/×])\s*({_NUMBER}))?", text)
    try:
        if not match:
            return float(text) if text.lower() in ("inf", "nan", "-inf") else None
        left = float(match[1])
        if not match[2]:
            return left
        right = float(match[3])
        # Rounded as a person would write it: 0.069 * 3 is 0.207.
        return float(f"{(left / right if match[2] == '/' else left * right):.12g}")
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


def bounds(model: type[BaseModel], name: str) -> dict[str, Any]:
    """The range that the schema states for a field: low, high, above, below."""
    out: dict[str, Any] = {}
    for part in model.model_fields[name].metadata:
        for attribute, key, flag in (
            ("ge", "low", None),
            ("gt", "low", "above"),
            ("le", "high", None),
            ("lt", "high", "below"),
        ):
            value = getattr(part, attribute, None)
            if value is not None:
                out[key] = value
                if flag:
                    out[flag] = True
    return out


def _tenth(value: float) -> float:
    """A step that suits a magnitude: 0.001 at 0.019, 0.01 at 0.1, 0.1 at 1."""
    return float(10.0 ** (math.floor(math.log10(value)) - 1)) if value > 0 else 0.001


def _train(name: str, label: str, kind: Kind, help: str, **more: Any) -> Field:
    return Field(f"train.{name}", label, kind, help, **(bounds(Train, name) | more))


_HELP = {
    "lr": "How far each step moves the weights.",
    "momentum": "How much of the last step is kept in the next.",
    "nesterov": "Momentum that looks ahead.",
    "weight_decay": "Pulls every weight towards zero at each step.",
    "betas": "How long gradients and their squares are remembered.",
    "eps": "Keeps the division from blowing up.",
    "alpha": "How long squared gradients are remembered.",
    "step_size": "Epochs between cuts of the learning rate.",
    "gamma": "What the learning rate is multiplied by.",
    "milestones": "Finished epochs after which the rate is cut.",
    "min_lr": "The learning rate never falls below this.",
    "pct_start": "Share of the run in which the rate rises.",
    "div_factor": "The rate starts at its peak divided by this.",
    "final_div_factor": "And ends at its start divided by this.",
    "factor": "What the learning rate is multiplied by.",
    "patience": "Epochs without a gain before the rate is cut.",
    "threshold": "How much lower a loss must be to count as a gain.",
    "mode": "triangular2 halves the height each cycle, exp_range shrinks it each step.",
    "epochs_up": "Epochs in which the rate rises.",
    "epochs_down": "Epochs in which it falls; 0: as many as it rises.",
    "period": "Epochs until the rate begins at the top again.",
    "period_factor": "How much longer each period is than the one before.",
}
_STEPS: dict[str, Any] = {
    "momentum": 0.05, "weight_decay": _tenth, "eps": _tenth, "alpha": 0.01, "gamma": 0.05, "min_lr": _tenth,
    "pct_start": 0.05, "div_factor": 5, "final_div_factor": 100, "factor": 0.05, "threshold": _tenth,
}  # fmt: skip


#: Where a schedule means something else by a name.
_HELP_OF: dict[tuple[type[BaseModel], str], str] = {
    (Cyclic, "div_factor"): "The lowest rate is the peak divided by this.",
    (Cyclic, "gamma"): "With exp_range, what the height is multiplied by each step.",
}


def _table_fields(table: str, model: type[BaseModel]) -> list[Field]:
    out: list[Field] = []
    for name, info in model.model_fields.items():
        key = f"train.{table}.{name}"
        if name in ("name", "lr"):
            continue
        label, help = label_of(key), _HELP_OF.get((model, name)) or _HELP.get(name, "")
        if info.annotation is bool:
            out.append(Field(key, label, "toggle", help, group=f"train.{table}.name"))
        elif get_origin(info.annotation) is Literal:
            choices = get_args(info.annotation)
            out.append(Field(key, label, "choice", help, group=f"train.{table}.name", choices=choices))
        elif name == "betas":
            out.append(
                Field(key, label, "list", help, 0, 1, below=True, length=2, group=f"train.{table}.name")
            )
        elif name == "milestones":
            out.append(Field(key, label, "list", help, 1, 10_000, whole=True, group=f"train.{table}.name"))
        else:
            kind: Kind = "int" if info.annotation is int else "float"
            more = bounds(model, name) | {"step": _STEPS.get(name, 1)}
            out.append(Field(key, label, kind, help, group=f"train.{table}.name", **more))
    return out


@lru_cache(64)
def train_fields(optimizer: str, schedule: str) -> tuple[Field, ...]:
    """The fields of `[train]`, with those of the chosen optimizer and schedule."""
    lr = Field("train.optimizer.lr", "learning rate", "float", _HELP["lr"],
               **(bounds(OPTIMIZERS[optimizer], "lr") | {"step": _tenth}))  # fmt: skip
    return (
        _train("dropout", "dropout", "float", "Share of channels silenced in training.", step=0.01),
        lr,
        _train("batch_size", "batch size", "int", "Images in one optimizer step.", doubles=True),
        _train("rotation", "rotation °", "float", "Each training image is turned by up to this many degrees.",
               low=0, high=180, pair=True, step=1),
        _train("epochs", "epochs", "int", "Passes over the training images."),
        Field("train.optimizer.name", "optimizer", "choice", "How gradients become steps.", choices=tuple(OPTIMIZERS)),
        *_table_fields("optimizer", OPTIMIZERS[optimizer]),
        Field("train.schedule.name", "schedule", "choice", "How the rate changes over the epochs.", choices=tuple(SCHEDULES)),
        *_table_fields("schedule", SCHEDULES[schedule]),
        _train("seed", "seed", "int", "Same seed, same run. Another seed, another roll of the dice."),
    )  # fmt: skip


@lru_cache(1)
def data_fields() -> tuple[Field, ...]:
    """The fields about images, beside the rotation."""
    return (
        Field("train.dataset", "dataset", "choice", "The images to train and judge on.", choices=DATASETS),
        _train("val_split", "val split", "int", "Training images held out to judge by, instead of the test set.", step=1000),
    )  # fmt: skip


@lru_cache(1)
def augment_fields() -> tuple[Field, ...]:
    """Augmentation beside the rotation."""
    return (
        _train("shift", "shift px", "float", "Moves each image by up to this many pixels each way.", step=1),
        _train("zoom", "zoom", "float", "Scales each image by up to this share.", step=0.05),
        _train("shear", "shear °", "float", "Slants each image by up to this many degrees.", step=1),
        _train("erase", "erase", "float", "Probability that a rectangle is blackened.", step=0.05),
        _train("crop", "crop px", "int", "The middle so many pixels a side are enlarged; 0 is off.", step=1),
        _train("brightness", "brightness", "float", "Brightens or darkens each image by up to this share.", step=0.05),
        _train("contrast", "contrast", "float", "Changes each image's contrast by up to this share.", step=0.05),
        _train("fill", "fill", "int", "Grey level, 0 to 255, of what is moved in from outside.", step=1),
        *(
            Field(f"train.augment_p.{name}", f"{name} p", "float", f"Probability that an image has its {name}; 1 is always.",
                  low=0, high=1, step=0.05)
            for name in AugmentP.model_fields
        ),
    )  # fmt: skip


@lru_cache(1)
def step_fields() -> tuple[Field, ...]:
    """What is done at each step beside optimizer and schedule."""
    return (
        _train("warmup", "warm-up", "int", "Epochs in which the rate rises before the schedule begins.", step=1),
        _train("warmup_start", "warm-up from", "float", "Share of the learning rate that the warm-up begins with.", step=0.05),
        _train("clip_norm", "clip norm", "float", "Largest norm of all gradients together; 0 is off.", step=_tenth),
        _train("clip_value", "clip value", "float", "Largest value of a gradient, either way; 0 is off.", step=_tenth),
    )  # fmt: skip


_EARLY: dict[str, tuple[str, Kind, str]] = {
    "target_epochs": ("target epochs", "int", "Ends when so many epochs in a row have reached the target; 0 is off."),
    "target_accuracy": ("target %", "float", "That target; 0 takes the challenge's."),
    "patience": ("patience", "int", "Ends after so many epochs without a new best accuracy; 0 is off."),
    "max_seconds": ("max seconds", "float", "Ends an epoch after so many seconds: how far depends on the clock; 0 is off."),
}  # fmt: skip


@lru_cache(1)
def early_fields() -> tuple[Field, ...]:
    """What ends a run before its last epoch."""
    steps = {"target_accuracy": 0.1, "max_seconds": 60}
    return tuple(
        Field(
            f"train.early_stop.{name}", label, kind, help, step=steps.get(name, 1), **bounds(EarlyStop, name)
        )
        for name, (label, kind, help) in _EARLY.items()
    )


@lru_cache(1)
def loss_fields() -> tuple[Field, ...]:
    """Loss and input scale."""
    return (
        _train("label_smoothing", "smoothing", "float", "Share of certainty taken from the labels.", step=0.05),
        _train("l1", "l1", "float", "Weight of the sum of absolute parameters in the loss.", step=_tenth),
        Field("train.normalize.mean", "mean", "float", "Subtracted from each pixel.", step=0.01, **bounds(Normalize, "mean")),
        Field("train.normalize.std", "std", "float", "Each pixel is divided by this.", step=0.01, **bounds(Normalize, "std")),
    )  # fmt: skip


@lru_cache(1)
def machine_fields() -> tuple[Field, ...]:
    """How the machine is used."""
    return (
        Field(
            "lab.precision",
            "precision",
            "choice",
            "fp32; bf16 is coarser, faster where the chip has it; tf32: GPUs.",
            choices=PRECISIONS,
        ),
        Field("lab.compile", "compile", "choice", "torch.compile; auto where it pays.", choices=COMPILE),
        Field(
            "lab.deterministic", "same bits", "toggle", "The same bits at every run, at some cost in speed."
        ),
    )


def device_field(devices: tuple[str, ...], wanted: str) -> Field:
    """Where to train; `devices` are torch's names, `wanted` is one that the settings may name besides."""
    return Field(
        "lab.device",
        "device",
        "choice",
        "Where to train; auto takes the GPU if there is one.",
        choices=tuple(dict.fromkeys(("auto", *devices, wanted))),
        names={"auto": f"auto {devices[0]}"},
    )


def budget_field() -> Field:
    """The most parameters the network may have."""
    help = "Most parameters the network may have; empty: no limit."
    return Field("lab.budget", "budget", "int", help, 1, 20_000_000, step=500, optional=True, empty="none")


def layer_field(kind: str, name: str, label: str, help: str, *, key: str = "", empty: str = "") -> Field:
    """A whole number of a layer, or two for height and width, its range from the schema (`conv`, `kernel` ...)."""
    info = LAYERS[kind].model_fields[name]
    # The range of a type shared by several fields sits inside the annotation of an optional one.
    found = bounds(LAYERS[kind], name) or {"low": 1, "high": 64}
    return Field(
        key or name,
        label,
        "int" if info.annotation is int else "sides",
        help,
        **(found | {"optional": info.default is None, "empty": empty}),
    )


@dataclass(frozen=True)
class Item:
    """A line of the form that is no field: a heading, or a note (a picture) below a field."""

    text: str
    below: str = ""  # key of the field it belongs to
    style: str = "dim"


@dataclass
class FormData:
    """What the form shows: fields and other lines in order, values, and what they were."""

    rows: Sequence[Field | Item] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    bases: Mapping[str, Any] = field(default_factory=dict)
    summaries: Mapping[str, str] = field(default_factory=dict)  # of a folded group, by its head's key

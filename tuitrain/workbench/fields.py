"""A field of a form: what it is called, what it may hold, and why not; read from the schema. No textual."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tuitrain.spec.describe import label_of, value_text
from tuitrain.spec.sides import sides_text

Kind = Literal["float", "int", "choice", "toggle", "list", "sides", "seeds"]


@dataclass(frozen=True)
class FormField:
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
        return self.kind in ("float", "int", "list", "sides", "seeds")

    def range_text(self) -> str:
        """The range in a few words, for beside the field."""
        if self.kind in ("choice", "toggle"):
            return "←/→ choose" if self.kind == "choice" else "space switches"
        if self.kind == "seeds":
            return "8, or 3,7,11, or 20-29"
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
        if self.kind == "seeds":
            return _seeds(text)
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
        if self.kind == "seeds":
            return str(max(1, int(value) + direction)) if str(value).isdigit() else value
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
        if self.kind == "seeds":
            return str(value)
        if self.kind == "choice":
            return self.names.get(str(value), str(value))
        if value is None and self.optional:
            return self.empty
        if self.kind == "sides":
            return sides_text(value)
        return f"{value:,}" if self.kind == "int" and self.key == "lab.budget" else value_text(value)


def _seeds(text: str) -> str:
    """Several seeds as they are typed, without spaces.

    Raises:
        ValueError: with the reason.
    """
    from tuitrain.errors import UsageError
    from tuitrain.study.plan import seeds_of

    try:
        several = len(seeds_of(text)) > 1
    except UsageError as error:
        raise ValueError("each once" if "twice" in str(error) else "8, or 3,7,11, or 20-29") from None
    if not several and text != "1":
        raise ValueError("one seed goes into seed")
    return text.replace(" ", "")


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


def _tenth(value: float) -> float:
    """A step that suits a magnitude: 0.001 at 0.019, 0.01 at 0.1, 0.1 at 1."""
    return float(10.0 ** (math.floor(math.log10(value)) - 1)) if value > 0 else 0.001


#: Steps of fractional numbers by the last part of the key, where they are not those of `_step`.
_STEPS: dict[str, Any] = {
    "dropout": 0.01, "alpha": 0.01, "mean": 0.01, "std": 0.01, "value": 0.01, "gamma": 0.05, "eps": _tenth,
    "threshold": _tenth, "target_accuracy": 0.1, "rotation": 1, "shift": 1, "shear": 1, "epochs_up": 1,
    "ema": lambda decay: _tenth(1 - decay), "epochs_down": 1, "div_factor": 5, "final_div_factor": 100, "max_seconds": 60,
}  # fmt: skip
#: What a key is called in a form, where that is not what it is called elsewhere.
_LABELS = {
    "train.rotation": "rotation °", "train.shift": "shift px", "train.shear": "shear °", "train.crop": "crop px",
    "train.label_smoothing": "smoothing", "train.warmup": "warm-up", "train.warmup_start": "warm-up from",
    "train.early_stop.target_accuracy": "target %",
}  # fmt: skip


def _step(key: str, takes: Mapping[str, Any]) -> Any:
    """One for whole numbers, a twentieth for shares, for the rest what suits their magnitude."""
    if key.startswith("train.augment_p."):
        return 0.05
    if takes["kind"] != "float":
        return 1000 if key == "train.val_split" else 1
    return _STEPS.get(key.rpartition(".")[2], 0.05 if takes.get("high", 2) <= 1 else _tenth)


def schema_field(key: str, model: type[BaseModel], name: str, **more: Any) -> FormField:
    """The field of a form for one of the schema, with its kind, range and description; `more` comes before these."""
    info = model.model_fields[name]
    takes = _takes(info.annotation, info.metadata)
    label = label_of(key).removeprefix("early stop: ").replace(" probability", " p")
    said = info.description or ""
    help = f"{said[:1].upper()}{said[1:]}." if said else ""
    facts = {"label": _LABELS.get(key, label), "help": help, "step": _step(key, takes), **takes}
    return FormField(key, **(facts | more))


def _takes(annotation: Any, metadata: Sequence[Any] = ()) -> dict[str, Any]:
    """Kind and range of a type of the schema, by the names of `FormField`."""
    origin, of = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _takes(of[0], of[1:])
    out: dict[str, Any] = {}
    if origin is Literal:
        out = {"kind": "choice", "choices": of}
    elif origin is tuple:
        item = _takes(of[0])
        length = 0 if of[-1] is Ellipsis else len(of)
        out = {**item, "kind": "list", "whole": item["kind"] == "int", "length": length}
    elif origin in (Union, UnionType):
        out = _takes(of[0])
        if of[1] is NoneType:
            out["optional"] = True
        elif out["kind"] == "int":
            out["kind"] = "sides"
        else:
            out["pair"] = True
    else:
        out["kind"] = "toggle" if annotation is bool else "int" if annotation is int else "float"
    for part in itertools.chain(*(m.metadata if isinstance(m, FieldInfo) else [m] for m in metadata)):
        for limit, facts in (
            ("ge", ("low",)),
            ("gt", ("low", "above")),
            ("le", ("high",)),
            ("lt", ("high", "below")),
        ):
            if (value := getattr(part, limit, None)) is not None:
                out |= {facts[0]: value, **dict.fromkeys(facts[1:], True)}
    return out


@dataclass(frozen=True)
class Item:
    """A line of the form that is no field: a heading, or a note (a picture) below a field."""

    text: str
    below: str = ""  # key of the field it belongs to
    style: str = "dim"


@dataclass
class FormData:
    """What the form shows: fields and other lines in order, values, and what they were."""

    rows: Sequence[FormField | Item] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    bases: Mapping[str, Any] = field(default_factory=dict)
    summaries: Mapping[str, str] = field(default_factory=dict)  # of a folded group, by its head's key

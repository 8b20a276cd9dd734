"""What may follow a layer in its `then`: activations, norms and dropouts, by name or with a setting of their own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from tuitrain.errors import suggest
from tuitrain.spec.validation import Spec

MAX_OPS = 8
MAX_CHANNELS = 1024  # of a layer, and so most groups of a norm

PLAIN_OPS = (
    "relu", "leaky_relu", "prelu", "gelu", "silu", "sigmoid", "tanh",
    "batchnorm", "instancenorm", "layernorm", "dropout", "dropout2d",
)  # fmt: skip
ACTIVATIONS = ("relu", "leaky_relu", "prelu", "gelu", "silu", "sigmoid", "tanh")
NORMS = ("batchnorm", "groupnorm", "layernorm", "instancenorm")
DROPOUTS = ("dropout", "dropout2d")
OPS = (*ACTIVATIONS, *NORMS, *DROPOUTS)


class _Setting(Spec):
    """An operation written with its setting, a table of one key."""

    kind: ClassVar[str]

    @property
    def value(self) -> float:
        """The setting: slope, number of slopes, probability or number of groups."""
        value: float = getattr(self, self.kind)
        return value

    def to_toml_value(self) -> Any:
        """The form in which it is written in a preset."""
        return {self.kind: self.value}


class LeakyReLUOp(_Setting):
    """`{ leaky_relu = slope }`."""

    kind: ClassVar[str] = "leaky_relu"
    leaky_relu: float = Field(ge=0, le=1)


class PReLUOp(_Setting):
    """`{ prelu = 1 }`: one slope for all channels, which is learned; `"prelu"` has one for each channel."""

    kind: ClassVar[str] = "prelu"
    prelu: Literal[1]


class DropoutOp(_Setting):
    """`{ dropout = p }`: element-wise, with a probability of its own."""

    kind: ClassVar[str] = "dropout"
    dropout: float = Field(ge=0, lt=1)


class Dropout2dOp(_Setting):
    """`{ dropout2d = p }`: whole channels, with a probability of its own."""

    kind: ClassVar[str] = "dropout2d"
    dropout2d: float = Field(ge=0, lt=1)


class GroupNormOp(_Setting):
    """`{ groupnorm = groups }`."""

    kind: ClassVar[str] = "groupnorm"
    groupnorm: int = Field(ge=1, le=MAX_CHANNELS)


class PlainOp(Spec):
    """An operation by its name alone; `dropout` and `dropout2d` then take `train.dropout`."""

    name: Literal[
        "relu", "leaky_relu", "prelu", "gelu", "silu", "sigmoid", "tanh",
        "batchnorm", "instancenorm", "layernorm", "dropout", "dropout2d",
    ]  # fmt: skip

    @property
    def kind(self) -> str:
        """Its name."""
        return self.name

    @property
    def value(self) -> float | None:
        """No setting of its own; a leaky ReLU has torch's default slope."""
        return 0.01 if self.name == "leaky_relu" else None

    def to_toml_value(self) -> Any:
        """The form in which it is written in a preset."""
        return self.name


#: Operations that may be written with a setting of their own.
OP_SETTINGS: dict[str, type[_Setting]] = {
    c.kind: c for c in (LeakyReLUOp, PReLUOp, DropoutOp, Dropout2dOp, GroupNormOp)
}
Op = PlainOp | LeakyReLUOp | PReLUOp | DropoutOp | Dropout2dOp | GroupNormOp


def _op_tag(value: Any) -> str:
    kind = getattr(value, "kind", None)
    if isinstance(value, PlainOp):
        return "(plain)"
    if kind in OP_SETTINGS:
        return f"({kind})"
    if isinstance(value, dict) and len(value) == 1:
        key = next(iter(value))
        if key in OP_SETTINGS:
            return f"({key})"
    return "(plain)"


def is_op(value: Any) -> bool:
    """Whether a raw entry of a list of layers is an operation that belongs into a `then`."""
    if isinstance(value, str):
        return True
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in OPS


def _plain_from(value: Any) -> Any:
    """Reads `"relu"` and `{ relu = true }` alike, and says what is wrong with the rest."""
    if isinstance(value, dict) and set(value) == {"name"}:
        value = value["name"]
    if isinstance(value, dict) and len(value) == 1:
        key, setting = next(iter(value.items()))
        if key in PLAIN_OPS:
            if setting is not True:
                raise ValueError(f'{key} takes no setting; write "{key}"')
            value = key
    if isinstance(value, str):
        if value == "groupnorm":
            raise ValueError("groupnorm needs its number of groups; write { groupnorm = 2 }")
        if value not in PLAIN_OPS:
            raise ValueError(f"there is no operation '{value}'{suggest(value, list(OPS))}")
        return {"name": value}
    if isinstance(value, PlainOp):
        return value
    raise ValueError('an operation is a name ("relu") or a table of one key ({ dropout = 0.1 })')


class _PlainOpInput(PlainOp):
    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return _plain_from(value)


AnyOp = Annotated[
    Annotated[_PlainOpInput, Tag("(plain)")]
    | Annotated[LeakyReLUOp, Tag("(leaky_relu)")]
    | Annotated[PReLUOp, Tag("(prelu)")]
    | Annotated[DropoutOp, Tag("(dropout)")]
    | Annotated[Dropout2dOp, Tag("(dropout2d)")]
    | Annotated[GroupNormOp, Tag("(groupnorm)")],
    Discriminator(_op_tag),
]


def op_kind(op: Any) -> str:
    """The kind of an operation's plain form."""
    return str(next(iter(op), "") if isinstance(op, dict) else op)

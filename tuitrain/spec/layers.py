"""The layer kinds of a network, as checked values. What they cost is in `table.py`.

A layer is a TOML table named by its first key (`{ conv = 10, kernel = 3 }`), followed in `then` by
activations, norms and dropouts in any order. An activation, norm or dropout may also stand in the list
by itself (`"relu"`, `{ dropout = 0.1 }`): it is moved into the `then` of the layer before it.

Layers are called by their kind and their number among those with weights: `conv1`, `conv2`,
`max pool after conv2`, `linear3` (`layer_names`). Their places in a file are counted from 0, as
TOML's are: `model.layers[1]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from tuitrain.errors import suggest, visible
from tuitrain.spec.operations import MAX_CHANNELS, MAX_OPS, AnyOp, is_op
from tuitrain.spec.sides import SideRange, Sides, sides_text
from tuitrain.spec.validation import Spec

MAX_LAYERS = 64
MAX_LINEAR = 16_384
CLASSES = 10


class _Layer(Spec):
    kind: ClassVar[str]
    then: tuple[AnyOp, ...] = Field(default=(), max_length=MAX_OPS)

    @field_validator("then", mode="before")
    @classmethod
    def _a_list(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    def to_toml_value(self) -> dict[str, Any]:
        """The form in which it is written in a preset: the kind first, no defaults but `bias = false`."""
        out: dict[str, Any] = {}
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if name == "then" or (value == info.default and name != self.kind and name != "kernel"):
                continue
            out[name] = list(value) if isinstance(value, tuple) else value
        if self.then:
            out["then"] = [op.to_toml_value() for op in self.then]
        return out


_Size = Annotated[Sides, SideRange(1, 64)]
_Window = Annotated[_Size, Field(description="sides of the window, in pixels")]
_Bias = Annotated[bool, Field(description="a number of its own added to each output")]
_PoolStride = Annotated[
    _Size | None, Field(description="pixels from one window to the next; as the window if left out")
]
_PoolPadding = Annotated[Sides, SideRange(0, 32), Field(description="pixels put around the maps")]


def _a_name(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('write the name of an earlier layer, as tables show it, such as "conv2"')
    return value


#: What another layer is called (see `layer_names`).
LayerName = Annotated[str, Field(min_length=1, max_length=64), BeforeValidator(_a_name)]


class Conv(_Layer):
    """`{ conv = channels, kernel, stride, padding, dilation, groups, bias }`: a 2-d convolution.

    `kernel`, `stride`, `padding` and `dilation` are a number for both sides, or `[height, width]`.
    """

    kind: ClassVar[str] = "conv"
    conv: int = Field(ge=1, le=MAX_CHANNELS, description="how many maps it makes")
    kernel: _Window = 3
    stride: Annotated[_Size, Field(description="pixels from one window to the next")] = 1
    padding: Annotated[Sides, SideRange(0, 64), Field(description="zeros put around the maps")] = 0
    dilation: Annotated[_Size, Field(description="distance between the pixels of a window")] = 1
    groups: int = Field(
        default=1, ge=1, le=MAX_CHANNELS, description="channels are split into this many separate parts"
    )
    bias: _Bias = True


class Linear(_Layer):
    """`{ linear = features, bias }`: a fully connected layer on a flat input."""

    kind: ClassVar[str] = "linear"
    linear: int = Field(ge=1, le=MAX_LINEAR, description="how many numbers it makes")
    bias: _Bias = True


class MaxPool(_Layer):
    """`{ maxpool = kernel, stride = kernel, padding = 0 }`; each a number for both sides, or `[height, width]`."""

    kind: ClassVar[str] = "maxpool"
    maxpool: _Window
    stride: _PoolStride = None
    padding: _PoolPadding = 0


class AvgPool(_Layer):
    """`{ avgpool = kernel, stride = kernel, padding = 0 }`, as for `maxpool`; padding counts as zeros, as torch does."""

    kind: ClassVar[str] = "avgpool"
    avgpool: _Window
    stride: _PoolStride = None
    padding: _PoolPadding = 0


class BlurPool(_Layer):
    """`{ blurpool = window, stride = 2, padding = 0 }`: a binomial filter before down-sampling; padding counts as zeros."""

    kind: ClassVar[str] = "blurpool"
    blurpool: Annotated[Sides, SideRange(1, 7), Field(description="sides of the filter, in pixels")]
    stride: Annotated[_Size, Field(description="pixels from one output to the next")] = 2
    padding: Annotated[Sides, SideRange(0, 3), Field(description="pixels put around the maps")] = 0


class GlobalAvgPool(_Layer):
    """`{ global_avgpool = true }`: the mean over height and width."""

    kind: ClassVar[str] = "global_avgpool"
    global_avgpool: Literal[True]


class Flatten(_Layer):
    """`{ flatten = true }`: maps to one vector an image."""

    kind: ClassVar[str] = "flatten"
    flatten: Literal[True]


class Share(_Layer):
    """`{ share = "conv2" }`: a conv or linear layer used again, with its weights and settings; `then` is its own."""

    kind: ClassVar[str] = "share"
    share: LayerName = Field(description="the earlier layer whose weights are used again")


class Residual(_Layer):
    """`{ residual = "conv2" }`: adds the output of an earlier layer, with all that follows it there, by its name."""

    kind: ClassVar[str] = "residual"
    residual: LayerName = Field(description="the earlier layer whose output is added")


class Input(_Layer):
    """`{ then = [...] }` with no kind: operations on the input itself; only as the first entry."""

    kind: ClassVar[str] = "input"


Layer = Conv | Linear | MaxPool | AvgPool | BlurPool | GlobalAvgPool | Flatten | Share | Residual | Input
LAYERS: dict[str, type[_Layer]] = {
    c.kind: c
    for c in (Conv, Linear, MaxPool, AvgPool, BlurPool, GlobalAvgPool, Flatten, Share, Residual, Input)
}
_NAMED = [kind for kind in LAYERS if kind != "input"]
#: What a kind of layer is called.
KIND_WORDS = {
    "conv": "conv",
    "maxpool": "max pool",
    "avgpool": "avg pool",
    "blurpool": "blur pool",
    "global_avgpool": "global avg pool",
    "flatten": "flatten",
    "linear": "linear",
    "share": "share",
    "residual": "residual",
    "input": "input",
}


def layer_kind(layer: Any) -> str:
    """The kind of a layer or of its plain form; `input` where it only has a `then`."""
    return layer.kind if isinstance(layer, _Layer) else next((k for k in _NAMED if k in layer), "input")


def layer_names(layers: Iterable[Any]) -> list[str]:
    """What each layer (or its plain form) is called: `conv1`, `conv2`, `max pool after conv2`, `conv3` ... `linear7`.

    A second pooling after the same layer is `max pool 2 after conv2`, so that no two have the same name. What uses
    conv2's weights is `conv2 again`, then `conv2 again 2`.
    """
    out: list[str] = []
    weighty, after = 0, ""
    taken: Counter[str] = Counter()
    for layer in layers:
        kind = layer_kind(layer)
        if kind in ("conv", "linear"):
            weighty += 1
            out.append(f"{kind}{weighty}")
            after = f" after {kind}{weighty}"
        elif kind == "share":
            word = f"{visible(layer.share if isinstance(layer, Share) else layer['share'])} again"
            taken[word] += 1
            out.append(f"{word} {taken[word]}" if taken[word] > 1 else word)
            after = f" after {out[-1]}"
        else:
            word = KIND_WORDS[kind]
            taken[word + after] += 1
            again = taken[word + after]
            out.append(f"{word} {again}{after}" if again > 1 else f"{word}{after}")
    return out


#: Kinds that name an earlier layer.
REFERRING = ("share", "residual")


def references(layers: Iterable[Any]) -> list[str | None]:
    """The name of the earlier layer that each layer (or its plain form) names, None where it names none."""
    plain = (layer.to_toml_value() if isinstance(layer, _Layer) else layer for layer in layers)
    return [next((layer[kind] for kind in REFERRING if kind in layer), None) for layer in plain]


def follow_references(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], origins: Sequence[int | None]
) -> list[dict[str, Any]]:
    """The layers of `new`, whose references still mean the layers that they meant in `old`.

    Args:
        old: plain forms before layers were inserted, moved or taken out.
        new: the same afterwards, with references as they were.
        origins: of each new layer its index in `old`, None where it is new.
    """
    before = {name: index for index, name in reversed(list(enumerate(layer_names(old))))}
    out = [dict(layer) for layer in new]
    for kind in REFERRING:
        names = layer_names(out)
        for layer in out:
            if (at := before.get(layer.get(kind, ""))) in origins and at is not None:
                layer[kind] = names[origins.index(at)]
    return out


def unusual_conv(layer: Conv | Mapping[str, Any]) -> str:
    """Groups and dilation of a convolution (or its plain form) where it has such: `groups 12 dilation 2`."""
    values = {
        name: layer.get(name, 1) if isinstance(layer, Mapping) else getattr(layer, name)
        for name in ("groups", "dilation")
    }
    return " ".join(f"{name} {sides_text(value)}" for name, value in values.items() if value != 1)


def _layer_tag(value: Any) -> str:
    if isinstance(value, _Layer):
        return f"({value.kind})"
    if isinstance(value, dict):
        kinds = [kind for kind in _NAMED if kind in value]
        if len(kinds) == 1:
            return f"({kinds[0]})"
        if not value or set(value) <= {"then"}:
            return "(input)"
    return "(unknown)"


class _Unknown(_Layer):
    """Catches what is no layer, to say so with a suggestion."""

    kind: ClassVar[str] = "unknown"

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("a layer is a table such as { conv = 10, kernel = 3 }")
        kinds = [kind for kind in _NAMED if kind in value]
        if kinds:
            raise ValueError(f"a layer is of one kind, but this one has {' and '.join(kinds)}; take one away")
        known = {"kernel", "stride", "padding", "dilation", "groups", "bias", "then"}
        words = [key for key in value if key not in known] or list(value)
        raise ValueError(
            f"no layer kind among its keys ({', '.join(map(str, value))}){suggest(str(words[0]), _NAMED)}"
        )


AnyLayer = Annotated[
    Annotated[Conv, Tag("(conv)")]
    | Annotated[Linear, Tag("(linear)")]
    | Annotated[MaxPool, Tag("(maxpool)")]
    | Annotated[AvgPool, Tag("(avgpool)")]
    | Annotated[BlurPool, Tag("(blurpool)")]
    | Annotated[GlobalAvgPool, Tag("(global_avgpool)")]
    | Annotated[Flatten, Tag("(flatten)")]
    | Annotated[Share, Tag("(share)")]
    | Annotated[Residual, Tag("(residual)")]
    | Annotated[Input, Tag("(input)")]
    | Annotated[_Unknown, Tag("(unknown)")],
    Discriminator(_layer_tag),
]


class NetworkSpec(Spec):
    """The layers of a network from the image to ten logits."""

    layers: tuple[AnyLayer, ...] = Field(min_length=1, max_length=MAX_LAYERS)

    @field_validator("layers", mode="before")
    @classmethod
    def _group(cls, value: Any) -> Any:
        """Moves operations that stand alone into the `then` of the layer before them."""
        if not isinstance(value, list | tuple):
            return value
        out: list[Any] = []
        for entry in value:
            if not is_op(entry):
                out.append(entry)
            elif out and isinstance(out[-1], dict) and isinstance(out[-1].get("then", []), list | tuple):
                out[-1] = {**out[-1], "then": [*out[-1].get("then", []), entry]}
            elif out and isinstance(out[-1], _Layer):
                out[-1] = {
                    **out[-1].to_toml_value(),
                    "then": [*(o.to_toml_value() for o in out[-1].then), entry],
                }
            else:
                out.append({"then": [entry]})
        return tuple(out)

    def to_toml_value(self) -> dict[str, Any]:
        """The form in which it is written in a preset."""
        return {"layers": [layer.to_toml_value() for layer in self.layers]}

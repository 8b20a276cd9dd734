"""How a network's table is worked out: a walk from layer to layer, in closed form and without torch.

The figures are torchinfo's for one image of float32: multiply-adds are output positions times weights (and
biases), norms count their weights once, and the forward/backward size is twice the output of every layer that
has weights. Receptive fields follow Araujo, Norris and Sim, "Computing receptive fields of convolutional
neural networks" (Distill, 2019): each layer adds (its extent - 1) times the jump before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from tuitrain.errors import visible
from tuitrain.figures import plural, shape_text
from tuitrain.spec.layers import (
    CLASSES,
    KIND_WORDS,
    AvgPool,
    BlurPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool,
    NetworkSpec,
    Residual,
    Share,
    _Layer,
    layer_names,
    unusual_conv,
)
from tuitrain.spec.operations import Op
from tuitrain.spec.sides import Pair, pair, sides_text
from tuitrain.spec.table import INPUT_SHAPE, NetworkError, NetworkTable, Shape, TableRow

MAX_PARAMETERS = 20_000_000
MAX_MAP = 128  # pixels a side
MAX_ACTIVATIONS = 32_000_000  # numbers an image, over the whole network


def _slide(shape: Shape, reach: Pair, stride: Pair, padding: Pair) -> Pair | None:
    """Height and width after a sliding window that reaches so far, or None where the window does not fit."""
    padded = [side + 2 * pad for side, pad in zip(shape[1:], padding, strict=True)]
    if any(side < far for side, far in zip(padded, reach, strict=True)):
        return None
    height, width = ((s - r) // step + 1 for s, r, step in zip(padded, reach, stride, strict=True))
    return height, width


def _each(of_side: Callable[..., int], *pairs: Pair) -> Pair:
    """A function of height and of width."""
    height, width = (of_side(*sides) for sides in zip(*pairs, strict=True))
    return height, width


@dataclass(frozen=True, slots=True)
class _Output:
    """What an earlier layer got and puts out, and what one number of that sees of the image."""

    layer: _Layer
    got: Shape
    shape: Shape
    rf: Pair
    rf_mixed: Pair


@dataclass
class _Walk:
    """The state while walking through the layers; `index` and `name` are of the layer it has come to."""

    shape: Shape
    names: Sequence[str] = ()  # of all layers
    outputs: dict[str, _Output] = field(default_factory=dict)  # of those before, by name
    index: int = 0
    name: str = ""
    rf: Pair = (1, 1)
    jump: Pair = (1, 1)
    rf_mixed: Pair = (1, 1)  # of a unit that mixes the whole of a flattened map

    def leave(self, layer: _Layer, got: Shape) -> None:
        """Goes on to the next layer."""
        self.outputs[self.name] = _Output(layer, got, self.shape, self.rf, self.rf_mixed)

    def earlier(self, name: str, fitting: Sequence[str]) -> _Output:
        """The output of an earlier layer; `fitting` are the names to propose where there is none of that name."""
        if name in self.outputs:
            return self.outputs[name]
        what = (
            f"'{name}' is not before it"
            if name in self.names
            else f"there is no layer '{visible(name)}' before it"
        )
        raise self.error(
            what + (f"; name one that is: {', '.join(fitting)}" if fitting else "; remove this layer")
        )

    def error(self, what: str, *, op: int | None = None) -> NetworkError:
        """Why the network breaks here."""
        return NetworkError(self.index, self.name, what, op=op)

    def maps_only(self, word: str) -> None:
        """Refuses a flat vector."""
        if len(self.shape) != 3:
            raise self.error(
                f"{word} needs maps but gets a flat vector of {self.shape[0]}; put it before the flatten or linear"
            )

    def further(self, reach: Pair, stride: Pair = (1, 1)) -> None:
        """What a window adds to the receptive field, and to the distance of its neighbours."""
        self.rf = _each(lambda rf, jump, r: rf + (r - 1) * jump, self.rf, self.jump, reach)
        self.jump = _each(lambda jump, step: jump * step, self.jump, stride)

    def too_small(self, word: str, reach: Pair) -> NetworkError:
        """Why a window does not fit."""
        return self.error(
            f"{word} reaches over {sides_text(reach, both=True)} but its input has shrunk to {self.shape[1]}×{self.shape[2]}; "
            "use a smaller kernel, more padding or one pooling fewer"
        )


def _layer_row(layer: _Layer, walk: _Walk) -> TableRow | None:
    """The row of a layer itself; advances the walk."""
    shape = walk.shape
    parameters = mult_adds = 0
    kernel = ""
    match layer:
        case Conv():
            sides = pair(layer.kernel)
            kernel = sides_text(sides, both=True)
            word = f"conv {kernel}"
            walk.maps_only(word)
            if shape[0] % layer.groups or layer.conv % layer.groups:
                raise walk.error(
                    f"groups = {layer.groups} must divide both its {shape[0]} input and {layer.conv} output channels; "
                    "change groups or the channels",
                )
            reach = _each(lambda side, apart: apart * (side - 1) + 1, sides, pair(layer.dilation))
            size = _slide(shape, reach, pair(layer.stride), pair(layer.padding))
            if size is None:
                raise walk.too_small(word, reach)
            walk.shape = (layer.conv, *size)
            parameters = layer.conv * (shape[0] // layer.groups) * prod(sides) + layer.conv * layer.bias
            mult_adds = parameters * prod(size)
            walk.further(reach, pair(layer.stride))
            label = f"{word} →{layer.conv} {unusual_conv(layer)}".rstrip()
        case MaxPool() | AvgPool() | BlurPool():
            window = pair(getattr(layer, layer.kind))
            stride = pair(layer.stride) if layer.stride else window
            kernel = sides_text(window, both=True)
            word = KIND_WORDS[layer.kind]
            walk.maps_only(word)
            if any(2 * pad > side for pad, side in zip(pair(layer.padding), window, strict=True)):
                most = sides_text(_each(lambda side: side // 2, window))
                raise walk.error(
                    f"padding = {sides_text(layer.padding)} is more than half of the {kernel} window; use {most} or less",
                )
            size = _slide(shape, window, stride, pair(layer.padding))
            if size is None:
                raise walk.too_small(f"{word} {kernel}", window)
            walk.shape = (shape[0], *size)
            walk.further(window, stride)
            label = word
        case GlobalAvgPool():
            walk.maps_only("global_avgpool")
            walk.shape = (shape[0], 1, 1)
            walk.further((shape[1], shape[2]), (shape[1], shape[2]))
            kernel, label = f"{shape[1]}×{shape[2]}", "global avg pool"
        case Flatten():
            if len(shape) == 1:
                raise walk.error("flatten gets what is already a flat vector; remove it")
            walk.shape = (prod(shape),)
            walk.rf_mixed = _each(
                lambda rf, jump, side: rf + (side - 1) * jump, walk.rf, walk.jump, (shape[1], shape[2])
            )
            label = "flatten"
        case Linear():
            if len(shape) == 3 and shape[1:] != (1, 1):
                raise walk.error(
                    f"linear needs a flat input but gets {shape[0]} maps of {shape[1]}×{shape[2]}; "
                    "put { flatten = true } or { global_avgpool = true } before it",
                )
            walk.rf = _each(max, walk.rf, walk.rf_mixed)
            parameters = shape[0] * layer.linear + layer.linear * layer.bias
            mult_adds = parameters
            walk.shape = (layer.linear,)
            label = f"linear →{layer.linear}"
        case Share():
            return _shared_row(layer, walk)
        case Residual():
            alike = [name for name, output in walk.outputs.items() if output.shape == shape]
            added = walk.earlier(layer.residual, alike or list(walk.outputs))
            if added.shape != shape:
                raise walk.error(
                    f"adds the {shape_text(added.shape)} of {layer.residual} to {shape_text(shape)}; "
                    + (
                        f"name a layer of that shape: {', '.join(alike)}"
                        if alike
                        else "make both of the same shape"
                    )
                )
            walk.rf, walk.rf_mixed = _each(max, walk.rf, added.rf), _each(max, walk.rf_mixed, added.rf_mixed)
            label = f"adds {layer.residual}"
        case _:
            if walk.index:
                raise walk.error(
                    "an entry with `then` alone may only be the first; move its operations into the layer before",
                )
            return None
    return TableRow(
        walk.index,
        None,
        layer.kind,
        label,
        kernel,
        walk.shape,
        parameters,
        mult_adds,
        max(walk.rf),
        name=walk.name,
        field=walk.rf,
    )


def _shared_row(layer: Share, walk: _Walk) -> TableRow:
    """The row of a layer that uses another one's weights again: its shape and work, but no parameters."""
    weighty = [name for name, output in walk.outputs.items() if isinstance(output.layer, Conv | Linear)]
    shared = walk.earlier(layer.share, weighty)
    if layer.share not in weighty:
        raise walk.error(
            f"{layer.share} has no weights of its own; name a layer that has: {', '.join(weighty)}"
        )
    if walk.shape[0] != shared.got[0]:
        raise walk.error(
            f"the weights of {layer.share} are for {plural(shared.got[0], 'channel')} but get {walk.shape[0]}; "
            "make both the same, or name another layer"
        )
    row = _layer_row(shared.layer, walk)
    if row is None:  # only an input has none
        raise AssertionError(shared.layer)
    label = row.label.replace(row.kind, f"{layer.share} again", 1)
    return replace(row, kind="share", label=label, parameters=0)


_OP_LABELS = {
    "batchnorm": "batch norm",
    "groupnorm": "group norm",
    "layernorm": "layer norm",
    "instancenorm": "instance norm",
    "leaky_relu": "leaky relu",
}


def _op_row(number: int, op: Op, walk: _Walk, dropout: float) -> TableRow:
    """The row of an operation in `then`; shapes stay as they are."""
    shape, kind = walk.shape, op.kind
    parameters, rate = 0, None
    label = _OP_LABELS.get(kind, kind)
    if kind in ("dropout2d", "instancenorm") and len(shape) != 3:
        other = "dropout" if kind == "dropout2d" else "layernorm"
        raise walk.error(f"{kind} needs maps but gets a flat vector; use {other}", op=number)
    if kind == "instancenorm" and shape[1:] == (1, 1):
        raise walk.error("instancenorm has nothing to average over on a 1×1 map; use layernorm", op=number)
    if kind in ("batchnorm", "layernorm"):
        parameters = 2 * shape[0]
    elif kind == "groupnorm":
        groups = int(op.value or 1)
        if shape[0] % groups:
            raise walk.error(
                f"groupnorm = {groups} must divide its {shape[0]} channels; change either", op=number
            )
        parameters = 2 * shape[0]
        label += f" {groups}"
    elif kind in ("dropout", "dropout2d"):
        rate = dropout if op.value is None else float(op.value)
        label += f" {rate:g}"
    elif kind == "prelu":
        parameters = shape[0] if op.value is None else 1
        label += "" if op.value is None else " 1"
    elif kind == "leaky_relu":
        label += f" {op.value:g}"
    return TableRow(
        walk.index,
        number,
        kind,
        label,
        "",
        shape,
        parameters,
        parameters,
        max(walk.rf),
        rate,
        walk.name,
        walk.rf,
    )


def network_table(
    network: NetworkSpec,
    *,
    dropout: float = 0.0,
    input_shape: Shape = INPUT_SHAPE,
    classes: int | None = CLASSES,
) -> NetworkTable:
    """The table of a network, every figure in closed form.

    Args:
        network: the layers.
        dropout: the probability of dropouts that have none of their own.
        input_shape: (C, H, W) of one image.
        classes: what the last layer must be wide; None leaves the end unchecked.

    Raises:
        NetworkError: a layer does not fit what reaches it, the end is not `classes` wide, or a cap is exceeded.
    """
    walk = _Walk(input_shape, layer_names(network.layers))
    rows: list[TableRow] = []
    parameters = activations = 0
    for index, (name, layer) in enumerate(zip(walk.names, network.layers, strict=True)):
        walk.index, walk.name = index, name
        got = walk.shape
        row = _layer_row(layer, walk)
        new = [row] if row else []
        new += [_op_row(number, op, walk, dropout) for number, op in enumerate(layer.then)]
        if len(walk.shape) == 3 and max(walk.shape[1:]) > MAX_MAP:
            raise walk.error(
                f"its maps grow to {walk.shape[1]}×{walk.shape[2]}; the limit is {MAX_MAP}×{MAX_MAP}, use less padding",
            )
        parameters += sum(r.parameters for r in new)
        activations += sum(prod(r.output_shape) for r in new)
        if parameters > MAX_PARAMETERS:
            raise walk.error(
                f"the network has {parameters:,} parameters up to here; the limit is {MAX_PARAMETERS:,}, make it narrower",
            )
        if activations > MAX_ACTIVATIONS:
            raise walk.error(
                f"the outputs of one image take {activations:,} numbers up to here; "
                f"the limit is {MAX_ACTIVATIONS:,}, use smaller maps",
            )
        rows += new
        walk.leave(layer, got)
    shape = walk.shape
    if classes is not None and shape not in ((classes,), (classes, 1, 1)):
        if len(shape) == 3 and shape[1:] != (1, 1):
            raise walk.error(
                f"the network ends in {shape[0]} maps of {shape[1]}×{shape[2]}, not in {classes} logits; "
                f"end it with {classes} channels and {{ global_avgpool = true }}, or with flatten and linear = {classes}",
            )
        raise walk.error(
            f"the network ends {shape[0]} wide, but there are {classes} classes; make its last layer {classes} wide",
        )
    if not rows:
        raise walk.error("the network has no layers; add one")
    return NetworkTable(input_shape, tuple(rows))

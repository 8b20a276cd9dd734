"""From a preset's layers to a torch module, and torchinfo's view of it.

Names in a `state_dict` are those of the tables (`layer_names`): `conv2.weight` is the second layer with weights,
`conv2_batchnorm.bias` the batch norm in its `then` (a second one of the same kind there would be
`conv2_batchnorm_2`); operations before the first layer begin with `input`.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuitrain.spec.layers import (
    AvgPool,
    BlurPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    Input,
    Linear,
    MaxPool,
    Residual,
    Share,
    _Layer,
    layer_names,
)
from tuitrain.spec.operations import Op
from tuitrain.spec.preset import Preset
from tuitrain.spec.sides import pair
from tuitrain.spec.table import INPUT_SHAPE, NetworkTable, Shape
from tuitrain.training.layers.batchnorm import BatchNorm2d
from tuitrain.training.layers.blur import BlurPool2d
from tuitrain.training.layers.dropout import Dropout, Dropout2d
from tuitrain.training.layers.pooling import MaxPool2d
from tuitrain.training.seeding import key

NOWHERE = -1  # before the first place of a network's plan: the images themselves


class GlobalAvgPool2d(nn.Module):
    """The mean over height and width; unlike `AdaptiveAvgPool2d` it has a deterministic CUDA backward."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 1, 1)."""
        return x.mean((2, 3), keepdim=True)


class GroupNorm(nn.GroupNorm):
    """torch's, but a group of a single number is no error: its normalised value is 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalises each group of channels of an image."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class LayerNorm2d(GroupNorm):
    """Over a whole image's maps, with one weight per channel: a group norm with a single group."""

    def __init__(self, channels: int, device: str) -> None:
        super().__init__(1, channels, device=device)


class Add(nn.Module):
    """Adds what an earlier layer has put out."""

    def forward(self, x: Tensor, earlier: Tensor) -> Tensor:
        """The sum of two outputs of the same shape."""
        return x + earlier


class PReLU(nn.PReLU):
    """torch's, with slopes of the maps' type: autocast does not see to that everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        """Each channel's slope, or the one of all, for what is negative."""
        return F.prelu(x, self.weight.to(x.dtype))


class Network(nn.Module):
    """The layers of a preset, one after the other.

    Args:
        preset: whose layers.
        table: its figures, for the shapes.

    Attributes:
        bits_per_image: 16-bit random numbers that one image's dropout masks take.
        earlier_names: the names of modules by those of earlier versions, which counted all layers from 0.
    """

    def __init__(self, preset: Preset, table: NetworkTable) -> None:
        super().__init__()
        shapes = {(row.layer, row.op): row.output_shape for row in table.rows}
        # Each with where its bits begin, an image, and of a residual the place in this plan whose output it adds.
        self._plan: list[tuple[nn.Module, int, int]] = []
        self._ends: dict[str, int] = {}  # by the name of each layer the place in the plan of its output
        self.bits_per_image = 0
        self.earlier_names: dict[str, str] = {}
        shape: Shape = INPUT_SHAPE
        names = layer_names(preset.model.layers)
        for index, layer in enumerate(preset.model.layers):
            both = names[index].replace(" ", "_"), f"{layer.kind}{index}"
            if isinstance(layer, Input):
                both = "input", "input"
            elif isinstance(layer, Share):
                self._again(both, self.get_submodule(layer.share), shape)
                shape = shapes[index, None]
            else:
                source = self._ends[layer.residual] if isinstance(layer, Residual) else NOWHERE
                for suffix, module in _layer_modules(layer, shape):
                    self._append(both, suffix, module, source)
                shape = shapes[index, None]
            for number, op in enumerate(layer.then):
                repeat = sum(other.kind == op.kind for other in layer.then[:number])
                suffix = f"_{op.kind}" if not repeat else f"_{op.kind}_{repeat + 1}"
                self._append(both, suffix, _op_module(op, shape, preset.train.dropout))
            self._ends[names[index]] = len(self._plan) - 1
        self._added = frozenset(source for _, _, source in self._plan)

    def _again(self, both: tuple[str, str], shared: nn.Module, shape: Shape) -> None:
        """Uses a module once more, which keeps its one name."""
        if isinstance(shared, nn.Linear) and len(shape) == 3:
            self._append(both, "_flatten", nn.Flatten())
        self._plan.append((shared, self.bits_per_image, NOWHERE))

    def _append(self, both: tuple[str, str], suffix: str, module: nn.Module, source: int = NOWHERE) -> None:
        name, earlier = both
        self.add_module(name + suffix, module)
        self.earlier_names[earlier + suffix] = name + suffix
        self._plan.append((module, self.bits_per_image, source))
        if isinstance(module, Dropout):
            self.bits_per_image += module.count

    def forward(self, images: Tensor, bits: Tensor | None = None) -> Tensor:
        """Logits.

        Args:
            images: float (N, 1, 28, 28), normalised.
            bits: int16 of at least N x `bits_per_image` random numbers for the dropouts, or what `factors` made of
                them; without them they are the identity.

        Returns:
            (N, 10).
        """
        return self._run(images, bits, self._added)[0]

    def layer_outputs(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and by its name what each layer puts out after all that follows it; arguments as of `forward`."""
        logits, kept = self._run(images, None, frozenset(self._ends.values()))
        return logits, {name: kept[at] for name, at in self._ends.items()}

    def _run(
        self, images: Tensor, bits: Tensor | None, wanted: frozenset[int]
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Logits, and what the wanted places of the plan put out."""
        x, count = images, images.shape[0]
        kept = {NOWHERE: images}
        for at, (module, start, source) in enumerate(self._plan):
            if isinstance(module, Add):
                x = module(x, kept[source])
            elif isinstance(module, Dropout) and bits is not None:
                x = module(x, bits[count * start : count * (start + module.count)])
            else:
                x = module(x)
            if at in wanted:
                kept[at] = x
        return (x.flatten(1) if x.dim() > 2 else x), kept

    def factors(self, bits: Tensor, count: int) -> Tensor:
        """What the dropouts of several steps of `count` images multiply with: float32 (steps, N x `bits_per_image`).

        Args:
            bits: int16 (steps, numbers), as `forward` takes them for one step; what goes in place of them there.
            count: images a step, N.
        """
        parts = [
            module.factors(bits[:, count * start : count * (start + module.count)])
            for module, start, *_ in self._plan
            if isinstance(module, Dropout)
        ]
        return torch.cat(parts, 1)


def first_layer(network: nn.Module) -> tuple[str, Tensor] | None:
    """Name and weight of the first convolution or linear layer, or None where there is none."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            return name, module.weight
    return None


def _layer_modules(layer: _Layer, shape: Shape) -> list[tuple[str, nn.Module]]:
    """The modules of a layer, each with the suffix of its name; weights are not yet initialised."""
    match layer:
        case Conv():
            return [
                (
                    "",
                    nn.Conv2d(
                        shape[0],
                        layer.conv,
                        layer.kernel,
                        stride=layer.stride,
                        padding=layer.padding,
                        dilation=layer.dilation,
                        groups=layer.groups,
                        bias=layer.bias,
                        device="meta",
                    ),
                )
            ]
        case Linear():
            linear = nn.Linear(shape[0], layer.linear, bias=layer.bias, device="meta")
            return [("_flatten", nn.Flatten()), ("", linear)] if len(shape) == 3 else [("", linear)]
        case MaxPool():
            return [("", MaxPool2d(layer.maxpool, layer.stride, layer.padding))]
        case AvgPool():
            return [("", nn.AvgPool2d(layer.avgpool, layer.stride, layer.padding))]
        case BlurPool():
            return [("", BlurPool2d(pair(layer.blurpool), pair(layer.stride), pair(layer.padding)))]
        case GlobalAvgPool():
            return [("", GlobalAvgPool2d())]
        case Flatten():
            return [("", nn.Flatten())]
        case Residual():
            return [("", Add())]
    raise AssertionError(layer)


def _op_module(op: Op, shape: Shape, dropout: float) -> nn.Module:
    """The module of an operation in `then`."""
    channels = shape[0]
    match op.kind:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(float(op.value or 0.0))
        case "prelu":
            return PReLU(channels if op.value is None else 1, device="meta")
        case "gelu":
            return nn.GELU()
        case "silu":
            return nn.SiLU()
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "batchnorm":
            norm = BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return norm(channels, device="meta")
        case "groupnorm":
            return GroupNorm(int(op.value or 1), channels, device="meta")
        case "layernorm":
            norm_ = LayerNorm2d if len(shape) == 3 else nn.LayerNorm
            return norm_(channels, device="meta")
        case "instancenorm":
            return nn.InstanceNorm2d(channels)
        case "dropout" | "dropout2d":
            p = dropout if op.value is None else float(op.value)
            return Dropout2d(p, shape) if op.kind == "dropout2d" else Dropout(p, shape)
    raise AssertionError(op)


def _initialise(network: Network, generator: torch.Generator | None) -> None:
    """torch's default initialisation, from a generator of its own; zeros without one."""
    for module in network.children():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if generator is None:
                for parameter in module.parameters():
                    nn.init.zeros_(parameter)
                continue
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
            if module.bias is not None:
                bound = 1 / math.sqrt(module.weight[0].numel())
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm | nn.PReLU):
            module.reset_parameters()


def _allocate(network: Network) -> None:
    """Allocates a module that was built on the meta device. (`Module.to_empty` would import sympy for it, 1.5 s.)"""
    for module in network.children():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def _assemble(preset: Preset, generator: torch.Generator | None) -> Network:
    # Built without memory first: torch's constructors would initialise from the global generator.
    network = Network(preset, preset.table())
    _allocate(network)
    _initialise(network, generator)
    return network


def build(preset: Preset, seed: int | None = None) -> Network:
    """The network with torch's default initial weights, on the CPU; the global generator is not used.

    Args:
        preset: what to build.
        seed: of the weights; `train.seed` where left out.

    Raises:
        NetworkError: the network can't be built.
    """
    generator = torch.Generator().manual_seed(key(preset.train.seed if seed is None else seed, "init"))
    return _assemble(preset, generator)


def torchinfo_statistics(network: nn.Module) -> Any:
    """torchinfo's `ModelStatistics` of a throw-away network, for one image."""
    import torchinfo

    # torchinfo draws random input and moves the module, so: an input of zeros, and a network of its own.
    return torchinfo.summary(
        network,
        input_data=torch.zeros(1, *INPUT_SHAPE),
        device="cpu",
        mode="eval",
        col_names=("input_size", "output_size", "kernel_size", "num_params", "mult_adds"),
        row_settings=("depth", "var_names"),
        verbose=0,
    )


def torchinfo_summary(preset: Preset) -> str:
    """torchinfo's summary of the real module, as text."""
    return str(torchinfo_statistics(_assemble(preset, None)))


def torchinfo_table(preset: Preset) -> dict[str, Any]:
    """torchinfo's figures for one image.

    Returns:
        `parameters`, `mult_adds`, `input_bytes`, `forward_backward_bytes`, `parameter_bytes`, and `layers`:
        for each module `name`, `kind`, `output_shape` (without the batch), `parameters`, `mult_adds`.
    """
    statistics = torchinfo_statistics(_assemble(preset, None))
    layers = [
        {
            "name": info.var_name,
            "kind": info.class_name,
            "output_shape": tuple(info.output_size[1:]),
            "parameters": 0
            if info.is_recursive
            else info.num_params,  # used again: counted where it is first
            "mult_adds": info.macs,
        }
        for info in statistics.summary_list
        if info.depth == 1
    ]
    return {
        "parameters": statistics.total_params,
        "mult_adds": statistics.total_mult_adds,
        # torchinfo asks Python for the size, which adds that of the object itself.
        "input_bytes": statistics.total_input - sys.getsizeof(torch.empty(0).untyped_storage()),
        "forward_backward_bytes": statistics.total_output_bytes,
        "parameter_bytes": statistics.total_param_bytes,
        "layers": layers,
    }

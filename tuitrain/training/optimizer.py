"""torch's optimizers by their functional form, with a state that consists of tensors and exists from the start.

The classes of `torch.optim` would import the whole of torch's compiler when the first one is made (2 s), and
create their state in the first step, which a CUDA graph could not have. The arithmetic is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from tuitrain.spec.train import SGD, Adam, AdamW, RMSprop, Train
from tuitrain.training.stored import copy_stored


class Optimizer:
    """SGD, Adam, AdamW or RMSprop on some parameters.

    Args:
        train: the settings.
        parameters: by name, on their device.
        capturable: for a CUDA graph: the learning rate is then a tensor on the device.

    Attributes:
        state: by torch's name of it (`momentum_buffer`, `exp_avg`, ...), a tensor for each parameter.
    """

    def __init__(self, train: Train, parameters: Mapping[str, Tensor], *, capturable: bool = False) -> None:
        self.settings, self.capturable = train.optimizer, capturable
        self._clip_norm, self._clip_value = train.clip_norm, train.clip_value
        self.names, self.parameters = list(parameters), list(parameters.values())
        self.device = self.parameters[0].device if self.parameters else torch.device("cpu")
        # Fused: one kernel for all parameters; MPS has none for SGD.
        self.fused = self.device.type in ("cpu", "cuda")
        self.lr: float | Tensor = rate_on(self.device, self.settings.lr)
        if capturable:
            self.lr = torch.tensor(self.settings.lr, device=self.device)
        self.state: dict[str, list[Tensor]] = {}
        match self.settings:
            case SGD(momentum=momentum):
                wanted = ["momentum_buffer"] if momentum else []
            case Adam() | AdamW():
                wanted = ["step", "exp_avg", "exp_avg_sq"]
            case RMSprop(momentum=momentum):
                wanted = ["step", "square_avg", *(["momentum_buffer"] if momentum else [])]
        for name in wanted:
            self.state[name] = [
                torch.zeros((), device=self.device)
                if name == "step"
                else torch.zeros_like(p, requires_grad=False)
                for p in self.parameters
            ]

    def set_lr(self, lr: float) -> None:
        """The learning rate of the steps from here on."""
        if isinstance(self.lr, Tensor):
            self.lr.fill_(lr)
        else:
            self.lr = rate_on(self.device, lr)

    @torch.no_grad()
    def step(self) -> None:
        """One update by the parameters' gradients, clipped first where the settings say so."""
        parameters: list[Tensor] = []
        gradients: list[Tensor] = []
        state: dict[str, list[Tensor]] = {name: [] for name in self.state}
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                parameters.append(parameter)
                gradients.append(parameter.grad)
                for name, tensors in self.state.items():
                    state[name].append(tensors[index])
        if self._clip_value:
            clip_grad_value_(parameters, self._clip_value)
        if self._clip_norm:
            clip_grad_norm_(parameters, self._clip_norm)  # never waits: what is not finite is not looked for
        settings = self.settings
        match settings:
            case SGD():
                sgd(
                    parameters,
                    gradients,
                    list(state.get("momentum_buffer", [])),
                    fused=self.fused,
                    foreach=False if self.fused else None,
                    lr=self.lr,
                    momentum=settings.momentum,
                    dampening=0.0,
                    nesterov=settings.nesterov,
                    weight_decay=settings.weight_decay,
                    maximize=False,
                )
            case Adam() | AdamW():
                adam(
                    parameters,
                    gradients,
                    state["exp_avg"],
                    state["exp_avg_sq"],
                    [],
                    state["step"],
                    fused=self.fused,
                    foreach=False if self.fused else None,
                    capturable=self.capturable,
                    decoupled_weight_decay=isinstance(settings, AdamW),
                    amsgrad=False,
                    lr=self.lr,
                    beta1=settings.betas[0],
                    beta2=settings.betas[1],
                    eps=settings.eps,
                    weight_decay=settings.weight_decay,
                    maximize=False,
                )
            case RMSprop():
                rmsprop(
                    parameters,
                    gradients,
                    state["square_avg"],
                    [],
                    state.get("momentum_buffer", []),
                    state["step"],
                    # Without it torch looks at the tensors' types, and its other way waits for the device.
                    foreach=True if self.device.type == "cuda" else None,
                    capturable=self.capturable,
                    lr=self.lr,
                    alpha=settings.alpha,
                    eps=settings.eps,
                    weight_decay=settings.weight_decay,
                    momentum=settings.momentum,
                    centered=False,
                )

    def tensors(self) -> dict[str, Tensor]:
        """The state by "PARAMETER.NAME" (`conv1.weight.momentum_buffer`)."""
        return {
            f"{parameter}.{name}": tensor
            for name, tensors in self.state.items()
            for parameter, tensor in zip(self.names, tensors, strict=True)
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Loads what `tensors` gave, in place.

        Raises:
            CheckpointError: a tensor is missing, unknown, or of another shape or type.
        """
        copy_stored(self.tensors(), tensors, "the optimizer")


def rate_on(device: torch.device, lr: float) -> float:
    """The learning rate as a device's eager step takes it.

    A captured step reads it from a float32 tensor. CUDA's fused SGD would take a Python float as a double, and runs
    that should be equal would part after five steps; the CPU's rounds it itself.
    """
    return float(np.float32(lr)) if device.type == "cuda" else lr

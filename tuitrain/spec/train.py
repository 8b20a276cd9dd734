"""How to train: the settings of optimizer, schedule, data and augmentation, each within a stated range."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from tuitrain.spec.validation import Spec

DatasetName = Literal["mnist", "fashion-mnist", "kmnist", "qmnist", "emnist-digits", "digits"]

# A description is also what the lab says of the field.
Rate = Annotated[float, Field(gt=0, le=1e9, description="how far each step moves the weights")]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Momentum = Annotated[Fraction, Field(description="how much of the last step is kept in the next")]
Decay = Annotated[float, Field(ge=0, le=100, description="pulls every weight towards zero at each step")]
Eps = Annotated[float, Field(gt=0, le=1, description="keeps the division from blowing up")]
Gamma = Annotated[float, Field(gt=0, le=10, description="what the learning rate is multiplied by")]
Lowest = Annotated[float, Field(ge=0, le=1e9, description="the learning rate never falls below this")]


class SGD(Spec):
    """Stochastic gradient descent, `torch.optim.SGD`."""

    name: Literal["sgd"] = "sgd"
    lr: Rate = 0.01
    momentum: Momentum = 0.0
    nesterov: Annotated[bool, Field(description="momentum that looks ahead")] = False
    weight_decay: Decay = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> SGD:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0; set momentum = 0.9 or nesterov = false")
        return self


class _Adaptive(Spec):
    lr: Rate = 0.001
    betas: Annotated[
        tuple[Fraction, Fraction], Field(description="how long gradients and their squares are remembered")
    ] = (0.9, 0.999)
    eps: Eps = 1e-8

    @field_validator("betas", mode="before")
    @classmethod
    def _a_pair(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class Adam(_Adaptive):
    """`torch.optim.Adam`."""

    name: Literal["adam"]
    weight_decay: Decay = 0.0


class AdamW(_Adaptive):
    """`torch.optim.AdamW`, its decay decoupled from the gradient."""

    name: Literal["adamw"]
    weight_decay: Decay = 0.01


class RMSprop(Spec):
    """`torch.optim.RMSprop`."""

    name: Literal["rmsprop"]
    lr: Rate = 0.01
    alpha: Annotated[Fraction, Field(description="how long squared gradients are remembered")] = 0.99
    eps: Eps = 1e-8
    momentum: Momentum = 0.0
    weight_decay: Decay = 0.0


OPTIMIZERS: dict[str, type[Spec]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
Optimizer = Annotated[SGD | Adam | AdamW | RMSprop, Field(discriminator="name")]


class Constant(Spec):
    """The same learning rate throughout."""

    name: Literal["constant"] = "constant"


class Step(Spec):
    """Times `gamma` every `step_size` epochs."""

    name: Literal["step"]
    step_size: Annotated[
        int, Field(ge=1, le=10_000, description="epochs between cuts of the learning rate")
    ] = 7
    gamma: Gamma = 0.1


class MultiStep(Spec):
    """Times `gamma` after each of the `milestones` (finished epochs)."""

    name: Literal["multistep"]
    milestones: Annotated[
        tuple[Annotated[int, Field(ge=1, le=10_000)], ...],
        Field(min_length=1, max_length=64, description="finished epochs after which the rate is cut"),
    ]
    gamma: Gamma = 0.1

    @field_validator("milestones", mode="before")
    @classmethod
    def _ascending(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if any(not isinstance(v, int) for v in value):
                return tuple(value)
            if list(value) != sorted(set(value)):
                raise ValueError("milestones must ascend without repeating; sort them")
            return tuple(value)
        return value


class Exponential(Spec):
    """Times `gamma` every epoch."""

    name: Literal["exponential"]
    gamma: Gamma = 0.9


class Cosine(Spec):
    """Half a cosine from the learning rate to `min_lr` over all epochs, one value an epoch."""

    name: Literal["cosine"]
    min_lr: Lowest = 0.0


class OneCycle(Spec):
    """Up from lr / `div_factor` to the learning rate and down to the start / `final_div_factor`, step by step.

    Smith and Topin, "Super-convergence" (2018), with cosine flanks as in `torch.optim.lr_scheduler.OneCycleLR`;
    the optimizer's own lr is the peak, and momentum is left alone.
    """

    name: Literal["onecycle"]
    pct_start: Annotated[float, Field(gt=0, lt=1, description="share of the run in which the rate rises")] = (
        0.3
    )
    div_factor: Annotated[
        float, Field(gt=0, le=1e6, description="the rate starts at its peak divided by this")
    ] = 25.0
    final_div_factor: Annotated[
        float, Field(gt=0, le=1e9, description="and ends at its start divided by this")
    ] = 1e4


class Cyclic(Spec):
    """Up and down between lr / `div_factor` and the learning rate, over and over, step by step.

    Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), as `torch.optim.lr_scheduler.CyclicLR`;
    the optimizer's own lr is the peak, and momentum is left alone. `triangular2` halves the height each cycle,
    `exp_range` multiplies it by `gamma` each step.
    """

    name: Literal["cyclic"]
    mode: Annotated[
        Literal["triangular", "triangular2", "exp_range"],
        Field(description="triangular2 halves the height each cycle, exp_range shrinks it each step"),
    ] = "triangular"
    epochs_up: Annotated[float, Field(gt=0, le=10_000, description="epochs in which the rate rises")] = 2.0
    epochs_down: Annotated[
        float, Field(ge=0, le=10_000, description="epochs in which it falls; 0: as many as it rises")
    ] = 0.0
    div_factor: Annotated[
        float, Field(ge=1, le=1e6, description="the lowest rate is the peak divided by this")
    ] = 10.0
    gamma: Annotated[
        float, Field(gt=0, le=1, description="with exp_range, what the height is multiplied by each step")
    ] = 0.999


class CosineRestarts(Spec):
    """Cosines from the learning rate to `min_lr`, each begun anew at the top, one value an epoch.

    Loshchilov and Hutter, "SGDR" (2017), as `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`: the first
    takes `period` epochs, each later one `period_factor` times the one before.
    """

    name: Literal["cosine_restarts"]
    period: Annotated[
        int, Field(ge=1, le=10_000, description="epochs until the rate begins at the top again")
    ] = 5
    period_factor: Annotated[
        int, Field(ge=1, le=100, description="how much longer each period is than the one before")
    ] = 1
    min_lr: Lowest = 0.0


class Plateau(Spec):
    """Times `factor` when the judging loss has not fallen for more than `patience` epochs."""

    name: Literal["plateau"]
    factor: Annotated[float, Field(gt=0, lt=1, description="what the learning rate is multiplied by")] = 0.1
    patience: Annotated[
        int, Field(ge=0, le=1000, description="epochs without a gain before the rate is cut")
    ] = 3
    threshold: Annotated[
        float, Field(ge=0, lt=1, description="how much lower a loss must be to count as a gain")
    ] = 1e-4
    min_lr: Lowest = 0.0


SCHEDULES: dict[str, type[Spec]] = {
    "constant": Constant, "step": Step, "multistep": MultiStep, "exponential": Exponential,
    "cosine": Cosine, "cosine_restarts": CosineRestarts, "onecycle": OneCycle, "cyclic": Cyclic, "plateau": Plateau,
}  # fmt: skip
Schedule = Annotated[
    Constant | Step | MultiStep | Exponential | Cosine | CosineRestarts | OneCycle | Cyclic | Plateau,
    Field(discriminator="name"),
]


class Normalize(Spec):
    """Pixels from 0 to 1, minus `mean`, divided by `std`; MNIST's own figures by default."""

    mean: Annotated[float, Field(ge=-10, le=10, description="subtracted from each pixel")] = 0.1307
    std: Annotated[float, Field(gt=0, le=10, description="each pixel is divided by this")] = 0.3081


_Angle = Annotated[float, Field(ge=-180, le=180)]


def _is_range(value: Any) -> str:
    return "(range)" if isinstance(value, list | tuple) else "(number)"


#: Degrees either way, or [from, to]; the tags are no keys of the file (see `base.dotted`).
Rotation = Annotated[
    Annotated[float, Field(ge=0, le=180), Tag("(number)")] | Annotated[tuple[_Angle, _Angle], Tag("(range)")],
    Discriminator(_is_range),
]

Probability = Annotated[
    float, Field(ge=0, le=1, description="probability that an image is changed so; 1 is always")
]


class AugmentP(Spec):
    """With what probability an image is augmented so, each drawn by itself (torchvision's RandomApply).

    1 is always. `jitter` is of brightness and contrast together; `erase` is a probability already.
    """

    crop: Probability = 1.0
    jitter: Probability = 1.0
    rotation: Probability = 1.0
    shift: Probability = 1.0
    zoom: Probability = 1.0
    shear: Probability = 1.0


class EarlyStop(Spec):
    """When to end before the last epoch; looked at after each epoch, 0 is off. Such a run is complete.

    `target_epochs` in a row have reached the target accuracy, `patience` epochs in a row have brought no new best
    accuracy on the judging set, or the epochs have taken `max_seconds`, which makes the run depend on the clock.
    """

    target_epochs: Annotated[
        int,
        Field(
            ge=0, le=10_000, description="ends when so many epochs in a row have reached the target; 0 is off"
        ),
    ] = 0
    target_accuracy: Annotated[
        float, Field(ge=0, le=100, description="the target in percent; 0 takes the challenge's")
    ] = 0.0
    patience: Annotated[
        int,
        Field(ge=0, le=10_000, description="ends after so many epochs without a new best accuracy; 0 is off"),
    ] = 0
    max_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=1e9,
            description="ends an epoch after so many seconds: how far depends on the clock; 0 is off",
        ),
    ] = 0.0

    @property
    def on(self) -> bool:
        """Whether a run may end early."""
        return bool(self.target_epochs or self.patience or self.max_seconds)


class Train(Spec):
    """One training: everything that decides its result but the network and the machine."""

    dataset: Annotated[DatasetName, Field(description="the images to train and judge on")] = "mnist"
    epochs: Annotated[int, Field(ge=1, le=10_000, description="passes over the training images")] = 15
    batch_size: Annotated[int, Field(ge=1, le=65_536, description="images in one optimizer step")] = 128
    optimizer: Annotated[Optimizer, Field(description="how gradients become steps")] = SGD(momentum=0.9)
    schedule: Annotated[Schedule, Field(description="how the rate changes over the epochs")] = Constant()
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="probability of every dropout without its own")
    ] = 0.0
    rotation: Annotated[
        Rotation, Field(description="degrees, uniform in [-rotation, rotation], or in a range [from, to]")
    ] = 0.0
    shift: Annotated[
        float, Field(ge=0, le=14, description="pixels, uniform in [-shift, shift], each way")
    ] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1, description="scale, uniform in [1 - zoom, 1 + zoom]")] = 0.0
    shear: Annotated[float, Field(ge=0, le=60, description="degrees, uniform in [-shear, shear]")] = 0.0
    erase: Annotated[
        float, Field(ge=0, le=1, description="probability that a random rectangle is erased")
    ] = 0.0
    crop: Annotated[
        int, Field(ge=0, le=28, description="the middle so many pixels a side, resized to 28; 0 is off")
    ] = 0
    brightness: Annotated[
        float, Field(ge=0, le=1, description="factor, uniform in [1 - brightness, 1 + brightness]")
    ] = 0.0
    contrast: Annotated[
        float, Field(ge=0, le=1, description="factor, uniform in [1 - contrast, 1 + contrast]")
    ] = 0.0
    fill: Annotated[
        int, Field(ge=0, le=255, description="grey level for what comes from outside an image")
    ] = 1
    augment_p: AugmentP = AugmentP()
    normalize: Normalize = Normalize()
    label_smoothing: Annotated[Fraction, Field(description="share of certainty taken from the labels")] = 0.0
    l1: Annotated[float, Field(ge=0, le=100, description="weight of the sum of absolute parameters")] = 0.0
    clip_norm: Annotated[
        float, Field(ge=0, le=1e9, description="largest norm of all gradients together; 0 is off")
    ] = 0.0
    clip_value: Annotated[
        float, Field(ge=0, le=1e9, description="largest value of a gradient, either way; 0 is off")
    ] = 0.0
    warmup: Annotated[
        int, Field(ge=0, le=10_000, description="epochs in which the rate rises, before the schedule begins")
    ] = 0
    warmup_start: Annotated[
        float, Field(gt=0, le=1, description="share of the learning rate that the warm-up begins with")
    ] = 0.1
    ema: Annotated[
        float | None,
        Field(gt=0, lt=1, description="averaged weights beside the trained: the share that each step keeps"),
    ] = None
    early_stop: EarlyStop = EarlyStop()
    val_split: Annotated[
        int, Field(ge=0, le=1_000_000, description="training images held out to judge by")
    ] = 0
    val_split_seed: Annotated[
        int | None,
        Field(
            ge=0, le=2**63 - 1, description="of the choice of images held out; the run's seed where left out"
        ),
    ] = None
    seed: Annotated[
        int, Field(ge=0, le=2**63 - 1, description="of everything random: the same seed, the same run")
    ] = 0

    @property
    def split_seed(self) -> int:
        """The seed that chooses the images held out."""
        return self.seed if self.val_split_seed is None else self.val_split_seed

    @field_validator("rotation", mode="before")
    @classmethod
    def _a_range(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        if len(value) != 2 or not numbers or value[0] > value[1]:
            raise ValueError("a range of degrees is [from, to], the smaller first, such as [-7.0, 3.0]")
        return tuple(map(float, value))

    @property
    def rotation_range(self) -> tuple[float, float]:
        """The least and the most degrees, counter-clockwise."""
        return self.rotation if isinstance(self.rotation, tuple) else (-self.rotation, self.rotation)

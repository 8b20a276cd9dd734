"""The names a person may choose among, apart from what they mean, so that `--help` needs nothing else."""

from __future__ import annotations

DATASETS = ("mnist", "fashion-mnist", "kmnist", "qmnist", "emnist-digits", "digits")
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
SCHEDULES = (
    "constant", "step", "multistep", "exponential", "cosine", "cosine_restarts", "onecycle", "cyclic", "plateau",
)  # fmt: skip

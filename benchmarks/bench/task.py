"""What every training arm trains: one preset, one data set, in short epochs of so many images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuitrain.data.dataset import Dataset, Images
from tuitrain.data.load import load_dataset
from tuitrain.spec.preset import Preset, override
from tuitrain.spec.preset_files import load_preset

EPOCH_IMAGES = 60_000
#: step13 with the settings of the speed notes; a constant rate, since only the first epochs are trained here.
SETTINGS = {"train.rotation": 7.0, "train.dropout": 0.05, "train.schedule": {"name": "constant"}}


def preset(setting: dict[str, Any], seed: int = 0) -> Preset:
    """step13 as the arms train it."""
    changes = SETTINGS | {
        "train.batch_size": setting["batch"],
        "train.seed": seed,
        "train.dataset": setting["dataset"],
        "train.epochs": setting.get("epochs", 10_000),
    }
    return override(load_preset("step13"), changes | setting.get("changes", {}))


def dataset(setting: dict[str, Any]) -> Dataset:
    """The data; `images` cuts the training part of an epoch short."""
    folder = setting.get("data_dir")
    whole = load_dataset(setting["dataset"], Path(folder) if folder else None)
    return cut(whole, setting.get("images"))


def cut(whole: Dataset, count: int | None) -> Dataset:
    """The set with the first images only."""
    if count is None or count >= len(whole.train):
        return whole
    train = Images(whole.train.images[:count], whole.train.labels[:count])
    return Dataset(whole.name, train, whole.test, whole.classes, whole.source, whole.judged_by)

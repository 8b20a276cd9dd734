"""The time a run will take, said before it begins; afterwards, the gap and the wait for images."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tuitrain.data import catalog
from tuitrain.data.load import load_dataset
from tuitrain.figures import estimate_text
from tuitrain.runs.estimate import TimeEstimate, estimate
from tuitrain.runs.index import list_runs
from tuitrain.spec.preset import Preset, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.cpu import describe_cpu
from tuitrain.training.events import EpochFinished
from tuitrain.watch.verdict import gap_and_wait


def past(runs: Path, name: str, preset: Preset, epoch_s: float, at: float, **started: object) -> None:
    """The log of a finished run, whose first epoch took ten times as long as the others."""
    path = runs / name
    path.mkdir(parents=True)
    (path / "run.lock").touch()
    lines = [
        {
            "event": "RunStarted", "run": name, "name": preset.name, "preset": preset.to_dict(), "seed": 0,
            "device": "cpu", "device_name": describe_cpu(), "versions": {}, "runtime": {}, "parameters": 1,
            "mult_adds": 1, "dataset": preset.train.dataset, "train_images": 1, "test_images": 1,
            "judged_by": "test", "epochs": 3, "steps_per_epoch": 1,
        }
        | started,
        *(
            {
                "event": "EpochFinished", "epoch": epoch, "epochs": 3, "train_loss": 1.0, "train_acc": 0.5,
                "test_loss": 1.0, "test_acc": 0.5, "lr": 0.1, "train_s": epoch_s * (10 if epoch == 1 else 1) - 0.5,
                "test_s": 0.5, "elapsed_s": 1.0, "images_per_s": 1.0, "test_images": 1,
            }
            for epoch in (1, 2, 3)
        ),
    ]  # fmt: skip
    (path / "events.jsonl").write_text(
        "".join(json.dumps({"time": at, "elapsed_s": 0.0} | x) + "\n" for x in lines)
    )


def test_the_newest_runs_of_the_same_work_tell_it(tmp_path: Path) -> None:
    preset = override(load_preset("step13"), {"train.epochs": 20})
    for number, epoch_s in enumerate([100.0, 4.0, 6.0, 5.0]):
        past(tmp_path, f"run{number}", override(preset, {"train.seed": number}), epoch_s, 1e9 + number)
    past(tmp_path, "wider", override(preset, {"model.layers[0].conv": 11}), 50.0, 2e9)
    past(tmp_path, "batch", override(preset, {"train.batch_size": 8}), 50.0, 2e9)
    past(tmp_path, "data", override(preset, {"train.dataset": "kmnist"}), 50.0, 2e9)
    past(tmp_path, "gpu", preset, 0.5, 1e8, device="cuda:0", device_name="H200")
    past(tmp_path, "elsewhere", preset, 50.0, 2e9, device_name="another processor")
    found = estimate(preset, "cpu", tmp_path)
    assert found == TimeEstimate(100.0, "from 3 earlier runs")
    assert found.text == "about 2 min, from 3 earlier runs"
    assert estimate(preset, "cuda:0", tmp_path) == TimeEstimate(10.0, "from 1 earlier run")
    assert estimate(preset, "cuda", tmp_path) == TimeEstimate(10.0, "from 1 earlier run")
    assert list_runs(tmp_path) == list_runs(tmp_path)  # the second from the index


def test_without_runs_the_size_tells_it_and_for_a_gpu_nobody_does(tmp_path: Path) -> None:
    preset = load_preset("step13")
    found = estimate(preset, "cpu", tmp_path)
    assert found is not None and found.basis == "by size"
    assert 60 < found.seconds < 300  # 145 s were measured on two cores
    longer = estimate(override(preset, {"train.epochs": 28}), "cpu", tmp_path)
    wider = estimate(override(preset, {"model.layers[0].conv": 20}), "cpu", tmp_path)
    assert longer is not None and wider is not None
    assert found.seconds < wider.seconds < longer.seconds
    assert estimate(preset, "cuda:0", tmp_path) is None
    assert estimate(preset, "cpu", tmp_path, user_network={"sha256": "x"}) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "a few seconds"), (44, "about 40 s"), (58, "about 1 min"), (100, "about 2 min"), (3500, "about 58 min"),
     (3600, "about 1 h"), (5300, "about 1 h 30 min"), (1e6, "about 12 d")],
)  # fmt: skip
def test_an_estimate_is_said_no_more_exactly_than_it_is(seconds: float, text: str) -> None:
    assert estimate_text(seconds) == text


def test_the_catalog_knows_how_many_images_there_are() -> None:
    assert catalog.training_images("digits") == len(load_dataset("digits").train.labels)
    assert catalog.training_images("emnist-digits") == 240_000


def test_the_gap_and_the_wait_in_words() -> None:
    event = EpochFinished(1, 2, 1.0, 0.99, 1.0, 0.98, 0.1, 10.0, 1.0, 1.0, 1.0, 100)
    assert gap_and_wait([]) == ""
    assert gap_and_wait([event]) == "train 1.00 above test"  # of an older run
    waits = [replace(event, data_wait_s=0.3), replace(event, test_acc=0.9912, data_wait_s=0.5)]
    assert gap_and_wait(waits) == "train 0.12 below test, 4 % of the time waits for images"
    level = replace(event, test_acc=0.99, data_wait_s=0.001)
    assert gap_and_wait([level], "validation") == (
        "train level with validation, less than 1 % of the time waits for images"
    )
    assert gap_and_wait([replace(level, data_wait_s=0.0)]).endswith("0 % of the time waits for images")
    assert gap_and_wait([replace(event, test_acc=math.nan)]) == "–"

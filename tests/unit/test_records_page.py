"""docs/RECORDS.md says what docs/records.json has, by the rules that it states."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tuitrain.spec.preset_files import list_presets, load_preset

DOCS = (
    next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
    / "docs"
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_records", DOCS / "records.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_data(script: ModuleType) -> None:
    assert script.PAGE.read_text("utf-8") == script.page(script.read()), (
        "make it again: python docs/records.py"
    )


def run(seed: int, accuracy: float, **changes: object) -> dict[str, object]:
    preset = {"train": {"epochs": 15, "batch_size": 128, "optimizer": {"name": "sgd", "lr": 0.3},
                        "schedule": {"name": "onecycle"}},
              "model": {"layers": [{"conv": 10}, {"global_avgpool": True}]}}  # fmt: skip
    return {"name": "n", "parameters": 2_400, "judged_by": "test", "network": "", "preset": preset, "seed": seed,
            "test_accuracy": [0.999, accuracy], "outcome": "completed", "device_name": "CPU", "torch": "2",
            "seconds": 1, "date": "2026-11-26 00:00"} | changes  # fmt: skip


def test_a_record_is_the_mean_of_the_last_epochs_of_ten_seeds(script: ModuleType) -> None:
    ten = [run(seed, 0.9940 + (seed % 2) * 0.0002) for seed in range(10)]
    row = next(line for line in script.page(ten).splitlines() if "fewer than 2,500" in line)
    assert "| n, 2,400 | 99.41 % | 99.40 % | yes |" in row
    assert "none with ten seeds" in script.page(ten).split("fewer than 2,000")[1].splitlines()[0]
    assert "none with ten seeds" in script.goals(list(script.attempts(ten[:9], "test")))
    low = [run(seed, 0.9938) for seed in range(10)]
    assert "no, by 0.02" in script.goals(list(script.attempts(low, "test")))
    held_out = [run(seed, 0.9990, judged_by="validation") for seed in range(10)]
    assert "yes" not in script.page(held_out)
    longer = [run(seed, 0.9990) for seed in range(10)]
    for one in longer:
        one["preset"] = {**one["preset"], "train": {**one["preset"]["train"], "epochs": 16}}  # type: ignore[dict-item]
    assert (
        "99.90 % | 99.90 % | yes"
        not in script.goals(list(script.attempts(longer, "test"))).split("99.0 %")[0]
    )


def test_runs_are_added_once(script: ModuleType) -> None:
    found = script.added([], DOCS / "recorded")
    assert {(one["name"], one["judged_by"]) for one in found} >= {("step13", "test"), ("mlp", "test")}
    assert script.added(found, DOCS / "recorded") == found


def test_our_presets_are_within_the_challenges_that_they_state() -> None:
    ours = [
        load_preset(str(entry.path))
        for entry in list_presets()
        if entry.builtin and entry.family == "tuitrain"
    ]
    judged = {preset.name for preset in ours}
    assert judged == {path.stem for path in (DOCS.parent / "presets" / "tuitrain").glob("*.toml")}
    for preset in ours:
        assert preset.train.val_split == 0 and preset.challenge is not None
        assert preset.table().parameters <= (preset.challenge.max_parameters or 0)

"""docs/REPRODUCTION.md says what docs/reproduction.json has, and takes in nothing else."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tuitrain.report.curves import svg
from tuitrain.report.reproduction import reproduction_chart
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History

DOCS = (
    next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
    / "docs"
)
MAKE = "make it again: python docs/reproduction.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_reproduction", DOCS / "reproduction.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_and_its_pictures_are_made_of_the_data(script: ModuleType) -> None:
    members = script.read()
    text = script.PAGE.read_text("utf-8")
    assert text == script.page(members), MAKE
    run = [found for found, of in script.reproductions(members) if of]
    pictures = {path.name: path.read_text("utf-8") for path in script.CURVES.glob("*.svg")}
    assert pictures == {script.file_name(one): svg(reproduction_chart(one)) for one in run}, MAKE
    not_run = [found.group.label for found, of in script.reproductions(members) if not of]
    assert len({found.preset.name for found in run} | set(not_run)) == 30
    assert all(f"| {name} |" not in text for name in not_run)


def test_runs_are_added_once_and_only_those_of_presets_as_published(
    script: ModuleType, tmp_path: Path
) -> None:
    members = script.added([], DOCS / "recorded")
    assert [(one["preset"], one["seed"], one["device"]) for one in members] == [
        ("step13", 0, "cpu"), ("twelvek", 0, "cpu"), ("mlp", 0, "cpu"),
    ]  # fmt: skip
    assert max(members[1]["test_accuracy"]) == 0.9946 and len(members[1]["test_accuracy"]) == 19
    assert script.added(members, DOCS / "recorded") == members
    newer = [members[0] | {"date": "2999-01-01", "test_accuracy": [0.5]}, *members[1:]]
    assert script.added(newer, DOCS / "recorded") == newer
    rows = {found.group.label: found for found, _ in script.reproductions(members)}
    assert rows["step10"].best is not None and rows["step10"].best.values == rows["step13"].best.values
    assert "the same network with the same settings as step13" in script.page(members)
    gpu = members[0] | {"device": "cuda"}
    assert "| step13 on cuda | 5,854 | 5,854 | 14 | 1 | best |" in script.page([*members, gpu])


def test_a_run_that_was_changed_or_is_not_ended_is_not_added(script: ModuleType) -> None:
    (path,) = (DOCS / "recorded").glob("*step13*")
    history = History.of(RunDirectory.open(path).events())
    assert history.started is not None and script.member_of(history) is not None
    preset = history.started.preset
    longer = preset | {"train": preset["train"] | {"epochs": 15}}
    for other in (
        replace(history.started, preset=longer), replace(history.started, name="mine"),
        replace(history.started, dataset="digits"), replace(history.started, judged_by="validation"),
        replace(history.started, runtime={"precision": "bf16"}), replace(history.started, own_network={"model": "x"}),
    ):  # fmt: skip
        assert script.member_of(replace(history, started=other)) is None
    assert script.member_of(replace(history, finished=None)) is None

"""A stage for Runs, Compare, Overlay and the queue: run directories with made-up curves, and the app around them."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from support.at_rest import until
from tuitrain.runs import inspect
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.inspect import Evaluations
from tuitrain.runs.user_file import write_user
from tuitrain.spec.describe import short_changes
from tuitrain.spec.preset import differences, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.study.plan import Plan, Setting
from tuitrain.study.store import StudyDirectory, create_study
from tuitrain.training.events import EpochFinished, Record, RunFinished, RunStarted
from tuitrain.training.inspection import LastEvaluation
from tuitrain.training.runtime import Runtime
from tuitrain.tui.app import TuitrainApp
from tuitrain.tui.runs import table
from tuitrain.tui.runs.screen import RunsScreen
from tuitrain.tui.runs.table import RunTable
from tuitrain.tui.study.screen import StudyScreen
from tuitrain.workbench.opening import Opening

Shown = TypeVar("Shown", bound=StudyScreen)

#: Noon on 22 November 2026 in London, where the clock of the screens stands still.
NOW = 1_795_348_800.0


def fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folders of the test's own, a clock that stands still, and nothing from the environment."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("NO_COLOR", "COLORTERM", "TUITRAIN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(table, "time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.chdir(tmp_path)


def make_run(
    runs: Path,
    number: int,
    preset: str = "step13",
    *,
    best: float = 0.9930,
    epochs: int = 14,
    outcome: str | None = "completed",
    message: str = "",
    tags: tuple[str, ...] = (),
    note: str = "",
    dataset: str = "mnist",
    study: str = "",
    name: str = "",
    **changes: Any,
) -> RunDirectory:
    """A run that approaches an accuracy; a name with `__` in it stands for a key with a dot."""
    base = load_preset(preset)
    new = override(base, {key.replace("__", "."): value for key, value in changes.items()})
    directory = RunDirectory.create(
        runs, new.name, name=name or f"run-{number:04}_{number:04x}", preset_toml=new.to_toml()
    )
    changed = {key: list(pair) for key, pair in differences(base, new).items()}
    started = RunStarted(
        directory.name, preset, new.to_dict(), new.train.seed, "cpu", "CPU", {}, {}, new.table().parameters, 1_284_088,
        dataset, 60000, 10000, "test", new.train.epochs, 938, changed, study=study,
    )  # fmt: skip
    events: list[Any] = [started]
    last = 0.0
    for epoch in range(1, epochs + 1):
        last = round(best - 0.02 * 0.6 ** (epoch - 1) + (0.0004 if (epoch + number) % 3 else 0.0), 4)
        lr = 0.019 if epoch < 8 else 0.0019
        events.append(
            EpochFinished(epoch, new.train.epochs, 0.3 / epoch, last - 0.008, 0.12 / epoch + 0.02, last, lr,
                          3.0, 0.3, 3.3 * epoch, 20000.0, 10000)
        )  # fmt: skip
    if outcome is not None:
        events.append(
            RunFinished(outcome, epochs, best, epochs, last, 0.985, 0.03, 3.3 * epochs, 20000.0, message)  # type: ignore[arg-type]
        )
    for index, event in enumerate(events):
        directory.append(Record(event, NOW - 86_400 + 600 * number + index, 3.3 * index), durable=False)
    directory.close()
    if tags or note:
        write_user(directory.path, tags=tags, note=note)
    return directory


def make_group(
    runs: Path,
    study: str,
    seeds: int,
    preset: str = "step13",
    *,
    best: float = 0.9935,
    first: int = 20,
    slug: str = "",
    open_seeds: int = 0,
    epochs: int = 14,
    **changes: Any,
) -> list[RunDirectory]:
    """The runs of a study: each seed with what it got right at last; the last `open_seeds` of them were killed."""
    out = []
    first -= (epochs + first) % 3  # so that each run's last epoch has the accuracy of its predictions
    for seed in range(seeds):
        ended = seed < seeds - open_seeds
        rng = np.random.default_rng([seed, len(slug) + 7 * (slug == "b"), round(best * 1e4)])
        wrong = rng.permutation(130)[: round((1 - best) * 10_000) + int(rng.integers(-5, 6))]
        directory = make_run(
            runs, first + 3 * seed, preset, best=1 - len(wrong) / 10_000, study=study, epochs=epochs if ended else 3,
            name="_".join(filter(None, (study, slug, f"seed{seed}"))), outcome="completed" if ended else None,
            **(changes | {"train__seed": seed}),
        )  # fmt: skip
        if ended:
            labels = (np.arange(10_000) % 10).astype(np.uint8)
            said = labels.copy()
            said[wrong] = (said[wrong] + 1) % 10
            seen = LastEvaluation(labels, said, np.full(10_000, 0.9, np.float32), epochs, None)
            inspect.write(directory.path, Evaluations(seen, None))
        out.append(directory)
    return out


def make_study(
    runs: Path,
    study: str,
    seeds: int,
    preset: str = "step13",
    *,
    more_seeds: int = 0,
    first: int = 20,
    open_seeds: int = 0,
    **changes: Any,
) -> StudyDirectory:
    """A study with its plan; of its seeds the last `more_seeds` have not begun."""
    base = load_preset(preset)
    new = override(base, {key.replace("__", "."): value for key, value in changes.items()})
    changed = differences(base, new)
    label = " · ".join(filter(None, (preset, short_changes(changed, []))))
    command = f"tuitrain run --preset {preset} --seed 0"
    plan = Plan(
        study, "seeds", (Setting(label, new, changed, command),), tuple(range(seeds + more_seeds)), Runtime(device="cpu"),
        command=command.replace("--seed 0", f"--seeds {seeds + more_seeds}"), began=NOW,
    )  # fmt: skip
    directory = create_study(runs, plan)
    directory.release()
    make_group(runs, study, seeds, preset, first=first, open_seeds=open_seeds, **changes)
    return directory


def make_duel(
    runs: Path, study: str, pairs: int, *, most: int = 24, gain: float = 0.0006, better: float = 0.0
) -> StudyDirectory:
    """A duel of step13 with dropout 0.05 after so many pairs; B is better by so much (a fraction)."""
    base = load_preset("step13")
    new = override(base, {"train.dropout": 0.05})
    command = "tuitrain run --preset step13 --seed 0"
    settings = (
        Setting("step13", base, {}, command, "a"),
        Setting("step13 · dropout 0.05", new, differences(base, new), command, "b"),
    )
    plan = Plan(study, "duel", settings, tuple(range(most)), Runtime(device="cpu"), gain=gain, began=NOW)
    directory = create_study(runs, plan)
    directory.release()
    make_group(runs, study, pairs, best=0.9925, slug="a")
    make_group(runs, study, pairs, best=0.9925 + better, slug="b", first=200, train__dropout=0.05)
    return directory


def make_sweep(runs: Path, study: str, *, waiting: int = 1, seeds: int = 3) -> StudyDirectory:
    """A sweep of step13 over learning rate and dropout; of its six settings the last ones have not begun."""
    from tuitrain.study.grid import combinations, grid_label

    base = load_preset("step13")
    grid: dict[str, list[Any]] = {"train.optimizer.lr": [0.01, 0.019, 0.05], "train.dropout": [0.0, 0.069]}
    found = combinations(base, grid)
    settings = tuple(
        Setting(grid_label(chosen), preset, differences(base, preset), "tuitrain run --seed 0", f"s{n}")
        for n, (preset, chosen) in enumerate(found)
    )
    plan = Plan(study, "sweep", settings, tuple(range(seeds)), Runtime(device="cpu"), began=NOW,
                command="tuitrain sweep --preset step13")  # fmt: skip
    directory = create_study(runs, plan)
    directory.release()
    for n, setting in enumerate(settings[: len(settings) - waiting]):
        make_group(
            runs, study, seeds, best=(0.9921, 0.9937, 0.9944, 0.9929, 0.9912)[n], slug=f"s{n}", first=20 + 60 * n,
            open_seeds=1 if n == 4 else 0, train__dropout=setting.preset.train.dropout,
            train__optimizer__lr=setting.preset.train.optimizer.lr,
        )  # fmt: skip
    return directory


def make_reproduction(runs: Path, study: str) -> StudyDirectory:
    """Three published systems, of which the last has not begun."""
    names = ("step13", "step11", "net8")
    settings = tuple(
        Setting(name, load_preset(name), {}, f"tuitrain run --preset {name} --seed 0", name) for name in names
    )
    directory = create_study(
        runs, Plan(study, "reproduction", settings, (0, 1, 2), Runtime(device="cpu"), began=NOW)
    )
    directory.release()
    for n, name in enumerate(names[:2]):
        make_group(runs, study, 3, name, best=(0.9935, 0.9941)[n], slug=name, first=20 + 60 * n)
    return directory


def make_search(runs: Path, study: str) -> StudyDirectory:
    """A search among step13 with other widths: four networks with three seeds, one with one, one not begun."""
    from tuitrain.study.search_plan import SearchPlan
    from tuitrain.study.space import Range

    base = override(load_preset("step13"), {"train.val_split": 10_000, "train.val_split_seed": 0})
    space = {"model.layers[0].conv": Range(4, 16)}
    search = SearchPlan(base, base, "step13", space, 6000, 99.4, 6)
    widths = (10, 8, 6, 4, 12, 5)
    settings = tuple(
        Setting(f"trial {n}", override(base, {"model.layers[0].conv": width}), {}, "tuitrain run --seed 0", f"t{n}",
                (0,) if n == 4 else None)
        for n, width in enumerate(widths)
    )  # fmt: skip
    plan = Plan(
        study, "search", settings, (0, 1, 2), Runtime(device="cpu"), began=NOW, search=search.to_dict()
    )
    directory = create_study(runs, plan)
    directory.release()
    for n in range(5):
        make_group(
            runs, study, 1 if n == 4 else 3, best=(0.9941, 0.9938, 0.9929, 0.9931, 0.9902)[n], slug=f"t{n}", first=20 + 60 * n,
            model__layers=settings[n].preset.to_dict()["model"]["layers"], train__val_split=10_000,
        )  # fmt: skip
    return directory


def some_runs(runs: Path) -> None:
    """Eight runs of several presets, states and data sets."""
    make_run(runs, 1, "step13", best=0.9938)
    make_run(
        runs,
        2,
        "step13",
        best=0.9934,
        train__rotation=7.0,
        tags=("paper", "keep"),
        note="rotation seems to help",
    )
    make_run(runs, 3, "step11", best=0.9943, epochs=20)
    make_run(runs, 4, "mlp", best=0.9760, epochs=10)
    make_run(runs, 5, "step13", best=0.9890, epochs=3, outcome="stopped", train__seed=1)
    make_run(runs, 6, "step13", best=0.1135, epochs=2, outcome="diverged", message="the loss is not finite",
             train__optimizer__lr=0.5)  # fmt: skip
    make_run(runs, 7, "step13", best=0.9300, dataset="digits")
    make_run(runs, 8, "step13", best=0.9935, outcome=None, train__rotation=7.0, train__dropout=0.05,
             train__batch_size=128, train__optimizer__lr=0.025, train__optimizer__momentum=0.85)  # fmt: skip


class NoLab(TuitrainApp):
    """The app with an empty lab; nothing runs in the background."""

    MODES = TuitrainApp.MODES | {"lab": Screen}

    def __init__(self, runs: Path, **more: Any) -> None:
        super().__init__(Opening(**{"runs_dir": runs, "theme": "dark"} | more))

    def _after_first_paint(self) -> None:
        pass


async def runs_shown(pilot: Pilot[Any], rows: int) -> RunTable:
    """The Runs screen's table, once the runs are in it."""
    app = pilot.app
    await pilot.press("3")
    await until(
        pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.query_one(RunTable).rows) == rows
    )
    table: RunTable = app.screen.query_one(RunTable)
    return table


async def first_opened(pilot: Pilot[Any], kind: type[Shown]) -> Shown:
    """The screen of the only row of the list, once its figures are there."""
    await runs_shown(pilot, 1)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.looked is not None)
    assert isinstance(pilot.app.screen, kind)
    return pilot.app.screen

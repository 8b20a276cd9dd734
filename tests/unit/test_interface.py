"""The interface for scripts, held: a change of exit codes, events, JSON keys or flags must be meant.

After a meant change: `TUITRAIN_FREEZE=1 pytest tests/unit/test_interface.py`, and tell it in README and the commit.
"""

import dataclasses
import functools
import json
import os
from pathlib import Path

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

from support.groups_made import group
from tuitrain.cli.activations import activations_json
from tuitrain.cli.root import app
from tuitrain.errors import ExitCode
from tuitrain.runs.history import History
from tuitrain.runs.run_json import run_json
from tuitrain.spec.preset_files import load_preset
from tuitrain.stats.sequential import Plan
from tuitrain.training import events
from tuitrain.training.activations import Activations, LayerMaps
from tuitrain.watch.duel import Duel, duel_json
from tuitrain.watch.evidence import Evidence, evidence_json
from tuitrain.watch.group import Group
from tuitrain.watch.leaderboard import Leaderboard, Place, leaderboard_json
from tuitrain.watch.reproduction import Reproduction, reproduction_json
from tuitrain.watch.search import SearchBoard, Trial, search_json
from tuitrain.watch.study_json import group_json, study_json

_GROUP = group("made", [[True, False], [True, True]])
_ACTIVATIONS = activations_json(
    Activations((LayerMaps("conv1", np.zeros((1, 1, 1), np.float32)),), np.full(10, 0.1, np.float32)),
    [LayerMaps("conv1", np.zeros((1, 1, 1), np.float32))],
)
_SEARCH = SearchBoard((Trial(_GROUP, "t000", 10, "4"),), 1, 1, 10, None, 1, 0, 0, False, "digits", 250)
FROZEN = Path(__file__).parent / "interface.json"


def _flags() -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}

    def walk(command: object, name: str) -> None:
        out[name] = sorted(
            o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")
        )
        for child_name, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {child_name}")

    walk(typer.main.get_command(app), "tuitrain")
    return out


@functools.cache
def interface() -> dict[str, object]:
    shown = json.loads(CliRunner().invoke(app, ["show", "step13", "--json"]).stdout)
    lesson = json.loads(CliRunner().invoke(app, ["lesson", "backprop", "--json"]).stdout)
    return {
        "schema": events.SCHEMA,
        "exit_codes": {code.name: int(code) for code in ExitCode},
        "events": {name: [f.name for f in dataclasses.fields(cls)] for name, cls in events.TYPES.items()},
        "run --json": sorted(run_json(History(), Path("x"))),
        "show --json": sorted(shown),
        "show --json layers": sorted(shown["layers"][0]),
        "run --seeds --json": sorted(study_json("", Path("x"), "seeds", "", [])),
        "run --seeds --json groups": sorted(group_json(_GROUP)),
        "run --seeds --json groups runs": sorted(group_json(_GROUP)["runs"][0]),
        "compare --json": sorted(["a", "b", "settings", *evidence_json(Evidence(_GROUP, _GROUP))]),
        "duel --json": sorted(duel_json(Duel(_GROUP, _GROUP, Plan()))),
        "sweep --json leaderboard": sorted(
            leaderboard_json(Leaderboard(("lr",), (Place(_GROUP, (0.1,), 1),)))[0]
        ),
        "search --json": sorted(search_json(_SEARCH)),
        "search --json networks": sorted(search_json(_SEARCH)["networks"]),
        "search --json trials": sorted(search_json(_SEARCH)["trials"][0]),
        "lesson backprop --json": sorted(lesson),
        "lesson backprop --json terms": sorted(lesson["terms"][0]),
        "activations --json": sorted(_ACTIVATIONS),
        "activations --json layers": sorted(_ACTIVATIONS["layers"][0]),
        "reproduce --json": sorted(
            reproduction_json(Reproduction(load_preset("step13"), Group("step13", ())))
        ),
        "flags": _flags(),
    }


@pytest.mark.parametrize("part", list(interface()))
def test_the_interface_is_as_it_was(part: str) -> None:
    if os.environ.get("TUITRAIN_FREEZE"):
        FROZEN.write_text(json.dumps(interface(), indent=1, sort_keys=True) + "\n")
    assert interface()[part] == json.loads(FROZEN.read_text())[part]

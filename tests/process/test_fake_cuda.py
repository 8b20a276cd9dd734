"""The CUDA path on fake tensors: nothing that a capture refuses, and no more operators and bytes than budgeted."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from support import TESTS
from support.fake_cuda import faults, stubs

pytestmark = pytest.mark.skipif(stubs.missing() is not None, reason=str(stubs.missing()))

#: Section: most operators and most megabytes of its first captured step (views left out; read and written).
BUDGETS = {
    "budget step13 64": (57, 109),
    "budget step13 64 averaged": (58, 110),
    "budget step13 128": (57, 217),
    "budget words 64": (52, 47),
    "budget 32 seeds 128": (32 * 57, 6_900),
}


def _run(*arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "support.fake_cuda", *arguments]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False, timeout=1500)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr[-2000:]
    return lines


def _sound(found: list[dict[str, Any]]) -> None:
    wrong = {
        line["section"]: line["error"] or line["faults"] for line in found if line["error"] or line["faults"]
    }
    assert not wrong


def test_a_step_is_legal_in_a_capture_and_within_its_budget_and_a_wait_in_it_is_found() -> None:
    sections = (
        "budget step13 64",
        "tiny every augmentation",
        "tiny words, averaged",
        "seeds words bf16",
    )
    *found, broken = _run("--only", *sections, "--then", "item", "tiny sgd")
    _sound(found)
    # One of the faults in the quick run, in the same process; the others are long.
    assert (broken["section"], {one["kind"] for one in broken["faults"]}) == ("tiny sgd", {"wait"})
    first = next(line for line in found if line["section"] == "budget step13 64")
    # The full batch and judging are captured; cuDNN tries its ways for the full batch alone.
    assert (len(first["captures"]), first["tuned"]) == (2, [64])
    _within_budget(found)
    for line in found:  # the averages are taken inside of the captured step
        averaged = "averaged" in line["section"] or "words" in line["section"]
        assert ("_foreach_lerp_" in line["captures"][0]["by_name"]) == averaged, line["section"]


def _within_budget(found: list[dict[str, Any]]) -> None:
    for line in found:
        if line["section"] in BUDGETS:
            operators, megabytes = BUDGETS[line["section"]]
            step = line["captures"][0]
            assert step["operators"] <= operators, step["by_name"]
            assert step["bytes"] <= megabytes * 1e6


@pytest.mark.parametrize("fault", sorted(faults.FAULTS))
@pytest.mark.long
def test_a_fault_is_found(fault: str) -> None:
    found = _run("--only", "tiny sgd", "--teeth", fault)
    kinds = {one["kind"] for line in found for one in line["faults"]}
    assert faults.FAULTS[fault][0] in kinds


@pytest.mark.long
def test_every_preset_precision_optimizer_schedule_augmentation_and_ensemble() -> None:
    found = _run()
    _sound(found)
    _within_budget(found)
    assert {line["section"] for line in found} >= set(BUDGETS)

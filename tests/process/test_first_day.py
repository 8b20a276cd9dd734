"""The first day on a card, before there is one: its parts go through on fake CUDA tensors, and say where they failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support import ROOT
from support.fake_cuda import stubs

SCRIPT = ROOT / "benchmarks" / "first_day.py"
fakes = pytest.mark.skipif(stubs.missing() is not None, reason=str(stubs.missing()))


def first_day(out: Path, *arguments: str, timeout: float = 900) -> tuple[int, dict[str, Any]]:
    """Its exit code, and its parts."""
    command = [sys.executable, str(SCRIPT), "--fake-cuda", "--out", str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert out.exists(), done.stderr[-2000:]
    return done.returncode, json.loads(out.read_text("utf-8"))["parts"]


@fakes
def test_a_run_goes_through_on_fake_tensors(tmp_path: Path) -> None:
    code, parts = first_day(tmp_path / "first.json", "--parts", "profile")
    profile = parts["profile"]
    assert (code, profile["state"], profile["run"]["outcome"]) == (0, "done", "completed"), profile
    assert profile["run"]["device"] == "cuda:0" and profile["notices"]


@fakes
@pytest.mark.long
@pytest.mark.timeout(1700)
def test_the_whole_of_it_goes_through_on_fake_tensors(tmp_path: Path) -> None:
    code, parts = first_day(tmp_path / "first.json", "--limit", "1500", timeout=1600)
    assert code == 0, parts
    assert {name for name, part in parts.items() if part["state"] == "done"} >= {
        "doctor", "exact", "step13", "training", "seeds", "target", "screen", "profile", "steps", "presets",
    }  # fmt: skip
    assert parts["screen"]["detached_goes_on"] and set(parts["screen"]["late"]) >= {"learning rate", "stop"}


@pytest.mark.parametrize("state", ["failed: died", None])
def test_a_part_whose_arm_failed_has_failed_and_keeps_the_others_figures(
    state: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import first_day as script  # type: ignore[import-not-found]
    from bench import first_parts

    arms = {"graph": {"state": "done", "samples": [1.0]}, "eager": {"state": state or "done", "samples": []}}

    def command(self: object, *arguments: str, **more: object) -> str:
        out = arguments[arguments.index("--out") + 1]
        Path(out).write_text(json.dumps({"sections": {"gpu-step13": {"arms": arms}}}))
        return ""

    monkeypatch.setattr(first_parts.Session, "command", command)
    ends_at = time.monotonic() + 60
    session = first_parts.Session("cuda", True, None, tmp_path / "log", ends_at, os.environ)
    part = script._one("step13", first_parts.measured("gpu-step13"), session)
    assert part["state"] == ("failed" if state else "done")
    assert part["sections"]["gpu-step13"]["arms"]["graph"]["samples"] == [1.0]
    assert ("gpu-step13/eager failed: died" in part.get("why", "")) == bool(state)
    missed = script._one("tests", lambda session: {"ok": False, "failed": ["one"]}, session)
    assert (missed["state"], missed["failed"]) == ("failed", ["one"])

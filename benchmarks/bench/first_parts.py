"""The parts of the first day on a card, and what they share."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent

SANITIZED = """
import torch
from support.training_small import stripes, tiny
from tuitrain.training.runtime import Runtime
from tuitrain.training.job import Job
from tuitrain.training.trainer import Trainer
ends = list(Trainer(Job(tiny(epochs=1), Runtime(device={device!r}, compile="off")), stripes()).run())
assert ends[-1].outcome == "completed", ends[-1]
"""
EXACT = """
import json, sys
from support.training_small import shortened, stripes
from tuitrain.training.runtime import Runtime
from tuitrain.training.job import Job
from tuitrain.training.trainer import Trainer

def weights(**runtime):
    job = Job(shortened("step13", epochs=2), Runtime(device={device!r}, compile="off", **runtime))
    trainer = Trainer(job, stripes(3000, 1000))
    assert list(trainer.run())[-1].outcome == "completed"
    return trainer.state().model

out = {{}}
for name, more in {{"fp32": {{}}, "tf32": {{"precision": "tf32"}}, "bf16": {{"precision": "bf16"}},
                    "deterministic": {{"deterministic": True}}}}.items():
    captured, eager = weights(**more), weights(graph=False, **more)
    out[name] = max(float((captured[k].double() - eager[k].double()).abs().max()) for k in eager)
from tuitrain.spec.preset import override
from tuitrain.training.ensemble import Ensemble
runtime, preset = Runtime(device={device!r}, compile="off", deterministic=True, threads=1), shortened("step13", epochs=2)
together = Ensemble(preset, stripes(3000, 1000), [1, 2, 3], runtime)
list(together.run())
alone = Trainer(Job(override(preset, {{"train.seed": 3}}), runtime), stripes(3000, 1000))
list(alone.run())
ours, own = together.weights(2), alone.state().model
out["a seed among three, deterministic"] = max(float((ours[k].double() - own[k].double()).abs().max()) for k in own)
print(json.dumps(out))
"""


class Skipped(Exception):  # noqa: N818 - it is no error
    """A part that can't be done here, and why."""


@dataclass(frozen=True)
class Session:
    """What all parts share."""

    device: str
    quick: bool
    data_dir: Path | None
    log: Path
    ends_at: float
    base: Mapping[str, str]
    fake: bool = False

    @property
    def left_s(self) -> float:
        """Seconds until the script must be over."""
        return self.ends_at - time.monotonic()

    def patience_s(self, seconds: float) -> float:
        """How long something may take; a rehearsal on a CPU that others use takes longer."""
        return 4 * seconds if self.rehearsed else seconds

    @property
    def rehearsed(self) -> bool:
        """Whether there is no card, so that only the script is tried."""
        return self.device == "cpu" or self.fake

    @property
    def environment(self) -> dict[str, str]:
        """Of every process: the project's own code, the data, and nothing fetched."""
        paths = [str(ROOT), str(ROOT / "tests"), self.base.get("PYTHONPATH", "")]
        more = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
        if self.data_dir:
            more["TUITRAIN_DATA_DIR"] = str(self.data_dir)
        return {**self.base, **more}

    def run(self, command: list[str], *, limit_s: float, code: int | None = 0) -> str:
        """Runs a command, at most as long as there is time; its stdout.

        Raises:
            RuntimeError: it took too long, or ended with another exit code.
        """
        limit_s = min(self.patience_s(limit_s), self.left_s)
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)[:2000]}\n".encode())
            log.flush()
            process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            try:
                out, _ = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise RuntimeError(f"not done after {limit_s:.0f} s") from None
            log.write(out)
        if code is not None and process.returncode != code:
            raise RuntimeError(f"exit code {process.returncode}; see {self.log.name}")
        return out.decode("utf-8", "replace")

    def command(self, *arguments: str, limit_s: float, code: int | None = 0) -> str:
        """Runs a command of Python's; see `run`."""
        return self.run([sys.executable, *arguments], limit_s=limit_s, code=code)

    def tuitrain(self, *arguments: str, limit_s: float, code: int | None = 0) -> str:
        """Runs a command of tuitrain's."""
        return self.command("-m", "tuitrain", *arguments, limit_s=limit_s, code=code)


def needs(*packages: str) -> None:
    """Skips the part where one of the packages is not there."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise Skipped(f"{', '.join(missing)} is not installed")


# ------------------------------------------------------------------------------------ the parts


def doctor(session: Session) -> dict[str, Any]:
    """What `tuitrain doctor` finds."""
    return {"findings": json.loads(session.tuitrain("doctor", "--json", limit_s=60, code=None))}


def tests(session: Session) -> dict[str, Any]:
    """The tests marked gpu."""
    if session.fake:
        raise Skipped("fake tensors have no values to compare")
    needs("pytest", "hypothesis", "pytest_asyncio", "pytest_timeout")
    marker = "gpu" if session.device != "cpu" else "not gpu and not long"
    which = ["tests"] if session.device != "cpu" else ["tests/unit/training/test_run_ahead.py"]
    report = session.command(
        "-m", "pytest", "-q", "-m", marker, "-p", "no:cacheprovider", *which, limit_s=240, code=None
    )
    last = report.strip().splitlines()[-1]
    failed = [line for line in report.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {"summary": last, "failed": failed, "ok": not failed and "passed" in last}


def exact(session: Session) -> dict[str, Any]:
    """The captured step against the eager one: the largest difference of a weight after two epochs."""
    out = session.command("-c", EXACT.format(device=session.device), limit_s=120)
    return {"largest_difference": json.loads(out.strip().splitlines()[-1])}


def sanitizer(session: Session) -> dict[str, Any]:
    """NVIDIA's compute-sanitizer over a short run: no address out of bounds."""
    tool = shutil.which("compute-sanitizer")
    if tool is None or session.device == "cpu":
        raise Skipped("compute-sanitizer is not there")
    code = SANITIZED.format(device=session.device)
    session.run([tool, "--error-exitcode", "9", sys.executable, "-c", code], limit_s=120)
    return {"ok": True}


def harness(session: Session) -> dict[str, Any]:
    """The rows of the harness that need a GPU."""
    if session.device == "cpu":
        raise Skipped("its rows need a GPU")
    if session.fake:
        raise Skipped("fake tensors have no values to compare")
    needs("pexpect", "pyte", "hypothesis")
    lines = session.command("-m", "tests.harness", "interrupt_gpu", "memory_gpu", limit_s=120, code=None)
    report = lines.strip().splitlines()[-20:]
    return {"report": report, "ok": not any("MISSED" in line for line in report)}


def measured(*sections: str) -> Callable[[Session], dict[str, Any]]:
    """Sections of `gpu.py`."""

    def part(session: Session) -> dict[str, Any]:
        if session.device == "cpu" and "gpu-target" in sections:
            raise Skipped("on a CPU that takes minutes")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "gpu.json"
            more = ["--quick", "--seeds", "1"] if session.quick else ["--rounds", "3", "--seeds", "10"]
            if session.rehearsed:
                more += ["--dataset", "digits"]
            elif session.data_dir:
                more += ["--data-dir", str(session.data_dir)]
            try:
                session.command(
                    str(HERE / "gpu.py"), "--device", session.device, "--out", str(out), "--arms", *sections, *more,
                    limit_s=240, code=None,
                )  # fmt: skip
            finally:
                found = json.loads(out.read_text("utf-8"))["sections"] if out.exists() else {}
                if found:
                    part.found = found  # type: ignore[attr-defined] # what a cut left is kept as well
        arms = [(f"{name}/{arm}", one) for name in found for arm, one in found[name]["arms"].items()]
        if session.fake:  # the loader pins memory, which takes a driver
            arms = [(name, one) for name, one in arms if "/loader" not in name]
        if failed := [f"{name} {one['state']}" for name, one in arms if one.get("state") != "done"]:
            raise RuntimeError("; ".join(failed))
        return {"sections": found}

    return part


def profile(session: Session) -> dict[str, Any]:
    """Where the time of a step goes."""
    with tempfile.TemporaryDirectory() as runs:
        text = session.tuitrain(
            "run", "--preset", "step13", "--device", session.device, "--epochs", "1", "--profile", "--json",
            *_data(session), "--runs-dir", runs, limit_s=90,
        )  # fmt: skip
        notices = [
            json.loads(line)
            for path in Path(runs).glob("*/events.jsonl")
            for line in path.read_text("utf-8").splitlines()
        ]
    shown = [event for event in notices if event.get("event") == "Notice"]
    return {"run": json.loads(text), "notices": shown}


def presets(session: Session) -> dict[str, Any]:
    """As many of the presets as fit, five seeds each at once: what they reach here beside what their sources claim."""
    from tuitrain.spec.preset_files import list_presets, load_preset

    names = [entry.name for entry in list_presets() if entry.builtin]
    first = [name for name in ("step13", "step11", "drill5", "net8") if name in names]
    found: dict[str, Any] = {}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as runs:
        for name in [*first, *(name for name in names if name not in first)][: 1 if session.quick else None]:
            if session.left_s < 60 or time.monotonic() - begun > 150:
                return {"presets": found, "cut": True}
            more = ["--epochs", "1"] if session.quick else []
            text = session.tuitrain(
                "run", "--preset", name, "--device", session.device, "--seeds", "2" if session.quick else "5", "--json", "-q",
                *more, *_data(session), "--runs-dir", runs, limit_s=max(60, session.left_s - 10),
            )  # fmt: skip
            (group,) = json.loads(text)["groups"]
            found[name] = {
                "best": [round(100 * run["best_test_accuracy"], 2) for run in group["runs"]],
                "last": [round(100 * run["last_test_accuracy"], 2) for run in group["runs"]],
                "mean_last": round(100 * group["mean_last_test_accuracy"], 3),
                "claimed": load_preset(name).claims.test_accuracy,
                "seconds": [round(run["seconds"], 2) for run in group["runs"]],
            }
    return {"presets": found, "cut": False}


def screen(session: Session) -> dict[str, Any]:
    """A real screen on a real pseudo-terminal during a captured run: at which step does each command act?"""
    needs("pyte")
    from support.shell_terminal import Terminal
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.steering import RemoteControl

    with tempfile.TemporaryDirectory() as runs:
        env = session.environment | {"TUITRAIN_RUNS_DIR": runs, "TERM": "xterm-256color"}
        more = _data(session)
        trained = subprocess.Popen(
            [sys.executable, "-m", "tuitrain", "run", "--preset", "step13", "--device", session.device, "--epochs", "2000",
             "--name", "screen", "-q", *more], env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        run = Path(runs) / "screen"
        try:
            _until(lambda: _progress(run) is not None, session.patience_s(60))
            terminal = Terminal(
                [sys.executable, "-m", "tuitrain", "attach", "screen"], columns=100, rows=30, env=env
            )
            terminal.wait_for("epoch")
            terminal.read(1)
            late = {"pause (key)": _late(run, "paused", lambda: os.write(terminal.fd, b" "), terminal)}
            os.write(terminal.fd, b" ")
            terminal.read(1)
            os.write(terminal.fd, b"d")  # detach: the run goes on
            terminal.read(2)
            goes_on = trained.poll() is None
            # As `tuitrain steer` and `stop` send them, without the time that these take to start.
            control = RemoteControl(RunDirectory(run))
            late["learning rate"] = _late(run, "learning_rate", lambda: control.set_lr(0.01))
            late["stop"] = _late(run, "stop", control.stop)
            trained.wait(20)
        finally:
            if trained.poll() is None:
                trained.kill()
        return {"late": late, "detached_goes_on": goes_on, "screen": terminal.text.splitlines()}


def _until(done: Callable[[], bool], seconds: float, terminal: Any = None) -> None:
    """Waits; what a terminal prints is read meanwhile, or its program would wait too."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"not there after {seconds:.0f} s")
        if terminal is None:
            time.sleep(0.02)
        else:
            terminal.read(0.05)


def _progress(run: Path) -> dict[str, Any] | None:
    """The latest step that a viewer sees."""
    try:
        return json.loads((run / "progress.json").read_text("utf-8")).get("progress")
    except (OSError, ValueError):
        return None


def _late(run: Path, action: str, act: Callable[[], Any], terminal: Any = None) -> dict[str, Any]:
    """Steps and seconds from what a viewer saw when the command was given to where it acted."""

    def answers() -> list[dict[str, Any]]:
        lines = (run / "events.jsonl").read_text("utf-8").splitlines()
        return [e for e in map(json.loads, lines) if e["event"] == "Control" and e["action"] == action]

    before, seen, begun = len(answers()), _progress(run), time.time()
    act()
    _until(lambda: len(answers()) > before, 20, terminal)
    answer = answers()[-1]
    if seen is None:
        return {"seconds": round(answer["time"] - begun, 3)}
    steps = (answer["epoch"] + 1 - seen["epoch"]) * seen["steps"] + answer["step"] - seen["step"]
    return {"steps": steps, "seconds": round(answer["time"] - begun, 3)}


def _data(session: Session) -> list[str]:
    return ["--dataset", "digits"] if session.rehearsed else []


#: In order of importance: correct first, then fast, then everything else.
PARTS: dict[str, Callable[[Session], dict[str, Any]]] = {
    "doctor": doctor,
    "exact": exact,
    "tests": tests,
    "step13": measured("gpu-step13"),
    "training": measured("gpu-training"),
    "seeds": measured("gpu-seeds"),
    "target": measured("gpu-target"),
    "screen": screen,
    "profile": profile,
    "harness": harness,
    "sanitizer": sanitizer,
    "steps": measured("gpu-steps"),
    "presets": presets,
}

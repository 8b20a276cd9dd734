"""The first day on a card: everything that needs a CUDA device, in order of importance, in less than nine minutes.

    python benchmarks/first_day.py --data-dir FOLDER               # begin
    python benchmarks/first_day.py --resume benchmarks/results/first_day_….json     # go on where that was cut
    python benchmarks/first_day.py --device cpu --quick             # does the script work? figures mean nothing

Needs no network and no service. After each part the JSON file is written again and what was printed is in the log
beside it, so a cut loses at most the part that was running. A part whose package is not there says so and is skipped.
"""

from __future__ import annotations

import argparse
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "tests")]

from bench import machine  # noqa: E402
from bench.results import FOLDER, Results  # noqa: E402
from bench.talk import say  # noqa: E402

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

    @property
    def left_s(self) -> float:
        """Seconds until the script must be over."""
        return self.ends_at - time.monotonic()

    def patience_s(self, seconds: float) -> float:
        """How long something may take; a rehearsal on a CPU that others use takes longer."""
        return 4 * seconds if self.device == "cpu" else seconds

    @property
    def environment(self) -> dict[str, str]:
        """Of every process: the project's own code, the data, and nothing fetched."""
        paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
        more = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
        if self.data_dir:
            more["TUITRAIN_DATA_DIR"] = str(self.data_dir)
        return os.environ | more

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
    needs("pexpect", "pyte", "hypothesis")
    text = session.command("-m", "tests.harness", "interrupt_gpu", "memory_gpu", limit_s=120, code=None)
    return {"report": text.strip().splitlines()[-20:]}


def measured(*sections: str) -> Callable[[Session], dict[str, Any]]:
    """Sections of `gpu.py`."""

    def part(session: Session) -> dict[str, Any]:
        if session.device == "cpu" and "gpu-target" in sections:
            raise Skipped("on a CPU that takes minutes")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "gpu.json"
            more = ["--quick"] if session.quick else ["--rounds", "3", "--seeds", "10"]
            more += ["--dataset", "digits"] if session.device == "cpu" else []
            more += (
                ["--data-dir", str(session.data_dir)] if session.data_dir and session.device != "cpu" else []
            )
            try:
                session.command(
                    str(HERE / "gpu.py"), "--device", session.device, "--out", str(out), "--arms", *sections, *more,
                    limit_s=240, code=None,
                )  # fmt: skip
            finally:
                found = json.loads(out.read_text("utf-8"))["sections"] if out.exists() else {}
                if found:
                    part.found = found  # type: ignore[attr-defined] # what a cut left is kept as well
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

    with tempfile.TemporaryDirectory() as runs:
        env = session.environment | {"TUITRAIN_RUNS_DIR": runs, "TERM": "xterm-256color"}
        more = ["--dataset", "digits"] if session.device == "cpu" else []
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
            late["learning rate"] = _late(
                run,
                "learning_rate",
                lambda: session.tuitrain("steer", "screen", "--lr", "0.01", "--runs-dir", runs, limit_s=30),
            )
            late["stop"] = _late(
                run, "stop", lambda: session.tuitrain("stop", "screen", "--runs-dir", runs, limit_s=30)
            )
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
    return ["--dataset", "digits"] if session.device == "cpu" else []


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
    "presets": presets,
}


def main() -> int:
    """Runs the parts that are not done; 1 when one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N; cpu only shows that the script works")
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("TUITRAIN_DATA_DIR"), help="folder with MNIST"
    )
    parser.add_argument("--parts", nargs="+", choices=sorted(PARTS), help="only these")
    parser.add_argument("--limit", type=float, default=530, metavar="S", help="be over after so many seconds")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with a result file")
    chosen = parser.parse_args()
    import torch

    if chosen.device != "cpu" and not torch.cuda.is_available():
        say(
            "torch finds no GPU here; nothing was measured (--device cpu --quick shows that the script works)"
        )
        return 1
    name = torch.cuda.get_device_name(chosen.device) if chosen.device != "cpu" else None
    results = _results(chosen, name)
    log = results.path.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    data_dir = Path(chosen.data_dir).resolve() if chosen.data_dir else None
    session = Session(chosen.device, chosen.quick, data_dir, log, time.monotonic() + chosen.limit)
    done = results.data.setdefault("parts", {})
    for part, work in PARTS.items():
        if (chosen.parts and part not in chosen.parts) or done.get(part, {}).get("state") in (
            "done",
            "skipped",
        ):
            continue
        if session.left_s < 20:
            done.setdefault(part, {"state": "no time"})
            continue
        done[part] = _one(part, work, session)
        say(f"{part}: {done[part]['state']} in {done[part]['seconds']} s {done[part].get('why', '')}")
        results.save()
    results.save()
    return int(any(part["state"] == "failed" for part in done.values()))


def _results(chosen: argparse.Namespace, name: str | None) -> Results:
    if chosen.resume:
        return Results.load(chosen.resume)
    stamp = time.strftime("%Y-%m-%dT%H-%M", time.gmtime())
    rehearsal = "quick_" if chosen.device == "cpu" or chosen.quick else ""
    path = chosen.out or FOLDER / f"{rehearsal}first_day_{stamp}_{machine.kind(name)}.json"
    return Results.new(path, kind="first day", quick=bool(rehearsal), gpu=name)


def _one(part: str, work: Callable[[Session], dict[str, Any]], session: Session) -> dict[str, Any]:
    """A part's result, whatever happens in it."""
    begun = time.monotonic()
    try:
        result = {"state": "done"} | work(session)
    except Skipped as skipped:
        result = {"state": "skipped", "why": str(skipped)}
    except Exception as error:
        result = {"state": "failed", "why": f"{type(error).__name__}: {error}", **_left_by(work)}
    return result | {"seconds": round(time.monotonic() - begun, 1)}


def _left_by(work: Any) -> dict[str, Any]:
    found = getattr(work, "found", None)
    return {"sections": found} if found else {}


if __name__ == "__main__":
    sys.exit(main())

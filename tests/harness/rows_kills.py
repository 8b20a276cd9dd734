"""SIGKILL at any moment, and going on from what is left."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.table import Figure, row

METRICS = ("epoch", "train_loss", "train_acc", "test_loss", "test_acc", "lr")
#: Moments that a random time rarely meets, met by number: half a write, and each step of a save.
PLACES = (
    "write@checkpoints", "rename@checkpoints", "fsync@checkpoints", "fsync_dir@checkpoints", "unlink@checkpoints",
    "write@events.jsonl", "fsync@events.jsonl", "write@metrics.csv", "write@log.txt", "rename", "create", "mkdir",
)  # fmt: skip


def leftovers(folder: Path) -> list[str]:
    """Temp files and folders that never got their name."""
    found = [str(path.relative_to(folder)) for path in folder.rglob(".*.tmp")]
    return found + [path.name for path in folder.glob(".new-*")]


def inspect_run(path: str) -> dict[str, Any]:
    """What a killed run's directory is worth: opened, read, its checkpoints loaded, and held again."""
    from tuitrain.errors import TuitrainError
    from tuitrain.runs import checkpoint
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.state import TrainerState

    seen: dict[str, Any] = {"opened": False, "torn": 0, "torn_loaded": 0, "whole": 0, "events": 0, "left": 0}
    try:
        run = RunDirectory.open(Path(path))
        seen["events"] = len(run.events())
        seen["opened"] = not run.is_held()
    except TuitrainError:
        return seen
    for entry in checkpoint.entries(run.path / "checkpoints"):
        torn = hashlib.sha256(entry.path.read_bytes()).hexdigest() != entry.sha256
        seen["torn"] += torn
        with contextlib.suppress(TuitrainError):
            stored = checkpoint.load_checkpoint(entry)
            TrainerState.from_tensors(stored.tensors, stored.metadata)
            seen["torn_loaded" if torn else "whole"] += 1
    run.acquire()
    run.close()
    seen["left"] = len(leftovers(run.path))
    return seen


def inspect_all(runs: str) -> list[dict[str, Any]]:
    """Every run of a folder, after the next start in it has tidied up."""
    from tuitrain.runs.directory import RunDirectory

    folder = Path(runs)
    RunDirectory.create(folder, "tiny", name="next-start").close()
    seen = [inspect_run(str(path)) for path in sorted(folder.iterdir()) if path.name.startswith("k")]
    return [*seen, {"unborn": len(list(folder.glob(".new-*")))}]


def time_to_third_epoch(bench: Bench) -> float:
    """Seconds from the start of a tiny run to its third checkpoint, now, on this machine."""
    begun = time.monotonic()
    child = bench.start(*bench.train("warm", 3))
    assert child.wait() == 0, child.err
    return time.monotonic() - begun


@row(
    "kill",
    "`kill -9` at random times of runs that checkpoint often",
    "0 run directories that can't be opened, 0 torn checkpoints loaded, leftovers cleaned at the next start",
    quick=3,
    whole=200,
    teeth={
        "plain_save": "plain save in place of temp file and rename",
        "no_cleaning": "no cleaning at the start",
    },
    teeth_times=3,
)
def killed(bench: Bench, times: int) -> Figure:
    """Kills by number at the moments that matter, the other half at random times."""
    whole_s = time_to_third_epoch(bench)
    before = kills = 0
    for number in range(times):
        run = bench.train(f"k{number}", 12 if number % 2 == 0 else 10_000)
        if number % 2 == 0:
            place = PLACES[(number // 2) % len(PLACES)]
            deep = bench.random.randint(2, 5) if place.endswith("checkpoints") else bench.random.randint(1, 5)
            child = bench.start(*run, setup=[f"kill_at:{place}#{deep}"])
            kills += child.wait() == -9
        else:
            child = bench.start(*run)
            time.sleep(bench.random.uniform(0.0, 1.5 * whole_s))
            kills += child.kill() == -9
        before += len(leftovers(bench.runs))
    *seen, unborn = bench.call("harness.rows_kills:inspect_all", str(bench.runs))
    lost = sum(not run["opened"] for run in seen)
    torn = sum(run["torn"] for run in seen)
    loaded = sum(run["torn_loaded"] for run in seen)
    left = sum(run["left"] for run in seen) + unborn["unborn"]
    whole = sum(run["whole"] for run in seen)
    return Figure(
        kills == times and not (lost or torn or loaded or left),
        f"{kills} kills ({times - times // 2} of them inside a file operation): {lost} directories that can't be "
        f"opened, {torn} torn files under a checkpoint's name, {loaded} torn checkpoints loaded, {whole} whole ones "
        f"loaded; {before} leftovers after the kills, {left} after the next start",
    )


def result_of(path: str) -> dict[str, Any]:
    """A finished run in figures: state, metrics, epochs of the read log."""
    from tuitrain.runs import checkpoint
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.events import EpochFinished, RunFinished
    from tuitrain.training.state import TrainerState

    run = RunDirectory.open(Path(path))
    events = [record.event for record in run.events()]
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    stored = checkpoint.load_checkpoint(checkpoint.entries(run.path / "checkpoints")[-1])
    ended = events[-1]
    return {
        "sha256": TrainerState.from_tensors(stored.tensors, stored.metadata).sha256(),
        "model": hashlib.sha256((run.path / "model.safetensors").read_bytes()).hexdigest(),
        "metrics": [[getattr(event, name) for name in METRICS] for event in epochs],
        "epochs": [event.epoch for event in epochs],
        "outcome": ended.outcome if isinstance(ended, RunFinished) else "",
        "rows": len((run.path / "metrics.csv").read_text().splitlines()) - 1,
    }


@row(
    "kill_resume",
    "`kill -9` at random times, resumed until done",
    "all with the same SHA-256 (model, optimizer, schedule) and the same metrics as the run that was never killed; "
    "each epoch once in the read log",
    quick=2,
    whole=50,
    teeth={
        "unkeyed": "randomness that is not keyed by epoch and step",
        "no_supersede": "a log that is read as it is",
    },
    teeth_times=2,
)
def killed_and_resumed(bench: Bench, times: int) -> Figure:
    """Each run is killed two times, every other one first between an epoch's record and its checkpoint."""
    epochs = 24
    begun = time.monotonic()
    code, _, err = bench.run(*bench.train("plain", epochs))
    assert code == 0, err
    whole_s = time.monotonic() - begun
    wanted = bench.call("harness.rows_kills:result_of", str(bench.runs / "plain"))
    same = once = kills = 0
    for number in range(times):
        name = f"k{number}"
        argv, code = bench.train(name, epochs), -9
        for attempt in range(6):
            inside = attempt == 0 and number % 2 == 0
            place = f"kill_at:write@checkpoints#{bench.random.randint(2, epochs - 4)}"
            child = bench.start(*argv, setup=[place] if inside else [])
            if attempt < 2 and not inside:
                time.sleep(bench.random.uniform(0.3 * (1 - attempt), 0.9) * whole_s)
                code = child.kill() if child.poll() is None else child.wait()
            else:
                code = child.wait()
            kills += code == -9
            if code == 4 and "is complete" in child.err:
                code = 0  # the kill came after the last record
            if code != -9:
                break
            argv = ["resume", name] if (bench.runs / name).exists() else argv
        if code != 0:
            continue
        got = bench.call("harness.rows_kills:result_of", str(bench.runs / name))
        same += all(got[key] == wanted[key] for key in ("sha256", "model", "metrics", "outcome"))
        once += got["epochs"] == list(range(1, epochs + 1)) and got["rows"] == epochs
    return Figure(
        same == once == times and kills >= times // 2,
        f"{same} of {times} runs ({kills} kills) with the same SHA-256 and metrics; {once} of {times} logs with each "
        "epoch once",
    )

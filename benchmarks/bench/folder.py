"""A thousand runs: appending to a log, listing them, and opening the Runs screen."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.plan import Plan
from bench.startup import program, quiet, settings, wall
from bench.talk import say
from bench.terminal import Terminal

NAME = "runs"
LIMITS = {"list, index lost": 0.5, "list": 0.5, "tuitrain runs": 0.5, "Runs screen": 0.5}


def started(name: str, seed: int, epochs: int) -> Any:
    """A first event as a trainer writes it."""
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.training.events import RunStarted

    preset = load_preset("step13")
    table = preset.table()
    return RunStarted(
        run=name, name="step13", preset=preset.to_dict(), seed=seed, device="cpu", device_name="CPU",
        versions={"torch": "2"}, runtime={}, parameters=table.parameters, mult_adds=table.mult_adds,
        dataset="mnist", train_images=60_000, test_images=10_000, judged_by="test", epochs=epochs,
        steps_per_epoch=938, command="tuitrain run --preset step13",
    )  # fmt: skip


def epoch(number: int, epochs: int) -> Any:
    """An epoch's event."""
    from tuitrain.training.events import EpochFinished

    accuracy = 0.995 - 0.03 / number
    return EpochFinished(
        epoch=number, epochs=epochs, train_loss=0.1, train_acc=accuracy, test_loss=0.05, test_acc=accuracy, lr=0.019,
        train_s=10.0, test_s=1.0, elapsed_s=11.0 * number, images_per_s=6000.0, test_images=10_000,
    )  # fmt: skip


def build(folder: Path, count: int, epochs: int = 14) -> None:
    """Writes so many finished runs: one through the product's own code, its copies under other names."""
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.events import Record, RunFinished

    begun = time.time() - 86_400
    first = RunDirectory.create(folder, "step13", preset_toml="schema = 1\n")
    end = RunFinished("completed", epochs, 0.994, epochs, 0.994, 0.99, 0.03, 154.0, 6000.0)
    for event in [started(first.name, 0, epochs), *(epoch(n, epochs) for n in range(1, epochs + 1)), end]:
        first.append(Record(event, begun, 0.0), durable=False)
    first.close()
    log = (first.path / "events.jsonl").read_text()
    for number in range(1, count):
        name = f"2026-01-01T00-00-00_step13_{number:04x}"
        path = folder / name
        shutil.copytree(first.path, path)
        (path / "events.jsonl").write_text(log.replace(first.name, name))


def append_s(folder: Path, times: int) -> list[float]:
    """Seconds of appending an epoch to a log, on disk before it returns."""
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.events import Record

    run = RunDirectory.create(folder, "step13")
    found = []
    for number in range(1, times + 1):
        record = Record(epoch(number, times), time.time(), 1.0)
        begun = time.perf_counter()
        run.append(record)
        found.append(time.perf_counter() - begun)
    run.close()
    return found


def screen_s(plan: Plan, folder: Path, count: int) -> list[float]:
    """Seconds from key 3 until the Runs screen lists them all; first time, and coming back."""
    import pyte

    from bench.terminal import COLUMNS, ROWS

    with Terminal([*program(), "--runs-dir", str(folder)], settings(plan), str(folder)) as terminal:
        terminal.wait(b"mult-adds", 20.0)
        quiet(terminal, 1.5, 15.0)
        pressed = []
        for _ in range(3):
            pressed.append(terminal.press("3"))
            quiet(terminal, 0.6, 5.0)
            terminal.press("1")
            quiet(terminal, 0.6, 5.0)
        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        found: list[float] = []
        for when, data in terminal.chunks:
            stream.feed(data)
            here = [press for press in pressed if press <= when]
            if (
                len(here) > len(found)
                and f"{count:,} runs" in screen.display[0]
                and "completed" not in screen.display[0]
            ):
                listed = sum("step13" in line for line in screen.display)
                if listed > 10:
                    found += [when - here[-1]] * (len(here) - len(found))
        return found


def run(plan: Plan) -> None:
    """Every row."""
    count, times = (200, 2) if plan.quick else (1000, 5)
    rows = ("append", "list, index lost", "list", "tuitrain runs", "Runs screen")
    wanted = [row for row in rows if plan.wants(NAME, row)]
    if not wanted or not plan.has_time(NAME):
        return
    say(f"{NAME}: {count} of them")
    results = plan.results
    results.section(
        NAME, title=f"{count:,} runs in the runs folder", unit="s", better="less", limits=LIMITS, count=count
    )
    from tuitrain.runs.index import INDEX, list_runs

    top = Path(tempfile.mkdtemp(prefix="tuitrain-bench-"))
    try:
        folder = top / "runs"
        begun = time.perf_counter()
        build(folder, count)
        results.section(NAME)["build_s"] = round(time.perf_counter() - begun, 1)
        for row in wanted:
            results.arm(NAME, row, what=WHAT[row], samples=[])
        for _ in range(times):
            if "list, index lost" in wanted:
                (folder / INDEX).unlink(missing_ok=True)
                results.sample(NAME, "list, index lost", _timed(lambda: list_runs(folder)))
            if "list" in wanted:
                list_runs(folder)
                results.sample(NAME, "list", _timed(lambda: list_runs(folder)))
            if "tuitrain runs" in wanted:
                command = [*program(), "runs", "--runs-dir", str(folder)]
                results.sample(NAME, "tuitrain runs", wall(command, settings(plan), str(top)))
        if "Runs screen" in wanted:
            for value in screen_s(plan, folder, count):
                results.sample(NAME, "Runs screen", value)
        if "append" in wanted:
            for value in append_s(top / "log", 20 if plan.quick else 200):
                results.arm(NAME, "append")["samples"].append(round(value, 7))
        for row in wanted:
            measured = results.arm(NAME, row)["samples"]
            results.finish(NAME, row, "done" if measured else "failed: it did not come")
    finally:
        shutil.rmtree(top, ignore_errors=True)


WHAT = {
    "append": "an epoch into events.jsonl, on disk before it returns",
    "list, index lost": "list_runs with every directory read again",
    "list": "list_runs with its index",
    "tuitrain runs": "the command, interpreter included",
    "Runs screen": "key 3 to the whole list, in a real terminal",
}


def _timed(action: Any) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun

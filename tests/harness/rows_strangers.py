"""Run directories that somebody else made: logs with anything in them, and files that are none."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.table import Figure, row

VALUES: tuple[Any, ...] = (
    None, "x", "\x1b[2J", "[/b]", -1, 0, 1.5, 1e308, float("nan"), float("inf"), 10**30, True, [], {}, [1], {"a": 1},
    "1" * 5000, 2**62, "\udcff",
)  # fmt: skip
MORE = (
    {"event": "Control", "time": 1, "elapsed_s": 2, "action": "restarted", "epoch": 1, "step": 0, "value": None},
    {"event": "Control", "time": 1, "elapsed_s": 2, "action": "learning_rate", "epoch": 1, "step": 0, "value": 0.1},
    {"event": "Notice", "time": 1.0, "elapsed_s": 1.0, "message": "m", "remedy": "r", "level": "info", "code": "c"},
)  # fmt: skip


def mutated(event: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """An event with one to three of its values, however deep, changed or gone."""
    event = json.loads(json.dumps(event))
    for _ in range(dice.randint(1, 3)):
        place: Any = event
        while place:
            key = dice.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if isinstance(place[key], dict | list) and place[key] and dice.random() < 0.7:
                place = place[key]
            elif dice.random() < 0.15 and isinstance(place, dict):
                del place[key]
                break
            else:
                place[key] = json.loads(json.dumps(dice.choice(VALUES)))
                break
    return event


def readers(path: Path) -> dict[str, Callable[[], Any]]:
    """Everything that reads a run directory, by name."""
    from rich.console import Console

    from tuitrain.cli.live import PlainView
    from tuitrain.cli.verdict import verdict_text
    from tuitrain.runs import checkpoint, index, inspect, user_file
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.exports import log_lines
    from tuitrain.runs.feed import DirectoryFeed
    from tuitrain.runs.history import History
    from tuitrain.runs.launch import recall
    from tuitrain.runs.run_json import run_json
    from tuitrain.watch import state

    run = RunDirectory.open(path)

    def plain() -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            view = PlainView()
            for record in run.events():
                view.record(record)

    def monitor() -> None:
        shown = state.MonitorState()
        for record in run.events():
            shown = state.reduce(shown, record)

    def shown() -> None:
        Console(file=io.StringIO(), width=100).print(verdict_text(History.of(run.events()), path))

    def feed() -> None:
        looking = DirectoryFeed(run)
        for _ in range(3):
            looking.poll()

    return {
        "events": run.events,
        "result": lambda: json.dumps(run_json(History.of(run.events()), path), allow_nan=False),
        "verdict": shown,
        "recall": lambda: recall(run),
        "log": lambda: [log_lines(record, History.of([record])) for record in run.events()],
        "lines": plain,
        "list": lambda: index.list_runs(path.parent),
        "monitor": monitor,
        "feed": feed,
        "live": run.live,
        "holder": run.holder,
        "commands": run.new_commands,
        "preset": run.preset_toml,
        "inspection": lambda: inspect.read_last_evaluation(path),
        "user": lambda: user_file.read_user(path),
        "checkpoints": lambda: [
            checkpoint.load_checkpoint(entry) for entry in checkpoint.entries(path / "checkpoints")
        ],
    }


class Hung(BaseException):
    """It took too long; not an `Exception`, which what hangs might take for one of its own."""


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """`Hung` in what takes longer."""

    def ring(number: int, frame: Any) -> None:
        raise Hung

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def read_all(path: Path, seen: dict[str, Any], what: str) -> None:
    """Read a directory in every way; what is no error of ours, or takes too long, is written down."""
    from tuitrain.errors import TuitrainError

    try:
        with within(8):
            found = readers(path)
    except Hung:
        seen["hung"] += 1
        return
    for name, read in found.items():
        seen["read"] += 1
        try:
            with within(8):
                read()
        except TuitrainError as error:
            if any(ord(char) < 32 for char in str(error)):
                seen["other"].append(f"{what}, {name}: control characters in {str(error)!r}"[:200])
        except Hung:
            seen["hung"] += 1
            return  # the others would wait for the same file
        except Exception as error:
            seen["other"].append(f"{what}, {name}: {type(error).__name__}: {error}"[:200])


def try_logs(source: str, work: str, times: int, seed: int) -> dict[str, Any]:
    """Read so many logs in which some events are changed."""
    dice = random.Random(seed)
    path = Path(work) / "x"
    shutil.copytree(source, path)
    shutil.rmtree(path / "checkpoints")
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    seen: dict[str, Any] = {"read": 0, "hung": 0, "other": []}
    for number in range(times):
        lines = [
            json.dumps(mutated(e, dice) if dice.random() < 0.4 else e)
            for e in [*events[:7], *MORE, events[-1]]
        ]
        if dice.random() < 0.1:
            lines.insert(
                dice.randrange(len(lines)), dice.choice(("[" * 100_000, "\x00" * 99, "{}", "nul", "\x1b[2J"))
            )
        (path / "events.jsonl").write_text("\n".join(lines) + "\n")
        read_all(path, seen, f"log {number}")
    return seen


@row(
    "logs",
    "event logs that a stranger wrote into",
    "0 exceptions in any reader (list, show, tail, monitor, resume)",
    quick=15,
    whole=2000,
    teeth={"unchecked_events": "values taken as JSON gives them"},
)
def logs(bench: Bench, times: int) -> Figure:
    """Two in five events have one to three values changed, at any depth."""
    code, _, err = bench.run(*bench.train("a", 3))
    assert code == 0, err
    work = bench.folder / "work"
    work.mkdir()
    seen = bench.call(
        "harness.rows_strangers:try_logs", str(bench.runs / "a"), str(work), times, 8, timeout=3600
    )
    return Figure(
        not seen["other"] and not seen["hung"],
        f"{times} logs, {seen['read']} readings: {len(seen['other'])} exceptions, {seen['hung']} that did not end"
        f"{': ' + seen['other'][0] if seen['other'] else ''}",
    )


FILES = (
    "events.jsonl", "run.lock", "progress.json", "user.json", "control.jsonl", "preset.toml", "inspection.safetensors",
    "log.txt", "metrics.csv", "output.txt", "checkpoints", "tensorboard",
)  # fmt: skip
KINDS = ("pipe", "endless", "folder", "link", "loop", "junk", "deep", "empty", "huge")


def put(path: Path, kind: str, outside: Path) -> None:
    """Something else in the place of a file."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(outside)
        case "loop":
            path.symlink_to(path)
        case "junk":
            path.write_bytes(random.Random(1).randbytes(300_000))
        case "deep":
            path.write_text("[" * 300_000)
        case "empty":
            path.write_bytes(b"")
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)


def try_files(source: str, work: str, times: int) -> dict[str, Any]:
    """Read, hold and write run directories in which one file is something else."""
    from tuitrain.errors import TuitrainError
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.events import Notice, Record

    cases = [(name, kind) for name in FILES for kind in KINDS]
    cases = cases[:: max(1, len(cases) // times)][:times]
    seen: dict[str, Any] = {"read": 0, "hung": 0, "other": [], "written": 0, "cases": len(cases)}
    outside = Path(work) / "outside.txt"
    for number, (name, kind) in enumerate(cases):
        outside.write_text("mine")
        path = Path(work) / f"runs{number}" / "x"
        shutil.copytree(source, path)
        put(path / name, kind, outside)
        what = f"{name} is {kind}"
        try:
            read_all(path, seen, what)
            with within(8), contextlib.suppress(OSError):
                run = RunDirectory.open(path)
                run.acquire()
                run.append(Record(Notice("n"), 1.0, 1.0))
                run.post_command({"command": "pause"})
                run.close()
        except TuitrainError:
            pass
        except Hung:
            seen["hung"] += 1
            seen["which"] = f"{what}, written to"
        except Exception as error:
            seen["other"].append(f"{what}: {type(error).__name__}: {error}"[:200])
        seen["written"] += outside.read_text() != "mine"
        shutil.rmtree(path.parent)
    return seen


@row(
    "strangers",
    "run directories in which a file is a pipe, a device, a folder, a link, a loop of links, junk, 1 TiB",
    "0 exceptions, nothing hangs, nothing written through a link",
    quick=14,
    whole=108,
    teeth={"plain_open": "files opened as they come"},
    teeth_times=1,
)
def strangers(bench: Bench, times: int) -> Figure:
    """Twelve files, nine kinds of something else; every reader, then a writer."""
    code, _, err = bench.run(*bench.train("a", 2))
    assert code == 0, err
    work = bench.folder / "work"
    work.mkdir()
    seen = bench.call(
        "harness.rows_strangers:try_files",
        str(bench.runs / "a"),
        str(work),
        times,
        setup=["limit_memory:2000"],
    )
    which = f" ({seen['which']})" if "which" in seen else ""
    return Figure(
        not seen["other"] and not seen["hung"] and not seen["written"],
        f"{seen['cases']} directories, {seen['read']} readings: {len(seen['other'])} exceptions, {seen['hung']} that did "
        f"not end{which}, {seen['written']} written through a link{': ' + '; '.join(seen['other'][:2]) if seen['other'] else ''}",
    )

"""Who may hold a run, and what becomes of it when its streams or its clock are not what they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from harness.bench import Bench
from harness.table import Figure, row


@row(
    "lock",
    "starts with one name at once; the holder killed",
    "exactly 1 runs, the others exit 4 at once naming the process; the next start succeeds",
    quick=6,
    whole=50,
    teeth={"no_lock": "nobody looks whether a run is held"},
    teeth_times=4,
)
def locked(bench: Bench, times: int) -> Figure:
    """All started before the first can hold the name."""
    children = [bench.start(*bench.train("a", 10_000)) for _ in range(times)]
    end = time.monotonic() + 60 + times
    while sum(child.poll() is None for child in children) > 1 and time.monotonic() < end:
        time.sleep(0.05)
    running = [child for child in children if child.poll() is None]
    refused = [child for child in children if child.poll() == 4]
    named = sum(f"process {running[0].pid} " in child.err for child in refused) if running else 0
    for child in running:
        child.kill()
    code, _, _ = bench.run(*bench.train("a", 1), timeout=120)
    return Figure(
        len(running) == 1 and len(refused) == named == times - 1 and code == 0,
        f"{times} starts: {len(running)} runs, {len(refused)} exit 4, {named} name the process; the next start after "
        f"the holder was killed: exit {code}",
    )


#: Closed descriptors, or pipes whose reader goes away, or the full device; and the output that is asked for.
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("stdout closed", {"closed": [1]}),
    ("stderr closed", {"closed": [2]}),
    ("stdout and stderr closed", {"closed": [1, 2]}),
    ("all three closed", {"closed": [0, 1, 2]}),
    ("stdout's reader gone after a line", {"broken": 1}),
    ("stderr's reader gone after a line", {"broken": 2}),
    ("stdout is /dev/full", {"full": 1}),
    ("stderr is /dev/full", {"full": 2}),
    ("SIGHUP under nohup", {"setup": ["ignore_hangup"], "hup": True}),
    ("SIGHUP without nohup", {"hup": True}),
)
MODES = ("", "--events", "--json", "--quiet")
SHELL = {
    "| head -1": "set -o pipefail; {line} --events | head -1",
    "|& head -1": "{line} |& head -1",
    ">&-": "{line} >&-",
    "2>&-": "{line} 2>&-",
    "<&- >&- 2>&-": "{line} <&- >&- 2>&-",
    "nohup": "nohup {line} >{folder}/nohup.txt 2>&1 & wait $!",
    "setsid": "setsid -w {line} </dev/null",
    "no controlling terminal, >/dev/full": "setsid -w {line} --json </dev/null >/dev/full",
}


def complete(path: str) -> str:
    """What keeps a run from being complete; empty where nothing does."""
    from pathlib import Path

    from tuitrain.errors import TuitrainError
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.events import EpochFinished, RunFinished

    try:
        run = RunDirectory.open(Path(path))
        raw = (run.path / "events.jsonl").read_bytes()
        events = [record.event for record in run.events()]
    except (TuitrainError, OSError) as error:
        return str(error)
    if len(events) != raw.count(b"\n") or not raw.endswith(b"\n"):
        return "something else is in its log"  # a stream that took the log's descriptor
    if not events or not isinstance(events[-1], RunFinished) or events[-1].outcome != "completed":
        return "not completed"
    return "" if sum(isinstance(e, EpochFinished) for e in events) == 4 else "epochs are missing"


@row(
    "streams",
    "stdout or stderr closed, `| head -1`, nohup, setsid, no controlling terminal",
    "run ends complete, no traceback",
    quick=10,
    whole=48,
    teeth={"stock_streams": "the interpreter's own streams"},
    teeth_times=10,
)
def streams(bench: Bench, times: int) -> Figure:
    """Ten ways with four kinds of output; beyond those, eight lines of a real shell with real processes."""
    cases = [(way, settings, mode) for mode in MODES for way, settings in WAYS][:times]
    bad: list[str] = []
    tracebacks = 0
    for number, (way, settings, mode) in enumerate(cases):
        err = _with_streams(bench, f"s{number}", mode, **settings)
        tracebacks += "Traceback" in err or "Exception ignored" in err
        fault = bench.call("harness.rows_runs:complete", str(bench.runs / f"s{number}"), setup=[])
        if fault:
            bad.append(f"{way} {mode}: {fault}")
    for number, (way, shell) in enumerate(list(SHELL.items())[: max(0, times - 40)]):
        argv = bench.train(f"sh{number}", 4, "--runs-dir", str(bench.runs))
        line = " ".join([sys.executable, "-m", "tuitrain", *argv])
        done = subprocess.run(
            ["bash", "-c", shell.format(line=line, folder=bench.folder)],
            env=bench.env, cwd=bench.folder, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        tracebacks += "Traceback" in done.stderr or "Exception ignored" in done.stderr
        fault = bench.call("harness.rows_runs:complete", str(bench.runs / f"sh{number}"))
        if fault:
            bad.append(f"{way}: {fault}")
    return Figure(
        not bad and tracebacks == 0,
        f"{times - len(bad)} of {times} runs complete, {tracebacks} tracebacks{': ' + '; '.join(bad[:3]) if bad else ''}",
    )


def _with_streams(
    bench: Bench, name: str, mode: str, *, closed: list[int] | None = None, broken: int = 0, full: int = 0,
    setup: list[str] | None = None, hup: bool = False,
) -> str:  # fmt: skip
    """A run with such streams; what it said on stderr."""
    folder = bench.folder / f"fds-{name}"
    folder.mkdir()
    argv = bench.train(name, 4, *([mode] if mode else []))
    null = os.open(os.devnull, os.O_RDONLY)
    out, err = (os.open(folder / part, os.O_WRONLY | os.O_CREAT) for part in ("out", "err"))
    fds = [null, out, err]
    reader = -1
    if broken:
        reader, fds[broken] = os.pipe()
    if full:
        fds[full] = os.open("/dev/full", os.O_WRONLY)
    child = bench.start(*argv, setup=setup or [], closed=closed or [], fds=fds)
    for fd in {*fds, out, err}:
        os.close(fd)
    if broken:
        os.read(reader, 1)  # returns at the end too
        os.close(reader)
    if hup:
        end = time.monotonic() + 60
        while not (bench.runs / name).exists() and time.monotonic() < end:
            time.sleep(0.01)  # before its first line of code, any process dies of it
        for _ in range(3):
            time.sleep(0.1)
            child.signal(signal.SIGHUP)
    child.wait()
    return (folder / "err").read_text("utf-8", "replace")

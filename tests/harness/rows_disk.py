"""Disks that fail, fill up, or give back other bytes than they were given."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.rows_kills import result_of
from harness.table import Figure, row

# ------------------------------------------------------------------------------------ the order


def order_faults(log: str, runs: str) -> tuple[int, int]:
    """Durable files saved, and how many of them in another order than write, fsync, rename, fsync of the folder."""
    # progress.json is replaced by another thread in between, and is worth nothing after a crash.
    calls = [line.split(" ") for line in log.splitlines() if runs in line and "progress.json" not in line]
    saves = faults = 0
    for number, call in enumerate(calls):
        if (
            call[0] != "rename"
            or not call[1].endswith(".tmp")
            or not call[2].endswith((".safetensors", ".toml"))
        ):
            continue
        if "inspection" in call[2]:
            continue  # made again by the next evaluation, and synced when the run ends
        saves += 1
        before = [c[0] for c in calls[:number] if c[1] == call[1]]
        folder = str(Path(call[2]).parent)
        after = next((c[0] for c in calls[number + 1 :] if c[1] == folder or c[0] == "rename"), "")
        # The log may speak of a checkpoint only once it is there to stay.
        spoken = next(
            (c[0] for c in calls[number + 1 :] if c[1].endswith("events.jsonl") or c[1] == folder), ""
        )
        right = before and before[-1] == "fsync" and "write" in before and after == "fsync_dir"
        faults += not (right and spoken == "fsync_dir")
    return saves, faults


def strace_calls(text: str) -> str:
    """The calls that strace saw, in the form of `record_calls`."""
    lines: list[str] = []
    # What lies in a folder tells that it is one; a new run's is renamed by the time of reading.
    folders = {str(Path(part.split(">")[0]).parent) for part in text.split("<")[1:]}
    for line in text.splitlines():
        call, _, rest = line.partition("(")
        call = call.split()[-1] if call else ""
        paths = [part.split(">")[0] for part in rest.split("<")[1:]]
        if call.startswith("rename"):
            names = rest.split('"')
            lines.append(f"rename {names[1]} {names[3]}")
        elif call in ("write", "fsync") and paths:
            lines.append(f"{call}{'_dir' if paths[0] in folders else ''} {paths[0]}")
    return "\n".join(lines)


@row(
    "order",
    "order of fsync, rename, directory fsync",
    "right in every save",
    quick=1,
    whole=20,
    teeth={
        "no_fsync": "no fsync of the file",
        "no_dir_fsync": "no fsync of the folder",
        "plain_save": "plain save in place of temp file and rename",
    },
)
def order(bench: Bench, times: int) -> Figure:
    """Calls as Python makes them; in the whole count also one run under strace, calls as the kernel sees them."""
    saves = faults = 0
    for number in range(times):
        log = bench.folder / f"calls-{number}"
        code, _, err = bench.run(*bench.train(f"o{number}", 6), setup=[f"record_calls:{log}"])
        assert code == 0, err
        run_saves, run_faults = order_faults(log.read_text(), str(bench.runs))
        saves += run_saves
        faults += run_faults
    seen = ""
    if times > 1 and shutil.which("strace"):
        log = bench.folder / "strace"
        import sys

        command = [
            "strace",
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=write,fsync,rename,renameat,renameat2",
            "-s",
            "4096",
        ]
        done = subprocess.run(
            [*command, "-o", str(log), sys.executable, "-m", "tuitrain", *bench.train("strace", 6)],
            env=bench.env, cwd=bench.folder, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode == 0:
            kernel_saves, kernel_faults = order_faults(
                strace_calls(log.read_text("utf-8", "replace")), str(bench.runs)
            )
            seen = f"; under strace {kernel_saves} saves, {kernel_faults} in another order"
            faults += kernel_faults + (kernel_saves == 0)
    # 8 a run: the preset, six checkpoints, the model.
    return Figure(faults == 0 and saves == 8 * times, f"{saves} saves, {faults} in another order{seen}")


# --------------------------------------------------------------------------------------- damage


def resume_damaged(source: str, work: str, times: int, seed: int, how: str) -> dict[str, Any]:
    """Damage the newest checkpoint of copies of a stopped run (or all of them), and go on with each."""
    from tuitrain.runs import checkpoint
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.launch import prepare_resume
    from tuitrain.training.events import Notice

    dice = random.Random(seed)
    seen: dict[str, Any] = {"found": 0, "noticed": 0, "codes": [], "sentences": 0, "results": []}
    for number in range(times):
        path = Path(work) / f"d{number}"
        shutil.copytree(source, path)
        entries = checkpoint.entries(path / "checkpoints")
        for entry in entries if how == "all" else entries[-1:]:
            data = bytearray(entry.path.read_bytes())
            at = dice.randrange(len(data))
            if number % 2:
                del data[at:]
            else:
                data[at] ^= 1 << dice.randrange(8)
            entry.path.write_bytes(data)
        session = prepare_resume(RunDirectory.open(path), data_dir=None)
        session.start()
        session.join()
        notices = [r.event for r in session.records if isinstance(r.event, Notice)]
        named = [n for n in notices if n.code == "checkpoint_skipped" and entries[-1].path.name in n.message]
        seen["found"] += bool(named)
        seen["noticed"] += len(notices) == (len(entries) if how == "all" else 1)
        seen["codes"].append(int(session.exit_code))
        seen["sentences"] += "damaged" in str(session.error or "") and "\n" not in str(session.error or "")
        if how != "all" and session.outcome == "completed":
            seen["results"].append(result_of(str(path)))
        shutil.rmtree(path)
    return seen


@row(
    "damage",
    "one bit flipped or cut at random offsets of the newest checkpoint",
    "detected every time, continues from the one before with a notice; all damaged: exit 3 and a message",
    quick=4,
    whole=100,
    teeth={"no_digest": "no look at the SHA-256"},
    teeth_times=8,
)
def damaged(bench: Bench, times: int) -> Figure:
    """Half are flipped, half cut; each goes on to the end and is compared with a run that was never damaged."""
    code, _, err = bench.run(*bench.train("plain", 6))
    assert code == 0, err
    wanted = bench.call("harness.rows_kills:result_of", str(bench.runs / "plain"))
    code, _, err = bench.run(*bench.train("a", 6), setup=["kill_at:write@checkpoints#6"])
    assert code == -9, err
    work = bench.folder / "work"
    work.mkdir()
    source = str(bench.runs / "a")
    one = bench.call("harness.rows_disk:resume_damaged", source, str(work), times, 1, "newest")
    same = sum(
        all(got[key] == wanted[key] for key in ("sha256", "model", "metrics", "epochs"))
        for got in one["results"]
    )
    few = max(2, times // 10)
    every = bench.call("harness.rows_disk:resume_damaged", source, str(work), few, 2, "all")
    refused = sum(code == 3 for code in every["codes"])
    return Figure(
        one["found"] == one["noticed"] == same == times and refused == every["sentences"] == few,
        f"{one['found']} of {times} detected, {one['noticed']} with one notice, {same} ended with the same SHA-256 as "
        f"an undamaged run; all damaged: {refused} of {few} exit 3, {every['sentences']} with a sentence",
    )


# ------------------------------------------------------------------------ the k-th operation fails


@row(
    "kth",
    "fail the 1st, 2nd, … k-th file operation of create, append, checkpoint, finish with ENOSPC, EIO, EACCES",
    "directory opens and the newest complete checkpoint loads, every k",
    quick=6,
    whole=100_000,
    teeth={
        "plain_save": "plain save in place of temp file and rename",
        "no_tolerance": "an exception in place of a notice",
    },
    teeth_times=12,
)
def kth_fails(bench: Bench, times: int) -> Figure:
    """Each k with each error, once for that operation alone and once for all from there on."""
    epochs = 3
    counted = bench.folder / "operations"
    code, _, err = bench.run(*bench.train("plain", epochs), setup=[f"count_operations:{counted}"])
    assert code == 0, err
    count = counted.stat().st_size
    wanted = (bench.runs / "plain" / "model.safetensors").read_bytes()
    cases = [
        (k, code, more)
        for k in range(1, count + 1)
        for code in ("ENOSPC", "EIO", "EACCES")
        for more in ("", "+")
    ]
    if times < len(cases):
        cases = cases[:: len(cases) // times][:times]
    bad: list[str] = []
    refused = 0
    for number, (k, name, more) in enumerate(cases):
        case = f"{name} at {k}{more}"
        code, _, err = bench.run(*bench.train(f"f{number}", epochs), setup=[f"fail_at:{name},{k}{more}"])
        path = bench.runs / f"f{number}"
        if "Traceback" in err or code not in (0, 4):
            bad.append(f"{case}: exit {code}")
        elif not path.exists():
            refused += 1
            if code != 4 or "can't be written" not in err:
                bad.append(f"{case}: no directory, exit {code}")
        elif code == 0 and (path / "model.safetensors").read_bytes() != wanted:
            bad.append(f"{case}: other weights")
        elif more and code != 4:
            bad.append(f"{case}: exit {code}")
    seen = bench.call("harness.rows_disk:open_all", str(bench.runs))
    bad += seen["bad"]
    return Figure(
        not bad,
        f"k = 1 … {count}, {len(cases)} cases: {len(bad)} bad{': ' + '; '.join(bad[:3]) if bad else ''}; "
        f"{refused} refused at the start (exit 4), {seen['opened']} directories opened, "
        f"{seen['loaded']} newest checkpoints loaded",
    )


def open_all(runs: str) -> dict[str, Any]:
    """Open every run of a folder and load its newest complete checkpoint."""
    from harness.rows_kills import inspect_run
    from tuitrain.runs.index import INDEX

    seen: dict[str, Any] = {"bad": [], "opened": 0, "loaded": 0}
    for path in sorted(Path(runs).iterdir()):
        if path.name == INDEX:  # of the list of runs, which a run looks through to say how long it will take
            continue
        if path.name.startswith("."):
            seen["bad"].append(f"{path.name} is left")
            continue
        run = inspect_run(str(path))
        seen["opened"] += run["opened"]
        seen["loaded"] += run["whole"] > 0
        if not run["opened"] or run["torn"] or run["torn_loaded"]:
            seen["bad"].append(f"{path.name}: {run}")
    return seen


# ------------------------------------------------------------------------------------ disk full


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path | None]:
    """A tmpfs of so many bytes; None where it can't be mounted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    )
    try:
        yield folder if done.returncode == 0 else None
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@row(
    "full",
    "disk full while logging and while checkpointing (a small tmpfs, RLIMIT_FSIZE, /dev/full)",
    "training ends with the same weights, one notice, old checkpoint loads, results on stderr, exit 4 (0 where all could "
    "be written in the end)",
    quick=3,
    whole=60,
    teeth={
        "no_tolerance": "an exception in place of a notice",
        "plain_save": "plain save in place of temp and rename",
    },
    teeth_times=3,
)
def full(bench: Bench, times: int) -> Figure:
    """The three ways by turns, each time with another size."""
    epochs = 8
    code, out, err = bench.run(*bench.train("plain", epochs, "--json"))
    assert code == 0, err
    wanted = json.loads(out)
    saved = min(path.stat().st_size for path in (bench.runs / "plain" / "checkpoints").iterdir())
    needed = sum(-(-path.stat().st_size // 4096) for path in bench.runs.rglob("*") if path.is_file())
    bad: list[str] = []
    unmounted = loaded = 0
    for number in range(times):
        with contextlib.ExitStack() as stack:
            runs, setup, way, derived = bench.folder / f"runs{number}", [], "", ""
            if number % 3 == 0:
                size = 4096 * int(needed * bench.random.uniform(0.45, 0.85))
                small = stack.enter_context(small_disk(bench.folder / f"small{number}", size))
                if small is None:
                    unmounted += 1
                    continue
                runs, way = small / "runs", f"a tmpfs of {size} bytes"
            elif number % 3 == 1:
                size = int(saved * bench.random.uniform(0.86, 1.02))
                setup, way = [f"limit_files:{size}"], f"files of at most {size} bytes"
            else:
                name = ("events.jsonl", "log.txt", "metrics.csv")[number // 3 % 3]
                setup, way = [f"full_device:{name}"], f"{name} is /dev/full"
                derived = name if name != "events.jsonl" else ""
            argv = bench.train("a", epochs, "--json", "--runs-dir", str(runs))
            code, out, err = bench.run(*argv, setup=setup)
            # What is derived from the log is written anew beside the full file, and takes its place.
            made = (runs / "a" / derived).read_text() if derived else ""
            fault = _full_fault(code, out, err, epochs, wanted, made)
            if fault:
                bad.append(f"{way}: {fault}")
                continue
            seen = bench.call("harness.rows_disk:open_all", str(runs))
            loaded += seen["loaded"]
            bad += [f"{way}: {fault}" for fault in seen["bad"]]
            if not seen["loaded"]:
                bad.append(f"{way}: no checkpoint loads")
    skipped = f"; {unmounted} skipped, as no tmpfs could be mounted" if unmounted else ""
    return Figure(
        not bad and loaded == times - unmounted,
        f"{times - unmounted} full disks: {len(bad)} bad{': ' + '; '.join(bad[:3]) if bad else ''}; same weights, one "
        f"notice, exit 4; {loaded} with an old checkpoint that loads{skipped}",
    )


def _full_fault(code: int, out: str, err: str, epochs: int, wanted: dict[str, Any], made: str = "") -> str:
    if code != (0 if made else 4) or "Traceback" in err:
        return f"exit {code}, {err[-300:]!r}"
    try:
        got = json.loads(out)
    except ValueError:
        return "no JSON on stdout"
    if (got["outcome"], got["model_sha256"]) != ("completed", wanted["model_sha256"]):
        return f"{got['outcome']}, other weights"
    notices = err.count("training goes on in memory")
    if notices != 1:
        return f"{notices} notices"
    if made:
        lines = made.count("\nEPOCH: ") or len(made.splitlines()) - 1  # log.txt or metrics.csv
        return "" if lines == epochs else f"{lines} of {epochs} epochs in the file"
    if not all(
        f"{epoch}/{epochs}" in err or f"epoch {epoch}" in err.lower() for epoch in range(1, epochs + 1)
    ):
        return "not every epoch on stderr"
    return ""

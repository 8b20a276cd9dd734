"""Training: interrupted after every epoch, out of memory, numbers that end, clocks that jump."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.rows_kills import METRICS
from harness.table import Figure, row

# ------------------------------------------------------------------------- after every epoch


def presets_by_family() -> list[list[str]]:
    """The families of the built-in presets; the smallest network of each first."""
    from tuitrain.spec.preset_files import list_presets, load_preset

    families: dict[str, list[str]] = {}
    for entry in list_presets():
        if entry.builtin:
            families.setdefault(entry.family, []).append(entry.name)
    cost = {name: load_preset(name).table().mult_adds for names in families.values() for name in names}
    return [sorted(names, key=cost.__getitem__) for names in families.values()]


def interrupted(name: str, epochs: int, folder: str, device: str = "cpu") -> dict[str, int]:
    """One preset, interrupted after each of its epochs, each time from what was on the disk."""
    from support.training_small import shortened, stripes
    from tuitrain.runs import checkpoint
    from tuitrain.training.events import EpochFinished
    from tuitrain.training.job import Job
    from tuitrain.training.runtime import Runtime
    from tuitrain.training.state import TrainerState
    from tuitrain.training.trainer import Trainer

    preset, data = shortened(name, epochs=epochs), stripes()
    runtime = Runtime(device=device, threads=1, compile="off", deterministic=device != "cpu")
    whole = Trainer(Job(preset, runtime), data)
    saved: list[checkpoint.CheckpointEntry] = []
    for event in whole.run():
        if isinstance(event, EpochFinished) and event.epoch < epochs:
            state = whole.state()
            saved.append(checkpoint.save(Path(folder), state.tensors(), state.meta, best=False))
    same = 0
    for entry in saved:
        stored = checkpoint.load_checkpoint(entry)
        state = TrainerState.from_tensors(stored.tensors, stored.metadata)
        again = Trainer(Job(preset, runtime), data, resume=state)
        for _ in again.run():
            pass
        metrics = [[[getattr(e, m) for m in METRICS] for e in t.position.history] for t in (whole, again)]
        same += again.state().sha256() == whole.state().sha256() and metrics[0] == metrics[1]
    return {"interruptions": len(saved), "same": same}


def _interrupt(bench: Bench, times: int, device: str) -> Figure:
    families = bench.call("harness.rows_training:presets_by_family")
    ranked = [
        names[rank] for rank in range(max(map(len, families))) for names in families if rank < len(names)
    ]
    names = ranked[:times]
    epochs = 3 if times < 10 else 5
    seen = []
    for name in names:
        folder = bench.folder / name
        folder.mkdir()
        seen.append(
            bench.call("harness.rows_training:interrupted", name, epochs, str(folder), device, timeout=1800)
        )
    total, same = (sum(one[key] for one in seen) for key in ("interruptions", "same"))
    covered = sum(any(name in names for name in family) for family in families)
    return Figure(
        total == same == len(names) * (epochs - 1) and total > 0,
        f"{same} of {total} bit-identical ({len(names)} presets of {covered} families, after each of {epochs - 1} "
        f"epochs, {device})",
    )


@row(
    "interrupt",
    "interruption after every epoch, every preset family, CPU",
    "bit-identical, all",
    quick=2,
    whole=30,
    teeth={"unkeyed": "randomness that is not keyed by epoch and step"},
    teeth_times=1,
)
def interrupted_cpu(bench: Bench, times: int) -> Figure:
    """So many presets, the families by turns, each from the disk after each epoch."""
    return _interrupt(bench, times, "cpu")


@row(
    "interrupt_gpu",
    "interruption after every epoch, every preset family, GPU with `--deterministic`",
    "bit-identical, all",
    quick=2,
    whole=30,
    teeth={"unkeyed": "randomness that is not keyed by epoch and step"},
    teeth_times=1,
    needs=("gpu",),
)
def interrupted_gpu(bench: Bench, times: int) -> Figure:
    """As on the CPU."""
    return _interrupt(bench, times, "cuda")


# --------------------------------------------------------------------------- memory of the device


def out_of_memory(times: int, runs: str, device: str) -> dict[str, Any]:
    """Runs that run out of memory by turns at four places, and after each a run that does not, in one process."""
    import torch

    from support.training_small import stripes, tiny
    from tuitrain.runs.launch import prepare
    from tuitrain.training import step
    from tuitrain.training.job import Job
    from tuitrain.training.runtime import Runtime

    # Each with how often it is called in a run at least.
    places = [
        (step.Stepper, "logits", 5),
        (torch.Tensor, "backward", 5),
        (step.Optimizer, "step", 5),
        (step.Stepper, "_judge", 2),
    ]
    runtime, preset, data = Runtime(device=device, threads=1, compile="off"), tiny(epochs=2), stripes()

    def one(name: str) -> Any:
        session = prepare(Job(preset, runtime), runs_dir=Path(runs), dataset=data, name=name)
        session.start()
        session.join()
        return session

    wanted = one("plain").recorder.finished.model_sha256
    seen: dict[str, Any] = {"told": 0, "code": 0, "next": 0, "rss": []}
    for number in range(times):
        owner, name, calls = places[number % 4]
        original, left = getattr(owner, name), 1 + number // 4 % calls

        def failing(*args: Any, _original: Any = original, _at: int = left, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise RuntimeError(
                    "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"
                )
            return _original(*args, **kwargs)

        setattr(owner, name, failing)
        try:
            session = one(f"m{number}")
        finally:
            setattr(owner, name, original)
        ended = session.recorder.finished
        seen["told"] += ended.outcome == "out_of_memory" and "--batch-size 32" in ended.message
        seen["code"] += int(session.exit_code) == 6
        seen["next"] += one(f"n{number}").recorder.finished.model_sha256 == wanted
        seen["rss"].append(rss_bytes(os.getpid()))
    return seen


def rss_bytes(pid: int) -> int:
    """Memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@row(
    "memory",
    "out of memory on the device (injected on the CPU at forward, backward, step, evaluation)",
    "message with a batch size to try, memory returned, the next run in the same process works, 20 times",
    quick=4,
    whole=20,
    teeth={"no_memory_words": "the exception is one like any other"},
)
def memory(bench: Bench, times: int) -> Figure:
    """By turns at the four places, each time one call later."""
    seen = bench.call("harness.rows_training:out_of_memory", times, str(bench.runs), "cpu")
    grown = (seen["rss"][-1] - seen["rss"][min(3, times - 1)]) / 1e6
    return Figure(
        seen["told"] == seen["code"] == seen["next"] == times and grown < 20,
        f"{seen['told']} of {times} with a batch size to try, {seen['code']} exit 6, {seen['next']} next runs with the "
        f"weights of an undisturbed one, memory {grown:+.1f} MB after the fourth",
    )


def capped(times: int, runs: str) -> dict[str, Any]:
    """Runs on a GPU whose memory is capped below what a batch needs, and after each a run that fits."""
    import torch

    from support.training_small import stripes, tiny
    from tuitrain.runs.launch import prepare
    from tuitrain.training.job import Job
    from tuitrain.training.runtime import Runtime

    runtime, data = Runtime(device="cuda", compile="off"), stripes(20_000, 100)
    wide = [
        {"conv": 256, "kernel": 3, "padding": 1, "then": ["relu"]},
        {"conv": 10},
        {"global_avgpool": True},
    ]
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(2e9 / total)
    seen: dict[str, Any] = {"told": 0, "next": 0, "allocated": []}
    for number in range(times):
        for fits in (False, True):
            preset = tiny(wide, epochs=1, batch_size=64 if fits else 16_384)
            session = prepare(
                Job(preset, runtime), runs_dir=Path(runs), dataset=data, name=f"g{number}-{fits:d}"
            )
            session.start()
            session.join()
            ended = session.recorder.finished
            if fits:
                seen["next"] += ended.outcome == "completed"
            else:
                seen["told"] += ended.outcome == "out_of_memory" and "--batch-size 8192" in ended.message
            seen["allocated"].append(torch.cuda.memory_allocated())
    return seen


@row(
    "memory_gpu",
    "out of memory on a GPU with a capped memory fraction",
    "message with a batch size to try, memory returned, the next run in the same process works, 20 times",
    quick=2,
    whole=20,
    teeth={"no_memory_words": "the exception is one like any other"},
    needs=("gpu",),
)
def memory_gpu(bench: Bench, times: int) -> Figure:
    """2 GB for a batch that needs 13."""
    seen = bench.call("harness.rows_training:capped", times, str(bench.runs))
    left = max(seen["allocated"]) / 1e6
    return Figure(
        seen["told"] == seen["next"] == times and left < 50,
        f"{seen['told']} of {times} with a batch size to try, {seen['next']} next runs completed, at most {left:.1f} MB "
        "left allocated",
    )


# --------------------------------------------------------------------------- numbers that end


def newest_is_finite(path: str) -> bool:
    """Whether the newest checkpoint of a run (if it has one) loads and holds only finite numbers."""
    from tuitrain.runs import checkpoint
    from tuitrain.training.state import TrainerState

    entries = checkpoint.entries(Path(path) / "checkpoints")
    if not entries:
        return True
    stored = checkpoint.load_checkpoint(entries[-1])
    return TrainerState.from_tensors(stored.tensors, stored.metadata).sha256() != "" and all(
        bool(tensor.isfinite().all()) for tensor in stored.tensors.values()
    )


@row(
    "finite",
    "loss made non-finite at different steps; `lr = 1e6`",
    "found within a report interval, newest checkpoint finite, exit 5",
    quick=3,
    whole=20,
    teeth={"no_finite_check": "nobody looks whether the loss is finite"},
)
def finite(bench: Bench, times: int) -> Figure:
    """Steps of 20 ms, six of them an epoch; a report is due every 100 ms."""
    codes = good = 0
    latest = 0.0
    for number in range(times):
        at, told = 1 + (number * 23) // times, bench.folder / f"found-{number}"
        code, _, err = bench.run(
            *bench.train(f"n{number}", 4), setup=["slow_steps:0.02", f"nan_at:{at},{told}"]
        )
        codes += code == 5 and "Traceback" not in err
        good += bench.call("harness.rows_training:newest_is_finite", str(bench.runs / f"n{number}"))
        latest = max(latest, float(told.read_text()) if told.exists() else math.inf)
    code, _, err = bench.run(*bench.train("lr", 30, "--lr", "1e6"))
    huge = code == 5 and "learning rate below 1e+06" in err
    good += bench.call("harness.rows_training:newest_is_finite", str(bench.runs / "lr"))
    return Figure(
        codes == times and huge and good == times + 1 and latest <= 6,
        f"{codes} of {times} exit 5, found after at most {latest:.0f} steps (reports every 100 ms, steps of 20); "
        f"lr = 1e6: exit {code}; {good} of {times + 1} newest checkpoints finite",
    )


# --------------------------------------------------------------------------------- the clock


def clock_faults(path: str) -> list[str]:
    """What a jump of the wall clock changed in a run's record."""
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.events import EpochFinished, RunFinished
    from tuitrain.watch.pace import Pace, remaining_s

    records = RunDirectory.open(Path(path)).events()
    jumps = [abs(b.time - a.time) for a, b in itertools.pairwise(records)]
    if max(jumps) < 80_000:
        return ["the clock did not jump"]
    elapsed = [record.elapsed_s for record in records]
    faults = []
    # An epoch tells the trainer's own seconds, whose watch starts some tenths after the run's.
    if any(b < a - 1.0 for a, b in itertools.pairwise(elapsed)) or not 0 < elapsed[-1] < 600:
        faults.append(f"elapsed seconds {elapsed[0]:.0f} … {elapsed[-1]:.0f}")
    epochs = [record.event for record in records if isinstance(record.event, EpochFinished)]
    if [e.epoch for e in epochs] != list(range(1, len(epochs) + 1)):
        faults.append("order of epochs")
    for number, event in enumerate(epochs):
        if not (0 < event.train_s < 60 and 0 <= event.test_s < 60 and 1 < event.images_per_s < 1e7):
            faults.append(f"rate in epoch {event.epoch}: {event.train_s:.1f} s")
        left = remaining_s(Pace(first_epoch=1), tuple(epochs[: number + 1]), len(epochs), 6, None)
        if left is None or not 0 <= left < 600:
            faults.append(f"time left after epoch {event.epoch}: {left}")
    ended = records[-1].event
    if not isinstance(ended, RunFinished) or not 0 < ended.seconds < 600:
        faults.append("seconds of the run")
    return faults


@row(
    "clock",
    "wall clock jumped a day, both ways",
    "rates, ETA and order unchanged",
    quick=2,
    whole=20,
    teeth={"wall_clock": "the wall clock in place of the monotonic one"},
)
def clock(bench: Bench, times: int) -> Figure:
    """Forward and back by turns, after another number of epochs each time."""
    faults: list[str] = []
    for number in range(times):
        day = 86_400 if number % 2 == 0 else -86_400
        at = 0.2 + 0.05 * (number // 2)
        code, _, err = bench.run(
            *bench.train(f"c{number}", 16), setup=["slow_steps:0.005", f"clock_jump:{day},{at}"]
        )
        if code != 0:
            faults.append(err[-200:])
            continue
        faults += bench.call("harness.rows_training:clock_faults", str(bench.runs / f"c{number}"))
    return Figure(
        not faults,
        f"{times} jumps of a day, forward and back: {len(faults)} rates, times left or orders changed"
        f"{': ' + '; '.join(faults[:2]) if faults else ''}",
    )

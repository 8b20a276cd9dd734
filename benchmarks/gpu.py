"""Measures the rows that need a CUDA device; needs no network, only torch, this project and MNIST's files.

python benchmarks/gpu.py --data-dir FOLDER            # everything, about ten minutes on an H200
python benchmarks/gpu.py --arms gpu-training gpu-step13
python benchmarks/gpu.py --device cpu --dataset digits --quick    # does the script work? CUDA's arms are left out
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from bench import machine, target, training  # noqa: E402
from bench.arms import Arm, Crew  # noqa: E402
from bench.plan import Plan  # noqa: E402
from bench.results import FOLDER, Results  # noqa: E402
from bench.talk import say, spent_s  # noqa: E402

LIMIT_S = 300.0
BATCH = 128
#: A captured step computes with the very kernels of the eager one, on the same numbers.
EXACT = 0.0
TARGET = 0.994
SECTIONS = ("gpu-training", "gpu-step13", "gpu-seeds", "gpu-exact", "gpu-target", "gpu-steps")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N; cpu only shows that the script works")
    parser.add_argument(
        "--arms", nargs="+", default=[], metavar="SECTION[/ARM]", help=f"only these: {', '.join(SECTIONS)}"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--rounds", type=int, help="turns of each arm (5; quick: 1)")
    parser.add_argument(
        "--limit", type=float, default=1500, metavar="S", help="begin no section after so many seconds"
    )
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST [TUITRAIN_DATA_DIR]")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--preset", default="step11", help="for the cold command to 99.4 %%")
    parser.add_argument("--seeds", type=int, default=10, help="of the cold command")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with a result file")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> int:
    """Measures, and keeps the JSON; 1 when something failed or a gate was missed."""
    import torch

    chosen = options()
    cuda = chosen.device != "cpu"
    if cuda and not torch.cuda.is_available():
        say("torch finds no GPU here; nothing was measured (--device cpu shows that the script works)")
        return 1
    name = torch.cuda.get_device_name(chosen.device) if cuda else None
    if chosen.resume:
        results = Results.load(chosen.resume)
    else:
        stamp = time.strftime("%Y-%m-%dT%H-%M", time.gmtime())
        path = (
            chosen.out
            or FOLDER / f"{'' if cuda and not chosen.quick else 'quick_'}{stamp}_{machine.kind(name)}.json"
        )
        results = Results.new(path, kind="gpu", quick=chosen.quick or not cuda, gpu=name)
    plan = Plan(
        results, chosen.arms, chosen.quick, rounds=chosen.rounds or (1 if chosen.quick else 5), limit_s=chosen.limit,
        data_dir=chosen.data_dir.resolve() if chosen.data_dir else None, dataset=chosen.dataset,
        images=1920 if chosen.quick else 60_000,
    )  # fmt: skip
    base = {
        "batch": BATCH, "dataset": plan.dataset, "images": plan.images, "device": chosen.device,
        "data_dir": str(plan.data_dir) if plan.data_dir else None,
    }  # fmt: skip
    speed(plan, base, cuda=cuda)
    whole(plan, base, cuda=cuda)
    seeds(plan, base, cuda=cuda)
    exactness(plan, base)
    cold(plan, chosen)
    if cuda:
        steps(plan, base)
    results.data["took_s"] = round(results.data.get("took_s", 0) + spent_s(), 1)
    results.save()
    from run import show, verdict

    show(results)
    return verdict(results)


def speed(plan: Plan, base: dict[str, Any], *, cuda: bool) -> None:
    """An epoch: eager, graph, compiled graph, other precisions, and the loader on the same host."""

    def own(name: str, what: str, **runtime: Any) -> Arm:
        runtime = {"device": base["device"], "compile": "off", **runtime}
        return Arm(name, f"tuitrain, {what}", "train_tuitrain", {**base, "runtime": runtime})

    arms = [own("eager", "eager fp32 (--no-graph)", graph=False)]
    if cuda:
        arms += [
            own("graph", "the step as a CUDA graph, fp32"),
            own("compiled", "compiled inside the graph, fp32", compile="on"),
            own("tf32", "CUDA graph, tf32", precision="tf32"),
            own("bf16", "compiled inside the graph, bf16", compile="on", precision="bf16"),
        ]
    workers = [0] if plan.quick else sorted({0, 4, 8, min(16, machine.cores())})
    arms += [
        Arm(f"loader-{n}", f"published way, {n} workers, persistent, pinned memory", "train_loader", {**base, "workers": n})
        for n in workers
    ]  # fmt: skip
    name = "gpu-training"
    _turns(plan, name, f"GPU: an epoch of step13, batch {BATCH}", arms, gate=training.GATE)
    if name in plan.results.data["sections"]:
        training.conclude(plan.results, name)


def whole(plan: Plan, base: dict[str, Any], *, cuda: bool) -> None:
    """step13's 14 epochs at batch 64, evaluation included."""
    name = "gpu-step13"
    more = {"way": "step13"} | ({"changes": {"train.epochs": 2}} if plan.quick else {})
    arms = [Arm("eager", "eager (--no-graph)", "on_gpu", {**base, **more, "runtime": {"graph": False}})]
    if cuda:
        arms = [
            Arm("graph", "CUDA graph", "on_gpu", {**base, **more}),
            Arm("compiled", "compiled inside the graph, compiling included", "on_gpu",
                {**base, **more, "runtime": {"compile": "on"}}),
            *arms,
        ]  # fmt: skip
    arms = [arm for arm in arms if plan.wants(name, arm.name)]
    if not arms or not plan.has_time(name):
        return
    say(name)
    results = plan.results
    results.section(name, title="GPU: step13's 14 epochs at batch 64, after import", unit="s", better="less", base="eager",
                    limits={"graph": 4.0})  # fmt: skip
    with Crew(arms, LIMIT_S) as crew:
        for arm in arms:
            results.arm(name, arm.name, what=arm.what, samples=[], accuracies=[])
        for turn in range(1 + min(3, plan.rounds)):
            for arm in arms:
                if answer := crew.ask(arm.name, "measure", LIMIT_S, seed=turn):
                    # A process's first run has libraries to load and convolutions to time: what one command takes.
                    if turn == 0:
                        results.arm(name, arm.name, first=round(answer["seconds"], 3))
                    else:
                        results.sample(name, arm.name, answer["seconds"], accuracies=answer["accuracy"])
    _finish(plan, name, arms, crew)


def seeds(plan: Plan, base: dict[str, Any], *, cuda: bool) -> None:
    """K seeds at once against one after the other."""
    counts = (1, 2) if plan.quick else (1, 8, 32, 128)
    one = {"device": base["device"], "compile": "off"}
    arms = [
        Arm(
            "one at a time",
            "tuitrain run's own step, a graph on CUDA",
            "train_tuitrain",
            {**base, "runtime": one},
        )
    ]
    arms += [
        Arm(
            f"K = {count}",
            f"{count} seeds at once",
            "on_gpu",
            {**base, "way": "seeds", "seeds": count, "epochs": 1000},
        )
        for count in counts
    ]
    if not plan.quick:  # do steps of different seeds overlap, and how many should?
        arms += [
            Arm(
                f"K = 32, streams: {streams}",
                f"32 seeds at once on {streams} streams",
                "on_gpu",
                {**base, "way": "seeds", "seeds": 32, "epochs": 1000, "streams": streams},
            )
            for streams in (1, 32)
        ]
    _turns(
        plan,
        "gpu-seeds",
        f"GPU: seeds at once, batch {BATCH}, images/s of all together",
        arms,
        base="one at a time",
    )


def steps(plan: Plan, base: dict[str, Any]) -> None:
    """One step a capture, as the product does it, against several."""
    arms = [
        Arm(f"{count}", f"{count} steps a launch", "on_gpu", {**base, "way": "steps", "steps": count})
        for count in ((1, 4) if plan.quick else (1, 4, 16))
    ]
    _turns(plan, "gpu-steps", f"GPU: several steps of step13 a launch, batch {BATCH}", arms, base="1")


def exactness(plan: Plan, base: dict[str, Any]) -> None:
    """Graph and eager after an epoch from the same weights."""
    name, arm = (
        "gpu-exact",
        Arm(
            "graph - eager",
            "largest difference of a weight after an epoch",
            "on_gpu",
            {**base, "way": "exact"},
        ),
    )
    if not plan.wants(name, arm.name) or not plan.has_time(name):
        return
    say(name)
    results = plan.results
    results.section(
        name, title="GPU: the graph against the eager step", unit="", better="less", limits={arm.name: EXACT}
    )
    results.arm(name, arm.name, what=arm.what, samples=[])
    with Crew([arm], LIMIT_S) as crew:
        if answer := crew.ask(arm.name, "measure", LIMIT_S):
            results.sample(name, arm.name, answer["largest"])
            results.arm(name, arm.name, accuracies=answer["accuracies"])
    _finish(plan, name, [arm], crew)


def cold(plan: Plan, chosen: argparse.Namespace) -> None:
    """The command from nothing to 99.4 %, over seeds; one that does not get there counts with its whole time."""
    name, arm = "gpu-target", "tuitrain"
    if (chosen.device == "cpu" and not plan.wanted) or not plan.wants(name, arm) or not plan.has_time(name):
        return
    results = plan.results
    results.section(
        name, title=f"GPU: cold command to {100 * TARGET:.1f} %, {chosen.preset}", unit="s", better="less"
    )
    results.arm(
        name,
        arm,
        what=f"tuitrain run --preset {chosen.preset}",
        samples=[],
        epochs=[],
        accuracies=[],
        missed=0,
    )
    flags = ["--preset", chosen.preset, "--device", chosen.device]
    for seed in range(chosen.seeds):
        say(f"{name}: seed {seed}")
        begun = time.monotonic()
        found = target.command(plan, [*flags, "--seed", str(seed)], TARGET)
        if found is None:
            results.arm(name, arm)["missed"] += 1
            results.sample(name, arm, time.monotonic() - begun)
        else:
            results.sample(name, arm, found[0], epochs=found[1], accuracies=found[2])
    samples = results.arm(name, arm)["samples"]
    if samples:
        results.arm(name, arm, mean=round(statistics.fmean(samples), 2))
    results.finish(name, arm)


def _turns(plan: Plan, name: str, title: str, arms: list[Arm], **fields: Any) -> None:
    """Arms in turns, then judged."""
    arms = [arm for arm in arms if plan.wants(name, arm.name)]
    if not arms or not plan.has_time(name):
        return
    say(f"{name}: {', '.join(arm.name for arm in arms)}")
    results = plan.results
    results.section(
        name,
        title=title,
        unit="images/s",
        better="more",
        images=plan.images,
        rounds=plan.rounds,
        batch=BATCH,
        **fields,
    )
    with Crew(arms, LIMIT_S) as crew:
        for arm in arms:
            results.arm(name, arm.name, what=arm.what, samples=[])
        for _ in range(plan.rounds):
            for arm in arms:
                if answer := crew.ask(arm.name, "measure", LIMIT_S):
                    results.sample(name, arm.name, answer["images"] / answer["seconds"])
        for arm in arms:
            if answer := crew.ask(arm.name, "judge", LIMIT_S, seeds=1, epochs=plan.rounds + 1):
                results.arm(name, arm.name, **answer)
    _finish(plan, name, arms, crew)


def _finish(plan: Plan, name: str, arms: list[Arm], crew: Crew) -> None:
    for arm in arms:
        failed = crew.failed.get(arm.name)
        plan.results.finish(
            name, arm.name, f"failed: {failed}" if failed else "done", took_s=round(crew.took[arm.name], 1)
        )


if __name__ == "__main__":
    sys.exit(main())

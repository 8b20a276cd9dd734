"""Large sizes: wide layers, huge batches against plain torch on the same data in memory; memory over 200 epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import task, worker
from bench.arms import Arm, Crew
from bench.plan import Plan
from bench.talk import say

LIMIT_S = 240.0
WIDE = {"model.layers[4].conv": 512, "model.layers[6].conv": 512}
EPOCHS, EARLY = 200, 20
#: What 180 further epochs may add: the allocator's noise, and the history's 200 small objects.
FLAT_MIB = 8.0
EAGER = {"device": "cpu", "compile": "off"}
MEMORY = "memory"


def begin(
    setting: dict[str, Any],
) -> tuple[worker.Answer, Mapping[str, Callable[[dict[str, Any]], worker.Answer]]]:
    """A run of many short epochs; `measure` says what they added to the process's memory."""
    from tuitrain.training.events import EpochFinished
    from tuitrain.training.job import Job
    from tuitrain.training.runtime import Runtime
    from tuitrain.training.trainer import Trainer

    def measure(command: dict[str, Any]) -> worker.Answer:
        runtime = Runtime(device="cpu", compile="off", threads=1)
        trainer = Trainer(Job(task.preset(setting), runtime), task.dataset(setting))
        held: dict[int, float] = {}
        begun = time.perf_counter()
        for event in trainer.run():
            if isinstance(event, EpochFinished):
                held[event.epoch] = worker.rss_mib()
        early, late = held[setting["early"]], held[setting["epochs"]]
        return {"early_mib": early, "late_mib": late, "seconds": time.perf_counter() - begun}

    return {}, {"measure": measure}


def run(plan: Plan) -> None:
    """The three rows."""
    base = {"dataset": plan.dataset, "data_dir": str(plan.data_dir) if plan.data_dir else None, "workers": 0}
    huge = 4096 if plan.quick else 16_384
    sizes = (
        ("large-wide", "512 channels, batch 128", {"batch": 128, "images": 256 if plan.quick else 1024, "changes": WIDE}),
        ("large-batch", "step13, batch 8,192", {"batch": min(huge, 8192), "images": huge}),
    )  # fmt: skip
    for name, title, more in sizes:
        setting = {**base, **more}
        arms = [
            Arm("tuitrain", "tuitrain, eager fp32", "train_tuitrain", {**setting, "runtime": EAGER}),
            Arm("plain", "plain torch loop, images ready in memory, not augmented, nothing read a batch", "train_loader",
                {**setting, "resident": True}),
        ]  # fmt: skip
        arms = [arm for arm in arms if plan.wants(name, arm.name)]
        if not arms or not plan.has_time(name):
            continue
        say(f"{name}: {title}")
        results = plan.results
        results.section(name, title=f"Large: {title}", unit="images/s", better="more", base="plain")
        with Crew(arms, LIMIT_S) as crew:
            for arm in arms:
                results.arm(name, arm.name, what=arm.what, samples=[])
            for _ in range(plan.rounds):
                for arm in arms:
                    if answer := crew.ask(arm.name, "measure", LIMIT_S):
                        results.sample(name, arm.name, answer["images"] / answer["seconds"])
            for arm in arms:
                if answer := crew.ask(arm.name, "judge", LIMIT_S, seeds=1, epochs=1):
                    results.arm(name, arm.name, peak_mib=answer["peak_mib"])
        for arm in arms:
            failed = crew.failed.get(arm.name)
            results.finish(
                name,
                arm.name,
                f"failed: {failed}" if failed else "done",
                took_s=round(crew.took[arm.name], 1),
            )
    _memory(plan)


def _memory(plan: Plan) -> None:
    name, epochs = "large-epochs", 40 if plan.quick else EPOCHS
    if not plan.wants(name, MEMORY) or not plan.has_time(name):
        return
    say(f"{name}: {epochs} epochs")
    results = plan.results
    results.section(
        name,
        title=f"Large: {epochs} epochs of 256 digits",
        unit="MiB",
        better="less",
        limits={MEMORY: FLAT_MIB},
    )
    setting = {"batch": 64, "dataset": "digits", "images": 256, "epochs": epochs, "early": EARLY}
    arm = Arm(MEMORY, f"what epochs {EARLY} to {epochs} add to the process", "large", setting)
    results.arm(name, MEMORY, what=arm.what, samples=[])
    with Crew([arm], LIMIT_S) as crew:
        if answer := crew.ask(MEMORY, "measure", LIMIT_S):
            results.sample(name, MEMORY, round(answer["late_mib"] - answer["early_mib"], 2))
            results.arm(name, MEMORY, late_mib=round(answer["late_mib"], 1))
    failed = crew.failed.get(MEMORY)
    results.finish(
        name, MEMORY, f"failed: {failed}" if failed else "done", took_s=round(crew.took[MEMORY], 1)
    )


if __name__ == "__main__":
    worker.serve(begin)

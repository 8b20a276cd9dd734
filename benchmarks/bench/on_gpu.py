"""An arm of the GPU rows: all of step13, many seeds, several steps a capture, or a captured epoch beside an eager one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import task, worker

Actions = Mapping[str, Callable[[dict[str, Any]], worker.Answer]]


def begin(setting: dict[str, Any]) -> tuple[worker.Answer, Actions]:
    """Sets up and warms up."""
    import torch

    if setting["device"] != "cpu":
        torch.zeros(1, device=setting["device"])  # the device's context, which belongs to the imports
    return {"step13": step13, "seeds": seeds, "steps": steps, "exact": exact}[setting["way"]](setting)


def _runtime(setting: dict[str, Any], **more: Any) -> Any:
    from tuitrain.training.runtime import Runtime

    return Runtime(**{"device": setting["device"], "compile": "off", **setting.get("runtime", {}), **more})


def step13(setting: dict[str, Any]) -> tuple[worker.Answer, Actions]:
    """step13 as published, from the trainer's start to the verdict, every epoch judged."""
    from tuitrain.spec.preset import override
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.training.events import EpochFinished
    from tuitrain.training.job import Job
    from tuitrain.training.trainer import Trainer

    data = task.dataset(setting)

    def measure(command: dict[str, Any]) -> worker.Answer:
        changes = {"train.seed": command["seed"], "train.dataset": setting["dataset"]} | setting.get(
            "changes", {}
        )
        preset = override(load_preset("step13"), changes)
        begun = time.perf_counter()
        epochs = [
            event
            for event in Trainer(Job(preset, _runtime(setting)), data).run()
            if isinstance(event, EpochFinished)
        ]
        return {
            "seconds": time.perf_counter() - begun,
            "epochs": len(epochs),
            "accuracy": epochs[-1].test_acc,
        }

    return {}, {"measure": measure}


def seeds(setting: dict[str, Any]) -> tuple[worker.Answer, Actions]:
    """K seeds at once; an epoch of all of them a turn."""
    from tuitrain.training.ensemble import STREAMS, Ensemble

    ensemble = Ensemble(
        task.preset(setting), task.dataset(setting), range(setting["seeds"]), _runtime(setting),
        streams=setting.get("streams", STREAMS),
    )  # fmt: skip
    epochs = ensemble.run()
    found: list[Any] = []

    def measure(command: dict[str, Any]) -> worker.Answer:
        found.append(next(epochs))
        last = found[-1]
        return {"seconds": last.train_s, "images": round(last.train_s * last.images_per_s)}

    def judge(command: dict[str, Any]) -> worker.Answer:
        return {"accuracies": list(found[-1].test_acc)[:4], "peak_mib": worker.peak_mib()}

    warm = measure({})
    return {"warm_up_s": round(warm["seconds"], 2)}, {"measure": measure, "judge": judge}


def steps(setting: dict[str, Any]) -> tuple[worker.Answer, Actions]:
    """An epoch by a graph of several steps: does a launch that does more pay? (The product captures one.)"""
    from tuitrain.training import devices, graph, machine, run_ahead
    from tuitrain.training.epoch_images import EpochImages
    from tuitrain.training.model import build

    preset, runtime, many = task.preset(setting), _runtime(setting), setting["steps"]
    device = devices.pick(runtime.device)
    feed = EpochImages(preset, preset.table(), task.dataset(setting))

    def launch() -> None:
        for _ in range(many):
            stepper.launch()

    def measure(command: dict[str, Any]) -> worker.Answer:
        launches = feed.images // feed.batch // many
        begun = time.perf_counter()
        stepper.seek(0, 0.0, 0)
        for number in range(1, launches + 1):
            stepper.prepare()  # rows for 64 steps, so no launch reaches beyond them
            replay()
            for _ in range(many):
                stepper.replayed()
            ahead.queued(number * many)
        stepper.read()
        return {"seconds": time.perf_counter() - begun, "images": launches * many * feed.batch}

    def judge(command: dict[str, Any]) -> worker.Answer:
        return {"peak_mib": worker.peak_mib()}

    with devices.settings(runtime, device):
        feed.to(device)
        network = build(preset, preset.train.seed).to(device).train()
        stepper = machine.make_stepper(network, preset, device, runtime)
        assert isinstance(stepper, graph.GraphStepper)
        stepper.begin_epoch(0, *feed.epoch(0))
        stepper.set_lr(0.01)
        stepper.prepare()
        with stepper.rehearsal():
            replay, _ = graph.capture(launch, stepper.warm_up, None)
        ahead = run_ahead.bound()
        measure({})
    return {}, {"measure": measure, "judge": judge}


def exact(setting: dict[str, Any]) -> tuple[worker.Answer, Actions]:
    """An epoch by the graph and one without, from the same weights: the largest difference of a weight."""
    from tuitrain.training.events import EpochFinished
    from tuitrain.training.job import Job
    from tuitrain.training.trainer import Trainer

    data = task.dataset(setting)

    def trained(**runtime: Any) -> tuple[dict[str, Any], float]:
        preset = task.preset({**setting, "epochs": 1}, 0)
        trainer = Trainer(Job(preset, _runtime(setting, deterministic=True, **runtime)), data)
        accuracy = [event.test_acc for event in trainer.run() if isinstance(event, EpochFinished)][-1]
        return dict(trainer.state().model), accuracy

    def measure(command: dict[str, Any]) -> worker.Answer:
        with_graph, accuracy = trained(graph=True)
        without, plain = trained(graph=False)
        largest = max(
            float((with_graph[name].double() - without[name].double()).abs().max()) for name in without
        )
        return {"largest": largest, "accuracies": [accuracy, plain]}

    return {}, {"measure": measure}


if __name__ == "__main__":
    worker.serve(begin)

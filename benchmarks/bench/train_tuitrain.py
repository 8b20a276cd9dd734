"""An arm: tuitrain's own trainer, with nothing left out but the run directory."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench import task, worker


class Arm:
    """A trainer that is stopped between its epochs."""

    def __init__(self, setting: dict[str, Any]) -> None:
        self.setting = setting
        self.whole = task.dataset({**setting, "images": None})
        short = task.cut(self.whole, setting["images"])
        # A trainer judges after each epoch; here that is measured apart, so it gets few images for it.
        test = task.Images(self.whole.test.images[:100], self.whole.test.labels[:100])
        self.data = dataclasses.replace(short, test=test)
        self.notices: list[str] = []
        self.peak_mib = 0.0
        self.trainer, self.events = self._new(0)

    def _new(self, seed: int) -> tuple[Any, Iterator[Any]]:
        from tuitrain.training.job import Job
        from tuitrain.training.runtime import Runtime
        from tuitrain.training.trainer import Trainer

        runtime = Runtime(**self.setting.get("runtime", {}))
        trainer = Trainer(Job(task.preset(self.setting, seed), runtime), self.data)
        return trainer, trainer.run()

    def epoch(self, events: Iterator[Any]) -> float:
        """Seconds of an epoch, without its evaluation."""
        from tuitrain.training.events import EpochFinished, Notice

        begun = time.perf_counter()
        for event in events:
            if isinstance(event, Notice):
                self.notices.append(event.message)
            if isinstance(event, EpochFinished):
                return time.perf_counter() - begun - event.test_s
        raise RuntimeError("the run ended")

    def measure(self, command: dict[str, Any]) -> worker.Answer:
        """A short epoch."""
        seconds = self.epoch(self.events)
        self.peak_mib = worker.peak_mib()  # before judging, which takes memory of its own
        return {"seconds": seconds, "images": len(self.data.train)}

    def judge(self, command: dict[str, Any]) -> worker.Answer:
        """Accuracy of what was trained so far, and of further seeds trained for as many epochs."""
        found = [accuracy(self.trainer, self.whole)]
        for seed in range(1, command.get("seeds", 1)):
            trainer, events = self._new(seed)
            for _ in range(command["epochs"]):
                self.epoch(events)
            found.append(accuracy(trainer, self.whole))
            events.close()
        return {"accuracies": found, "peak_mib": self.peak_mib, "notices": self.notices}


def accuracy(trainer: Any, whole: Any) -> float:
    """The share of right answers on the whole judging set, in torch's plain fp32."""
    import torch

    from tuitrain.data.augment import normalize

    train = trainer.preset.train
    right = 0
    trainer.network.eval()
    with torch.no_grad():
        for start in range(0, len(whole.test), 1000):
            images = torch.from_numpy(whole.test.images[start : start + 1000].copy())
            labels = torch.from_numpy(whole.test.labels[start : start + 1000].astype("int64"))
            device = next(trainer.network.parameters()).device
            ready = normalize(images, train.normalize.mean, train.normalize.std).to(device)
            right += int((trainer.network(ready, None).argmax(1).cpu() == labels).sum())
    trainer.network.train()
    return right / len(whole.test)


def begin(
    setting: dict[str, Any],
) -> tuple[worker.Answer, Mapping[str, Callable[[dict[str, Any]], worker.Answer]]]:
    """Sets up, and trains the warm-up epoch."""
    arm = Arm(setting)
    warm = arm.epoch(arm.events)
    told = {"warm_up_s": round(warm, 2), "threads": arm.trainer.machine.threads, "notices": arm.notices}
    return told, {"measure": arm.measure, "judge": arm.judge}


if __name__ == "__main__":
    worker.serve(begin)

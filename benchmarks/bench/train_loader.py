"""An arm: the training loop of the published notebooks, with its loader tuned."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from bench import plain, task, worker


def train_epoch(
    model: Any, batches: Any, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[float, int]:
    """An epoch as the sources write it: loss and accuracy read with `.item()` each batch."""
    model.train()
    losses, right = 0.0, 0
    for data, target in batches:
        data, target = data.to(device, non_blocking=True), target.to(device, non_blocking=True)
        optimizer.zero_grad()
        logits = model(data)
        loss = nn.functional.nll_loss(nn.functional.log_softmax(logits, dim=-1), target)
        losses += loss.item()
        loss.backward()
        optimizer.step()
        right += logits.argmax(dim=1).eq(target).sum().item()
    return losses, right


def train_quietly(model: Any, batches: Any, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """An epoch with nothing read: what torch itself needs."""
    model.train()
    for data, target in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data), target).backward()
        optimizer.step()


def begin(
    setting: dict[str, Any],
) -> tuple[worker.Answer, Mapping[str, Callable[[dict[str, Any]], worker.Answer]]]:
    """Sets up, and trains the warm-up epoch."""
    preset, data = task.preset(setting, setting.get("seed", 0)), task.dataset(setting)
    if setting.get("threads"):
        torch.set_num_threads(setting["threads"])
    device = torch.device(setting.get("device", "cpu"))
    more = {"pin_memory": True} if device.type == "cuda" else {}
    batches = (
        plain.ready(data, preset)
        if setting.get("resident")
        else plain.loader(data, preset, setting["workers"], **more)
    )
    model = plain.network(preset).to(device)
    optimizer = plain.optimizer(model, preset)
    forward = torch.compile(model) if setting.get("compile") else model

    train = train_quietly if setting.get("resident") else train_epoch

    def epoch() -> float:
        begun = time.perf_counter()
        train(forward, batches, optimizer, device)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    def measure(command: dict[str, Any]) -> worker.Answer:
        return {"seconds": epoch(), "images": len(data.train)}

    def judge(command: dict[str, Any]) -> worker.Answer:
        peak = worker.peak_mib()  # before judging, which takes memory of its own
        return {"accuracies": [plain.accuracy(model, data, preset)], "peak_mib": peak}

    told = {"warm_up_s": round(epoch(), 2), "threads": torch.get_num_threads()}
    return told, {"measure": measure, "judge": judge}


if __name__ == "__main__":
    worker.serve(begin)

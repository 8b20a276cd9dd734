"""The object of a run that scripts rely on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuitrain import jsonio
from tuitrain.runs.history import History


def run_json(history: History, directory: Path) -> dict[str, Any]:
    """The object of `tuitrain run --json`; its keys are an interface (README, "The interface for scripts")."""
    started, done, best = history.started, history.finished, history.best
    last = history.last
    data = {
        "run": started.run if started else directory.name,
        "directory": str(directory),
        "preset": started.name if started else None,
        "dataset": started.dataset if started else None,
        "device": started.device if started else None,
        "seed": started.seed if started else None,
        "outcome": history.outcome,
        "parameters": started.parameters if started else None,
        "budget": history.budget,
        "epochs": len(history.epochs),
        "best_test_accuracy": best.test_acc if best else None,
        "best_epoch": best.epoch if best else None,
        "last_test_accuracy": last.test_acc if last else None,
        "last_train_accuracy": last.train_acc if last else None,
        "last_test_loss": last.test_loss if last else None,
        "last_ema_test_accuracy": last.ema_test_acc if last else None,
        "last_ema_test_loss": last.ema_test_loss if last else None,
        "mean_last_epochs_test_accuracy": history.last_mean,
        "judged_by": started.judged_by if started else None,
        "epochs_at_target": list(history.at_target),
        "seconds": history.seconds,
        "images_per_s": done.images_per_s if done else (last.images_per_s if last else 0.0),
        "challenge": [asdict(point) for point in history.points()],
        "model_sha256": (done.model_sha256 or None) if done else None,
        "message": done.message if done else "",
        "stopped_early": (done.stopped_early or None) if done else None,
        "command": started.command if started else "",
        "own_network": dict(started.own_network) or None if started else None,
    }
    return {key: jsonio.finite(value) for key, value in data.items()}

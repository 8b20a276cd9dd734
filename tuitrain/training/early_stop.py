"""Whether a run ends before its last epoch: looked at after each epoch, by what the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tuitrain.figures import accuracy_text, plural, reaches_target
from tuitrain.spec.best import best_epoch
from tuitrain.spec.preset import Preset
from tuitrain.training.events import EpochFinished

Why = Literal["", "target", "patience", "max_seconds"]


def early_stop(preset: Preset, history: Sequence[EpochFinished]) -> tuple[Why, str]:
    """The reason why a run ends after these epochs, and a sentence about it; both empty if it goes on.

    Args:
        preset: whose `train.early_stop`.
        history: the epochs that count: of a run that was made longer after its early stop, those since then.
    """
    stop, target = preset.train.early_stop, preset.target_accuracy
    held = stop.target_epochs
    if (
        held
        and target
        and len(history) >= held
        and all(reaches_target(e.test_acc, target) for e in history[-held:])
    ):
        return "target", f"stopped early: {target:g} % was reached in {plural(held, 'epoch')} in a row"
    if stop.patience and history:
        best = best_epoch(history)
        if best is not None and history[-1].epoch - best.epoch >= stop.patience:
            since = f"{accuracy_text(best.test_acc)} in epoch {best.epoch}"
            return (
                "patience",
                f"stopped early: no epoch was better than {since} for {plural(stop.patience, 'epoch')}",
            )
    if stop.max_seconds and sum(e.train_s + e.test_s for e in history) >= stop.max_seconds:
        return "max_seconds", f"stopped early: the epochs have taken {stop.max_seconds:g} s"
    return "", ""

"""The object of a study that scripts rely on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuitrain import jsonio
from tuitrain.watch.group import Group, SeedRun, Share, group_lines, interval_json


def group_json(group: Group) -> dict[str, Any]:
    """The figures of one setting; accuracies are fractions, intervals pairs at 95 %, None where not known."""
    spread, mean = group.spread, group.mean
    several = len(group.accuracies) > 1
    data = {
        "label": group.label,
        "seeds": len(group.runs),
        "finished": len(group.ended),
        "diverged": [run.seed for run in group.diverged],
        "failed": [run.seed for run in group.failed],
        "mean_last_test_accuracy": mean.value if mean else None,
        "mean_interval": interval_json(mean.interval()) if mean and several else None,
        "sd": spread.sd if spread else None,
        "sd_plain": spread.plain if spread else None,
        "noise_floor": spread.floor if spread else None,
        "settled": spread.settled if spread else None,
        "images_that_two_seeds_differ_on": group.disagreement,
        "skewness": group.skewness if several else None,
        "worst_last_test_accuracy": min(group.accuracies, default=None),
        "best_last_test_accuracy": max(group.accuracies, default=None),
        "target_accuracy": group.target,
        "reached_target": {
            name: _share(group.at_target(when))
            for name, when in (("at_some_epoch", "ever"), ("at_the_end", "end"), ("in_the_last_five", "five"))
        },
        "says": group_lines(group),
        "runs": [_run(run) for run in group.runs],
    }
    return {key: jsonio.finite(value) for key, value in data.items()}


def study_json(
    name: str, directory: Path, kind: str, command: str, groups: Sequence[Group]
) -> dict[str, Any]:
    """The object of `tuitrain run --seeds --json` and of `tuitrain study show --json`; its keys are an interface."""
    return {
        "study": name,
        "directory": str(directory),
        "kind": kind,
        "command": command,
        "groups": [group_json(group) for group in groups],
    }


def _run(run: SeedRun) -> dict[str, Any]:
    last = run.history.last
    return {
        "run": run.run,
        "seed": run.seed,
        "state": run.state,
        "epochs": len(run.history.epochs),
        "last_test_accuracy": run.accuracy,
        "best_test_accuracy": run.best,
        "last_train_accuracy": jsonio.finite(last.train_acc) if last else None,
        "seconds": run.history.seconds,
    }


def _share(share: Share | None) -> dict[str, Any] | None:
    return (
        None
        if share is None
        else {"seeds": share.count, "of": share.of, "interval": interval_json(share.interval)}
    )

"""Makes RECORDS.md from records.json, which lies beside this file.

    python docs/records.py              makes the page again
    python docs/records.py RUNS ...     first adds what was trained in these folders of runs

Added is every finished run on MNIST in fp32: an attempt, judged by images that were held out of the training set, or a
result, judged by the test set. An attempt stays in the file, whatever it came to; of each network, setting, seed and
judging set the newest run stands there.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuitrain.errors import RunDirectoryError
from tuitrain.figures import accuracy_text, percent_text, plural, points_text
from tuitrain.report.markdown import grid
from tuitrain.runs.digests import preset_digest
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.names import run_names
from tuitrain.stats import intervals

HERE = Path(__file__).parent
DATA, PAGE = HERE / "records.json", HERE / "RECORDS.md"
Run = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """What is looked for: the mean of the last epochs in percent, the published parameters, and what is wanted."""

    accuracy: float
    published: str
    wanted: tuple[int, ...]
    max_epochs: int | None


GOALS = (
    Goal(99.4, "single best epochs at 5,854 to 7,994 parameters", (5854, 2500, 2000, 1700), 15),
    Goal(99.6, "single runs at 9,768", (9768, 8000), 15),
    Goal(99.0, "697, the best of some 700 runs, picked on test data", (900, 697), None),
)
#: Fewer seeds than these make no record.
SEEDS = 10

INTRO = """# Records

Small networks of our own, and every attempt on the way to them, on the genuine MNIST files. This page is made by
`python docs/records.py` from `docs/records.json`, which has the accuracy of every epoch of every run.

The rules:

- A network and its settings are chosen by 10,000 images that are held out of the 60,000 training images
  (`val_split = 10000`); the test set has no part in it.
- A network that was chosen is trained with all 60,000 images, with at least ten seeds, and is judged once, on the test
  set, at its *last* epoch. No seed and no epoch is picked. What was judged on the test set stays in the table, reached
  or not; one whose first seeds fell clearly short of its goal was trained no further.
- A record is the *mean* of the seeds. Beside it is the lower end of a one-sided 95 % interval for the mean of all seeds,
  on this test set (Student's t).
- Training is fp32, on the CPU. A size between two that were tried on the held-out images may be trained without being tried
  there itself (small3413 and small3824 lie between lin2482 and lin7852).

A single run says little at this size: seeds of one setting differ by about 0.1 points, more than most changes do.
"""


def read() -> list[Run]:
    """The runs, in the order of the file."""
    return json.loads(DATA.read_text("utf-8"))["runs"] if DATA.exists() else []


def write(runs: Iterable[Run]) -> None:
    """Replaces the file; a line for each run, so that changes can be read."""
    lines = ",\n".join(f"  {json.dumps(run, ensure_ascii=False)}" for run in runs)
    DATA.write_text(f'{{"schema": 1, "runs": [\n{lines}\n]}}\n', "utf-8")


def added(runs: list[Run], folder: Path) -> list[Run]:
    """The runs with those of a folder."""
    of_key = {_key(run): run for run in runs}
    for name in run_names(folder):
        try:
            found = run_of(History.of(RunDirectory.open(folder / name).events()))
        except RunDirectoryError:
            continue
        if found is not None and found["date"] >= of_key.get(_key(found), found)["date"]:
            of_key[_key(found)] = found
    return sorted(
        of_key.values(), key=lambda run: (run["parameters"], run["name"], run["judged_by"], run["seed"])
    )


def _setting(run: Run) -> tuple[str, str, str]:
    return (
        run["name"],
        run["judged_by"],
        preset_digest(run["preset"]) if not run["network"] else run["network"],
    )


def _key(run: Run) -> tuple[Any, ...]:
    return (*_setting(run), run["seed"])


def run_of(history: History) -> Run | None:
    """A finished run in a few figures; None of one that is not what the rules ask for."""
    started, done = history.started, history.finished
    if started is None or done is None or not history.has_result or history.preset is None:
        return None
    if started.dataset != "mnist" or started.runtime.get("precision") != "fp32":
        return None
    if done.outcome != "diverged" and len(history.epochs) < history.preset.train.epochs:
        return None
    own = started.own_network
    preset = history.preset.to_dict()
    return {
        "name": own.get("model", "").rpartition(":")[2] or started.name,
        "parameters": started.parameters,
        "judged_by": started.judged_by,
        "network": own.get("sha256", ""),
        "preset": {"train": preset["train"], **({} if own else {"model": preset["model"]})},
        "seed": started.seed,
        "test_accuracy": [round(epoch.test_acc, 4) for epoch in history.epochs],
        "outcome": done.outcome,
        "device_name": started.device_name,
        "torch": started.versions.get("torch", ""),
        "seconds": round(done.seconds),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime(history.began)),
    }


@dataclass(frozen=True)
class Attempt:
    """The runs of one setting, judged in one way."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """For what is the same in all."""
        return self.runs[0]

    @property
    def last(self) -> list[float]:
        """The accuracies of the last epochs; of a run that has none, that of one class."""
        return [run["test_accuracy"][-1] if run["test_accuracy"] else 0.1 for run in self.runs]

    @property
    def epochs(self) -> int:
        """Of a run."""
        return int(self.first["preset"]["train"]["epochs"])

    @property
    def bound(self) -> float:
        """The lower bound of the mean, one-sided, 95 %."""
        return intervals.mean(self.last).interval(0.90).low

    @property
    def mean(self) -> float:
        """Of the last epochs."""
        return intervals.mean(self.last).value


def attempts(runs: list[Run], judged_by: str) -> Iterator[Attempt]:
    """One for each setting, by parameters and name."""
    of: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if run["judged_by"] == judged_by:
            of.setdefault(_setting(run), []).append(run)
    return (Attempt(tuple(found)) for found in of.values())


def page(runs: list[Run]) -> str:
    """The text of the page."""
    judged = list(attempts(runs, "test"))
    return "\n".join(
        [
            INTRO,
            "## The goals\n",
            goals(judged),
            "## Judged on the test set\n",
            results(judged),
            "## Every attempt on the held-out images\n",
            "The last epoch of each run that finished. A star: without padding. Two were networks in Python, tried before\n"
            "`share` and `residual` were words: r12a uses one convolution of 12 channels again on three scales, r10b\n"
            "two of 10, each adding its input.\n",
            tried(list(attempts(runs, "validation"))),
            machines(runs),
        ]
    )


def goals(judged: list[Attempt]) -> str:
    """For each size that is wanted, the smallest network of ours that reaches the mean, else the best, and how far it is."""
    rows = []
    for goal in GOALS:
        limit = f"within {goal.max_epochs} epochs" if goal.max_epochs else "any number of epochs"
        for wanted in goal.wanted:
            fit = [
                one
                for one in judged
                if len(one.runs) >= SEEDS
                and one.first["parameters"] < wanted
                and (goal.max_epochs is None or one.epochs <= goal.max_epochs)
            ]
            first = f"at least {goal.accuracy} %, {limit}", goal.published, f"fewer than {wanted:,}"
            if not fit:
                rows.append((*first, "none with ten seeds", "–", "–", "–"))
                continue
            reached = [one for one in fit if one.mean >= goal.accuracy / 100 - 1e-9]
            best = (
                min(reached, key=lambda one: one.first["parameters"])
                if reached
                else max(fit, key=lambda one: one.mean)
            )
            far = goal.accuracy / 100 - best.mean
            name = f"{best.first['name']}, {best.first['parameters']:,}"
            met = "yes" if far <= 1e-9 else f"no, by {points_text(far)}"
            rows.append((*first, name, accuracy_text(best.mean), accuracy_text(best.bound), met))
    head = ("mean", "published", "parameters", "best of ours", "its mean", "lower bound", "reached")
    return grid(head, rows, left=("mean", "published", "parameters", "best of ours", "reached"))


def results(judged: list[Attempt]) -> str:
    """What was judged on the test set."""
    rows = []
    for one in judged:
        last, first = one.last, one.first
        sd = points_text(_sd(last)) if len(last) > 1 else "–"
        bound = accuracy_text(one.bound) if math.isfinite(one.bound) else "–"
        rows.append(
            (first["name"], f"{first['parameters']:,}", str(one.epochs), str(len(last)), accuracy_text(one.mean),
             bound, sd, accuracy_text(min(last)), accuracy_text(max(last)))
        )  # fmt: skip
    head = ("network", "parameters", "epochs", "seeds", "mean", "lower bound", "sd", "worst", "best")
    return grid(head, rows, left=("network",))


def tried(found: list[Attempt]) -> str:
    """Every setting that was tried on the held-out images."""
    rows = []
    for one in found:
        each = ", ".join(percent_text(value) for value in one.last)
        rows.append(
            (one.first["name"], f"{one.first['parameters']:,}", settings(one.first), network(one.first),
             str(one.epochs), accuracy_text(one.mean), each)
        )  # fmt: skip
    head = ("attempt", "parameters", "training", "network", "epochs", "mean", "each seed")
    return grid(head, rows, left=("attempt", "training", "network"))


def settings(run: Run) -> str:
    """How it was trained, in short."""
    train = run["preset"]["train"]
    optimizer, parts = train["optimizer"], []
    parts.append(f"{optimizer['name']} {optimizer['lr']:g}, batch {train['batch_size']}")
    if decay := optimizer.get("weight_decay"):
        parts.append(f"decay {decay:g}")
    schedule = train["schedule"]
    parts.append(str(schedule["name"]))
    if schedule.get("pct_start", 0.3) != 0.3:
        parts.append(f"rising for {schedule['pct_start']:g} of the run")
    parts += [
        f"{key} {value:g}"
        for key in ("rotation", "shift", "zoom", "shear", "dropout", "label_smoothing")
        if (value := _number(train.get(key)))
    ]
    return ", ".join(parts)


def _number(value: Any) -> float:
    if isinstance(value, list):
        return float(value[-1])
    return float(value or 0)


def network(run: Run) -> str:
    """Its layers, in short: channels of 3x3 convolutions, `pw` of 1x1, `dw` of depthwise ones, `pool` where it halves.

    A star is behind a convolution without padding, which makes the maps smaller.
    """
    if run["network"]:
        return f"Python, SHA-256 {run['network'][:8]}"
    parts: list[str] = []
    activations: list[str] = []
    for layer in run["preset"]["model"]["layers"]:
        parts += _layer(layer)
        for name in map(str, layer.get("then", ())):
            if name in ("silu", "gelu", "prelu", "leaky_relu") and name not in activations:
                activations.append(name)
    return " ".join(parts) + (f" ({', '.join(activations)})" if activations else "")


def _layer(layer: dict[str, Any]) -> list[str]:
    if (out := layer.get("conv")) is not None:
        if layer.get("kernel", 3) == 1:
            return [f"pw{out}"]
        groups, bare = layer.get("groups", 1), "" if layer.get("padding", 0) else "*"
        size = "" if layer.get("kernel", 3) == 3 else f"({layer['kernel']}x{layer['kernel']})"
        return [
            f"dw{out}{size}{bare}"
            if groups == out
            else f"{out}{size}{bare}" + (f"/{groups}" if groups > 1 else "")
        ]
    if "maxpool" in layer or "avgpool" in layer or "blurpool" in layer:
        return ["pool"]
    if (out := layer.get("linear")) is not None:
        return [f"linear {out}"]
    return [f"{word} {layer[word]}" for word in ("residual", "share") if word in layer]


def _sd(values: list[float]) -> float:
    return intervals.mean(values).standard_error * math.sqrt(len(values)) if len(values) > 1 else math.nan


def machines(runs: list[Run]) -> str:
    """On what they were run."""
    found = sorted({(run["device_name"], run["torch"]) for run in runs})
    return (
        "Trained on "
        + "; ".join(f"{name}, torch {torch}" for name, torch in found)
        + f": {plural(len(runs), 'run')}.\n"
    )


def main() -> None:
    """Add, and make the page."""
    runs = read()
    for folder in sys.argv[1:]:
        runs = added(runs, Path(folder))
    if len(sys.argv) > 1:
        write(runs)
    PAGE.write_text(page(runs), "utf-8")


if __name__ == "__main__":
    main()

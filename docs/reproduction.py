"""Makes REPRODUCTION.md and its curves from reproduction.json, which lies beside this file.

    python docs/reproduction.py              makes the page again
    python docs/reproduction.py RUNS ...     first adds what was trained in these folders of runs

Added are finished runs of built-in presets as published, on MNIST, by its test set, in fp32: such as
`tuitrain reproduce` trains. Of each preset, seed and kind of device the newest run stands in the file.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tuitrain.cli.markdown import escaped, grid
from tuitrain.cli.reproduction_text import reproduction_markdown
from tuitrain.errors import RunDirectoryError
from tuitrain.figures import duration_text, plural
from tuitrain.report.reproduction import write_curves
from tuitrain.runs.digests import preset_digest
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.names import run_names, safe_name
from tuitrain.spec.preset import Preset
from tuitrain.spec.preset_files import list_presets, load_preset
from tuitrain.training.events import EpochFinished, Record, RunFinished, RunStarted
from tuitrain.watch.group import Group, SeedRun
from tuitrain.watch.reproduction import Reproduction

HERE = Path(__file__).parent
DATA, PAGE, CURVES = HERE / "reproduction.json", HERE / "REPRODUCTION.md", HERE / "pictures" / "reproduction"
IMAGES = 10_000
Member = dict[str, Any]

INTRO = """# Reproduction

What the built-in presets reach beside what their sources claim, on the genuine MNIST files, with the published settings
and epochs, in fp32; accuracies in percent, on the 10,000 images of the test set. This page and its pictures are made by
`python docs/reproduction.py` from `docs/reproduction.json`, which has the test accuracy of every epoch of every run.
Anybody can add runs, as on a GPU, and those that are still missing:

```sh
tuitrain reproduce era-s7 twelvek/ drilldown mlp nishantb --seeds 5 --name all   # goes on where it was, if stopped
python docs/reproduction.py runs
```

How to read the table:

- *best* is the best epoch of a run. A claim is the best epoch of one run, picked on the test set, so it is held against
  our best epochs; in brackets is the epoch in which the published log has it. *last* is the last epoch, held against the
  last one of the published log. A source that tested only once, after its last epoch, has no best epoch.
- *seeds* is how many runs a row is made of. *95 % for one more* is where one more run of ours would be in 95 % of all
  cases (Student's t), so with two or three seeds it is wide.
- *published is* says where the published figure lies: *in range*, from the lowest to the highest of our runs; else
  *in 95 %*, inside that interval; else *above* or *below* it. A range of n runs holds a further run of the same kind in
  (n − 1) / (n + 1) of all cases, 1 in 2 with three, 2 in 3 with five: outside of it is no contradiction.
- *at target* is how many seeds reach the challenge's accuracy: at some epoch (*best*), and at the end (*last*).
- Nobody can tell from outside whether a source published the best of several runs.
"""


# ------------------------------------------------------------------------------------------- the data


def read() -> list[Member]:
    """The members, in the order of the file."""
    return json.loads(DATA.read_text("utf-8"))["members"] if DATA.exists() else []


def write(members: Iterable[Member]) -> None:
    """Replaces the file; a line for each member, so that changes can be read."""
    lines = ",\n".join(f"  {json.dumps(member, ensure_ascii=False)}" for member in members)
    DATA.write_text(f'{{"schema": 1, "members": [\n{lines}\n]}}\n', "utf-8")


def added(members: list[Member], runs: Path) -> list[Member]:
    """The members with those of a folder of runs."""
    of_key = {_key(member): member for member in members}
    for name in run_names(runs):
        try:
            member = member_of(History.of(RunDirectory.open(runs / name).events()))
        except RunDirectoryError:
            continue
        if member is not None and member["date"] >= of_key.get(_key(member), member)["date"]:
            of_key[_key(member)] = member
    order = [entry.name for entry in list_presets() if entry.published]
    return sorted(of_key.values(), key=lambda one: (order.index(one["preset"]), one["device"], one["seed"]))


def _key(member: Member) -> tuple[str, int, str]:
    return member["preset"], member["seed"], member["device"]


def member_of(history: History) -> Member | None:
    """A run in a few figures; None of one that is no result of a built-in preset as published."""
    started, preset, done = history.started, history.preset, history.finished
    if started is None or preset is None or done is None or not history.has_result or started.own_network:
        return None
    published = {entry.name: entry for entry in list_presets() if entry.published}.get(started.name)
    if published is None or (started.dataset, started.judged_by, started.test_images) != (
        "mnist",
        "test",
        IMAGES,
    ):
        return None
    if (
        digest(preset) != digest(load_preset(str(published.path)))
        or started.runtime.get("precision") != "fp32"
    ):
        return None
    return {
        "preset": started.name,
        "seed": started.seed,
        "test_accuracy": [round(epoch.test_acc, 4) for epoch in history.epochs],
        "outcome": done.outcome,
        "device": started.device.partition(":")[0],
        "device_name": started.device_name,
        "threads": started.runtime.get("threads"),
        "torch": started.versions.get("torch", ""),
        "tuitrain": started.versions.get("tuitrain", ""),
        "seconds": round(done.seconds),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime(history.began)),
    }


def digest(preset: Preset) -> str:
    """The same for presets that train the same thing."""
    return preset_digest(preset.to_dict())


# ------------------------------------------------------------------------------------------- the page


def reproductions(members: list[Member]) -> Iterator[tuple[Reproduction, list[Member]]]:
    """Every built-in preset, on each kind of device that it was run on, with the members that train its setting."""
    presets = [load_preset(str(entry.path)) for entry in list_presets() if entry.published]
    digests = {preset.name: digest(preset) for preset in presets}
    for preset in presets:
        same = [one for one in members if digests[one["preset"]] == digests[preset.name]]
        for device in sorted({one["device"] for one in same}) or ["cpu"]:
            chosen = {
                one["seed"]: one for one in same if one["device"] == device and one["preset"] != preset.name
            }
            chosen |= {
                one["seed"]: one for one in same if one["device"] == device and one["preset"] == preset.name
            }
            label = preset.name if device == "cpu" else f"{preset.name} on {device}"
            runs = tuple(seed_run(chosen[seed], preset) for seed in sorted(chosen))
            yield Reproduction(preset, Group(label, runs)), [chosen[seed] for seed in sorted(chosen)]


def seed_run(member: Member, preset: Preset) -> SeedRun:
    """A member as the run that it was, as far as its figures tell."""
    curve, none = member["test_accuracy"], math.nan
    started = RunStarted(
        run="", name=preset.name, preset=preset.to_dict(), seed=member["seed"], device=member["device"],
        device_name=member["device_name"], versions={}, runtime={}, parameters=0, mult_adds=0, dataset="mnist",
        train_images=60_000, test_images=IMAGES, judged_by="test", epochs=preset.train.epochs, steps_per_epoch=0,
    )  # fmt: skip
    epochs = [
        EpochFinished(n, preset.train.epochs, none, none, none, accuracy, none, 0, 0, 0, 0, IMAGES)
        for n, accuracy in enumerate(curve, 1)
    ]
    done = RunFinished(
        member["outcome"], len(curve), max(curve, default=none), 0, none, none, none, member["seconds"], 0
    )
    history = History.of(Record(event, 0.0, 0.0) for event in [started, *epochs, done])
    return SeedRun(member["seed"], "", "done", history, 1.0)


def page(members: list[Member]) -> str:
    """The text of the page."""
    found = list(reproductions(members))
    run = [one for one, of in found if of]
    missing = [escaped(one.group.label) for one, of in found if not of]
    parts = [INTRO, f"## {len(run)} of {plural(len(found), 'system')} were run\n", reproduction_markdown(run)]
    if missing:
        parts.append(f"Not run yet, so that nothing is said of them: {', '.join(missing)}.\n")
    for one, of in found:
        others = sorted({member["preset"] for member in of} - {one.preset.name})
        if others:
            parts.append(
                f"{escaped(one.group.label)} is the same network with the same settings as {', '.join(map(escaped, others))}: "
                "the same runs stand in both.\n"
            )
    parts += [
        "## The curves\n",
        *(f"![{one.group.label}](pictures/reproduction/{file_name(one)})\n" for one in run),
    ]
    parts += ["## The runs\n", machines(members)]
    return "\n".join(parts)


def file_name(found: Reproduction) -> str:
    """The name of its picture."""
    return f"{safe_name(found.group.label)}.svg"


def machines(members: list[Member]) -> str:
    """On what they were run."""
    of: dict[tuple[str, str, str], list[Member]] = {}
    for one in members:
        of.setdefault((one["device_name"], str(one["threads"] or "measured"), one["torch"]), []).append(one)
    rows = []
    for key, runs in sorted(of.items()):
        days = sorted(one["date"][:10] for one in runs)
        times = [duration_text(seconds) for seconds in sorted(one["seconds"] for one in runs)]
        rows.append(
            (*key, str(len(runs)), *(" to ".join(dict.fromkeys((x[0], x[-1]))) for x in (days, times)))
        )
    head = ("device", "threads", "torch", "runs", "days", "time of a run")
    note = "A machine may have had other work to do at the same time, so the times are no measure of speed.\n"
    return grid(head, rows, left=("device", "torch", "days")) + "\n" + note


def main() -> None:
    """Add, and make the page."""
    members = read()
    for folder in sys.argv[1:]:
        members = added(members, Path(folder))
    if len(sys.argv) > 1:
        write(members)
    PAGE.write_text(page(members), "utf-8")
    for old in CURVES.glob("*.svg"):
        old.unlink()
    write_curves(CURVES, [one for one, _ in reproductions(members)])


if __name__ == "__main__":
    main()

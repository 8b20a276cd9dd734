"""What a search has come to: its board, and the presets of its front as files that `tuitrain run` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuitrain.figures import accuracy_text, plural
from tuitrain.spec.preset import Claims, Preset, Story, override
from tuitrain.spec.repeat import quoted
from tuitrain.spec.sides import sides_text
from tuitrain.study.plan import Plan
from tuitrain.study.search_plan import SearchPlan
from tuitrain.watch.frontier import published_systems
from tuitrain.watch.group import Group
from tuitrain.watch.search import SearchBoard, Trial

#: Seeds that judge a network of the front on the test set.
FRESH_SEEDS = 10


def board_of(plan: Plan, groups: Sequence[Group]) -> SearchBoard:
    """A search as its groups stand.

    Raises:
        RunDirectoryError: its plan is damaged.
    """
    search = SearchPlan.from_dict(plan.search, f"the plan of {plan.name}")
    train = search.base.train
    trials = tuple(
        Trial(
            group, setting.slug, setting.preset.table().parameters, network_words(setting.preset),
            setting.preset.train.optimizer.lr, setting.preset.train.schedule.name, setting.chosen, _is_left(plan, search, index),
        )
        for index, (setting, group) in enumerate(zip(plan.settings, groups, strict=True))
    )  # fmt: skip
    sampled = search.sampled
    published = tuple(place for dataset, place in published_systems() if dataset == train.dataset)
    return SearchBoard(
        trials, search.trials, len(plan.seeds), search.max_parameters, search.target, sampled.all, sampled.over, sampled.broken,
        search.exhausted, train.dataset, train.val_split, published,
    )  # fmt: skip


def _is_left(plan: Plan, search: SearchPlan, index: int) -> bool:
    """Whether it gets no more seeds: its round is over, or the others of it have more."""
    count, size = len(plan.seeds_of(index)), search.round_size
    first = index // size * size
    of_round = range(first, min(first + size, len(plan.settings)))
    over = first + size < len(plan.settings) or len(plan.settings) >= search.trials or search.exhausted
    return count < len(plan.seeds) and (over or count < max(len(plan.seeds_of(n)) for n in of_round))


def network_words(preset: Preset) -> str:
    """`8 12 | 12s 10`: the widths of its layers; `s` behind one after a convolution on each channel, `/5` a kernel."""
    words: list[str] = []
    each = None  # the kernel of a convolution on each channel by itself
    for layer in preset.to_dict()["model"]["layers"]:
        if "conv" in layer and layer.get("groups", 1) == layer["conv"] > 1:
            each = layer.get("kernel", 3)
        elif "conv" in layer:
            kernel = layer.get("kernel", 3) if each is None else each
            size = "" if kernel == 3 else f"/{sides_text(kernel)}"
            words.append(f"{layer['conv']}{'' if each is None else 's'}{size}")
            each = None
        elif "linear" in layer:
            words.append(f"{layer['linear']}l")
        elif "maxpool" in layer or "avgpool" in layer:
            words.append("|")
    return " ".join(words)


@dataclass(frozen=True)
class Found:
    """A network of the front: the file that its preset is for, its text, and the command that judges it on the test set."""

    trial: Trial
    path: Path
    text: str
    command: str


def front_presets(plan: Plan, board: SearchBoard, folder: Path) -> list[Found]:
    """The networks of the front as presets, to be judged by seeds that the search has not used."""
    settings = {setting.slug: setting for setting in plan.settings}
    first = max(plan.seeds) + 1
    out = []
    for trial in board.front:
        path = folder / f"{trial.parameters}-{trial.slug}.toml"
        seeds = f"{first}-{first + FRESH_SEEDS - 1}"
        command = f"tuitrain run -p {quoted(str(path))} --seeds {seeds}"
        preset = _as_found(settings[trial.slug].preset, plan, board, trial)
        comment = (
            f"Found by `tuitrain search` ({plan.name}, {trial.group.label}): mean {accuracy_text(trial.mean)} of "
            f"{plural(len(trial.group.ended), 'seed')},\njudged by {board.held_out:,} training images that were held out.\n"
            f"Judge it on the test set, with seeds that the search has not used:\n  {command}"
        )
        out.append(Found(trial, path, preset.to_toml(comment), command))
    return out


def _as_found(preset: Preset, plan: Plan, board: SearchBoard, trial: Trial) -> Preset:
    """With all training images, and without what others said of the network that it began as."""
    whole = override(preset, {"train.val_split": 0, "train.seed": 0})
    train = whole.train.model_copy(update={"val_split_seed": None})
    return whole.model_copy(
        update={
            "name": f"{preset.name[:40]}-{trial.parameters}-{trial.slug}",
            "title": f"{trial.parameters:,} parameters, found by a search",
            "family": "search",
            "source": f"tuitrain search, study {plan.name}",
            "story": Story(),
            "claims": Claims(dataset=board.dataset),
            "train": train,
        }
    )

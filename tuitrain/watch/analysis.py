"""What the epochs and predictions of a run show beyond its result: findings, worked out and put into sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuitrain import figures
from tuitrain.errors import PresetError, visible
from tuitrain.figures import accuracy_text, percent_text, plural, points_text, shape_text
from tuitrain.runs.history import LAST_EPOCHS, History
from tuitrain.runs.inspect import Evaluations
from tuitrain.spec.table import costliest

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset
    from tuitrain.training.inspection import Predictions

#: Below this the two-sided McNemar test tells two states of a network apart.
_TOLD_APART = 0.05
#: Mistakes that the network was as sure of as this.
_SURE = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one topic: one sentence or a few."""

    topic: str
    text: str


def findings(history: History, seen: Evaluations) -> list[Finding]:
    """What a run shows, each topic once; those that its data can't tell of are left out.

    Args:
        history: of the run, at its end or so far.
        seen: the predictions that it kept.
    """
    found = {
        "target": _target(history),
        f"train and {history.judged_by}": _gap(history),
        "last epochs": _last_epochs(history),
        "best or last": _best_or_last(history, seen),
        "published run": _published(history),
        "parameters": _parameters(history),
        "mistakes": _mistakes(history, seen.last),
    }
    return [Finding(topic, text) for topic, text in found.items() if text]


def changes_made(history: History) -> list[Finding]:
    """What was trained that its preset does not say, and what the preset changed in the one before it."""
    from tuitrain.spec.describe import describe_changes, layers_of

    started, preset = history.started, history.preset
    if started is None:
        return []
    changed = describe_changes(started.changed, layers_of(started.preset))
    name = visible(started.name)
    text = ", ".join(map(str, changed)) or "nothing"
    out = [Finding(f"changed in {name}", f"{text}.")]
    if preset is None or history.user_network is not None or not preset.story.previous:
        return out
    parent, itself = (
        _preset(preset.story.previous),
        _preset(preset.name),
    )  # without what this run changed in it
    if parent is not None and itself is not None and parent.name != itself.name:
        out.append(Finding(f"{name} after {visible(parent.name)}", _since(parent, itself)))
    return out


def _preset(name: str) -> Preset | None:
    from tuitrain.spec.preset_files import load_preset

    try:
        return load_preset(name)
    except PresetError:
        return None


def _since(parent: Preset, preset: Preset) -> str:
    """What a preset changed in its parent: as its source tells it, and the settings that differ."""
    from tuitrain.spec.describe import preset_changes

    story = visible(preset.story.change).rstrip(".")
    changes = [str(change) for change in preset_changes(parent, preset)]
    parts = [f"{story}."] if story else []
    parts.append(f"Settings: {', '.join(changes)}." if changes else "No setting differs.")
    before, after = parent.table().parameters, preset.table().parameters
    if before != after:
        parts.append(f"Parameters {before:,} → {after:,}.")
    return " ".join(parts)


def _target(history: History) -> str:
    """In which epochs the target was reached, or by how much it was missed."""
    target, best = history.target, history.best
    if target is None or best is None:
        return ""
    reached, of = history.at_target, len(history.epochs)
    if not reached:
        short = target / 100 - best.test_acc
        images = max(1, math.ceil(round(short * best.test_images, 6)))
        return (
            f"No epoch reached {target:g} %: the best is {points_text(short)} points short, "
            f"{plural(images, 'image')} of {best.test_images:,}."
        )
    if len(reached) == of:
        return f"All {plural(of, 'epoch')} reached {target:g} %."
    return (
        f"{target:g} % was reached in {len(reached)} of {plural(of, 'epoch')}: {ranges_text(reached)}."
        if len(reached) > 1
        else f"{target:g} % was reached in epoch {reached[0]} alone, of {of}."
    )


def ranges_text(numbers: Sequence[int]) -> str:
    """Ascending numbers in few words: `9, 11 to 13`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(
        f"{part[0]} to {part[-1]}" if len(part) > 2 else ", ".join(map(str, part)) for part in parts
    )


def _gap(history: History) -> str:
    """How train and judged accuracy parted over the epochs, and what that means."""
    known = [e for e in history.epochs if math.isfinite(e.train_acc) and math.isfinite(e.test_acc)]
    if not known:
        return ""
    judge, last = history.judged_by, known[-1]
    text = f"In epoch {last.epoch}: {figures.gap_text(last.train_acc, last.test_acc, judge)}"
    if len(known) > 1:
        first = known[0]
        text += f"; in epoch {first.epoch}: {figures.gap_text(first.train_acc, first.test_acc, judge)}"
    doubt = 2 * figures.standard_error(last.test_acc, last.test_images)
    if last.train_acc - last.test_acc > doubt:
        rest = (
            f"That is more than chance explains ({points_text(doubt)}): the network has learned its training images "
            "better than others; augmentation, dropout or fewer parameters work against that."
        )
    elif last.train_acc < last.test_acc:
        rest = (
            "Train accuracy is taken while the network learns, with dropout and augmentation, so it may be lower: "
            "nothing shows that the network has learned its training images by heart."
        )
    else:
        rest = f"That is less than chance alone makes ({points_text(doubt)})."
    return f"{text}. {rest}"


def _last_epochs(history: History) -> str:
    """How smooth the end was, and whether the curve still rose."""
    values = [e.test_acc for e in history.epochs if math.isfinite(e.test_acc)]
    if len(values) < 3:
        return ""
    last = values[-LAST_EPOCHS:]
    mean = sum(last) / len(last)
    sd = math.sqrt(sum((value - mean) ** 2 for value in last) / (len(last) - 1))
    text = (
        f"The last {len(last)} epochs lie within {points_text(max(last) - min(last))} points "
        f"({percent_text(min(last))} to {percent_text(max(last))}), standard deviation {points_text(sd)}."
    )
    before = values[-2 * LAST_EPOCHS : -LAST_EPOCHS]
    if len(before) < LAST_EPOCHS:
        return text
    rise = mean - sum(before) / len(before)
    # two standard errors of that difference, if the epochs before vary as these do
    if abs(rise) <= max(2 * sd * math.sqrt(2 / LAST_EPOCHS), figures.LEVEL):
        return f"{text} They are level with the five before: the curve has settled."
    if rise > 0:
        return (
            f"{text} Their mean is {points_text(rise)} above that of the five before: the curve still rose."
        )
    return (
        f"{text} Their mean is {points_text(rise)} below that of the five before: the curve fell at the end."
    )


def _best_or_last(history: History, seen: Evaluations) -> str:
    """Whether the state of the best epoch is told apart from that of the last by the images each has right."""
    best, last = history.best, history.last
    if best is None or last is None:
        return ""
    if best.epoch == last.epoch:
        return f"The best epoch is the last one, {last.epoch}." if len(history.epochs) > 1 else ""
    lead = f"Epoch {best.epoch} was the best, {points_text(best.test_acc - last.test_acc)} above the last ({last.epoch})."
    one, other = seen.best, seen.last
    if one is None or other is None or (one.epoch, other.epoch) != (best.epoch, last.epoch):
        return (
            f"{lead} The predictions of both were not kept, so nothing tells whether that is more than noise."
        )
    from tuitrain.stats.mcnemar import mcnemar

    only_best, only_last = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    p_value = mcnemar(one.right, other.right)
    text = (
        f"{lead} Of these two states of one network, the best alone is right on {plural(only_best, 'image')} and the "
        f"last alone on {only_last} (McNemar's test: p = {p_value:.2g})"
    )
    if p_value >= _TOLD_APART:
        return f"{text}: no more than noise."
    return (
        f"{text}. Taken alone that would be more than noise, but the best was picked from "
        f"{plural(len(history.epochs), 'epoch')}, which makes p too small."
    )


def _published(history: History) -> str:
    """The run beside the published one, epoch by epoch."""
    from tuitrain.watch.ghosts import published_run

    log = published_run(history.started) if history.started is not None else None
    if log is None:
        return ""
    pairs = [
        (e.epoch, e.test_acc, log.test_acc[e.epoch - 1])
        for e in history.epochs
        if math.isfinite(e.test_acc) and e.epoch <= len(log.test_acc)
    ]
    known = [(epoch, here, there) for epoch, here, there in pairs if there is not None]
    if not known:
        return ""
    epoch, here, there = known[-1]
    above = sum(here > there + figures.LEVEL for _, here, there in known)
    difference = figures.comparison_text(here - there)
    return (
        f"In epoch {epoch} the published run had {accuracy_text(there)}, so this one is {difference}; "
        f"over {plural(len(known), 'epoch')} it was above the published curve in {above}."
    )


def _parameters(history: History) -> str:
    """What the parameters, and the budget for them, went into."""
    started, table = history.started, history.table()
    if started is None:
        return ""
    limit, count = history.budget, started.parameters
    text = f"{count:,} parameters"
    if limit:
        text += f", {100 * count / limit:.1f} % of the {limit:,} that are allowed"
    if table is None or not count:
        return f"{text}."
    parts = [f"{name} ({size:,}, {100 * size / count:.0f} %)" for name, size in costliest(table) if size]
    if parts:
        text += f". Most went into {', '.join(parts)}"
    if norms := sum(row.parameters for row in table.rows if row.is_op):
        text += f"; norms have {norms:,} of all ({100 * norms / count:.0f} %)"
    side, image = table.rows[-1].field_text, shape_text(table.input_shape, channels=False)
    field = side if "×" in side else f"{side}×{side}"
    return f"{text}. The receptive field of an output is {field} pixels; an image has {image}."


def _mistakes(history: History, last: Predictions | None) -> str:
    """How many images were misjudged, of which classes, and how sure the network was."""
    if last is None or not len(last.labels) or history.last is None or last.epoch != history.last.epoch:
        return ""
    from tuitrain.data.catalog import class_names

    wrong = last.wrong()
    if not len(wrong):
        return f"All {len(last.labels):,} images are right."
    names = class_names(history.started.dataset if history.started else "")
    pairs = ", ".join(
        f"{visible(names[actual])} taken for {visible(names[said])} ({count})"
        for actual, said, count in last.pairs()[:3]
    )
    text = f"{len(wrong):,} of {len(last.labels):,} images are misjudged, most often {pairs}."
    shares = last.class_accuracy
    known = [(share, name) for share, name in zip(shares.tolist(), names, strict=False) if share == share]
    if len(known) > 1 and min(known)[0] < max(known)[0]:
        (low, hardest), (high, easiest) = min(known), max(known)
        text += f" Hardest is {visible(hardest)} ({accuracy_text(low)}), easiest {visible(easiest)} ({accuracy_text(high)})."
    sure = int((last.confidences[wrong] > _SURE).sum())
    return f"{text} In {sure:,} of them the network was more than {100 * _SURE:.0f} % sure."

"""What a published system came to here: its source's claims beside several seeds of the same network.

A claim is the best epoch of one run, picked on the test set. One of our best epochs is a draw of the same kind, so a
claim is held against those; what a source had in its last epoch is held against our last epochs. Two questions are
asked of each, and they are not the same:

- Does it lie inside our range, from the lowest to the highest? A range of n runs holds a further run of the same kind
  in (n - 1) / (n + 1) of all cases: 1 in 3 with two runs, 2 in 3 with five. Outside it is therefore no contradiction.
- Does it lie inside the prediction interval for one more run, which holds that run in 95 % of all cases?

Neither can know whether a source published the best of several runs. Accuracies are fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tuitrain.errors import visible
from tuitrain.figures import LEVEL, accuracy_text, count_text, percent_text, plural
from tuitrain.spec.preset import Preset
from tuitrain.stats import intervals
from tuitrain.stats.intervals import Interval
from tuitrain.watch.ghosts import published_on
from tuitrain.watch.group import Group, Share, interval_text

Place = Literal["inside", "above", "below"]
#: From so many seeds on a claim is counted: the interval for one more of two is half a point either way and more.
SEEDS_TO_SAY = 3
HEAD = (
    "preset",
    "parameters",
    "claimed",
    "epochs",
    "seeds",
    "accuracy",
    "published",
    "mean here",
    "lowest to highest",
    "95 % for one more",
    "published is",
    "at target",
)


@dataclass(frozen=True)
class Source:
    """What a source says of its network, on the images that judge the runs here.

    Attributes:
        parameters: that it claims.
        best: test accuracy of its best epoch; None where it tested no epoch but its last.
        best_epoch: in which epoch its log has that; None where it has no log, or one that never reaches it.
        last: test accuracy of its last epoch.
        curve: test accuracy of each epoch that it logged.
    """

    parameters: int | None = None
    best: float | None = None
    best_epoch: int | None = None
    last: float | None = None
    curve: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, preset: Preset) -> Source:
        """Of a preset's source; empty where it claims nothing of the preset's data set and test images."""
        train = preset.train
        if train.val_split:
            return cls()
        claims, log = preset.claims.on(train.dataset), published_on(preset.name, train.dataset)
        curve = log.test_acc if log is not None and any(log.test_acc) else ()
        best, last, parameters = None, curve[-1] if curve else None, None
        if claims is not None:
            parameters = claims.parameters
            best = _fraction(claims.test_accuracy)
            last = last if claims.last_test_accuracy is None else _fraction(claims.last_test_accuracy)
            if best == last and not curve:
                best = None  # it tested once, after the last epoch
        epochs = (n for n, value in enumerate(curve, 1) if value and best and abs(value - best) < LEVEL)
        return cls(parameters, best, next(epochs, None), last, curve)


def source_of_group(group: Group) -> Source:
    """What the source of a group's network says; empty where a network in Python was trained in its place."""
    started = next((run.history for run in group.runs if run.history.started is not None), None)
    preset = started.preset if started is not None and started.user_network is None else None
    return Source.of(preset) if preset is not None else Source()


def claim_text(source: Source) -> str:
    """`claim 99.40 %: best of one run`, which is of its best epoch; empty without a claim."""
    return f"claim {accuracy_text(source.best)}: best of one run" if source.best is not None else ""


def _fraction(percent: float | None) -> float | None:
    """0.994 of 99.4, which a division by 100 gives with an error behind its digits."""
    return None if percent is None else round(percent / 100, 8)


@dataclass(frozen=True)
class Draws:
    """One accuracy of each seed, of its best or of its last epoch, and how a source's stands to them."""

    values: tuple[float, ...]
    images: int
    claim: float | None = None

    @property
    def mean(self) -> float:
        """Of the seeds."""
        return sum(self.values) / len(self.values)

    @property
    def range(self) -> Interval:
        """From the lowest to the highest."""
        return Interval(min(self.values), max(self.values))

    @cached_property
    def one_more(self) -> Interval | None:
        """Where one more seed would lie in 95 % of all cases; None with one seed."""
        if len(self.values) < 2:
            return None
        span = intervals.one_more(self.values, images=self.images)
        return Interval(max(0.0, span.low), min(1.0, span.high))

    @property
    def claim_in_range(self) -> Place | None:
        """Where the claim lies; None without one, or with one seed, which has no range."""
        return _place(self.claim, self.range) if len(self.values) > 1 else None

    @property
    def claim_in_one_more(self) -> Place | None:
        """The same of the prediction interval."""
        return _place(self.claim, self.one_more) if self.one_more is not None else None


def _place(claim: float | None, span: Interval) -> Place | None:
    if claim is None:
        return None
    if claim > span.high + LEVEL / 10:
        return "above"
    return "below" if claim < span.low - LEVEL / 10 else "inside"


@dataclass(frozen=True)
class Reproduction:
    """A preset, its seeds, and what its source says.

    Attributes:
        preset: what is trained.
        group: its seeds, those that have not begun as well.
        changes: what was changed in the preset as published, such as `epochs 3`; empty where nothing was.
    """

    preset: Preset
    group: Group
    changes: str = ""

    @property
    def as_published(self) -> bool:
        """Whether nothing was changed, so that the claim is a standard for it."""
        return not self.changes

    @cached_property
    def source(self) -> Source:
        """What its source says."""
        return Source.of(self.preset)

    @cached_property
    def parameters(self) -> int:
        """Of the network here."""
        return self.preset.table().parameters

    @cached_property
    def best(self) -> Draws | None:
        """The best epoch of each seed that has ended; None before the first."""
        return self._draws([run.best for run in self.group.ended], self.source.best)

    @cached_property
    def last(self) -> Draws | None:
        """The last epoch of each seed that has ended."""
        return self._draws([run.accuracy for run in self.group.ended], self.source.last)

    def _draws(self, values: Sequence[float | None], claim: float | None) -> Draws | None:
        known = tuple(value for value in values if value is not None)
        epochs = next((run.history.last for run in self.group.ended if run.history.last is not None), None)
        return Draws(known, epochs.test_images, claim) if known and epochs is not None else None

    @property
    def at_target(self) -> tuple[Share, Share] | None:
        """How many seeds reach the challenge's accuracy at some epoch, and at the end; None without one."""
        ever, end = self.group.at_target("ever"), self.group.at_target("end")
        return None if ever is None or end is None else (ever, end)


def table_rows(found: Reproduction) -> list[tuple[str, ...]]:
    """The rows of a system under `HEAD`: of its best epoch and of its last; only one where no seed has finished.

    A star marks one that is not trained as published.
    """
    source, group = found.source, found.group
    done, planned = len(group.ended), len(group.runs)
    seeds = str(done) if done == planned else f"{done} of {planned}"
    head = (
        visible(group.label) + ("" if found.as_published else " *"),
        count_text(found.parameters),
        count_text(source.parameters),
        str(found.preset.train.epochs),
    )
    if found.best is None or found.last is None:
        state = "diverged" if group.diverged else "not run"
        return [(*head, seeds, "best", _claimed_best(source), state, "–", "–", "–", "–")]
    if group.diverged:
        seeds += f", {len(group.diverged)} diverged"
    ever, end = found.at_target or (None, None)
    best = (seeds, "best", _claimed_best(source), *_draws_cells(found.best), _share_text(ever))
    last = (seeds, "last", percent_text(source.last), *_draws_cells(found.last), _share_text(end))
    return [(*head, *best), (*head, *last)]


def _claimed_best(source: Source) -> str:
    """`99.40 (12)`, or what its log has where that never reaches the claim."""
    text = percent_text(source.best)
    if source.best_epoch is not None:
        return f"{text} ({source.best_epoch})"
    logged = max((value for value in source.curve if value is not None), default=None)
    return text if logged is None or source.best is None else f"{text} (log {percent_text(logged)})"


def _draws_cells(draws: Draws) -> tuple[str, str, str, str]:
    if draws.one_more is None:
        return (percent_text(draws.mean), "–", "–", "–")
    place = draws.claim_in_one_more or "–"
    return (
        percent_text(draws.mean),
        interval_text(draws.range),
        interval_text(draws.one_more),
        "in range" if draws.claim_in_range == "inside" else "in 95 %" if place == "inside" else place,
    )


def _share_text(share: Share | None) -> str:
    return "–" if share is None else f"{share.count} of {share.of}"


def reproduction_lines(found: Sequence[Reproduction]) -> list[str]:
    """What is said of all of them together, a sentence each."""
    judged = [one for one in found if one.as_published and one.best and _says_something(one.best)]
    lines = []
    if judged:
        inside = [one for one in judged if one.best and one.best.claim_in_range == "inside"]
        likely = [one for one in judged if one.best and one.best.claim_in_one_more == "inside"]
        lines.append(
            f"Of {plural(len(judged), 'claim')} of a best accuracy with {SEEDS_TO_SAY} seeds or more, {len(inside)} "
            f"{'lies' if len(inside) == 1 else 'lie'} inside the range of our best epochs, {len(likely)} inside the "
            f"interval that one more run of ours would be in, in 95 % of cases{_outside(judged)}."
        )
        lines.append(
            "A claim is the best epoch of one run, picked on the test set; a range of five such runs holds a sixth in "
            "two of three cases."
        )
    for changes in dict.fromkeys(one.changes for one in found if not one.as_published):
        names = _names(found, [one for one in found if one.changes == changes])
        lines.append(
            f"* Not trained as published but with {visible(changes)}, so that no claim is a standard: {names}."
        )
    if silent := [one for one in found if one.source == Source()]:
        lines.append(f"Nothing is claimed on this data: {_names(found, silent)}.")
    return lines


def _names(all_of: Sequence[Reproduction], some: Sequence[Reproduction]) -> str:
    return "all" if len(some) == len(all_of) else ", ".join(visible(one.group.label) for one in some)


def _says_something(draws: Draws) -> bool:
    return draws.claim is not None and len(draws.values) >= SEEDS_TO_SAY


def _outside(judged: Sequence[Reproduction]) -> str:
    parts = []
    for place in ("above", "below"):
        names = [
            visible(one.group.label) for one in judged if one.best and one.best.claim_in_one_more == place
        ]
        if names:
            parts.append(f"{place} it: {', '.join(names)}")
    return f" ({'; '.join(parts)})" if parts else ""


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """An object of the list `reproduction` in `tuitrain reproduce --json`; accuracies are fractions."""
    source, shares = found.source, found.at_target
    return {
        "preset": found.preset.name,
        "label": found.group.label,
        "dataset": found.preset.train.dataset,
        "as_published": found.as_published,
        "changes": found.changes,
        "parameters": found.parameters,
        "claimed_parameters": source.parameters,
        "epochs": found.preset.train.epochs,
        "seeds": len(found.group.runs),
        "finished": len(found.group.ended),
        "claimed_best": source.best,
        "claimed_best_epoch": source.best_epoch,
        "published_last": source.last,
        "published_curve": list(source.curve),
        "best": _draws_json(found.best),
        "last": _draws_json(found.last),
        "target_accuracy": found.group.target,
        "at_target_at_some_epoch": shares[0].count if shares else None,
        "at_target_at_the_end": shares[1].count if shares else None,
    }


def _draws_json(draws: Draws | None) -> dict[str, Any] | None:
    if draws is None:
        return None
    more = draws.one_more
    return {
        "mean": draws.mean,
        "lowest": draws.range.low,
        "highest": draws.range.high,
        "values": list(draws.values),
        "claim_in_range": draws.claim_in_range,
        "one_more_run": None if more is None else [more.low, more.high],
        "claim_in_one_more_run": draws.claim_in_one_more,
    }


def curve_title(found: Reproduction) -> str:
    """The title of its picture."""
    text = f"{found.group.label}, {found.preset.train.dataset}: test accuracy, {plural(len(found.group.ended), 'seed')} here"
    return text + (" and the published run" if found.source.curve else "")


def mark_label(found: Reproduction) -> str:
    """What the ring in its picture is; empty where nothing is claimed."""
    source = found.source
    if source.best is not None:
        where = f" in epoch {source.best_epoch}" if source.best_epoch else ""
        return f"claimed best {accuracy_text(source.best)}{where}"
    return f"published last {accuracy_text(source.last)}" if source.last is not None else ""

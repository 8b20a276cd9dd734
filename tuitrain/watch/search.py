"""What a search has found: its networks, those that no smaller one reaches, and what is said of them. No textual."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tuitrain import jsonio
from tuitrain.figures import accuracy_text, plural, reaches_target
from tuitrain.watch.duel import expected_sd
from tuitrain.watch.frontier import Frontier, FrontierPoint, pareto_front
from tuitrain.watch.group import Group, interval_json, interval_text

#: Standard errors by which a network must lie behind another to be given no more seeds.
BEHIND = 2.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A network after some seeds.

    Attributes:
        parameters: of it.
        mean: accuracy of its seeds' last epochs, a fraction.
        seeds: how many.
        images: that judged each.
    """

    parameters: int
    mean: float
    seeds: int
    images: int


def cant_reach(one: Standing, others: Sequence[Standing]) -> bool:
    """Whether another network that is not larger is better by more than the seeds can vary, two standard errors.

    Before there are several seeds the standard deviation is what settled runs have at most (`watch.duel.expected_sd`).
    """
    return any(
        other.parameters <= one.parameters
        and other.mean - one.mean
        > BEHIND * expected_sd(other.mean, max(1, one.images)) * math.sqrt(1 / one.seeds + 1 / other.seeds)
        for other in others
    )


@dataclass(frozen=True)
class Trial:
    """A network that was trained.

    Attributes:
        group: its seeds.
        slug: what its files are called.
        parameters: of it.
        network: its layers in a few words.
        rate, schedule: how it was trained: the learning rate, and its schedule's name.
        values: what was chosen, by dotted key.
        left: whether it was given no more seeds, as it can't reach the front.
    """

    group: Group
    slug: str
    parameters: int
    network: str
    rate: float = 0.0
    schedule: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    left: bool = False

    @property
    def mean(self) -> float | None:
        """The mean accuracy of the last epoch; None before the first result."""
        return self.group.mean.value if self.group.mean is not None else None


@dataclass(frozen=True)
class SearchBoard:
    """A search as it stands.

    Attributes:
        trials: in the order in which they were chosen.
        wanted: how many networks are to be trained.
        seeds: how many seeds one on the front has.
        max_parameters: that a network may have.
        target: accuracy in percent; None for none.
        sampled, over, broken: how many were chosen, had too many parameters, could not be built or trained.
        exhausted: whether the space has hardly another one.
        dataset: its name.
        held_out: how many training images judge; 0 where the test set does.
        published: published systems on the same data set; they are judged by the test set.
    """

    trials: tuple[Trial, ...]
    wanted: int
    seeds: int
    max_parameters: int
    target: float | None
    sampled: int
    over: int
    broken: int
    exhausted: bool
    dataset: str
    held_out: int
    published: tuple[FrontierPoint, ...] = ()

    @cached_property
    def frontier(self) -> Frontier:
        """What a chart of accuracy over parameters shows."""
        mine = tuple(
            FrontierPoint(trial.parameters, trial.mean, trial.group.label, trial.slug)
            for trial in self.trials
            if trial.mean is not None
        )
        judged_by = "validation" if self.held_out else "test"
        return Frontier(self.dataset, judged_by, mine, self.published, pareto_front(mine))

    @cached_property
    def front(self) -> tuple[Trial, ...]:
        """The networks that no other of as many or fewer parameters reaches, the smallest first."""
        by_slug = {trial.slug: trial for trial in self.trials}
        return tuple(by_slug[point.run] for point in self.frontier.front)

    @property
    def smallest(self) -> Trial | None:
        """The smallest whose mean reaches the target."""
        if self.target is None:
            return None
        target = self.target
        return next((t for t in self.front if t.mean is not None and reaches_target(t.mean, target)), None)


def trial_titles() -> tuple[str, ...]:
    """The titles of a row of a network."""
    return ("params", "mean", "95 %", "seeds", "trial", "network", "rate", "schedule")


def trial_row(board: SearchBoard, trial: Trial) -> tuple[str, ...]:
    """The cells of a network."""
    group = trial.group
    span = interval_text(group.mean.interval()) if group.mean and len(group.accuracies) > 1 else "–"
    return (
        f"{trial.parameters:,}", accuracy_text(trial.mean), span, f"{len(group.ended)}/{board.seeds}",
        group.label.removeprefix("trial "), trial.network, f"{trial.rate:.3g}", trial.schedule,
    )  # fmt: skip


def search_lines(board: SearchBoard) -> list[str]:
    """What is to be known about a search, a sentence each."""
    judged = [trial for trial in board.trials if trial.mean is not None]
    if not judged:
        return [f"No network has a result yet; {count_line(board)}"]
    lines = []
    smallest = board.smallest
    if smallest is not None:
        mean = smallest.group.mean
        span = f" ({interval_text(mean.interval())})" if mean and len(smallest.group.accuracies) > 1 else ""
        lines.append(
            f"The smallest that reaches {board.target:g} %: {smallest.parameters:,} parameters, mean "
            f"{accuracy_text(smallest.mean)}{span} of {plural(len(smallest.group.ended), 'seed')}."
        )
    else:
        best = board.front[-1]
        beside = f" None reaches {board.target:g} %." if board.target is not None else ""
        lines.append(
            f"Best so far: {accuracy_text(best.mean)} with {best.parameters:,} parameters ({best.group.label}).{beside}"
        )
    lines.append(count_line(board))
    if board.held_out:
        lines.append(
            f"Judged on {plural(board.held_out, 'training image')} that were held out; after training on all training images the "
            f"accuracies may be others. The best of {len(judged)} were chosen by these means, so the means are rather too high: "
            "judge these networks on the test set, with other seeds."
        )
    return lines


def count_line(board: SearchBoard) -> str:
    """`24 of 60 networks trained, 15 of them with fewer than 3 seeds; 70 chosen, 44 over 5,000 parameters …`."""
    left = sum(trial.left for trial in board.trials)
    done = sum(trial.mean is not None for trial in board.trials)
    again = max(0, board.sampled - board.over - board.broken - len(board.trials))
    parts = [
        f"{board.over:,} over {board.max_parameters:,} parameters",
        f"{board.broken:,} that can't be built" if board.broken else "",
        f"{again:,} again" if again else "",
    ]
    few = (
        f", {left} of them with fewer than {plural(board.seeds, 'seed')} as they can't reach the front"
        if left
        else ""
    )
    end = "; the space has hardly another" if board.exhausted else ""
    chosen = f"{board.sampled:,} chosen, {', '.join(filter(None, parts))}"
    return f"{done} of {plural(board.wanted, 'network')} trained{few}; {chosen}{end}."


def search_json(board: SearchBoard) -> dict[str, Any]:
    """What the JSON object of a search has beside its groups; accuracies are fractions."""
    front = {trial.slug for trial in board.front}
    return {
        "max_parameters": board.max_parameters,
        "target_accuracy": board.target,
        "held_out_images": board.held_out,
        "networks": {
            "trained": sum(trial.mean is not None for trial in board.trials), "wanted": board.wanted, "chosen": board.sampled,
            "over_max_parameters": board.over, "not_built": board.broken, "exhausted": board.exhausted,
        },
        "trials": [
            {
                "trial": trial.slug,
                "parameters": trial.parameters,
                "mean_last_accuracy": trial.mean,
                "mean_interval": interval_json(trial.group.mean.interval())
                if trial.group.mean and len(trial.group.accuracies) > 1 else None,
                "seeds_finished": len(trial.group.ended),
                "given_up": trial.left,
                "on_front": trial.slug in front,
                "values": {key: jsonio.finite(value) for key, value in trial.values.items()},
            }
            for trial in board.trials
        ],
        "front": [trial.slug for trial in board.front],
        "search_says": search_lines(board),
    }  # fmt: skip

"""The result of a run: the challenge point by point, its figures and the source's, and how certain they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.runs import wording
from tuitrain.runs.history import LAST_EPOCHS, History
from tuitrain.spec.challenge import Point
from tuitrain.spec.preset import Claims
from tuitrain.training.events import EpochFinished, RunStarted

NO_CLAIM = "–"
NO_CHALLENGE = "no challenge was set for this preset"
#: What can be done about an outcome, where it is the settings' fault.
_REMEDIES = {
    "diverged": "lower the learning rate or the batch size",
    "out_of_memory": "lower the batch size, or make the network smaller",
    "failed": "look at the run's log",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a run and what its source claims of it, `NO_CLAIM` where it claims nothing."""

    label: str
    here: str
    claimed: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a run.

    Attributes:
        outcome: how it ended, or `unfinished`.
        title: `done`, `stopped`, with the run's name, length, time and device.
        message: what the run itself said of its end.
        challenge: the challenge in a sentence.
        met: whether it was met; None where it is open, or none was set.
        points: the challenge, point by point.
        figures: accuracies and parameters, here and as claimed.
        ahead: best accuracy here minus the claimed one, a fraction; None where they can't be compared.
        remarks: what the figures are worth, a sentence each.
        remedy: what to do about a run that failed; empty where it did not.
    """

    outcome: str
    title: str
    message: str
    challenge: str
    met: bool | None
    points: tuple[Point, ...]
    figures: tuple[Figure, ...]
    ahead: float | None
    remarks: tuple[str, ...]
    remedy: str

    @property
    def claims_any(self) -> bool:
        """Whether the source claims any of the figures."""
        return any(figure.claimed != NO_CLAIM for figure in self.figures)


def verdict_of(history: History) -> Verdict:
    """The result of a run so far; points that are not decided yet are open."""
    points = tuple(history.points())
    met, challenge = _challenge(points)
    done = history.finished
    claims = _claims(history)
    return Verdict(
        outcome=history.outcome,
        title=_title(history),
        message=visible(done.message) if done is not None else "",
        challenge=challenge,
        met=met,
        points=points,
        figures=_figures(history, claims),
        ahead=_ahead(history, claims),
        remarks=tuple(_remarks(history, claims)),
        remedy=_REMEDIES.get(history.outcome, ""),
    )


def _title(history: History) -> str:
    started, done = history.started, history.finished
    if started is None or done is None:
        return wording.state_text(history.outcome)
    network = history.user_network
    name = visible(started.name if network is None else f"{network} as {started.name}")
    epochs = figures.plural(len(history.epochs), "epoch")
    seconds = figures.elapsed_text(done.seconds)
    return f"{wording.state_text(done.outcome)}  {name}, {epochs} in {seconds} on {visible(started.device)}"


def _challenge(points: Sequence[Point]) -> tuple[bool | None, str]:
    missed = [visible(p.point) for p in points if p.met is False]
    unknown = [visible(p.point) for p in points if p.met is None]
    if not points:
        return None, NO_CHALLENGE
    if missed:
        return False, f"challenge not met: {', '.join(missed)}"
    if unknown:
        return None, f"challenge open: {', '.join(unknown)}"
    return True, "challenge met on every point"


def _claims(history: History) -> Claims | None:
    """What the source claims of this network on this data set; None where it claims nothing of that."""
    published = history.published
    return published.on(history.started.dataset) if published and history.started else None


def _figures(history: History, claims: Claims | None) -> tuple[Figure, ...]:
    started, best, last = history.started, history.best, history.last
    if started is None or best is None or last is None:
        return ()
    judge = history.judged_by
    alike = claims if judge == "test" else None  # sources judged by the test set

    def percent(value: float | None) -> str:
        return NO_CLAIM if value is None else f"{value:.2f} %"

    count = min(len(history.epochs), LAST_EPOCHS)
    trained = max(e.train_acc for e in history.epochs)
    parameters = claims.parameters if claims else None
    return (
        Figure(f"best {judge} accuracy (epoch {best.epoch})", figures.accuracy_text(best.test_acc),
               percent(alike.test_accuracy if alike else None)),
        Figure(f"last {judge} accuracy", figures.accuracy_text(last.test_acc),
               percent(alike.last_test_accuracy if alike else None)),
        *([Figure("  of the averaged weights (ema)", figures.accuracy_text(last.ema_test_acc), NO_CLAIM)]
          if last.ema_test_acc is not None else []),
        Figure(f"mean of the last {figures.plural(count, 'epoch')}", figures.accuracy_text(history.last_mean), NO_CLAIM),
        Figure("best running train accuracy", figures.accuracy_text(trained),
               percent(claims.train_accuracy if claims else None)),
        Figure("parameters", f"{started.parameters:,}", NO_CLAIM if parameters is None else f"{parameters:,}"),
    )  # fmt: skip


def _ahead(history: History, claims: Claims | None) -> float | None:
    if claims is None or claims.test_accuracy is None or history.best is None or history.judged_by != "test":
        return None
    return history.best.test_acc - claims.test_accuracy / 100


def _remarks(history: History, claims: Claims | None) -> list[str]:
    started, best = history.started, history.best
    if started is None or best is None:
        return []
    judge, published = history.judged_by, history.published
    out = [f"At the end {gap_and_wait(history.epochs, judge)}."]
    if (parent := branch_text(started)) is not None:
        out.append(f"It is {parent}; the epochs up to there were that run's.")
    if judge == "test":
        out.append(
            "The best epoch was picked on the test set itself; hold out images with --val-split to avoid that."
        )
    else:
        out.append("Judged by images held out of the training set, not by the test set.")
    if history.averages:
        out.append(
            "Its result is that of the weights as trained; model_ema.safetensors has the averaged ones."
        )
    out.append(f"One run of one seed, {figures.chance_text(best.test_acc, best.test_images, judge)}.")
    if published is not None and published.figures and claims is None:
        about = f"{visible(published.dataset)}; this run used {visible(started.dataset)}"
        out.append(f"The source's claims are about {about}.")
    return out


def branch_text(started: RunStarted) -> str | None:
    """`a branch of run step13-a after epoch 7`; None of a run that began by itself."""
    parent = started.parent
    if not parent:
        return None
    return (
        f"a branch of run {visible(parent.get('run', '?'))} after epoch {visible(parent.get('epoch', '?'))}"
    )


def gap_and_wait(epochs: Sequence[EpochFinished], judge: str = "test") -> str:
    """How far train and judging accuracy are apart at last, and what share of training waited for images.

    As in `train 0.42 above test, 3 % of the time waits for images`; what is not known is left out.
    """
    if not epochs:
        return ""
    measured = [epoch for epoch in epochs if epoch.data_wait_s is not None]
    waits = sum(epoch.data_wait_s or 0.0 for epoch in measured)
    texts = [figures.gap_text(epochs[-1].train_acc, epochs[-1].test_acc, judge)]
    texts.append(figures.wait_share_text(waits, sum(epoch.train_s for epoch in measured)))
    return ", ".join(filter(None, texts))

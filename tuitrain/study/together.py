"""Trains several members of one setting at once, on one device: each is an ordinary run directory all the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tuitrain.errors import TuitrainError
from tuitrain.figures import plural
from tuitrain.runs import checkpoint, names
from tuitrain.runs.history import waits_text
from tuitrain.study.member import (
    Ending,
    Order,
    ending_of,
    prepare_member,
    refusal_of,
    result_of,
    train_member,
)

if TYPE_CHECKING:
    from tuitrain.runs.session import Session
    from tuitrain.training.ensemble import Ensemble, EnsembleEpoch
    from tuitrain.training.ensemble_member import EnsembleMember

START_S = 120.0


def work(orders: Sequence[Order]) -> list[Ending]:
    """What an executor calls, in a process of its own: trains members, and ends that process if a signal stopped them.

    So they are given to another process, as after any other death; they have saved their state.
    """
    from tuitrain.runs.signals import exit_at_once, signals

    endings = train_members(orders)
    if signals.exit_code:
        exit_at_once(signals.exit_code)
    return endings


def train_members(orders: Sequence[Order]) -> list[Ending]:
    """Trains one member, or several of one setting at once.

    Those that stand at another epoch, or can't be trained at once, are trained one after the other.

    Never raises an error of a user's, which it returns for each.
    """
    from tuitrain.runs.signals import signals
    from tuitrain.training.ensemble import trained_apart

    out: list[Ending] = []
    for place, group in groupby(sorted(orders, key=_place), key=_place):
        batch = list(group)
        apart = place.step or len(batch) == 1 or batch[0].job.model or trained_apart(batch[0].job.preset)
        if place.result:
            out += [Ending(order.run, place.result) for order in batch]
        elif signals.exit_code:
            out += [Ending(order.run, "stopped") for order in batch]
        else:
            out += map(train_member, batch) if apart else _train_batch(batch, place.epoch)
    return out


@dataclass(frozen=True, order=True)
class _Place:
    """Where a member stands: its result, else the epoch and step of its newest checkpoint."""

    result: str
    epoch: int
    step: int


def _place(order: Order) -> _Place:
    path = order.runs_dir / order.run
    if not names.looks_like_run(path):
        return _Place("", 0, 0)
    try:
        if (result := result_of(path)) is not None:
            return _Place(result, 0, 0)
        newest = checkpoint.entries(path / "checkpoints")[-1:]
    except (TuitrainError, OSError):
        return _Place("", 0, 1)  # by itself, it can say what is wrong with it
    return _Place("", newest[0].epoch, newest[0].step) if newest else _Place("", 0, 0)


def _train_batch(orders: Sequence[Order], epoch: int) -> list[Ending]:
    """One ensemble, and a session for each of its seeds."""
    from tuitrain.runs.signals import guarded
    from tuitrain.training.ensemble_member import EnsembleMember

    sessions: dict[str, Session] = {}
    members: dict[str, EnsembleMember] = {}
    refused: list[Ending] = []

    def maker(run: str) -> Callable[..., EnsembleMember]:
        def make(*arguments: Any, **settings: Any) -> EnsembleMember:
            member = members[run] = EnsembleMember(*arguments, **settings)
            member.others = len(orders) - 1
            return member

        return make

    for order in orders:
        try:
            session = prepare_member(order, maker(order.run))
        except TuitrainError as error:
            refused.append(refusal_of(order.run, error))
            continue
        if session is not None:
            sessions[order.run] = session
    with guarded(*sessions.values()):
        for session in sessions.values():
            session.start()
        _drive(sessions, members, orders[0], epoch)
        for session in sessions.values():
            session.join()
    return refused + [ending_of(run, session) for run, session in sessions.items()]


def _drive(
    sessions: dict[str, Session], members: dict[str, EnsembleMember], order: Order, epoch: int
) -> None:
    """Trains the ensemble in this thread and gives each member its part."""

    from tuitrain.training import devices
    from tuitrain.training.ensemble import Ensemble
    from tuitrain.training.ensemble_member import MemberEnd
    from tuitrain.training.memory import out_of_memory_message

    job = order.job
    end = time.monotonic() + START_S
    while any(run not in members and not session.ended for run, session in sessions.items()):
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    # In the order of the seeds, not of their threads.
    there = {run: members[run] for run in sessions if run in members}
    team = {run: member for run, member in there.items() if member.position.epoch == epoch}
    outcome = MemberEnd(
        "failed", "it stands at another epoch than the seeds that it was to train with; resume it"
    )
    _tell(set(members.values()) - set(team.values()), outcome)
    if not team:
        return
    seeds = [member.preset.train.seed for member in team.values()]
    first = next(iter(team.values()))
    try:
        ensemble = Ensemble(job.preset, first.dataset, seeds, job.runtime)
        if epoch:
            states = [member.state() for member in team.values()]
            ensemble.load(
                [state.model for state in states],
                [state.optimizer for state in states],
                [state.ema for state in states],
            )
        waits = ""
        for finished in ensemble.run(begin=epoch, leave=lambda: _stop_reason(team.values()) != ""):
            _hand_out(finished, ensemble, team.values())
            waits = waits_text(finished.epoch) if finished.epoch == order.until else ""
            if waits or _stop_reason(team.values()):
                break
        reason = _stop_reason(team.values()) or waits
        outcome = MemberEnd("stopped", reason) if reason else MemberEnd("completed")
    except TuitrainError as error:
        outcome = MemberEnd("failed", str(error))
    except (RuntimeError, MemoryError) as error:
        if devices.is_out_of_memory(error):
            message = out_of_memory_message(str(first.device), job.preset.train.batch_size)
            outcome = MemberEnd(
                "out_of_memory",
                f"{message} (or train fewer than {plural(len(team), 'seed')} at once: --jobs)",
            )
        else:
            outcome = MemberEnd("failed", f"{type(error).__name__}: {error}")
    _tell(team.values(), outcome)


def _hand_out(finished: EnsembleEpoch, ensemble: Ensemble, team: Iterable[EnsembleMember]) -> None:
    from tuitrain.training.ensemble_member import MemberEpoch
    from tuitrain.training.events import EpochFinished

    for index, member in enumerate(team):
        event = EpochFinished(
            epoch=finished.epoch,
            epochs=finished.epochs,
            train_loss=finished.train_loss[index],
            train_acc=finished.train_acc[index],
            test_loss=finished.test_loss[index],
            test_acc=finished.test_acc[index],
            lr=finished.lr,
            train_s=finished.train_s,
            test_s=finished.test_s,
            elapsed_s=member._elapsed(),
            images_per_s=finished.images_per_s / len(finished.seeds),
            test_images=len(member.dataset.test.labels),
            norms=finished.norms[index],
            ema_test_loss=finished.ema_test_loss[index] if finished.ema_test_loss else None,
            ema_test_acc=finished.ema_test_acc[index] if finished.ema_test_acc else None,
        )
        member.inbox.put(
            MemberEpoch(
                event,
                ensemble.weights(index),
                ensemble.optimizer_state(index),
                ensemble.evaluation(index),
                ensemble.averaged_state(index),
            )
        )


def _stop_reason(team: Iterable[EnsembleMember]) -> str:
    return next((member.wants_stop for member in team if member.wants_stop), "")


def _tell(team: Iterable[EnsembleMember], end: object) -> None:
    for member in team:
        member.inbox.put(end)  # type: ignore[arg-type]

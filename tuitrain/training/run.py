"""A run as it stands: what is trained and where, how far it is, its state between two steps, its first event.

How it is trained is for the subclasses: by steps of its own (`trainer.py`), or by an ensemble (`ensemble_member.py`).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from tuitrain.data.dataset import Dataset
from tuitrain.errors import CheckpointError, DivergedError
from tuitrain.spec.schedule import LearningRate
from tuitrain.training import devices, machine
from tuitrain.training.command import RunControl
from tuitrain.training.epoch_images import EpochImages
from tuitrain.training.events import Control, Event, RunStarted
from tuitrain.training.inspection import LastEvaluation, kernels
from tuitrain.training.job import Job
from tuitrain.training.model import build, first_layer
from tuitrain.training.position import Position
from tuitrain.training.state import SCHEMA, TrainerState, check_fits, load_weights, with_todays_names
from tuitrain.training.step import Evaluation


class Run(ABC):
    """One preset that is trained on one data set.

    Args:
        job: what to train, and how.
        dataset: the data; `test` is the judging set.
        run_name: of the run's directory, for the first event.
        git: of the folder the run was started in, as RunStarted has it.
        resume: the state to go on from.
        epochs: how many epochs there shall be in all; where left out, as the state or the preset says.
        begins: whether the run begins with that state, as a branch of another does.

    Raises:
        PresetError: the network can't be built, or can't be trained with this batch size.
        DeviceError: the device is not there.
        CheckpointError: the state to resume belongs to something else.
    """

    def __init__(
        self,
        job: Job,
        dataset: Dataset,
        *,
        run_name: str = "",
        git: dict[str, Any] | None = None,
        resume: TrainerState | None = None,
        epochs: int | None = None,
        begins: bool = False,
    ) -> None:
        self.job, self.dataset, self.run_name, self.git = job, dataset, run_name, git or {}
        self.preset, self.runtime, self.user_network = job.preset, job.runtime, job.user_network
        preset, user_network = job.preset, job.user_network
        if user_network is not None:
            # Only of presets' networks is it known that they can be captured, and compiling pays.
            chosen = "off" if self.runtime.compile == "auto" else self.runtime.compile
            self.runtime = replace(self.runtime, graph=False, compile=chosen)
        self.table = preset.table() if user_network is None else user_network.table
        self.device = devices.pick(self.runtime.device)
        self.feed = EpochImages(preset, self.table, dataset)
        self.position = Position(preset.train.epochs)
        self.schedule = LearningRate(preset.train, self.feed.steps)
        self.machine = machine.Machine()
        self.network = build(preset) if user_network is None else user_network.build(preset.train.seed)
        self._elapsed_before, self._begun = 0.0, time.monotonic()
        if resume is not None:
            resume = with_todays_names(resume, self.network)
            self._take_up(resume)
        self._resumed, self._begins = resume, begins
        if epochs is not None:
            self.position.epochs = self.schedule.epochs = max(epochs, self.position.epoch)
            if epochs > self.position.epoch:
                self.position.go_on()
        self._announced = False
        self._seen: tuple[int, Evaluation, Tensor | None] | None = None
        self._state = resume or self._capture()

    @abstractmethod
    def run(self, control: RunControl | None = None) -> Iterator[Event]:
        """The events of the run, from RunStarted (resumed: Control "restarted") to RunFinished."""

    def state(self) -> TrainerState:
        """The state at the last epoch's end, checkpoint or stop that was yielded (at first: before the first step).

        Its numbers are always finite.
        """
        return self._state

    def inspection(self) -> LastEvaluation | None:
        """The last evaluation, or None before the first."""
        if self._seen is None:
            return None
        epoch, seen, weight = self._seen
        pictures = None if weight is None else kernels(weight.numpy())
        return LastEvaluation(self.dataset.test.labels, seen.predictions, seen.confidences, epoch, pictures)

    def _keep(self, seen: Evaluation) -> None:
        """Keeps the state and the evaluation of an epoch that has just ended."""
        self._state = self._capture()
        first = first_layer(self.network)
        self._seen = (self.position.epoch, seen, None if first is None else first[1].detach().float().cpu())

    # ---------------------------------------------------------------------------------- state

    def _capture(self) -> TrainerState:
        """The state now.

        Raises:
            DivergedError: a number in it is not finite.
        """
        optimizer, averages = self._tensors()
        state = TrainerState.of(self.network.state_dict(), optimizer, self._meta(), averages)
        if not state.finite():
            raise self._diverged("a weight is not finite")
        return state

    def _tensors(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The optimizer's state, and the averaged weights; both empty before the first step."""
        return {}, {}

    def _meta(self) -> dict[str, Any]:
        return self.position.to_meta() | {
            "schema": SCHEMA,
            "seed": self.preset.train.seed,
            "schedule": self.schedule.state_dict(),
            "elapsed_s": self._elapsed(),
            "preset": self.preset.to_dict(),
            "dataset": self.dataset.name,
            "judged_by": self.dataset.judged_by,
            "train_images": self.feed.images,
            "device": self.device.type,
            "machine": self.machine.to_dict(),
            "own_network": self.user_network.sha256 if self.user_network else "",
        }

    def _take_up(self, state: TrainerState) -> None:
        check_fits(
            state,
            self.preset,
            self.dataset.name,
            self.feed.images,
            self.user_network.sha256 if self.user_network else "",
        )
        self.position = Position.from_meta(state.meta, self.feed.steps)
        try:
            self.schedule.load_state_dict(state.meta["schedule"])
            self.machine = machine.Machine.from_dict(state.meta["machine"])
            self._elapsed_before = float(state.meta["elapsed_s"])
        except (KeyError, TypeError, ValueError):
            raise CheckpointError("the checkpoint is not complete; resume from another.") from None
        load_weights(self.network, state)

    # --------------------------------------------------------------------------------- events

    def _first_event(self) -> Event:
        now = self.position
        self._announced = True
        if self._resumed is not None and not self._begins:
            return Control("restarted", now.epoch, now.step, detail=str(self.device), source="trainer")
        return RunStarted(
            run=self.run_name,
            name=self.preset.name,
            preset=self.preset.to_dict(),
            seed=self.preset.train.seed,
            device=str(self.device),
            device_name=devices.describe(self.device),
            versions=devices.versions(self.device),
            runtime=self.runtime.to_dict() | {"threads": self.machine.threads or self.runtime.threads},
            parameters=self.table.parameters,
            mult_adds=self.table.mult_adds,
            dataset=self.dataset.name,
            train_images=self.feed.images,
            test_images=len(self.dataset.test.labels),
            judged_by=self.dataset.judged_by,
            epochs=now.epochs,
            steps_per_epoch=self.feed.steps,
            changed=dict(self.job.changed),
            budget=self.job.budget,
            command=self.job.exact_command(self.machine.threads),
            own_network=self.user_network.to_dict() if self.user_network else {},
            git=self.git,
            data_sha256=self.dataset.sha256,
            study=self.job.study,
            parent=dict(self.job.parent),
        )

    def _elapsed(self) -> float:
        return self._elapsed_before + time.monotonic() - self._begun

    def _diverged(self, what: str) -> DivergedError:
        now = self.position
        lr = self.schedule.lr_at(now.epoch, max(now.step - 1, 0))
        return DivergedError(
            f"{what} in epoch {now.epoch + 1}, step {now.step}; try a learning rate below {lr:g}."
        )

"""What a run writes in its directory beside its records: summary, checkpoints, evaluations, the network.

What the disk refuses is told to the recorder, which says so once, and is written again at the end. The checkpoint of an
epoch is written beside the training of the next one: a disk over the network can take as long as an epoch on a GPU.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tuitrain.runs import checkpoint, durable, inspect, model_file
from tuitrain.runs.directory import AVERAGED_MODEL, RunDirectory
from tuitrain.training.events import CheckpointSaved, RunFinished

if TYPE_CHECKING:
    from torch import Tensor

    from tuitrain.runs.recorder import Recorder


class StateLike(Protocol):
    """The state of a trainer that is saved."""

    @property
    def model(self) -> Mapping[str, Tensor]:
        """The network's tensors."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Plain JSON with `epoch` and `step`."""

    def tensors(self) -> Mapping[str, Tensor]:
        """All tensors, flat."""

    def averaged_model(self) -> Mapping[str, Tensor]:
        """The network's tensors with the averaged weights; empty where none are kept."""


class RunFiles:
    """Used by the training thread; the directory may be made again by another (`written_anew`).

    Args:
        directory: of the run.
        recorder: is told what can't be written.
        summary: gives the text of `summary.txt`, if there is to be one.
        keep: how many of the last checkpoints are kept, beside the best.
        resume: go on from what the directory has.

    Attributes:
        evaluations: what is kept of the evaluations so far.
        saved: epoch and step of the newest checkpoint; None where there is none.
    """

    def __init__(
        self,
        directory: RunDirectory,
        recorder: Recorder,
        *,
        summary: Callable[[], str] | None,
        keep: int,
        resume: bool,
    ) -> None:
        self._path, self._recorder, self._summary, self._keep = directory.path, recorder, summary, keep
        self.evaluations = inspect.read(self._path) if resume else inspect.Evaluations()
        self.saved: tuple[int, int] | None = None
        self._removed = False  # the directory was, and what it held but the records is to be saved again
        self._made = 0  # how often it was made again
        self._making = threading.Lock()
        self._summary_text: bytes | None = None
        self._writer: threading.Thread | None = None
        self._error: BaseException | None = None

    def written_anew(self) -> None:
        """The directory was removed and made again: what it held but the records is missing."""
        with self._making:
            self._made += 1
            self.saved, self._removed = None, True
        if self._summary_text is not None:
            self.write_summary()

    def catch_up(self) -> bool:
        """Write again what the disk refused before; returns whether a checkpoint is missing too."""
        missing = self._recorder.missing | ({"checkpoints", inspect.FILE} if self._removed else set())
        if "summary.txt" in missing:
            self.write_summary()
        if inspect.FILE in missing:
            self._write_evaluations()
        return "checkpoints" in missing

    def write_summary(self) -> None:
        """The parameter table."""
        if self._summary is None:
            return
        if self._summary_text is None:
            self._summary_text = self._summary().encode("utf-8", "replace")
        try:
            durable.replace(self._path / "summary.txt", self._summary_text, durable=False)
        except OSError as error:
            self._recorder.failed("summary.txt", error)
        else:
            self._recorder.resolved("summary.txt")

    def save_checkpoint(self, state: StateLike, *, best: bool) -> None:
        """A checkpoint, unless there is one of this step; earlier ones are removed."""
        self.settle()
        self._write_checkpoint(state, best)

    def begin_checkpoint(self, state: StateLike, *, best: bool) -> None:
        """The same in a thread; nothing of the state may change any more."""
        self.settle()

        def write() -> None:
            try:
                self._write_checkpoint(state, best)
            except BaseException as error:  # raised where it is waited for
                self._error = error

        self._writer = threading.Thread(target=write, name="tuitrain-checkpoint", daemon=True)
        self._writer.start()

    def settle(self) -> None:
        """Wait until the checkpoint that was begun is written and recorded.

        Raises what its thread raised; an error of the disk is told to the recorder instead.
        """
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write_checkpoint(self, state: StateLike, best: bool) -> None:
        here = (int(state.meta["epoch"]), int(state.meta.get("step", 0)))
        if here == self.saved:
            return
        folder, made = self._path / "checkpoints", self._made
        try:
            entry = checkpoint.save(folder, state.tensors(), state.meta, best=best)
        except OSError as error:
            self._recorder.failed("checkpoints", error)
            return
        with self._making:
            if made != self._made:  # the file went with the old directory; another was asked for
                return
            self.saved, self._removed = here, False
        self._recorder.resolved("checkpoints")
        self._recorder.add(
            CheckpointSaved(entry.epoch, entry.step, f"checkpoints/{entry.path.name}", entry.sha256, best)
        )
        checkpoint.prune(folder, entry, self._keep)

    def keep_evaluation(self, seen: Any) -> None:
        """What the evaluation of the epoch that was recorded last saw."""
        best = self._recorder.history.best
        self.evaluations = self.evaluations.then(seen, best.epoch if best else 0)
        self._write_evaluations()

    def _write_evaluations(self) -> None:
        try:
            inspect.write(self._path, self.evaluations)
        except OSError as error:
            self._recorder.failed(inspect.FILE, error)
        else:
            self._recorder.resolved(inspect.FILE)

    def sync_evaluations(self) -> None:
        """Now they are a result, and must survive a power cut."""
        try:
            inspect.sync(self._path)
        except OSError as error:
            self._recorder.failed(inspect.FILE, error)

    def save_model(self, event: RunFinished, state: Callable[[], StateLike]) -> RunFinished:
        """The network, if it is a result; the end of the run then has its digest."""
        if event.outcome not in ("completed", "stopped"):
            return event
        path = self._path / "model.safetensors"
        try:
            ended = state()
            what = model_file.model_metadata(ended.meta, self._recorder.records)
            sha256 = model_file.write_model_file(path, ended.model, what)
            if averaged := ended.averaged_model():
                about = model_file.averaged_metadata(what, self._recorder.records)
                model_file.write_model_file(path.with_name(AVERAGED_MODEL), averaged, about)
        except OSError as error:
            self._recorder.failed("model.safetensors", error)
            return event
        return event if event.model_sha256 else dataclasses.replace(event, model_sha256=sha256)

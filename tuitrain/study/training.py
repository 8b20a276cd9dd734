"""Trains the members of a study on an executor of the standard kind; the runs are written where members train."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path

from tuitrain.errors import ExitCode, RunDirectoryError, TuitrainError, visible
from tuitrain.figures import plural
from tuitrain.runs import checkpoint, locking
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.report_files import Reporter
from tuitrain.runs.steering import RemoteControl
from tuitrain.study.member import Ending, Order
from tuitrain.study.plan import Batch, Member, Plan
from tuitrain.study.store import StudyDirectory
from tuitrain.study.together import work as work_on
from tuitrain.study.work import work_of
from tuitrain.training.command import Command, Steering

POLL_S = 0.1
#: A stop is posted again this often: a run that was only just beginning may not have been listening.
TELL_S = 1.0
#: How often it looks whether another process still trains a member.
ELSEWHERE_S = 1.0
#: How often the process of a member may die without a new checkpoint, before the member is left out.
MOST_DEATHS = 5
#: A member that can't find its data or device says what all others would.
_FOR_ALL = frozenset({ExitCode.DATA, ExitCode.DEVICE})


class StudyControl(Steering):
    """Steers a study in this process; only a stop has a meaning, and it is for all members."""

    def __init__(self, training: StudyTraining) -> None:
        self._training = training

    def post(self, command: Command) -> None:
        """Take a command."""
        if command.action == "stop":
            self._training.stop_reason = command.reason or command.source or "requested"


class StudyTraining:
    """Trains what a study's plan has, in order, so many members at a time.

    It can be guarded against signals as a session can (`runs.signals.guarded`): a stop reaches every member, which
    saves its state, and `resume` goes on with it.

    Args:
        study: held by this process.
        plan: its plan.
        executor: calls `together.work` somewhere that sees the study's folder of runs. A call whose process died raises
            BrokenExecutor and is given out again; one that raises a TuitrainError ends the study.
        at_once: how many calls are given to it at a time.
        together: how many members of a setting are trained by one call, at once; on a GPU they fill it.
        data_dir: where the data lies, for the members.
        model: the user's network, as named on the command line.
        reporter: a function of a module that makes the report that each member leaves in its directory.
        enough: asked after each member that ended, and before the first: whether no more shall be trained.

    Raises:
        UsageError, RunDirectoryError: what decides the order of its work is not installed, or damaged; the executor is
            shut down.
    """

    def __init__(
        self,
        study: StudyDirectory,
        plan: Plan,
        executor: Executor,
        *,
        at_once: int,
        together: int = 1,
        data_dir: Path | None = None,
        model: str = "",
        reporter: Reporter | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self.study, self.executor, self.at_once = study, executor, max(1, at_once)
        try:
            self.work = work_of(study, plan, max(1, together))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
        self.data_dir, self.model, self.reporter, self.enough = data_dir, model, reporter, enough
        self._control = StudyControl(self)
        self.stop_reason = ""
        self._running = False
        self.endings = self.work.endings
        self.in_flight: dict[Future[list[Ending]], Batch] = {}
        self._deaths: Counter[str] = Counter()  # of a member's processes, since its last checkpoint
        self._places: dict[str, tuple[int, int]] = {}  # of that checkpoint: epoch and step
        self._told: dict[str, float] = {}  # when a member was told to stop
        self._elsewhere: list[Batch] = []  # of members that another process trains
        self._looked = 0.0  # at those
        self._error: TuitrainError | None = None

    def run(self, look: Callable[[], None] = lambda: None) -> None:
        """Trains until all is done, or enough, or a stop; `look` is called ten times a second.

        Raises:
            TuitrainError: the data, the device or what trains them is missing, which no member can do without.
        """
        self._running = True
        try:
            again: list[Batch] = []
            while True:
                self._obey()
                again += self._freed()
                if self._stopping:
                    self._tell_members()
                while not self._stopping and len(self.in_flight) < self.at_once and not self.enough():
                    batch = again.pop() if again else self.work.next(idle=self._idle)
                    if batch is None:
                        break
                    orders = [self._order(member, batch.until) for member in batch.members]
                    self.in_flight[self.executor.submit(work_on, orders)] = batch
                if not self.in_flight and (self._stopping or not self._elsewhere):
                    break
                done: set[Future[list[Ending]]] = set()
                if self.in_flight:
                    done, _ = wait(self.in_flight, timeout=POLL_S, return_when=FIRST_COMPLETED)
                else:
                    time.sleep(POLL_S)
                for future in done:
                    batch = self.in_flight.pop(future)
                    again += [Batch((member,), batch.until) for member in self._take(future, batch)]
                if done and self.enough():
                    self.stop_reason = self.stop_reason or "decided"
                look()
        finally:
            self._running = False
        if self._error is not None:
            raise self._error

    # What `guarded` asks of a session

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._running

    @property
    def control(self) -> StudyControl:
        """Its steering."""
        return self._control

    def abandon(self, message: str, source: str) -> bool:
        """Nothing to record: each member's process saves what it has when this one is gone, or when it is told so."""
        del message, source
        if (take_back := getattr(self.executor, "abandon", None)) is not None:
            take_back()
        return True

    def detached(self, source: str) -> None:
        """The terminal is gone; the study goes on."""
        del source

    def join(self, timeout: float | None = None) -> bool:
        """Whether it has ended."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._running and (end is None or time.monotonic() < end):
            time.sleep(POLL_S)
        return not self._running

    # Its parts

    @property
    def _stopping(self) -> bool:
        return bool(self.stop_reason) or self._error is not None

    @property
    def plan(self) -> Plan:
        """What is trained; some kinds of study add to it as they go on."""
        return self.work.plan

    def _order(self, member: Member, until: int | None) -> Order:
        job = self.plan.job(member, self.model)
        sha256 = self.plan.user_network.get("sha256", "")
        runs_dir = self.study.runs_dir.absolute()
        return Order(member.run, runs_dir, self.data_dir, job, sha256, self.reporter, until)

    @property
    def _idle(self) -> bool:
        """Whether nobody trains any member."""
        return not self.in_flight and not self._elsewhere

    def _take(self, future: Future[list[Ending]], given: Batch) -> list[Member]:
        """Keeps how members ended; returns those to be tried again, as their process died."""
        batch = given.members
        error = future.exception()
        if error is None:
            busy = {ending.run for ending in future.result() if ending.outcome == "busy"}
            self._elsewhere += [Batch((member,), given.until) for member in batch if member.run in busy]
            endings = [ending for ending in future.result() if ending.run not in busy]
        elif isinstance(error, TuitrainError):  # there is nothing that could train any
            self._error = self._error or error
            return []
        elif not isinstance(error, BrokenExecutor):
            endings = [Ending(m.run, "failed", f"{type(error).__name__}: {visible(error)}", 1) for m in batch]
        elif self._stopping:
            endings = [Ending(member.run, "stopped") for member in batch]
        else:
            again = [member for member in batch if not self._died(member)]
            times = plural(MOST_DEATHS, "time")
            endings = [
                Ending(
                    member.run,
                    "failed",
                    f"its process was killed {times} before it had saved anything new",
                    1,
                )
                for member in batch
                if member not in again
            ]
            self.endings |= {ending.run: ending for ending in endings}
            return again
        self.endings |= {ending.run: ending for ending in endings}
        for ending in endings:
            if ending.outcome == "refused" and ending.exit_code in _FOR_ALL and self._error is None:
                self._error = TuitrainError(ending.message)
                self._error.exit_code = ExitCode(ending.exit_code)
        return []

    def _is_held(self, member: Member) -> bool:
        return locking.is_held(self.study.runs_dir / member.run)

    def _freed(self) -> list[Batch]:
        """Members that another process trained, one of a dead study's or a user's, and trains no longer."""
        if not self._elsewhere or time.monotonic() - self._looked < ELSEWHERE_S:
            return []
        self._looked = time.monotonic()
        freed = [batch for batch in self._elsewhere if not self._is_held(batch.members[0])]
        self._elsewhere = [batch for batch in self._elsewhere if batch not in freed]
        return freed

    def _died(self, member: Member) -> bool:
        """Counts that a member's process died; whether that is once too often since its last checkpoint."""
        place = _newest_checkpoint(self.study.runs_dir / member.run)
        forward = place > self._places.get(member.run, (-1, 0))
        self._deaths[member.run] = 1 if forward else self._deaths[member.run] + 1
        self._places[member.run] = place
        return self._deaths[member.run] >= MOST_DEATHS

    def _obey(self) -> None:
        try:
            for line in self.study.new_commands():
                if (command := Command.from_json(line)) is not None:
                    self._control.post(command)
        except RunDirectoryError:
            pass  # another user's; a run says so in its log, and these have none

    def _tell_members(self) -> None:
        """Posts a stop to the members that train; the others are cancelled, or find nothing to wait for."""
        now = time.monotonic()
        for future, batch in list(self.in_flight.items()):
            held = [member for member in batch.members if self._is_held(member)]
            if not held and future.cancel():
                del self.in_flight[future]
                continue
            for member in held:
                path = self.study.runs_dir / member.run
                if now - self._told.get(member.run, -TELL_S) >= TELL_S:
                    self._told[member.run] = now
                    with contextlib.suppress(TuitrainError):
                        reason = self.stop_reason or "the study ends"
                        RemoteControl(RunDirectory(path), "study").stop(reason, when="now")


def _newest_checkpoint(path: Path) -> tuple[int, int]:
    """Epoch and step of a run's newest checkpoint; zeros where there is none."""
    newest = checkpoint.entries(path / "checkpoints")[-1:]
    return (newest[0].epoch, newest[0].step) if newest else (0, 0)

"""A study that is watched: what its monitor shows, read in a thread a few times a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.study.duel import duel_of
from tuitrain.study.kinds import BoardReader, has_board
from tuitrain.study.reading import StudyReader
from tuitrain.study.store import PLAN, StudyDirectory
from tuitrain.watch.duel import Duel, duel_lines
from tuitrain.watch.group import Group, group_lines, study_state
from tuitrain.watch.reproduction import Source, source_of_group
from tuitrain.watch.study_pace import StudyPace

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan
    from tuitrain.watch.board import Board


#: Of so many runs a look reads the predictions, so that the first of a study of a thousand is there at once.
READ_AT_ONCE = 200


@dataclass(frozen=True, eq=False)
class StudyLook:
    """A study as it stands.

    Attributes:
        plan: of the study.
        groups: one a setting.
        state: of the whole, a word of `figures.glyph_and_kind`.
        held: whether a process trains it.
        left_s: seconds that it still takes; None where that is not known.
        setting: which of its settings is looked at.
        source: what the source of its network claims; None before a run has begun.
        says: what is said of it, a sentence each; of a duel, of that.
        duel: of a study of two settings.
        board: of one of many settings; `says_of_all` is what is said of those together.
    """

    plan: Plan
    groups: tuple[Group, ...]
    state: str
    held: bool
    left_s: float | None
    setting: int
    source: Source | None
    says: tuple[str, ...]
    duel: Duel | None = None
    board: Board | None = None
    says_of_all: tuple[str, ...] = ()

    @property
    def group(self) -> Group:
        """The group that is looked at."""
        return self.groups[self.setting]

    @property
    def over(self) -> bool:
        """Whether nothing trains."""
        return self.state != "live"


class StudyWatcher:
    """Looks at a study again and again; as long as nothing has changed it gives the same look."""

    def __init__(self, directory: StudyDirectory) -> None:
        """A study.

        Raises:
            RunDirectoryError: its plan can't be read, or has no setting yet.
        """
        self.directory = directory
        self.setting = 0
        self.plan = directory.plan()
        if not self.plan.settings:
            raise RunDirectoryError(
                f"study {visible(directory.name)} has chosen no network yet; try again in a moment."
            )
        self._changed = self._plan_time()
        self._reader = StudyReader(directory.runs_dir, self.plan)
        self._board = self._board_reader()
        self._pace = StudyPace()
        self._seen: tuple[object, StudyLook] | None = None

    def _plan_time(self) -> int:
        try:
            return (self.directory.path / PLAN).stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def has_board(self) -> bool:
        """Whether it is of many settings, which have a table."""
        return self._board is not None

    def _board_reader(self) -> BoardReader | None:
        return BoardReader(self.plan) if has_board(self.plan) else None

    def setting_of(self, digest: str) -> int:
        """Which of the settings has this digest (`RunSummary.setting`); the first where none has."""
        from tuitrain.runs.digests import preset_digest

        network, precision = self.plan.user_network.get("sha256"), self.plan.runtime.precision
        digests = [preset_digest(one.preset.to_dict(), network, precision) for one in self.plan.settings]
        return digests.index(digest) if digest in digests else 0

    def look(self) -> StudyLook:
        """Reads what is new, and works out what is shown.

        Raises:
            RunDirectoryError: the plan can't be read any more.
        """
        if (changed := self._plan_time()) != self._changed:
            self.plan, self._changed = self.directory.plan(), changed
            self._reader.plan = self.plan
            self._board = self._board_reader()
        groups, held = tuple(self._reader.groups(READ_AT_ONCE)), self.directory.is_held()
        marks = [
            (run.state, len(run.history.epochs), round(run.fraction, 3)) for g in groups for run in g.runs
        ]
        known = [group.right is not None for group in groups]
        key = (marks, known, held, self.setting, self._changed)
        if self._seen is None or self._seen[0] != key:
            self._seen = (key, self._worked_out(groups, held))
        return self._seen[1]

    def _worked_out(self, groups: tuple[Group, ...], held: bool) -> StudyLook:
        setting = min(self.setting, len(groups) - 1)
        shown = groups[setting]
        before = self._seen[1] if self._seen is not None and self._seen[1].plan is self.plan else None
        duel = None
        if self.plan.kind == "duel":
            duel = duel_of(self.plan, groups).keeping(before.duel if before is not None else None)
        says, more = group_lines(shown), None
        state = study_state(groups, held=held)
        state = "stopped" if state == "done" and self.plan.to_come else state
        if duel is not None:
            says = duel_lines(duel)
            more = 2.0 * duel.to_go if duel.to_go is not None else None
            state = "done" if duel.decided and state == "stopped" else state
            _ = duel.looks
        _ = [
            (shown.band, shown.disagreement_of(run)) for run in shown.runs
        ]  # worked out here, not on the screen
        left_s = self._pace.left_s(groups, more)
        begun = any(run.history.started is not None for run in shown.runs)
        known = before is not None and before.setting == setting and before.source is not None
        source = before.source if known and before is not None else source_of_group(shown) if begun else None
        board, of_all = self._board.look(groups, held=held) if self._board is not None else (None, [])
        return StudyLook(
            self.plan, groups, state, held, left_s, setting, source, tuple(says), duel, board, tuple(of_all)
        )

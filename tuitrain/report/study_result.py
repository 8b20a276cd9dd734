"""What a study came to: the object that scripts get of it, and what it leaves in its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuitrain.study.kinds import kind_json
from tuitrain.watch.study_json import study_json

if TYPE_CHECKING:
    from tuitrain.study.plan import Plan
    from tuitrain.study.store import StudyDirectory
    from tuitrain.watch.group import Group


def study_object(study: StudyDirectory, plan: Plan, groups: Sequence[Group]) -> dict[str, Any]:
    """The object of `tuitrain study show --json`; the same with `keep_results` is what a study that has ended gives."""
    return study_json(study.name, study.path, plan.kind, plan.command, groups) | kind_json(plan, groups)


def keep_results(study: StudyDirectory, plan: Plan, groups: Sequence[Group]) -> dict[str, Any]:
    """Writes what a study of this kind leaves in its folder; what its JSON object says of that."""
    match plan.kind:
        case "reproduction":
            from tuitrain.report.reproduction import write_curves
            from tuitrain.study.reproduction import reproductions

            curves = write_curves(study.path / "curves", reproductions(plan, groups))
            return {"curves": [str(path) for path in curves]}
        case "sweep":
            from tuitrain.runs import durable
            from tuitrain.study.grid import leaderboard_of
            from tuitrain.watch.leaderboard import leaderboard_csv

            path = study.path / "leaderboard.csv"
            with contextlib.suppress(OSError):
                durable.replace(path, leaderboard_csv(leaderboard_of(plan, groups)).encode())
            return {"csv": str(path)}
        case "search":
            from tuitrain.report.front import write_front
            from tuitrain.study.search_result import board_of

            return write_front(study, plan, board_of(plan, groups))
        case _:
            return {}

"""A duel as a study: two settings, the same seeds, as many pairs as it takes to decide."""

from __future__ import annotations

from collections.abc import Sequence

from tuitrain.stats.sequential import Plan as DuelPlan
from tuitrain.study.plan import Plan
from tuitrain.watch.duel import Duel
from tuitrain.watch.group import Group


def duel_of(plan: Plan, groups: Sequence[Group]) -> Duel:
    """The duel of a study of two settings, as its groups stand."""
    return Duel(groups[0], groups[1], duel_plan(plan))


def duel_plan(plan: Plan) -> DuelPlan:
    """How many pairs at most, and for what gain: a study that was doubled began with fewer seeds than it has."""
    first = len(plan.seeds) >> (plan.doublings or 0)
    return DuelPlan(first, plan.gain, plan.doublings)

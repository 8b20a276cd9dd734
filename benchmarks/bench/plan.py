"""What a run of the benchmarks is asked to do, and how much time it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.results import Results
from bench.talk import say, spent_s


@dataclass
class Plan:
    """The options of a run.

    Attributes:
        results: where samples go.
        wanted: sections or `section/arm` to measure; empty for all.
        quick: small sizes and one round: to see that it works.
        full: also what takes longer than the default run may.
        rounds: turns of each arm.
        limit_s: after so long no further section is begun.
        data_dir: MNIST's folder.
        dataset: what is trained.
        images: of a short epoch.
        fetch: whether the peers' environment may be made.
    """

    results: Results
    wanted: Sequence[str] = ()
    quick: bool = False
    full: bool = False
    rounds: int = 3
    limit_s: float = 1500.0
    data_dir: Path | None = None
    dataset: str = "mnist"
    images: int = 12_800
    fetch: bool = True

    def wants(self, section: str, arm: str | None = None) -> bool:
        """Whether a section, or an arm of it, was asked for and is not there yet."""
        if arm is not None and self.results.done(section, arm):
            return False
        if not self.wanted:
            return True
        for name in self.wanted:
            where, _, which = name.partition("/")
            if section.startswith(where) and (arm is None or not which or which == arm):
                return True
        return False

    def has_time(self, section: str) -> bool:
        """Whether a section may still begin."""
        if spent_s() < self.limit_s:
            return True
        say(f"{section}: left out, {self.limit_s:.0f} s are over; go on with --resume")
        return False

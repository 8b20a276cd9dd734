"""Where the reader is in the lesson: a training step, and in it a term."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tuitrain.lessons.backprop import GIVEN, GRADIENTS, Start, Values, Variant
from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.terms import Term, terms

_FIRST = frozenset((*GIVEN, "lr"))


@dataclass
class LessonState:
    """The lesson, the number of the term that is looked at, and whether errors are on a logarithmic axis."""

    lesson: Lesson
    at: int = 0
    logarithmic: bool = True
    first: Lesson = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.lesson

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms of a training step."""
        return terms(self.lesson.variant)

    @property
    def term(self) -> Term:
        """The one that is looked at."""
        return self.terms[self.at]

    @property
    def values(self) -> Values:
        """Every quantity of the training step."""
        return self.lesson.values

    @property
    def known(self) -> frozenset[str]:
        """The quantities that are given or worked out by now."""
        return _FIRST.union(term.quantity for term in self.terms[: self.at + 1])

    @property
    def wrong(self) -> frozenset[str]:
        """The quantities that the published sheet takes at the term and the chain rule does not."""
        return frozenset(self.term.uses).difference(terms()[self.at].uses)

    @property
    def mistake(self) -> str:
        """What the published sheet gets wrong at the term, and by how much a derivative is off; or nothing."""
        said = self.term.mistake
        if said and self.term.quantity in GRADIENTS:
            off = self.lesson.mistake()[GRADIENTS.index(self.term.quantity)]
            said = f"Off by {100 * off:+.1f} %. {said}".replace("-", "−") if math.isfinite(off) else said
        return said

    def go(self, by: int) -> None:
        """So many terms further or back; past the last begins the next training step."""
        at, count = self.at + by, len(self.terms)
        step = self.lesson.step + at // count
        if 0 <= step < self.lesson.rows:
            self.at = at % count
            self.go_to_step(step)
        else:
            self.at = 0 if step < 0 else count - 1

    def go_to_section(self, by: int) -> None:
        """To the beginning of the next section, or of this one or the one before."""
        starts = [
            at for at, term in enumerate(self.terms) if not at or term.section != self.terms[at - 1].section
        ]
        if by > 0:
            self.at = next((at for at in starts if at > self.at), self.at)
        else:
            self.at = max((at for at in starts if at < self.at), default=0)

    def go_to_step(self, step: int) -> None:
        """To a training step, or the first or last one beyond it."""
        self.lesson = replace(self.lesson, step=max(0, min(self.lesson.rows - 1, step)))

    def turn_variant(self) -> None:
        """The published sheet's gradients, or the right ones again."""
        other: Variant = "published" if self.lesson.variant == "corrected" else "corrected"
        self.lesson = replace(self.lesson, variant=other)

    def take_rates(self, rates: Sequence[float]) -> None:
        """Other learning rates."""
        self.lesson = self.lesson.with_rates(rates)

    def take_start(self, start: Start) -> None:
        """Another network, from its beginning."""
        self.lesson = replace(self.lesson.with_start(start), step=0)

    def begin_again(self) -> None:
        """As it was at first."""
        self.lesson, self.at = self.first, 0

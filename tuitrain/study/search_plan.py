"""What a search looks for: its base, space and limits, as they stand in the plan of the study. No optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tuitrain.errors import PresetError, RunDirectoryError, UsageError
from tuitrain.spec.preset import Preset, preset_from_dict
from tuitrain.study.space import Choice, Range, space_of

#: Networks of one round are all chosen before any of them is judged, so that nothing depends on which is done first.
ROUND = 12


@dataclass(frozen=True)
class Sampled:
    """How many networks were chosen: all, those over the limit, and those that can't be built or trained."""

    all: int = 0
    over: int = 0
    broken: int = 0

    def to_dict(self) -> dict[str, int]:
        """The plain JSON form."""
        return {"all": self.all, "over": self.over, "broken": self.broken}


@dataclass(frozen=True)
class SearchPlan:
    """What is searched.

    Attributes:
        base: the preset that choices change.
        published: the same without what the command line changed.
        base_name: as it was named on the command line.
        space: what is chosen, by dotted key.
        max_parameters: that a network may have; none with more is trained.
        target: accuracy in percent that is looked for; None for none.
        trials: how many networks are trained.
        seed: of the choice.
        round_size: how many networks are chosen before any of them is judged.
        sampled: how many were looked at so far.
        exhausted: whether no other network was found in the space.
    """

    base: Preset
    published: Preset
    base_name: str
    space: Mapping[str, Choice | Range]
    max_parameters: int
    target: float | None
    trials: int
    seed: int = 0
    round_size: int = ROUND
    sampled: Sampled = field(default_factory=Sampled)
    exhausted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        return {
            "base": self.base.to_dict(),
            "published": self.published.to_dict(),
            "base_name": self.base_name,
            "space": {key: entry.to_toml_value() for key, entry in self.space.items()},
            "max_parameters": self.max_parameters,
            "target": self.target,
            "trials": self.trials,
            "seed": self.seed,
            "round_size": self.round_size,
            "sampled": self.sampled.to_dict(),
            "exhausted": self.exhausted,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Self:
        """That of a JSON form.

        Raises:
            RunDirectoryError: it is damaged.
        """
        try:
            target = data["target"]
            return cls(
                preset_from_dict(data["base"], where),
                preset_from_dict(data["published"], where),
                str(data["base_name"]),
                space_of(data["space"], {}, where),
                int(data["max_parameters"]),
                None if target is None else float(target),
                int(data["trials"]),
                int(data["seed"]),
                max(1, int(data["round_size"])),
                Sampled(**{key: int(value) for key, value in data["sampled"].items()}),
                bool(data["exhausted"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, PresetError, UsageError):
            raise RunDirectoryError(f"{where} is damaged; its runs are not, see `tuitrain runs`.") from None

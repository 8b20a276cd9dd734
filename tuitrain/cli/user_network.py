"""`tuitrain run --model file.py:Net`: a network in Python in the place of the preset's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuitrain.errors import UsageError, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuitrain.spec.preset import Preset
    from tuitrain.training.user_network import UserNetwork


def load_for_run(
    model: str, budget: int | None, dropout: float | None, settings: Sequence[str] | None
) -> UserNetwork:
    """The network that `--model` names, tried out; runs its file.

    Raises:
        UsageError: it can't be used, is over the budget, or a flag is about the preset's network.
    """
    if dropout is not None:
        raise UsageError("--dropout does not reach into a --model; set its dropouts in its file.")
    for text in settings or ():
        if text.strip().startswith("model"):
            raise UsageError(
                f"--set {visible(text)}: --model takes the place of the preset's network; leave one out."
            )
    from tuitrain.training.user_network import load_user_network

    user_network = load_user_network(model)
    count = user_network.table.parameters
    if budget and count > budget:
        raise UsageError(
            f"--budget {budget:,}: {visible(model)} has {count:,} parameters, {count - budget:,} too many; "
            "make it narrower."
        )
    return user_network


def user_network_json(preset: Preset, user_network: UserNetwork, budget: int | None) -> dict[str, Any]:
    """What `--dry-run --json` says of it: as of a preset, without what only a preset's layers can tell."""
    return {
        "name": preset.name,
        "own_network": user_network.to_dict(),
        "parameters": user_network.table.parameters,
        "budget": budget,
        "mult_adds": user_network.table.mult_adds,
        "challenge": [
            {"point": p.point, "wanted": p.wanted, "got": p.got, "met": p.met}
            for p in _challenge_points(preset, user_network)
        ],
        "train": preset.to_dict()["train"],
    }


def user_network_picture(preset: Preset, user_network: UserNetwork) -> RenderableType:
    """torchinfo's table of it and the preset's challenge, for a terminal."""
    from rich.console import Group
    from rich.text import Text

    from tuitrain.cli.show import checklist

    head = Text(f"{visible(user_network.flag)}, trained as preset {visible(preset.name)} says\n")
    return Group(head, Text(user_network.summary()), *checklist(_challenge_points(preset, user_network)))


def _challenge_points(preset: Preset, user_network: UserNetwork) -> list[Any]:
    from tuitrain.spec.challenge import check_challenge

    return check_challenge(preset, user_network.table.parameters)

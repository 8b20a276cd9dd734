"""A command is one value: it checks itself, and is the same after a line of JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuitrain.errors import UsageError
from tuitrain.training.command import Command, RunControl, Steering

words = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40).map(str.strip)
commands = st.one_of(
    st.builds(Command, st.sampled_from(["pause", "resume", "checkpoint"]), source=words.filter(bool)),
    st.builds(lambda lr, source: Command("set_lr", lr, source=source), st.floats(1e-9, 1e9), words.filter(bool)),
    st.builds(lambda n, source: Command("add_epochs", n, source=source), st.integers(1, 10_000), words.filter(bool)),
    st.builds(
        lambda when, reason, source: Command("stop", when=when, reason=reason, source=source),
        st.sampled_from(["now", "epoch"]), words.filter(bool), words.filter(bool),
    ),
)  # fmt: skip
json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just([1]),
    st.just({"a": 1}),
)


@given(commands)
def test_the_same_after_a_line_of_json(command: Command) -> None:
    assert Command.from_json(json.loads(json.dumps(command.to_json()))) == command


@given(
    st.dictionaries(st.sampled_from(["command", "value", "when", "reason", "source", "x"]), json_values),
    st.sampled_from(["stop", "pause", "set_lr", "add_epochs", "rm -rf", None, 3, []]),
)
def test_whatever_stands_there_is_a_command_that_makes_sense_or_none(
    data: dict[str, Any], action: Any
) -> None:
    command = Command.from_json(data | {"command": action})
    if command is not None:
        assert command.action == action and len(command.source) <= 80 and len(command.reason) <= 200
        if command.action == "set_lr":
            assert command.value is not None and math.isfinite(command.value) and command.value > 0
        if command.action == "add_epochs":
            assert command.value is not None and 1 <= command.value <= 10_000


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan, math.inf])
def test_a_learning_rate_that_is_none_is_refused(lr: float) -> None:
    with pytest.raises(UsageError, match="learning rate"):
        RunControl().set_lr(lr)


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_epochs_that_can_not_be_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="more epochs"):
        RunControl().add_epochs(count)


def test_what_steers_only_says_where_commands_go() -> None:
    sent: list[Command] = []

    class Kept(Steering):
        def post(self, command: Command) -> None:
            sent.append(command)

    kept = Kept()
    kept.stop("enough", when="epoch", source="keyboard")
    kept.pause()
    kept.resume()
    kept.checkpoint()
    kept.set_lr(0.02)
    kept.add_epochs(3)
    assert sent == [
        Command("stop", when="epoch", reason="enough", source="keyboard"), Command("pause"), Command("resume"),
        Command("checkpoint"), Command("set_lr", 0.02), Command("add_epochs", 3),
    ]  # fmt: skip

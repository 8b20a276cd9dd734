"""Errors on stderr."""

from __future__ import annotations

import pytest

from tuitrain.cli.console import complain


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the folder is full; free some space", "the folder is full; free some space."),
        ("the folder is full; free some space.", "the folder is full; free some space."),
        ("no preset 'x'; did you mean 'y'?", "no preset 'x'; did you mean 'y'?"),
    ],
)
def test_every_error_ends_with_one_mark(message: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    complain(message)
    assert capsys.readouterr().err == f"tuitrain: {shown}\n"

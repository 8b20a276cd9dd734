"""The pages for those who read the code name files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from tuitrain.cli.root import app

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
PAGES = ("docs/ARCHITECTURE.md", "docs/SPEED.md", "CONTRIBUTING.md")
#: `runs/history.py`, `tests/unit/`, `docs/SPEED.md`; with a star for any name.
_PATH = re.compile(r"`([A-Za-z_.*]+(?:/[A-Za-z0-9_.*]+)*(?:\.py|\.md|\.toml|\.json|/))`")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    named = _PATH.findall((ROOT / page).read_text())
    assert len(named) > 2
    places = (ROOT / "tuitrain", ROOT / "tests")
    missing = [
        name
        for name in named
        if not any(ROOT.glob(name)) and not any(next(place.rglob(name.rstrip("/")), None) for place in places)
    ]
    assert missing == []


@pytest.mark.parametrize("page", ["README.md", "docs/SOURCES.md", "docs/HONEST_NUMBERS.md"])
def test_every_command_that_is_named_is_there(page: str) -> None:
    group = typer.main.get_command(app)
    text = (ROOT / page).read_text("utf-8")
    code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text))
    named = set(re.findall(r"^(?:\.venv/bin/)?tuitrain ([a-z][a-z-]+)", code, re.MULTILINE))
    assert named and named <= set(group.commands), sorted(named - set(group.commands))  # type: ignore[attr-defined]

"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuitrain.errors import TuitrainError
from tuitrain.paths import expand
from tuitrain.runs import index
from tuitrain.spec.preset_files import load_preset


def test_home_and_nobodys_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand("~/runs") == tmp_path / "runs"
    assert expand("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    for find in (load_preset, lambda name: index.find_run(tmp_path, name)):
        with pytest.raises(TuitrainError, match="nobody-of-this-name"):
            find("~nobody-of-this-name/x")

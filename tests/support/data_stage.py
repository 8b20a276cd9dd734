"""The small data set in a folder of the test's own, and how it is refused."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path

import pytest

from support import data_tiny
from tuitrain.data import catalog
from tuitrain.data.load import load_dataset
from tuitrain.errors import DataError, ExitCode


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TUITRAIN_DATA_DIR", raising=False)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> catalog.SetSpec:
    spec = data_tiny.spec(known=True)
    monkeypatch.setitem(catalog.SETS, data_tiny.NAME, spec)
    return spec


def refused(folder: Path, *parts: str, name: str = data_tiny.NAME) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(name, folder)
    message = str(caught.value)
    assert caught.value.exit_code == ExitCode.DATA == 3
    assert f"`tuitrain data fetch --dataset {name} --data-dir " in message
    assert "`--dataset digits`" in message
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


def unpacks_to(content: bytes | bytearray) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def damaged(content: bytes, source: random.Random, turn: int) -> bytes:
    """The content with one bit flipped, or in every other turn cut short."""
    found = bytearray(content)
    if turn % 2:
        del found[source.randrange(len(found)) :]
    else:
        found[source.randrange(len(found))] ^= 1 << source.randrange(8)
    return bytes(found)

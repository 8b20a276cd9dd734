"""A server with the small data set, a home without it, and processes that load it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import data_tiny, warm
from tuitrain.data import catalog
from tuitrain.data.verify import SUMS_FILE

NAME = data_tiny.NAME


BELOW = "cache/tuitrain/data/KMNIST"


#: For an answer that is to be taken for stalled; any other has longer, as long as a busy machine may need.
STALL_S, PATIENCE_S = 0.6, 30


@pytest.fixture
def server() -> Iterator[data_tiny.Server]:
    server = data_tiny.Server(data_tiny.PACKED)
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: data_tiny.Server) -> Path:
    """An empty cache, the small set, and torchvision's mirror pointing at the server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TUITRAIN_FETCH_TIMEOUT", str(PATIENCE_S))
    for name in (
        "TUITRAIN_DATA_DIR",
        "TUITRAIN_MIRROR",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(catalog.SETS, NAME, data_tiny.spec())
    monkeypatch.setitem(sys.modules, "torchvision.datasets", data_tiny.torchvision_datasets([server.address]))
    return tmp_path


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


WHOLE = sorted(["raw", *(f"raw/{name}" for name in (*data_tiny.FILES, SUMS_FILE))])


def process(server: data_tiny.Server) -> warm.Child:
    """Loads the small set in a process of its own; prints the outcome."""
    code = (
        f"from support import data_tiny; data_tiny.install([{server.address!r}])\n"
        "import sys\nfrom tuitrain.data.load import load_dataset\nfrom tuitrain.errors import TuitrainError\n"
        f"try:\n    print('loaded', len(load_dataset({NAME!r}).train))\n"
        "except TuitrainError as error:\n    print(error); sys.exit(int(error.exit_code))\n"
    )
    return warm.start(code=code, env=dict(os.environ))

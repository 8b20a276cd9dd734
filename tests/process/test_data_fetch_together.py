"""Several processes that fetch the same data set, and what a killed one leaves."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from support import data_tiny
from support.fetch_stage import BELOW, NAME, WHOLE, home, listing, process, server
from support.until import until
from tuitrain.data.fetch import fetch_dataset
from tuitrain.data.load import load_dataset
from tuitrain.data.verify import SUMS_FILE
from tuitrain.errors import DataError

__all__ = ["home", "server"]


def test_killed_while_mending_leaves_what_the_next_start_refuses(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = data_tiny.write(home / "data/KMNIST/raw")
    victim = raw / "train-labels-idx1-ubyte"
    content = victim.read_bytes()
    victim.write_bytes(content[:-1])
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if self.name != SUMS_FILE:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        fetch_dataset(NAME, home / "data")
    monkeypatch.setattr(Path, "replace", replace)
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # right in structure, wrong in content
    with pytest.raises(DataError, match=SUMS_FILE):
        load_dataset(NAME, home / "data")
    fetch_dataset(NAME, home / "data")
    assert victim.read_bytes() == content
    assert listing(home / "data/KMNIST") == WHOLE


def test_eight_at_once_make_one_download_a_file_and_show_no_partial_one(
    home: Path, server: data_tiny.Server
) -> None:
    server.delay_s = 0.2
    seen: set[tuple[str, ...]] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            raw = home / BELOW / "raw"
            names = os.listdir(raw) if raw.exists() else []
            seen.add(tuple(f"{name} {(raw / name).stat().st_size}" for name in sorted(names)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    processes = [process(server) for _ in range(8)]
    codes = [one.wait() for one in processes]
    done.set()
    watcher.join()
    assert codes == [0] * 8 and [one.out for one in processes] == ["loaded 64\n"] * 8
    assert server.requests == dict.fromkeys(data_tiny.PACKED, 1)
    assert listing(home / BELOW) == WHOLE
    assert len(seen) <= 2  # nothing, then everything at once
    assert {len(names) for names in seen} <= {0, 5}


def test_the_next_takes_over_from_a_killed_downloader_and_cleans_up(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUITRAIN_FETCH_TIMEOUT", "120")
    server.modes["t10k-images-idx3-ubyte.gz"] = "stall"
    first = process(server)
    until(lambda: server.requests["t10k-images-idx3-ubyte.gz"] == 1)
    second = process(server)
    time.sleep(0.5)
    leftovers = list((home / BELOW).glob(".fetch-*"))
    assert len(leftovers) == 1
    assert not (home / BELOW / "raw").exists()
    server.modes.clear()
    first.kill()
    assert second.wait() == 0 and second.out == "loaded 64\n"
    assert listing(home / BELOW) == WHOLE
    assert max(server.requests.values()) == 2


def test_those_who_waited_for_a_fetch_that_failed_share_its_error(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUITRAIN_FETCH_TIMEOUT", "3")  # all have begun by then
    server.modes["*"] = "stall"
    processes = [process(server) for _ in range(4)]
    assert [one.wait() for one in processes] == [3] * 4
    assert all("stalled" in one.out and "`--dataset digits`" in one.out for one in processes)
    assert server.requests.total() <= 2
    server.modes.clear()
    assert len(load_dataset(NAME).train) == 64

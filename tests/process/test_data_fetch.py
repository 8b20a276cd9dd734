"""Fetching a data set: what it leaves, bad answers, mirrors, disks, and what it shows."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import TESTS, data_tiny
from support.fetch_stage import BELOW, NAME, PATIENCE_S, STALL_S, WHOLE, home, listing, server
from tuitrain.cli.fetch_progress import FetchProgress
from tuitrain.data import catalog
from tuitrain.data.fetch import _resources, fetch_dataset
from tuitrain.data.load import load_dataset
from tuitrain.data.verify import SUMS_FILE
from tuitrain.errors import DataError

__all__ = ["home", "server"]


def test_first_load_fetches_verifies_and_records(home: Path, server: data_tiny.Server) -> None:
    calls: list[tuple[str, int, int | None]] = []
    loaded = load_dataset(NAME, progress=lambda *call: calls.append(call))
    assert loaded.train.images.tobytes() == data_tiny.FILES["train-images-idx3-ubyte"][16:]
    assert "(verified by SHA-256)" in loaded.source  # by what the fetch recorded
    assert listing(home / BELOW) == WHOLE
    assert server.requests == dict.fromkeys(data_tiny.PACKED, 1)
    for name, packed in data_tiny.PACKED.items():
        assert (name, len(packed), len(packed)) in calls
    check = subprocess.run(["sha256sum", "-c", SUMS_FILE], cwd=home / BELOW / "raw", capture_output=True)
    assert check.returncode == 0
    load_dataset(NAME)
    fetch_dataset(NAME)
    assert server.requests.total() == 4


def test_fetch_mends_only_what_is_damaged_and_load_never_does(home: Path, server: data_tiny.Server) -> None:
    raw = fetch_dataset(NAME)
    victim = raw / "t10k-images-idx3-ubyte"
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    with pytest.raises(
        DataError, match=r"t10k-images.*SHA-256.*expected.*`tuitrain data fetch --dataset kmnist`"
    ):
        load_dataset(NAME)
    assert server.requests.total() == 4
    assert fetch_dataset(NAME) == raw
    assert server.requests.total() == 5
    assert server.requests["t10k-images-idx3-ubyte.gz"] == 2
    assert len(load_dataset(NAME).test) == 32
    assert listing(home / BELOW) == WHOLE


def test_fetch_into_a_named_folder(home: Path, server: data_tiny.Server) -> None:
    folder = home / "my data"
    assert fetch_dataset(NAME, folder) == folder / "KMNIST/raw"
    assert len(load_dataset(NAME, folder).train) == 64
    assert not (home / BELOW).exists()


BAD = {
    "403": "HTTP 403",
    "500": "HTTP 500",
    "html": "text/html",
    "wrong": "MD5",
    "other": "MD5",
    "bomb": "MD5",
    "tenfold": "sends .* bytes .*expected at most",
    "tenfold-unannounced": "sends more than",
    "broken-off": "broke off after",
    "stall": "stalled",
    "silent": "stalled",
    "drip": "stalled",
}


BAD_WHERE_THE_CONTENT_IS_KNOWN = {
    "html": "text/html.*can't be unpacked",
    "wrong": "can't be unpacked|SHA-256",
    "other": "SHA-256.*expected",
    "bomb": "unpacks to more than the expected 50,192 bytes",
}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("mode", BAD)
def test_a_bad_answer_is_a_bounded_error_and_leaves_nothing(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch, mode: str, known: bool
) -> None:
    monkeypatch.setitem(catalog.SETS, NAME, data_tiny.spec(known))
    server.modes["train-images-idx3-ubyte.gz"] = mode
    if BAD[mode] == "stalled":
        monkeypatch.setenv("TUITRAIN_FETCH_TIMEOUT", str(STALL_S))
    started = time.monotonic()
    with pytest.raises(DataError) as caught:
        load_dataset(NAME)
    assert time.monotonic() - started < PATIENCE_S
    message = str(caught.value)
    assert caught.value.exit_code == 3
    for part in ("train-images-idx3-ubyte", "`tuitrain data fetch --dataset kmnist`", "`--dataset digits`"):
        assert part in message
    expected = BAD_WHERE_THE_CONTENT_IS_KNOWN.get(mode, BAD[mode]) if known else BAD[mode]
    assert re.search(expected, message), message
    assert listing(home / BELOW) == []


def test_an_unreachable_server_is_an_error_at_once(home: Path, server: data_tiny.Server) -> None:
    server.close()
    with pytest.raises(DataError, match=r"train-images.*unreachable.*--dataset digits"):
        load_dataset(NAME)


def test_a_published_sum_decides_even_when_the_archive_was_packed_anew(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    server.files = {
        f"{name}.gz": gzip.compress(content, 1, mtime=9) for name, content in data_tiny.FILES.items()
    }
    with pytest.raises(DataError, match="MD5"):
        load_dataset(NAME)
    monkeypatch.setitem(catalog.SETS, NAME, data_tiny.spec(known=True))
    assert len(load_dataset(NAME).train) == 64


def test_the_next_mirror_is_tried(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = data_tiny.Server(data_tiny.PACKED)
    bad.modes["*"] = "html"
    monkeypatch.setenv("TUITRAIN_MIRROR", f"file:///etc/ {bad.address} {server.address}")
    try:
        assert len(load_dataset(NAME).train) == 64
        assert (bad.requests.total(), server.requests.total()) == (4, 4)
    finally:
        bad.close()


def test_addresses_come_from_torchvision_or_the_mirror_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUITRAIN_MIRROR", raising=False)
    for name, spec in catalog.SETS.items():
        resources = _resources(spec)
        assert {file for resource in resources for file in resource.brings} == set(spec.files)
        for resource in resources:
            assert resource.addresses
            assert all(address.startswith("http") for address in resource.addresses)
            assert all(address.endswith(f"/{resource.filename}") for address in resource.addresses)
            assert len(resource.md5) == 32
        assert len(resources) == (1 if name == "emnist-digits" else 4)
    monkeypatch.setenv("TUITRAIN_MIRROR", "http://127.0.0.1:1/x/")
    assert _resources(catalog.SETS["qmnist"])[0].addresses == (
        "http://127.0.0.1:1/x/qmnist-train-images-idx3-ubyte.gz",
    )


def test_emnists_files_come_out_of_its_one_archive(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib
    import types
    import zipfile
    from dataclasses import replace

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as members:
        for name, packed in data_tiny.PACKED.items():
            members.writestr(f"gzip/{name}", packed)
        members.writestr("gzip/../../escape.gz", b"not asked for")
    server.files = {"gzip.zip": buffer.getvalue()}
    small = replace(
        data_tiny.spec(), name="emnist-digits", folder="EMNIST", torchvision_class="EMNIST", transposed=True
    )
    monkeypatch.setitem(catalog.SETS, "emnist-digits", small)
    module = types.ModuleType("torchvision.datasets")
    module.EMNIST = types.SimpleNamespace(  # type: ignore[attr-defined]
        url=f"{server.address}gzip.zip", md5=hashlib.md5(buffer.getvalue()).hexdigest()
    )
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)
    assert len(load_dataset("emnist-digits").train) == 64
    assert server.requests == {"gzip.zip": 1}
    assert listing(home / "cache/tuitrain/data/EMNIST") == WHOLE
    assert not list(home.rglob("escape*"))


def test_cancelling_from_the_progress_call_cleans_up(home: Path, server: data_tiny.Server) -> None:
    server.modes["t10k-images-idx3-ubyte.gz"] = "stall"

    def cancel(what: str, done_bytes: int, total_bytes: int | None) -> None:
        if what == "t10k-images-idx3-ubyte.gz":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_dataset(NAME, progress=cancel)
    assert listing(home / BELOW) == []
    server.modes.clear()
    assert len(load_dataset(NAME).train) == 64


def test_a_place_that_can_not_be_written_is_a_data_error(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"while fetching.*--data-dir FOLDER.*--dataset digits"):
        fetch_dataset(NAME, home / "file")
    (home / "blocked").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "blocked"))
    with pytest.raises(DataError, match="while fetching"):
        load_dataset(NAME)


def test_a_full_disk_is_a_data_error(home: Path, server: data_tiny.Server) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        f"from support import data_tiny; data_tiny.install([{server.address!r}])\n"
        "from tuitrain.data.load import load_dataset\nfrom tuitrain.errors import DataError\n"
        f"try:\n    load_dataset({NAME!r})\nexcept DataError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert "File too large while fetching" in done.stdout, done.stdout + done.stderr
    assert listing(home / BELOW) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal_and_a_line_a_file_otherwise(
    home: Path, server: data_tiny.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = io.StringIO()
    with FetchProgress(plain) as progress:
        fetch_dataset(NAME, home / "plain", progress=progress)
    size = len(data_tiny.PACKED["train-images-idx3-ubyte.gz"])
    assert f"train-images-idx3-ubyte.gz: fetched {size:,} bytes\n" in plain.getvalue()
    assert plain.getvalue().count(": fetched") == 4
    assert "\r" not in plain.getvalue() and "\x1b" not in plain.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    drawn = Terminal()
    with FetchProgress(drawn) as progress:
        fetch_dataset(NAME, home / "drawn", progress=progress)
    assert "train-images-idx3-ubyte.gz" in drawn.getvalue()
    assert "kB" in drawn.getvalue()

    silent = Terminal()
    with FetchProgress(silent) as progress:
        fetch_dataset(NAME, home / "drawn", progress=progress)  # all there
    assert silent.getvalue() == ""


def test_real_mnist_through_a_mirror(
    mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = {path.name: path.read_bytes() for path in mnist_dir.rglob("*-ubyte.gz")}
    if len(packed) != 4:
        pytest.skip("needs the four files as .gz")
    server = data_tiny.Server(packed)
    try:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("TUITRAIN_MIRROR", server.address)
        monkeypatch.delenv("TUITRAIN_DATA_DIR", raising=False)
        loaded = load_dataset("mnist")
        assert "(verified by SHA-256)" in loaded.source
        assert len(loaded.train) == 60_000
        assert (tmp_path / "tuitrain/data/MNIST/raw/train-images-idx3-ubyte").stat().st_size == 47_040_016
        assert server.requests.total() == 4
        import torchvision

        theirs = torchvision.datasets.MNIST(tmp_path / "tuitrain/data", train=False)
        assert (theirs.data.numpy() == loaded.test.images).all()
        assert (theirs.targets.numpy() == loaded.test.labels).all()
    finally:
        server.close()

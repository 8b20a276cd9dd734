"""Files that are missing, cut, flipped, or lie about what is in them."""

from __future__ import annotations

import gzip
import os
import random
import struct
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import data_tiny
from support.data_stage import damaged, own_cache, refused, tiny, unpacks_to
from tuitrain.data import catalog
from tuitrain.data.idx import IdxError, read_idx
from tuitrain.data.load import load_dataset
from tuitrain.data.verify import dataset_status

__all__ = ["own_cache", "tiny"]


def test_missing_names_the_file_and_is_not_fetched_into_a_named_folder(
    tiny: catalog.SetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)  # a fetch would fail to import it
    refused(tmp_path, "train-images-idx3-ubyte", "missing", "expected")
    refused(tmp_path / "nowhere", "train-images-idx3-ubyte", "missing", "expected")
    assert not dataset_status(data_tiny.NAME, tmp_path).ok
    data_tiny.write(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    refused(tmp_path, "t10k-labels-idx1-ubyte", "missing", "expected")
    assert "t10k-labels-idx1-ubyte missing" in dataset_status(data_tiny.NAME, tmp_path).text


@pytest.mark.parametrize("packed", [False, True])
def test_any_file_cut_or_flipped_is_found(tiny: catalog.SetSpec, tmp_path: Path, packed: bool) -> None:
    contents = data_tiny.PACKED if packed else data_tiny.FILES
    source = random.Random(1)
    data_tiny.write(tmp_path, packed)
    found = 0
    for turn in range(100):
        name = source.choice(list(contents))
        content = damaged(contents[name], source, turn)
        (tmp_path / name).write_bytes(content)
        if packed and unpacks_to(content) == data_tiny.FILES[name[:-3]]:
            load_dataset(data_tiny.NAME, tmp_path)  # a time stamp or a spare bit: the data are whole
        else:
            refused(tmp_path, name)
            found += 1
        (tmp_path / name).write_bytes(contents[name])
    assert found >= 90
    load_dataset(data_tiny.NAME, tmp_path)


IMAGES = catalog.SETS["mnist"].files[0]


HEADER = (0x803, 60_000, 28, 28)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ((0x803, 0xFFFFFFFF, 28, 28), "header says 4294967295 x 28 x 28, expected 60000 x 28 x 28"),
        ((0x803, 60_000, 0xFFFFFFFF, 0xFFFFFFFF), "header says"),
        ((0x803, 0, 0, 0), "header says 0 x 0 x 0"),
        ((0x803, 60_000, 56, 14), "header says 60000 x 56 x 14"),
        ((0x801, 60_000, 28, 28), "magic number is 0x00000801, expected 0x00000803"),
        ((0xD03, 60_000, 28, 28), "magic number is 0x00000d03"),
        ((0x1F8B0803, 60_000, 28, 28), "magic number"),
        (HEADER, "truncated"),
    ],
)
def test_lying_headers_are_refused_and_allocate_little(
    tmp_path: Path, packed: bool, header: tuple[int, int, int, int], expected: str
) -> None:
    content = struct.pack(">4I", *header)
    path = tmp_path / "train-images-idx3-ubyte"
    if packed:
        path = path.with_suffix(".gz")
        filler = os.urandom(60_000)  # enough that the packed size alone gives nothing away
        path.write_bytes(gzip.compress(content + filler))
    else:
        with path.open("wb") as file:
            file.write(content)
            file.truncate(1_000 if header == HEADER else IMAGES.file_bytes)
    tracemalloc.start()
    with pytest.raises(IdxError, match=expected):
        read_idx(path, IMAGES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000


def test_a_gz_too_small_for_its_content_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(struct.pack(">4I", *HEADER)))
    tracemalloc.start()
    with pytest.raises(IdxError, match="too few to unpack to the expected 47,040,016 bytes"):
        read_idx(path, IMAGES)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_gz_bomb_is_not_unpacked(tiny: catalog.SetSpec, tmp_path: Path) -> None:
    data_tiny.write(tmp_path, packed=True)
    name = "train-labels-idx1-ubyte.gz"
    honest = gzip.decompress(data_tiny.PACKED[name])
    # small enough to pass by its packed size: 2 MB of zeros pack into 2 KB
    (tmp_path / name).write_bytes(gzip.compress(honest + bytes(2_000_000)))
    tracemalloc.start()
    refused(tmp_path, name, "unpacks to more than the expected 72 bytes")
    assert tracemalloc.get_traced_memory()[1] < 1_500_000
    (tmp_path / name).write_bytes(gzip.compress(bytes(100_000_000)))
    refused(tmp_path, name, "more than 72 bytes can pack into")
    tracemalloc.stop()


def test_too_long_and_labels_out_of_range(tmp_path: Path) -> None:
    spec = data_tiny.spec().files[1]
    path = tmp_path / spec.filename
    path.write_bytes(data_tiny.FILES[spec.filename] + b"\0")
    with pytest.raises(IdxError, match="too long: 73 bytes, expected 72"):
        read_idx(path, spec)
    path.write_bytes(data_tiny.FILES[spec.filename][:-1] + b"\x0a")
    with pytest.raises(IdxError, match="labels run to 10"):
        read_idx(path, spec)


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_no_bytes_at_all_make_anything_but_an_idx_error(content: bytes, pack: bool, claim: bool) -> None:
    import tempfile

    spec = data_tiny.spec().files[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (spec.filename + (".gz" if pack or claim else ""))
        path.write_bytes(gzip.compress(content) if pack else content)
        with pytest.raises(IdxError):
            read_idx(path, spec)


def test_a_folder_or_a_dangling_link_in_place_of_a_file(tiny: catalog.SetSpec, tmp_path: Path) -> None:
    data_tiny.write(tmp_path)
    victim = tmp_path / "train-labels-idx1-ubyte"
    victim.unlink()
    victim.mkdir()
    refused(tmp_path, "train-labels-idx1-ubyte", "missing")
    victim.rmdir()
    victim.symlink_to(tmp_path / "gone")
    refused(tmp_path, "train-labels-idx1-ubyte", "missing")


def test_control_characters_in_paths_are_made_visible(tiny: catalog.SetSpec, tmp_path: Path) -> None:
    message = refused(tmp_path / "a\x1b[2Jb\u202e[/red]", "[/red]")
    assert "\x1b" not in message
    assert "\u202e" not in message

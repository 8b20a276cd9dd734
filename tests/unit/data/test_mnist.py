"""MNIST and its relatives: genuine files, where they may lie, sets without sums, names, held-out images."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import data_tiny
from support.data_stage import damaged, own_cache, refused, tiny, unpacks_to
from tuitrain.data import catalog
from tuitrain.data.dataset import hold_out
from tuitrain.data.idx import IdxError, read_idx
from tuitrain.data.load import load_dataset
from tuitrain.data.verify import SUMS_FILE, data_folder, dataset_status, verify_dataset
from tuitrain.errors import UsageError

__all__ = ["own_cache", "tiny"]


REAL = os.environ.get("TUITRAIN_DATA_DIR", "")


needs_mnist = pytest.mark.skipif(
    not (REAL and dataset_status("mnist", Path(REAL)).ok),
    reason="TUITRAIN_DATA_DIR names no folder with MNIST",
)


# --- genuine ---------------------------------------------------------------------------------------


@needs_mnist
def test_real_mnist_is_verified_and_loaded_fast() -> None:
    started = time.perf_counter()
    loaded = load_dataset("mnist", Path(REAL))
    assert time.perf_counter() - started < 5  # 0.2 s on an idle machine
    assert loaded.train.images.shape == (60_000, 28, 28)
    assert loaded.test.images.shape == (10_000, 28, 28)
    assert loaded.train.images.dtype == loaded.train.labels.dtype == np.uint8
    assert loaded.train.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert abs(loaded.train.images.mean() / 255 - 0.1307) < 1e-4
    assert abs(loaded.train.images.std() / 255 - 0.3081) < 1e-4
    assert loaded.judged_by == "test"
    assert "verified by SHA-256" in loaded.source


@needs_mnist
@pytest.mark.parametrize("filename", ["t10k-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz"])
def test_real_mnist_with_one_bit_flipped_is_refused(tmp_path: Path, filename: str) -> None:
    for path in Path(REAL).glob("*-ubyte.gz"):
        shutil.copyfile(path, tmp_path / path.name)
    content = bytearray((tmp_path / filename).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / filename).write_bytes(content)
    refused(tmp_path, filename, name="mnist")


@needs_mnist
@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True])
def test_real_mnist_cut_or_flipped_a_hundred_times(tmp_path: Path, packed: bool) -> None:
    contents = {path.name: path.read_bytes() for path in Path(REAL).rglob("*-ubyte.gz")}
    if not packed:
        contents = {name[:-3]: gzip.decompress(content) for name, content in contents.items()}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    source = random.Random(2)
    for turn in range(100):
        name = source.choice(sorted(contents))
        content = damaged(contents[name], source, turn)
        (tmp_path / name).write_bytes(content)
        if not (packed and unpacks_to(content) == unpacks_to(contents[name])):
            refused(tmp_path, name, name="mnist")
        (tmp_path / name).write_bytes(contents[name])
    assert len(load_dataset("mnist", tmp_path).train) == 60_000


@needs_mnist
def test_real_mnist_is_not_taken_for_another_set() -> None:
    refused(
        Path(REAL),
        "it is train-images-idx3-ubyte of MNIST, expected that of Fashion-MNIST",
        name="fashion-mnist",
    )


def test_catalog_agrees_with_torchvision() -> None:
    import torchvision.datasets as known

    for spec in catalog.SETS.values():
        if spec.name == "emnist-digits":
            assert tuple(known.EMNIST.classes_split_dict["digits"]) == spec.classes
            continue
        listed = getattr(known, spec.torchvision_class).resources
        if spec.name == "qmnist":
            listed = [*listed["train"], *listed["test"]]
        theirs = {place.rsplit("/", 1)[-1]: md5 for place, md5 in listed}
        assert theirs == {f"{file.filename}.gz": file.gz_md5 for file in spec.files}
        if spec.name in ("fashion-mnist", "kmnist"):
            assert tuple(getattr(known, spec.torchvision_class).classes) == spec.classes


# --- where files may lie ---------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("below", ["", "KMNIST/raw", "kmnist", "raw"])
def test_raw_or_gz_in_every_layout(tiny: catalog.SetSpec, tmp_path: Path, below: str, packed: bool) -> None:
    data_tiny.write(tmp_path / below, packed)
    loaded = load_dataset(data_tiny.NAME, tmp_path)
    body = np.frombuffer(data_tiny.FILES["t10k-images-idx3-ubyte"][16:], dtype=np.uint8)
    assert np.array_equal(loaded.test.images, body.reshape(32, 28, 28))
    assert loaded.test.labels.tobytes() == data_tiny.FILES["t10k-labels-idx1-ubyte"][8:]
    assert len(loaded.train) == 64
    assert dataset_status(data_tiny.NAME, tmp_path).ok
    assert [report.problem for report in verify_dataset(data_tiny.NAME, tmp_path)] == [None] * 4


def test_the_sets_own_folder_goes_before_the_folder_itself(tiny: catalog.SetSpec, tmp_path: Path) -> None:
    data_tiny.write(tmp_path / "KMNIST/raw")
    for name in data_tiny.FILES:
        (tmp_path / name).write_bytes(b"another set's file of the same name")
    assert len(load_dataset(data_tiny.NAME, tmp_path).train) == 64


def test_an_incomplete_folder_does_not_hide_a_complete_one(tiny: catalog.SetSpec, tmp_path: Path) -> None:
    data_tiny.write(tmp_path)
    (tmp_path / "KMNIST/raw").mkdir(parents=True)
    (tmp_path / "KMNIST/raw/train-images-idx3-ubyte").write_bytes(b"")
    assert len(load_dataset(data_tiny.NAME, tmp_path).train) == 64


def test_a_read_only_folder_works_and_nothing_is_written(tiny: catalog.SetSpec, tmp_path: Path) -> None:
    folder = data_tiny.write(tmp_path / "data", packed=True)
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}
    load_dataset(data_tiny.NAME, folder)
    dataset_status(data_tiny.NAME, folder)
    verify_dataset(data_tiny.NAME, folder)
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]} == before
    assert not (tmp_path / "cache").exists()
    folder.chmod(0o755)


def test_data_folder_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder() == tmp_path / "cache/tuitrain/data"
    monkeypatch.setenv("TUITRAIN_DATA_DIR", str(tmp_path / "env"))
    assert data_folder() == tmp_path / "env"
    assert data_folder(tmp_path / "flag") == tmp_path / "flag"


# --- sets without published sums -------------------------------------------------------------------


def test_without_a_known_sum_the_source_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(catalog.SETS, data_tiny.NAME, data_tiny.spec())
    data_tiny.write(tmp_path / "raw")
    assert "not verified: structure checked only" in load_dataset(data_tiny.NAME, tmp_path / "raw").source
    data_tiny.write(tmp_path / "gz", packed=True)
    assert "verified by MD5 of the .gz" in load_dataset(data_tiny.NAME, tmp_path / "gz").source
    # packed again: another MD5, the same content
    for name, content in data_tiny.FILES.items():
        (tmp_path / "gz" / f"{name}.gz").write_bytes(gzip.compress(content, 1, mtime=1))
    assert "not verified" in load_dataset(data_tiny.NAME, tmp_path / "gz").source


def test_recorded_sums_are_held_against_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(catalog.SETS, data_tiny.NAME, data_tiny.spec())
    data_tiny.write(tmp_path)
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in data_tiny.FILES.items()
    )
    (tmp_path / SUMS_FILE).write_text(sums)
    assert "(verified by SHA-256)" in load_dataset(data_tiny.NAME, tmp_path).source
    content = bytearray(data_tiny.FILES["t10k-images-idx3-ubyte"])
    content[5000] ^= 1
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    refused(tmp_path, "t10k-images-idx3-ubyte", "SHA-256", "expected", SUMS_FILE)


def test_emnist_is_turned_upright_and_qmnist_takes_the_first_column(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = data_tiny.spec()
    emnist = replace(small, name="emnist-digits", transposed=True)
    monkeypatch.setitem(catalog.SETS, "emnist-digits", emnist)
    data_tiny.write(tmp_path)
    upright = load_dataset("emnist-digits", tmp_path)
    body = np.frombuffer(data_tiny.FILES["train-images-idx3-ubyte"][16:], dtype=np.uint8).reshape(64, 28, 28)
    assert np.array_equal(upright.train.images, body.transpose(0, 2, 1))

    labels = np.zeros((64, 8), dtype=">i4")
    labels[:, 0] = np.arange(64) % 10
    labels[:, 1:] = 123_456
    wide = replace(small.files[1], filename="labels-idx2-int", shape=(64, 8), item_bytes=4)
    header = struct.pack(">3I", 0xC02, 64, 8)
    (tmp_path / "labels-idx2-int").write_bytes(header + labels.tobytes())
    read = read_idx(tmp_path / "labels-idx2-int", wide)
    assert read.array.dtype == np.uint8
    assert read.array.tolist() == [i % 10 for i in range(64)]
    labels[7, 0] = -1
    (tmp_path / "labels-idx2-int").write_bytes(header + labels.tobytes())
    with pytest.raises(IdxError, match="labels run from -1"):
        read_idx(tmp_path / "labels-idx2-int", wide)


# --- names, held-out images, imports ---------------------------------------------------------------


def test_unknown_names_are_usage_errors() -> None:
    for name, hint in (("fashon-mnist", "did you mean 'fashion-mnist'?"), ("cifar", "use one of mnist")):
        with pytest.raises(UsageError, match="--dataset") as caught:
            load_dataset(name)
        assert hint in str(caught.value)
        assert caught.value.exit_code == 2


def test_hold_out_parts_the_training_set_by_the_seed() -> None:
    dataset = load_dataset("digits")
    held = hold_out(dataset, 300, seed=3)
    assert (len(held.train), len(held.test)) == (1200, 300)
    assert held.judged_by == "validation"
    assert "300 training images held out" in held.source
    whole = sorted(image.tobytes() for image in dataset.train.images)
    parts = [image.tobytes() for part in (held.train, held.test) for image in part.images]
    assert sorted(parts) == whole
    lookup = {
        (image.tobytes(), label)
        for image, label in zip(dataset.train.images, dataset.train.labels, strict=True)
    }
    assert all(
        (image.tobytes(), label) in lookup
        for image, label in zip(held.test.images, held.test.labels, strict=True)
    )
    again = hold_out(dataset, 300, seed=3)
    assert np.array_equal(again.test.images, held.test.images)
    assert not np.array_equal(hold_out(dataset, 300, seed=4).test.images, held.test.images)
    # the very images, so that a resumed run on another version judges by the same ones
    assert hashlib.sha256(held.test.images.tobytes()).hexdigest().startswith("5e444eb3c29d2223")


@pytest.mark.parametrize("count", [0, -1, 1500, 10**9])
def test_hold_out_that_leaves_nothing_is_a_usage_error(count: int) -> None:
    with pytest.raises(UsageError, match="--val-split"):
        hold_out(load_dataset("digits"), count, 1)


def test_loading_imports_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys\nfrom tuitrain.data.load import load_dataset\nload_dataset('digits')\n"
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'textual', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The built-in digits against scikit-learn's own loader and torch's own resize."""

from __future__ import annotations

import gzip
import hashlib
import importlib.machinery
from pathlib import Path

import numpy as np
import pytest
import torch

from tuitrain.data import digits
from tuitrain.data.load import load_dataset
from tuitrain.errors import DataError


def test_they_are_scikit_learns_digits_once_each() -> None:
    from sklearn.datasets import load_digits

    theirs = load_digits()
    dataset = load_dataset("digits")
    assert (len(dataset.train), len(dataset.test)) == (1500, 297)
    resized = digits.resize(theirs.images.astype(np.uint8))
    expected = sorted(
        (image.tobytes(), int(label)) for image, label in zip(resized, theirs.target, strict=True)
    )
    ours = sorted(
        (image.tobytes(), int(label))
        for part in (dataset.train, dataset.test)
        for image, label in zip(part.images, part.labels, strict=True)
    )
    assert ours == expected
    assert dataset.train.images.dtype == dataset.train.labels.dtype == np.uint8
    assert dataset.train.images.shape == (1500, 28, 28)


def test_resize_is_torchs_bilinear() -> None:
    small = np.random.RandomState(0).randint(0, 17, (500, 8, 8)).astype(np.uint8)
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(small).double()[:, None], size=28, mode="bilinear", align_corners=False
    )[:, 0].numpy()
    assert np.abs(digits.resize(small) - exact * 255 / 16).max() <= 0.5 + 1e-9
    assert (digits.resize(np.full((1, 8, 8), 16, dtype=np.uint8)) == 255).all()
    assert (digits.resize(np.zeros((1, 8, 8), dtype=np.uint8)) == 0).all()


def test_the_split_is_fixed_and_even_by_class() -> None:
    dataset = load_dataset("digits")
    assert np.bincount(dataset.test.labels).tolist() == [29, 30, 29, 30, 30, 30, 30, 30, 29, 30]
    assert (
        hashlib.sha256(dataset.test.images.tobytes()).hexdigest()
        == "9ce007cd71debafd59247d4c88602baf2149ead0c82294298e6a8392311add49"
    )


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "text"])
def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    path, _, _ = digits._read()
    content = path.read_bytes()
    copy = tmp_path / "datasets/data/digits.csv.gz"
    copy.parent.mkdir(parents=True)
    text = gzip.decompress(content)
    damaged = {
        "flip": gzip.compress(text.replace(b"0,0,5,13", b"0,0,5,12", 1)),
        "cut": content[:-2000],
        "text": gzip.compress(text.replace(b"13", b"1e999", 1)),
    }
    if damage in damaged:
        copy.write_bytes(damaged[damage])
    spec = importlib.machinery.ModuleSpec("sklearn", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(digits, "find_spec", lambda _: spec)
    with pytest.raises(DataError, match=r"digits\.csv\.gz.*expected.*scikit-learn"):
        load_dataset("digits")
    assert digits.verify_digits().problem

"""scikit-learn's handwritten digits as a stand-in for MNIST that needs no network.

1,797 real digits of 8 x 8 pixels with 17 grey levels (UCI "Optical Recognition of Handwritten
Digits", its test part), resized to 28 x 28 and split 1,500/297 by a fixed seed, evenly by class.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuitrain.data.catalog import DIGITS
from tuitrain.data.dataset import Dataset, FileReport, Images
from tuitrain.errors import DataError, visible

COUNT = 1797
TEST_COUNT = 297
SPLIT_SEED = 0
# over the 1,797 x 65 table as uint8, pixels then label: the same for every release of scikit-learn
TABLE_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"
CSV_LIMIT_BYTES = 4 << 20


def load_digits() -> Dataset:
    """The set, verified. Raises DataError when scikit-learn's file is missing or not what it was."""
    path, table, problem = _read()
    if table is None:
        raise DataError(
            visible(f"{path}: {problem}; fix it with `pip install --force-reinstall scikit-learn`.")
        )
    images = resize(table[:, :64].reshape(COUNT, 8, 8))
    labels = table[:, 64].copy()
    held = split(labels)
    return Dataset(
        name="digits",
        train=Images(images[~held], labels[~held]),
        test=Images(images[held], labels[held]),
        classes=DIGITS,
        source="scikit-learn's digits, 8 x 8 resized to 28 x 28 (verified by SHA-256)",
        sha256={"table of digits.csv": TABLE_SHA256},
    )


def verify_digits() -> FileReport:
    """The state of scikit-learn's file."""
    path, _, problem = _read()
    return FileReport(path, None if problem else TABLE_SHA256, "" if problem else "SHA-256", problem)


def _read() -> tuple[Path, npt.NDArray[np.uint8] | None, str | None]:
    # The file itself, not load_digits: importing sklearn.datasets takes 2 s.
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        return Path("sklearn"), None, "scikit-learn is not installed"
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path) as file:
            text = file.read(CSV_LIMIT_BYTES).decode("ascii")
        numbers = [float(number) for line in text.split() for number in line.split(",")]
        if not all(0 <= number < 256 for number in numbers):
            raise ValueError("a number out of range")
        table = np.array(numbers).astype(np.uint8).reshape(COUNT, 65)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        return path, None, f"it can't be read ({error}), expected 1,797 lines of 65 numbers"
    digest = hashlib.sha256(table.tobytes()).hexdigest()
    if digest != TABLE_SHA256:
        return path, None, f"the SHA-256 of its table is {digest}, expected {TABLE_SHA256}"
    return path, table, None


def resize(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bilinear from (N, 8, 8) with levels 0 to 16 to (N, 28, 28) with levels 0 to 255, in whole numbers.

    Half-pixel centres, edges repeated (torch's `interpolate(mode="bilinear", align_corners=False)`):
    output i reads position (i + 1/2) 8/28 - 1/2 = (4 i - 5) / 14, so weights are fourteenths and the
    result is rounded once, the same on every machine.
    """
    weights = np.zeros((28, 8), dtype=np.int64)
    for i in range(28):
        low, part = divmod(4 * i - 5, 14)
        weights[i, min(max(low, 0), 7)] += 14 - part
        weights[i, min(max(low + 1, 0), 7)] += part
    wide: npt.NDArray[np.int64] = weights @ small.astype(np.int64) @ weights.T
    scale = 16 * 14 * 14
    return ((wide * 255 + scale // 2) // scale).astype(np.uint8)


def split(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which images are test images: 297, of every class its share (29 to 31), by a fixed seed."""
    counts = np.bincount(labels, minlength=10)
    share, rest = np.divmod(counts * TEST_COUNT, len(labels))
    for label in np.argsort(-rest, kind="stable")[: TEST_COUNT - int(share.sum())]:
        share[label] += 1
    random = np.random.RandomState(SPLIT_SEED)  # its permutation is frozen by numpy's policy
    held = np.zeros(len(labels), dtype=np.bool_)
    for label in range(10):
        places = np.flatnonzero(labels == label)
        held[random.permutation(places)[: share[label]]] = True
    return held

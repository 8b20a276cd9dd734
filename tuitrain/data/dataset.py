"""What a loaded data set is, and what is reported of its files. No files are read here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tuitrain.errors import UsageError

Progress = Callable[[str, int, int | None], None]
"""Called from the loading thread with (what, bytes done, bytes in all or None); may raise to cancel."""


@dataclass(frozen=True)
class Images:
    """Images (N, 28, 28) uint8, background 0, and labels (N,) uint8 from 0 to 9."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A verified set; `source` says in words where it came from and how it was verified.

    `sha256` has the digest of each file that was read, by its unpacked name.
    """

    name: str
    train: Images
    test: Images
    classes: tuple[str, ...]
    source: str
    judged_by: Literal["test", "validation"] = "test"
    sha256: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileReport:
    """What was found out about one file; `problem` is None when nothing is wrong with it."""

    path: Path
    sha256: str | None
    verified_by: str  # "SHA-256", "MD5 of the .gz", "structure only", or "" when there is a problem
    problem: str | None


@dataclass(frozen=True)
class DatasetStatus:
    """Where a set stands, without loading it: `ok` means that its files are all there."""

    name: str
    ok: bool
    text: str
    folder: Path | None
    remedy: str = ""

    def __str__(self) -> str:
        return self.text


def hold_out(dataset: Dataset, count: int, seed: int) -> Dataset:
    """Take `count` training images out, at random by the seed, and judge by them in place of the test set.

    Both parts keep the order of the training set. Raises UsageError when the count leaves nothing.
    """
    total = len(dataset.train)
    if not 0 < count < total:
        raise UsageError(f"--val-split is {count}; use a number from 1 to {total - 1} for {dataset.name}.")
    # RandomState's permutation is frozen by numpy's policy; a Generator's may change between versions
    entropy = np.random.SeedSequence([seed % 2**63, 0x76616C])  # "val": this purpose's own stream
    order = np.random.RandomState(np.random.MT19937(entropy)).permutation(total)
    held = np.sort(order[:count])
    kept = np.sort(order[count:])
    train = dataset.train
    return replace(
        dataset,
        train=Images(train.images[kept], train.labels[kept]),
        test=Images(train.images[held], train.labels[held]),
        source=f"{dataset.source}; {count:,} training images held out",
        judged_by="validation",
    )

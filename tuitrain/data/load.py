"""Loading a set of the MNIST family. Every load verifies; nothing is written outside a fetch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuitrain.data import digits
from tuitrain.data.catalog import SETS, check_name
from tuitrain.data.dataset import Dataset, Images, Progress
from tuitrain.data.verify import (
    check_files,
    data_folder,
    is_own_cache,
    locate,
    missing,
    nothing_here,
    refusal,
)
from tuitrain.errors import visible


def load_dataset(
    name: str, data_dir: Path | None = None, *, fetch: bool = True, progress: Progress | None = None
) -> Dataset:
    """Load a set, verified, fetching it first where our own cache folder lacks files.

    A folder that the user named is only read: missing files there are an error that says how to get
    them. Damaged files are never replaced without being asked.

    Raises:
        UsageError: no such data set.
        DataError: files missing, damaged or unreachable.
    """
    check_name(name)
    if name == "digits":
        return digits.load_digits()
    spec = SETS[name]
    root = data_folder(data_dir)
    found = locate(spec, root)
    if (found is None or missing(spec, found)) and fetch and is_own_cache(data_dir):
        from tuitrain.data.fetch import fetch_dataset as fetch_files  # with urllib and filelock: 60 ms

        found = fetch_files(name, data_dir, progress=progress)
    if found is None:
        raise nothing_here(spec, root, data_dir)
    checked = check_files(spec, found)
    arrays: dict[str, npt.NDArray[np.uint8]] = {}
    for file, (report, content) in zip(spec.files, checked, strict=True):
        if report.problem is not None or content is None:
            raise refusal(spec, report.path, report.problem or "unreadable", data_dir)
        arrays[file.role] = content.array
    if spec.transposed:
        _turn_upright(arrays["train_images"])
        _turn_upright(arrays["test_images"])
    ways = sorted({report.verified_by for report, _ in checked})
    how = "structure checked only, no sum is known" if "structure only" in ways else " and ".join(ways)
    return Dataset(
        name=name,
        train=Images(arrays["train_images"], arrays["train_labels"]),
        test=Images(arrays["test_images"], arrays["test_labels"]),
        classes=spec.classes,
        source=visible(f"{spec.title} in {found} (verified by {how})")
        if "structure only" not in ways
        else visible(f"{spec.title} in {found} (not verified: {how})"),
        sha256={
            file.filename: report.sha256 or "" for file, (report, _) in zip(spec.files, checked, strict=True)
        },
    )


def _turn_upright(images: npt.NDArray[np.uint8], chunk: int = 4096) -> None:
    for start in range(0, len(images), chunk):  # in place: a second copy would be 190 MB
        part = images[start : start + chunk]
        part[:] = part.transpose(0, 2, 1).copy()

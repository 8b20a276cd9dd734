"""Every row of the table: its quick share, its whole count (`-m long`), and that it can fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.bench import Bench
from harness.table import Row, load_rows
from support import slurm

ROWS = load_rows()
TEETH = [(key, protection) for key, row in ROWS.items() for protection in row.teeth]


def require(row: Row, request: pytest.FixtureRequest) -> None:
    """Skips, with the reason, what can't be measured here."""
    if "data" in row.needs:
        request.getfixturevalue("mnist_dir")
    if "gpu" in row.needs:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
    if "root" in row.needs and os.geteuid() != 0:
        pytest.skip("needs root: it mounts a small tmpfs")
    if "slurm" in row.needs and (absent := slurm.missing()):
        pytest.skip(f"needs SLURM: {absent}")


@pytest.mark.parametrize("key", [key for key, row in ROWS.items() if row.quick])
def test_quick_share(key: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    row = ROWS[key]
    require(row, request)
    figure = row.measure(Bench(tmp_path), row.quick)
    assert figure.ok, f"wanted: {row.wanted}; measured: {figure.text}"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("key", "protection"), TEETH)
def test_it_fails_without_its_protection(
    key: str, protection: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    row = ROWS[key]
    require(row, request)
    figure = row.measure(Bench(tmp_path, protection.split()), row.teeth_times)
    assert not figure.ok, f"without ({row.teeth[protection]}) it still measures: {figure.text}"


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("key", ROWS)
def test_whole_count(key: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    row = ROWS[key]
    require(row, request)
    figure = row.measure(Bench(tmp_path), row.whole)
    print(figure.text)
    assert figure.ok, f"wanted: {row.wanted}; measured: {figure.text}"

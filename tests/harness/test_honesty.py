"""Verdicts of several seeds, on a small pool of real runs: 64 seeds of digits after 4, 8 and 15 of 15 epochs.

`python -m tests.harness honesty` makes pools afresh and measures the whole; docs/HONEST_NUMBERS.md has its tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.honesty import cells, fixed, pools
from harness.honesty.duels import Duels, Side
from harness.honesty.limits import limits
from harness.honesty.report import FIGURES, PAGE, page
from harness.honesty.tables import markdown
from tuitrain.stats.sequential import Plan

EPOCHS = (4, 8, 15)


@pytest.fixture(scope="module")
def sides() -> Iterator[dict[int, Side]]:
    with np.load(Path(pools.__file__).with_name("digits.npz")) as file:
        right = np.unpackbits(file["right"], axis=2, count=int(file["images"])).astype(bool)
        yield {int(epoch): Side(each) for epoch, each in zip(file["epochs"], right, strict=True)}


@pytest.mark.parametrize("epoch", EPOCHS)
def test_ten_thousand_duels_of_a_against_a(sides: dict[int, Side], epoch: int) -> None:
    for row in cells.duels_of_a_against_a(sides[epoch], 10_000, (32,)):
        ended = row["ended"]
        assert ended["better"] <= 0.025 and ended["worse"] <= 0.025 and ended["wrong"] <= 0.05, row
        assert row["unlike decide"] == 0
        assert row["peeked"]["better"] > 0.05 < row["peeked"]["worse"], row  # it can fail


def test_a_gain_is_found_and_going_on_is_honest(sides: dict[int, Side]) -> None:
    side = sides[15]
    gain = side.sd * cells.ASKED_GAIN
    found = Duels(side, side, 2000, 64, "with").ended(Plan(64), gain)
    assert found.better > 0.72 and found.worse < 0.01 and found.wrong < 0.05 and found.pairs < 45
    absent = Duels(side, side, 2000, 64, "with").ended(Plan(64, gain))
    assert absent.no_gain > 0.72 and absent.better < 0.025
    for row in cells.doubled(side, 4000):
        assert row["ended"]["wrong"] < 0.05 and row["gain"]["wrong"] < 0.05


def test_a_fixed_number_of_seeds_is_covered(sides: dict[int, Side]) -> None:
    settled, unsettled = sides[15], sides[8]
    for side in (settled, unsettled):
        got = fixed.these_images(side, side, 4, 1500)
        assert 0.935 < got["covered"] < 0.985 and max(got["better"], got["worse"]) < 0.035, got
        assert fixed.new_images(side, side, 4, 1000, "drawn")["covered"] > 0.94
    assert got["covered by the floor"] < 0.9  # of the unsettled: it can fail
    spreads = fixed.spreads(settled, 4, 1500)
    assert spreads["sd"]["rmse"] < 0.23 and spreads["plain"]["rmse"] > 0.33 and spreads["unsettled"] < 0.01
    assert fixed.spreads(sides[4], 8, 300)["unsettled"] > 0.8
    assert fixed.permuted(settled, 4, 500) < 0.06 and fixed.told_apart(sides[4], 300) > 0.3


def test_a_pool_is_made_once_and_goes_on(tmp_path: Path) -> None:
    setting = replace(pools.SETTINGS["digits"], name="two", epochs=1, seeds=2)
    folder = setting.folder(tmp_path)
    folder.mkdir()
    pools.train_member(setting, 1, folder, None)
    with pytest.raises(FileNotFoundError):
        pools.load(setting, tmp_path)
    pools.train_member(setting, 0, folder, None)
    pool = pools.load(setting, tmp_path)
    assert pool.right.shape == (1, 2, 297) and (pool.after(1)[0] != pool.after(1)[1]).any()
    told: list[str] = []
    pools.make(setting, tmp_path, None, 1, told.append)  # nothing is left to do, so no process is started
    assert not told and {path.name for path in folder.iterdir()} == {"0.npz", "1.npz"}
    assert replace(setting, lr=0.1).folder(tmp_path) != folder
    other = dict(np.load(folder / "1.npz"))
    np.savez(folder / "1.npz", **(other | {"labels": "of other images"}))
    with pytest.raises(ValueError, match="judged by different images"):
        pools.load(setting, tmp_path)


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(FIGURES.read_text())
    return read


def test_the_page_has_the_tables_of_the_figures(figures: dict[str, Any]) -> None:
    text = PAGE.read_text()
    assert page(text, markdown(figures)) == text


def test_a_broken_limit_is_seen(figures: dict[str, Any]) -> None:
    broken = [one.what for one in limits(figures) if not one.kept]
    cell = next(iter(figures["cells"].values()))
    cell["duels"][0]["ended"]["better"] = 0.026
    cell["spread"]["4"]["sd"]["rmse"] = 0.7
    cell["duels"][0]["peeked"]["better"] = 0.02
    now = [one.what for one in limits(figures) if not one.kept]
    assert {"A against A: B is called better"} < set(now) - set(broken)
    assert any("teeth" in what for what in now) and any("noise floor" in what for what in now)

"""The table of a reproduction fits the terminal, and loses whole columns rather than parts of figures."""

import io

import pytest
from rich.console import Console

from support.groups_made import history
from tuitrain.cli.reproduction_text import ReproductionTable
from tuitrain.spec.preset_files import load_preset
from tuitrain.watch.group import Group, SeedRun
from tuitrain.watch.reproduction import Reproduction

CURVES = ([0.98, 0.993, 0.9926], [0.98, 0.992, 0.9932], [0.98, 0.9936, 0.993])


def made(name: str, seeds: int) -> Reproduction:
    runs = [
        SeedRun(n, f"seed{n}", "done", history(curve, n, target=99.4, images=10_000), 1.0)
        for n, curve in enumerate(CURVES[:seeds])
    ]
    runs += [SeedRun(seeds, "next", "waiting", history([], outcome=None))]
    return Reproduction(load_preset(name), Group(name, tuple(runs)))


@pytest.mark.parametrize(("width", "has", "has_not"), [
    (60, "99.47 (log 99.28)", "99.33"), (80, "in 95 %", "99.30 to 99.36"), (120, "one more", "…"),
])  # fmt: skip
def test_what_has_no_room_is_left_out_whole(width: int, has: str, has_not: str) -> None:
    out = Console(file=io.StringIO(), width=width)
    out.print(ReproductionTable([made("step13", 3), made("net2", 1), made("net8", 0)]))
    assert isinstance(out.file, io.StringIO)
    text = out.file.getvalue()
    assert has in text and has_not not in text and "…" not in text
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    bodies = [line.split() for line in lines if line]
    assert ["step13", "5,854", "14", "epochs", "best", "99.40", "(12)"] in [words[:7] for words in bodies]
    assert ["5,854", "3", "of", "4", "seeds", "last", "99.35"] in [words[:7] for words in bodies]
    assert ["19,310", "0", "of", "1", "seeds"] in bodies and ("not run" in text or width == 60)

"""The picture of a reproduction: a whole SVG file that shows what it is given."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.groups_made import history
from tuitrain.errors import TuitrainError
from tuitrain.report.curves import Chart, Line, svg
from tuitrain.report.frame import BOTTOM, TOP
from tuitrain.report.reproduction import reproduction_chart, write_curves
from tuitrain.spec.preset_files import load_preset
from tuitrain.watch.group import BandPoint, Group, SeedRun
from tuitrain.watch.reproduction import Reproduction

CURVES = ([0.97, 0.99, 0.992], [0.96, 0.991, 0.993])


def made(name: str = "step13", *, label: str = "", curves=CURVES) -> Reproduction:
    runs = [
        SeedRun(n, f"seed{n}", "done", history(curve, n, target=99.4, images=10_000), 1.0)
        for n, curve in enumerate(curves)
    ]
    return Reproduction(load_preset(name), Group(label or name, tuple(runs)))


def classes(text: str) -> list[str]:
    return [element.get("class", "") for element in ElementTree.fromstring(text).iter()]


def test_the_published_curve_lies_over_the_band_of_our_seeds() -> None:
    text = svg(reproduction_chart(made()))
    found = classes(text)
    assert found.count("band") == 2 and found.count("mark") == 2  # in the plot and in the legend
    assert found.count("line here") == 2 and found.count("line there") == 2 and found.count("level") == 1
    said = "".join(ElementTree.fromstring(text).itertext())
    for words in ("mean of 2 seeds", "published run", "target 99.4 %", "claimed best 99.40 % in epoch 12"):
        assert words in said
    assert "prefers-color-scheme: dark" in text
    published = re.search(r'class="line there" d="(M[^"]*L[^"]*)"', text)
    assert published and published[1].count("L") == 13


def test_one_seed_has_no_band_and_a_claim_that_no_log_has_is_a_line() -> None:
    one = svg(reproduction_chart(made(curves=CURVES[:1])))
    assert "band" not in classes(one) and "one seed here" in one
    net2 = svg(reproduction_chart(made("net2")))
    assert classes(net2).count("level") == 2 and "claimed best 99.47 %" in net2


def test_a_curve_has_gaps_and_stays_a_picture_whatever_it_holds() -> None:
    line = Line("<b>&\x1b", (0.5, None, float("nan"), 0.7, 0.8))
    text = svg(Chart('"<script>\x00', lines=(line,)))
    ElementTree.fromstring(text)
    assert "<script>" not in text and "\x1b" not in text
    path = re.search(r'd="(M[^"]*)" *', text)
    assert path and (path[1].count("M"), path[1].count("L")) == (2, 1)
    for empty in (Chart("nothing"), Chart("one", (BandPoint(1, 1.0, 1.0, 1.0, 3),), "band")):
        ElementTree.fromstring(svg(empty))


@pytest.mark.parametrize(
    "values", [(0.1, 0.5, 0.9, 0.93, 0.94), (0.9931, 0.9932, 0.9933), (1.0, 1.0), (0.0,)]
)
def test_every_value_after_the_first_epochs_is_inside_the_plot(values: tuple[float, ...]) -> None:
    text = svg(Chart("t", lines=(Line("l", values),)))
    places = [float(y) for y in re.findall(r"[ML][\d.]+,([\d.-]+)", text.partition("</g>")[0])]
    assert len(places) == len(values)
    assert all(TOP - 0.1 <= y <= BOTTOM + 0.1 for y in places[len(values) // 2 :])
    assert len(re.findall('class="grid"', text)) <= 8


def test_pictures_are_written_of_what_was_run(tmp_path: Path) -> None:
    none = Reproduction(load_preset("step1"), Group("step1", ()))
    files = write_curves(tmp_path / "curves", [made(label="step13 · epochs 3"), none])
    assert [file.name for file in files] == ["step13-epochs-3.svg"]
    (tmp_path / "file").write_text("")
    with pytest.raises(TuitrainError, match="can't be written"):
        write_curves(tmp_path / "file" / "curves", [made()])

"""Reports of several runs side by side, and of studies."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np

from support.groups_made import group, history, plan
from support.monitor_recorded import recorded
from tuitrain.report.document import html, markdown
from tuitrain.report.journey import Stop, journey_report, labels_of
from tuitrain.report.steps import Step, steps_svg
from tuitrain.report.study import study_report
from tuitrain.runs.history import History
from tuitrain.study.duel import duel_of
from tuitrain.watch.duel import duel_lines
from tuitrain.watch.evidence import Evidence
from tuitrain.watch.group import Group

RUN = History.of(recorded())


def named(name: str, accuracies: list[float], parameters: int) -> History:
    made = history(accuracies, target=99.0, images=1000)
    assert made.started is not None
    return replace(made, started=replace(made.started, name=name, parameters=parameters))


def texts(svg: str) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_a_journey_tells_each_step_beside_the_one_before_it() -> None:
    before, after = group("one", [[True] * 5 + [False] * 5]), group("two", [[True] * 9 + [False]])
    stops = [
        Stop("one", named("one", [0.98, 0.981], 9000)),
        Stop("two", named("two", [0.985, 0.992], 6000), Evidence(before, after)),
    ]
    report = journey_report(stops)
    said = markdown(report)
    assert said.startswith("# one to two\n\n**2 runs**") and "![" in said
    assert "| two | 6,000 | 99.20 % | 2 | 99.20 % | 1 (of 99 %) | 2 | 1.0 s |" in said
    assert (
        "Parameters 9,000 → 6,000. Last epoch +40.00 points: only two is right on 4 images, only one on 0"
        in said
    )
    assert "1 of 2 (fewest parameters: two)" in said and "+1.10 (points" in said
    assert "`tuitrain compare` tells gain from luck" in said and "<code>tuitrain compare</code>" in html(
        report
    )
    steps = texts(report.pictures["steps.svg"])
    assert "one: best epoch 98.10 %" in steps and "two: 6,000 parameters" in steps and "target 99 %" in steps
    ElementTree.fromstring(html(report).split("<body>")[1].split("</body>")[0])
    apart = markdown(journey_report(stops, "judged on different data sets"))
    assert "**They were judged on different data sets.**" in apart and "from first to last" not in apart


def test_many_runs_are_steps_all_the_same_and_the_best_stands_out() -> None:
    stops = [Stop(f"s{n}", named(f"s{n}", [0.9, 0.9 + n / 1000], 100 * n + 1)) for n in range(40)]
    report = journey_report(stops)
    looks = [element.get("class") for element in ElementTree.fromstring(report.pictures["curves.svg"]).iter()]
    assert looks.count("line train") == 39 + 1 and looks.count("line here") == 1 + 1  # and in the legend
    assert "the others" in texts(report.pictures["curves.svg"])


def test_runs_are_called_after_their_presets_where_that_tells_them_apart() -> None:
    assert labels_of([("a", named("one", [0.5], 1)), ("b", named("two", [0.5], 1))]) == ["one", "two"]
    assert labels_of([("a", named("one", [0.5], 1)), ("b", named("one", [0.5], 1))]) == ["a", "b"]


def test_steps_without_accuracies_or_parameters_are_drawn_too() -> None:
    nothing = Step("<x>", 0, float("nan"), float("nan"))
    text = steps_svg([nothing])
    ElementTree.fromstring(text)
    assert "<x>" not in text
    claimed = steps_svg([Step("a", 5, 0.99, 0.98, 0.994), nothing, Step("c", 5, 0.99, 0.98, 0.995)])
    assert "claimed best" in texts(claimed)


def test_a_study_of_one_setting_has_its_band_figures_and_runs() -> None:
    right = np.ones((3, 50), bool)
    right[0, :3] = right[1, 2:5] = right[2, 4:9] = False
    made = group("made", right, waiting=1)
    report = study_report(plan("made", seeds=(0, 1, 2, 3)), [made], [])
    said = markdown(report)
    assert said.startswith("# Seeds of made\n\n**3 of 4 runs finished**") and "**Mean 92.67 %" in said
    assert (
        "| sd between seeds |" in said
        and "| ✓ done | 2 | 2 | 90.00 % | 90.00 % | 2 | 1.0 s | made2 |" in said
    )
    band = report.pictures["band.svg"]
    assert "mean of 3 seeds" in texts(band) and "polygon" in band
    ElementTree.fromstring(html(report).split("<body>")[1].split("</body>")[0])


def test_a_duel_says_its_finding_first() -> None:
    right = np.ones((4, 60), bool)
    right[:, :6] = False
    better = right.copy()
    better[:, 3:6] = True
    groups = [group("a", right), group("b", better)]
    made = replace(plan("a", "b", seeds=(0, 1, 2, 3)), kind="duel", gain=0.01)
    lines = duel_lines(duel_of(made, groups))
    report = study_report(made, groups, lines)
    said = markdown(report)
    assert said.startswith("# Duel: a against b") and lines[0][:20] in said
    assert set(report.pictures) == {"means.svg", "band-1.svg", "band-2.svg"}


def test_a_sweep_has_its_table_and_few_pictures() -> None:
    groups = [group(f"g{n}", np.arange(40).reshape(1, 40) > n) for n in range(10)]
    made = replace(plan(*(f"g{n}" for n in range(10)), seeds=(0,)), kind="sweep")
    report = study_report(made, groups, ["g0 is the best."], (("", "lr", "mean"), [("1", "0.1", "97.50 %")]))
    assert len(report.pictures) == 8 and "| 1 | 0.1 | 97.50 % |" in markdown(report)
    assert "Sweep of 10 settings" in html(report)


def test_a_group_that_has_not_begun_is_reported_as_such() -> None:
    made = study_report(plan("made"), [Group("made", ())], [])
    assert not made.pictures and "No seed of 0 has finished" in markdown(made)

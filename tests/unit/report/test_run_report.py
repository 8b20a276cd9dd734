"""The report of a run: as Markdown with its pictures, and as one HTML file."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from support.groups_made import history
from support.monitor_recorded import DIRECTORY, recorded
from tuitrain.data.catalog import DIGITS, SETS
from tuitrain.report import report_files
from tuitrain.report.document import html
from tuitrain.report.markdown import escaped, fenced
from tuitrain.report.pictures import MOST_MISTAKES, confusion_svg, mistakes_svg
from tuitrain.report.run import run_report
from tuitrain.runs import inspect
from tuitrain.runs import report_files as kept_files
from tuitrain.runs.history import History
from tuitrain.runs.inspect import Evaluations
from tuitrain.watch.analysis import findings
from tuitrain.watch.verdict import verdict_of

RUN, SEEN = History.of(recorded()), inspect.read(DIRECTORY)
IMAGES = np.zeros((10_000, 28, 28), np.uint8)
IMAGES[:, 4:24, 13:15] = 255


def classes(text: str) -> list[str]:
    return [element.get("class", "") for element in ElementTree.fromstring(text).iter()]


def test_a_run_leaves_its_report_with_pictures_that_are_whole_files() -> None:
    files = report_files(RUN, SEEN, IMAGES, DIGITS)
    assert set(files) == set(kept_files.FILES) - {"report.html"}
    for name, text in files.items():
        if name.endswith(".svg"):
            assert ElementTree.fromstring(text).tag.endswith("svg") and "prefers-color-scheme: dark" in text
            assert f"]({name})" in files["report.md"]
    report = files["report.md"]
    for sentence in (*verdict_of(RUN).remarks, *(finding.text for finding in findings(RUN, SEEN))):
        assert escaped(sentence) in report  # the same as the app says, and nowhere said in other words
    assert report.startswith("# step13 on mnist\n\n**✗ done, challenge not met: accuracy, consistency**")
    for words in (
        "| ✗ missed | accuracy | 99.40 % | 99.30 % |",
        "| total |  | 5,854 |",
        "torch 2.15.0",
        "--seed 0",
    ):
        assert words in report
    accuracy = classes(files["accuracy.svg"])
    assert {"line here", "line there", "line train", "level", "mark here"} <= set(accuracy)
    assert classes(files["network.svg"]).count("block") == 7, "the image and six convolutions"
    assert "level" not in classes(files["loss.svg"]) and "0.02" in files["loss.svg"]


def test_html_needs_no_other_file_and_is_whole() -> None:
    text = html(run_report(RUN, SEEN, IMAGES, DIGITS))
    assert text.count("<svg") == text.count("</svg>") == 5
    assert not re.search(r"\b(src|href)=|url\((?!#)|@import", text)
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    body = text[text.index("<main>") : text.index("</main>") + len("</main>")]
    ElementTree.fromstring(body)  # every element is closed


def test_names_from_elsewhere_are_shown_as_they_are_and_do_nothing() -> None:
    assert RUN.started is not None
    evil = "<script>alert(1)</script> [x](y) | \x1b[2J"
    bad = replace(RUN, started=replace(RUN.started, name=evil, command=f"```\n{evil}", device_name=evil))
    document = run_report(bad, SEEN, None, ())
    assert "<script" not in html(document) and "\x1b" not in html(document)
    report = report_files(bad, SEEN, None, ())["report.md"]
    before_code = report[: report.index("````")]
    assert "<script" not in before_code.replace("\\<", "") and "\x1b" not in report
    assert fenced("a```b").startswith("````")


@pytest.mark.parametrize(
    "run",
    [
        History(),
        history([]),
        history([float("nan")], outcome="diverged"),
        history([0.5], outcome="stopped"),
        history([0.98] * 70),
    ],
)
def test_every_run_has_a_report(run: History) -> None:
    files = report_files(run, Evaluations(), None, ())
    assert ("accuracy.svg" in files) == bool(run.epochs) and "confusion.svg" not in files
    ElementTree.fromstring(
        html(run_report(run, Evaluations(), None, ())).split("</head>")[1].removesuffix("</html>\n")
    )


def test_the_confusion_matrix_has_each_count_and_long_names() -> None:
    assert SEEN.last is not None
    text = confusion_svg(SEEN.last, SETS["fashion-mnist"].classes)
    counts = SEEN.last.confusion
    shown = [
        int(element.text or 0)
        for element in ElementTree.fromstring(text).iter()
        if "figure" in element.get("class", "")
    ]
    assert sorted(shown) == sorted(counts[counts > 0].tolist())
    assert f"Ankle boot taken for T-shirt/top: {counts[9, 0]}" in text


def test_the_worst_mistakes_are_drawn_in_the_order_of_confidence() -> None:
    seen = SEEN.last
    assert seen is not None
    text = mistakes_svg(seen, IMAGES, DIGITS)
    assert text is not None and text.count('class="frame"') == MOST_MISTAKES
    order = [int(n) for n in re.findall(r"image (\d+):", text)]
    assert order == seen.wrong()[:MOST_MISTAKES].tolist()
    runs = re.findall(r'class="ink" stroke-opacity="([\d.]+)" d="([^"]+)"', text)
    assert runs[0] == ("1.00", "".join(f"M13 {y}.5h2" for y in range(4, 24)))
    assert mistakes_svg(seen, IMAGES[:5], DIGITS) is None  # of another set

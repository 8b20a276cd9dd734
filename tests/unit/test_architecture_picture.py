"""The picture of a network: every layer is in it, with its shape, parameters and what it sees."""

import re
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from tuitrain.cli.root import app
from tuitrain.errors import UsageError
from tuitrain.report.architecture import architecture_svg
from tuitrain.spec.preset_files import list_presets, load_preset


@pytest.mark.parametrize("name", [entry.name for entry in list_presets() if entry.builtin][::6])
def test_every_layer_is_there_once_with_its_figures(name: str) -> None:
    table = load_preset(name).table()
    root = ElementTree.fromstring(architecture_svg(name, table))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    layers = [row for row in table.rows if not row.is_op]
    assert [text for text in texts if text in {row.title for row in layers}] == [row.title for row in layers]
    counted = [
        int(text.split()[0].replace(",", ""))
        for text in texts
        if text and re.fullmatch(r"[\d,]+ params", text)
    ]
    assert sum(counted) == table.parameters
    blocks = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if e.get("class") in ("block", "pool")]
    assert len(blocks) == len(layers) + 1
    assert all(float(e.get("x", "-1")) >= 0 and float(e.get("y", "-1")) > 40 for e in blocks)


def test_odd_titles_are_text_and_an_unwritable_place_is_one_sentence(tmp_path) -> None:
    ElementTree.fromstring(architecture_svg("<script>&\x1b", load_preset("step13").table()))
    out = tmp_path / "net.svg"
    assert CliRunner().invoke(app, ["show", "step13", "--svg", str(out)]).exit_code == 0
    assert out.read_text() == CliRunner().invoke(app, ["show", "step13", "--svg", "-"]).stdout
    done = CliRunner().invoke(app, ["show", "step13", "--svg", str(tmp_path / "none" / "x.svg")])
    assert isinstance(done.exception, UsageError) and "can't be written" in str(done.exception)

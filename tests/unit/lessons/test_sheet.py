"""Sheets in all their forms, the figures in them, the table that goes out again, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tuitrain.errors import UsageError
from tuitrain.lessons import xlsx
from tuitrain.lessons.backprop import COLUMNS, VARIANTS, Start, Variant, losses, table
from tuitrain.lessons.check import EQUAL, check, checks
from tuitrain.lessons.export import csv_text, workbook
from tuitrain.lessons.sheet import RATES, Sheet, published, read_sheet

FIGURES = 30 * 27 - 8  # of thirty steps: all but inputs, targets and the first weights
#: Weights after the sheet's last row, lr 10, as its cells show them.
LAST_WEIGHTS = (0.165938, 0.231875, 0.229026, 0.258053, -3.5431, -3.513114, 3.499151, 3.563124)
OTHER = Start((0.3, -0.7), (0.9, 0.2), (0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8))
TOML = """
inputs = [0.3, -0.7]
targets = [0.9, 0.2]
weights = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8]
"""


def test_every_published_figure_is_reproduced_in_both_variants() -> None:
    sheet = published()
    assert sheet.learning_rates[0] == 10 and len(sheet.figures) == 2 * (8 + 7 * 14)
    for found in checks(sheet):
        assert (found.count, found.equal, found.first) == (106, 106, None)
        assert found.worst < 1e-12
    last = table(sheet.start, 10, 198, "published")[197]
    assert [round(last[f"w{k}"], 6) for k in range(1, 9)] == list(LAST_WEIGHTS)


def test_a_figure_that_is_off_is_found() -> None:
    sheet = published()
    at = next(i for i, one in enumerate(sheet.figures) if one.lr == 2 and one.step == 100)
    bent = replace(sheet.figures[at], value=sheet.figures[at].value + 2 * EQUAL)
    sheet = replace(sheet, figures=(*sheet.figures[:at], bent, *sheet.figures[at + 1 :]))
    found = next(one for one in checks(sheet) if one.variant == bent.variant)
    assert (found.equal, found.first) == (105, bent) and found.worst == pytest.approx(2 * EQUAL, rel=0.1)


def test_what_the_mistake_did_to_the_curves() -> None:
    start = published().start
    wrong, right = (losses(start, 10, 198, variant)[197] for variant in ("published", "corrected"))
    assert wrong / right == pytest.approx(1.1534, abs=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_table_goes_out_and_comes_in_again(tmp_path: Path, variant: Variant, kind: str) -> None:
    rows = table(OTHER, 1.5, 30, variant)
    file = tmp_path / f"out.{kind}"
    file.write_bytes(csv_text(rows).encode() if kind == "csv" else workbook(rows, variant))
    sheet = read_sheet(file)
    assert (sheet.start, sheet.rows, len(sheet.figures)) == (OTHER, 30, FIGURES)
    assert sheet.learning_rates == (1.5, *RATES)
    assert check(sheet, variant).equal == FIGURES
    other = check(sheet, "published" if variant == "corrected" else "corrected")
    assert other.first is not None and (other.first.step, other.first.column) == (0, "dE/dw1")


def test_the_csv_has_31_columns_and_every_digit() -> None:
    rows = table(OTHER, 1.5, 3)
    lines = list(csv.reader(io.StringIO(csv_text(rows))))
    assert lines[0] == list(COLUMNS) and len(COLUMNS) == 31
    assert [[float(cell) for cell in line] for line in lines[1:]] == [
        [row[c] for c in COLUMNS] for row in rows
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_workbook_works_its_values_out_itself(variant: Variant) -> None:
    raw = workbook(table(OTHER, 1.5, 3, variant), variant)
    text = zipfile.ZipFile(io.BytesIO(raw)).read("xl/worksheets/sheet1.xml").decode()
    formulas = dict(re.findall(r'<c r="([A-Z]+\d)"><f>([^<]*)</f>', text))
    values = {
        place: float(v) for place, v in re.findall(r'<c r="([A-Z]+\d)">(?:<f>[^<]*</f>)?<v>([^<]*)</v>', text)
    }
    assert len(formulas) == 3 * 27 - 8 and formulas["I3"] == "E3*C3+F3*D3" and formulas["E4"] == "E3-$F$1*X3"
    found = {place: value for place, value in values.items() if place not in formulas}

    def cell(place: str) -> float:
        if place not in found:
            code = re.sub(r"\$?\b([A-Z]{1,2})\$?(\d)\b", r"cell('\1\2')", formulas[place]).replace("^", "**")
            found[place] = eval(code, {"cell": cell, "EXP": math.exp})
        return found[place]

    for place in formulas:
        assert cell(place) == pytest.approx(values[place], rel=1e-12), place


def test_the_same_sheet_in_every_form(tmp_path: Path) -> None:
    names = ["t1", "t2", "i1", "i2", *(f"w{k}" for k in range(1, 9))]
    cells = [*OTHER.targets, *OTHER.inputs, *OTHER.weights]
    weights = {f"w{k}": w for k, w in enumerate(OTHER.weights, 1)}
    record = {
        "inputs": OTHER.inputs,
        "targets": OTHER.targets,
        "weights_init": weights,
        "learning_rates_published": [3],
    }
    system = {
        "id": "x",
        "kind": "backprop",
        "title": "T",
        "hyper": record | {"wiring": "as ever"},
        "layers": [],
    }
    forms = {
        "a.toml": TOML + "lr = 3\n", "b.json": json.dumps(record), "c.json": json.dumps([{"kind": "mnist"}, system]),
        "d.csv": f"LR=;3\n{';'.join(names).upper()}\n{';'.join(map(str, cells))}\n",
        "e.csv": f"\ufeff{','.join([*names, 'lr'])}\n{','.join(map(str, [*cells, 3]))}\n",
    }  # fmt: skip
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        sheet = read_sheet(tmp_path / name)
        assert sheet.start == OTHER, name
        assert sheet.learning_rates == (3, *RATES), name
        assert sheet.figures == (), name
    assert read_sheet(tmp_path / "c.json").title == "T"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", TOML.replace("targets", "target"), "target is not a key of a sheet; did you mean 'targets'?"),
        ("a.toml", TOML.replace("targets = [0.9, 0.2]", ""), "the key targets is missing; give it as [t1, t2]."),
        ("a.toml", TOML.replace(", -0.8", ""), "weights has 7 numbers; give 8, w1 to w8."),
        ("a.toml", TOML.replace("0.9, ", ""), "targets has 1 number; give 2, t1 to t2."),
        ("a.toml", TOML.replace("-0.7", "nan"), "inputs, i2, is not finite; use a number such as 0.15."),
        ("a.toml", TOML.replace("-0.7", "'x'"), "inputs, i2, is 'x', no number; use one such as 0.15."),
        ("a.toml", TOML.replace("-0.7", "true"), "inputs, i2, is 'true', no number; use one such as 0.15."),
        ("a.toml", TOML + "learning_rates = [1, 0]", "learning_rates is 0; use a number above 0, such as 0.5."),
        ("a.toml", TOML + "learning_rates = []", "learning_rates is empty; use a number above 0, such as 0.5."),
        ("a.toml", TOML + "rows = 0", "rows is 0; use a whole number from 1 to 10000."),
        ("a.toml", TOML + "inputs = [1, 2]", "not valid TOML"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "[1]", "is no table of keys; give inputs, targets and weights."),
        ("a.json", '{"inputs": 3, "targets": [], "weights": 0}', "inputs is no list of numbers; give 2, i1 to i2."),
        ("a.json", f'{{"inputs": [1{"0" * 400}, 2], "targets": [], "weights": 0}}', "inputs, i1, is not finite"),
        ("a.json", '{"inputs": [1, 2], "targets": [0, 1], "weights": {"w1": 1}}', "weights.w2 is missing"),
        ("a.csv", "t1,t2,i1,w1\n1,2,3,4\n", "the column i2 is missing; name t1, t2, i1, i2 and w1 to w8"),
        ("a.csv", "", "the column t1 is missing"),
        ("a.csv", "t1,t2,i1,i2,w1,w2,w3,w4,w5,w6,w7,w8\n", "there is no row below the headings"),
        ("a.csv", "t1,t2,i1,i2,w1,w2,w3,w4,w5,w6,w7,w8\n1,2,3,4,5,6,7,8,9,a,1,2\n", "w6 in row 2 is 'a', no number"),
        ("a.csv", "t1,t2,i1,i2,w1,w2,w3,w4,w5,w6,w7,w8\n1,2,3,4,5,6,7,8,9,1,1\n", "w8 in row 2 is missing"),
        ("a.xlsx", "no zip", "no workbook that can be read"),
        ("a.json", json.dumps({"k" * 9999: 1}), "characters left out"),
        ("a.txt", "", "is of no known kind; use a .toml, .json, .csv or .xlsx file."),
        ("../no.toml", None, "no such sheet; check the path."),
    ],
)  # fmt: skip
def test_a_wrong_sheet_is_refused_in_a_sentence(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as error:
        read_sheet(tmp_path / name)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / name}: ") and str(error.value)[-1] in ".?"


def test_a_workbook_made_to_do_harm_is_refused(tmp_path: Path) -> None:
    def book(sheet: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("xl/worksheets/sheet1.xml", sheet)
        return out.getvalue()

    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><worksheet><row><c><v>&b;</v></c></row></worksheet>'
    wide = (
        '<worksheet><row r="1"><c r="ZZZ1"><v>1</v></c></row>' + '<row><c r="ZZZ1"><v>1</v></c></row>' * 400
    )
    for sheet, said in (
        ('<?xml version="1.0" encoding="UTF-u8"?><a/>', "no workbook that can be read"),
        (bomb, "entities"), (wide + "</worksheet>", "far larger"), ("<worksheet>", "no workbook that can be read"),
        ("<a>" + " " * (65 << 20) + "</a>", "far larger"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            xlsx.read(book(sheet))


def test_a_figure_of_a_table_is_held_to_the_right_step(tmp_path: Path) -> None:
    rows = table(OTHER, 1.5, 5)
    rows[3] = rows[3] | {"E_total": rows[3]["E_total"] + 1e-6}
    (tmp_path / "a.csv").write_text(csv_text(rows))
    sheet: Sheet = read_sheet(tmp_path / "a.csv")
    found = check(sheet, "corrected")
    assert found.first is not None and (found.first.step, found.first.column) == (3, "E_total")
    assert found.equal == found.count - 1 and found.worst == pytest.approx(1e-6)

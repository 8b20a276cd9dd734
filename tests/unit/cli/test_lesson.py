"""`tuitrain lesson backprop`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuitrain.cli.root import app
from tuitrain.errors import UsageError
from tuitrain.lessons.backprop import COLUMNS, GRADIENTS
from tuitrain.lessons.lesson import Lesson
from tuitrain.lessons.sheet import published, read_sheet


def lesson(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["lesson", "backprop", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: str) -> str:
    error = CliRunner().invoke(app, ["lesson", "backprop", *arguments]).exception
    assert isinstance(error, UsageError) and error.exit_code == 2
    return str(error)


def test_the_text_has_every_derivative_in_symbols_and_numbers_and_says_what_went_wrong() -> None:
    text = " ".join(lesson().split())
    for said in (
        "∂E/∂w5 = ∂E/∂a_o1 · ∂a_o1/∂o1 · ∂o1/∂w5 = (a_o1 − t1) · a_o1·(1 − a_o1) · a_h1 "
        "= (0.606478 − 0.01) · 0.606478·(1 − 0.606478) · 0.506875 = 0.0721571",
        "∂E/∂w1 = (∂E/∂o1·∂o1/∂a_h1 + ∂E/∂o2·∂o2/∂a_h1) · ∂a_h1/∂h1 · ∂h1/∂w1 = (∂E/∂o1·w5 + ∂E/∂o2·w7) · ",
        "∂E/∂w3 0.000224813 0.000224813 0.000313746 +39.6 %",
        "1 0.12111 0.4245 0.72464",
        "10 0.000279934 0.000242556 +15.41 %",
        "published: 106 of 106 are equal to 1e-11",
    ):
        assert said in text
    assert all(f"∂E/∂w{k} = " in text for k in range(1, 9))
    assert "! " not in text
    wrong = lesson("--variant", "published", "--step", "3")
    assert (
        "! The published sheet takes w6 here. w6 is the edge from h2 to o1; error 2 comes back to h1 by w7."
        in wrong
    )
    assert "step 3 of 0 to 199" in wrong and "The next steps" in wrong
    plain = lesson("--ascii")
    assert plain.isascii() and "dE/dw5      = dE/da_o1 * da_o1/do1 * do1/dw5" in plain


def test_the_json_has_the_same_numbers() -> None:
    found = json.loads(lesson("--json", "--step", "2", "--lr", "0.5,2", "--rows", "10"))
    sheet = Lesson(published(), step=2).with_rates([0.5, 2.0])
    assert found["values"] == {name: sheet.values[name] for name in COLUMNS}
    assert [term["value"] for term in found["terms"] if term["quantity"] in GRADIENTS[4:6]] == [
        sheet.values[name] for name in GRADIENTS[4:6]
    ]
    assert [(c["lr"], c["variant"], len(c["losses"])) for c in found["curves"]] == [
        (0.5, "corrected", 10), (2, "corrected", 10), (0.5, "published", 10), (2, "published", 10),
    ]  # fmt: skip
    assert found["curves"][0]["losses"] == list(sheet.losses()[:10])
    wild = json.loads(
        lesson("--json", "--weights=1e200", "--inputs", "1e200,1e200", "--lr", "1e300", "--rows", "3")
    )
    assert wild["values"]["h1"] is None and wild["values"]["w8"] == 1e200 and wild["figures"] == []


def test_numbers_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "inputs = [1, 2]\ntargets = [0, 1]\nweights = [1, 2, 3, 4, 5, 6, 7, 8]\nlearning_rates = 0.25\n"
    )
    text = lesson("--sheet", str(file))
    assert "mine, corrected gradients, learning rate 0.25, step 0 of 0 to 199" in text
    assert re.search(r"h1 +=.*= 1·1 \+ 2·2 +=.*5\n", text) and "The figures in the sheet" not in text
    changed = lesson(
        "--sheet", str(file), "--weights", "0 0 0 0 1 1 1 1", "--inputs=-1;3", "--targets=0.5,.5", "--lr", "3"
    )
    assert "learning rate 3," in changed and "0·(−1) + 0·3" in changed
    assert changed.count("\n") == text.count("\n")


def test_files_are_written_whole_and_never_over_others(tmp_path: Path) -> None:
    table, book = tmp_path / "a.csv", tmp_path / "a.xlsx"
    assert lesson("--csv", str(table), "--xlsx", str(book), "--rows", "5").split() == [str(table), str(book)]
    assert [read_sheet(file).rows for file in (table, book)] == [5, 5]
    before = table.read_bytes()
    assert refused("--csv", str(table)) == f"{table}: exists already; choose another name, or use --force."
    assert table.read_bytes() == before
    lesson("--csv", str(table), "--force", "--rows", "6")
    assert read_sheet(table).rows == 6 and sorted(tmp_path.iterdir()) == [table, book]
    assert "can't be written (No such file or directory)" in refused(
        "--xlsx", str(tmp_path / "no" / "b.xlsx")
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--lr", "0.1,x"], "--lr: 'x' is no number; use one such as 0.15."),
        (["--lr", "0.1", "--lr=-1"], "--lr is -1; use a number above 0, such as 0.5."),
        (["--lr", "inf"], "--lr is not finite; use a number such as 0.15."),
        (["--weights", "1,2,3"], "--weights has 3 numbers; give 8, w1 to w8."),
        (["--inputs", "1,nan"], "--inputs, i2, is not finite; use a number such as 0.15."),
        (["--targets", ""], "--targets: '' is no number; use one such as 0.15."),
        (["--variant", "right"], "--variant is 'right'; use corrected or published."),
        (["--step", "7", "--rows", "7"], "--step is 7, and --rows 7 ends with step 6; use a smaller step."),
        (["--step", "99999999999"], "--step is 99999999999; use a whole number from 0 to 9999."),
        (["--rows", "0"], "--rows is 0; use a whole number from 1 to 10000."),
        (["--sheet", "no.toml"], "no.toml: no such sheet; check the path."),
    ],
)  # fmt: skip
def test_a_wrong_flag_is_refused_in_a_sentence(flags: list[str], said: str) -> None:
    assert refused(*flags) == said


def test_it_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; sys.argv = ['tuitrain', 'lesson', 'backprop', '--json']\n"
        "from tuitrain.cli.root import app\n"
        "app(standalone_mode=False)\n"
        "print(*(name for name in ('torch', 'numpy', 'textual', 'scipy') if name in sys.modules), 'end')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1].split() == ["end"], done.stdout[-200:] + done.stderr

"""`tuitrain lesson backprop`: a screen on a terminal, else everything it shows as text, JSON, CSV or XLSX."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain.cli import completion, lab, options
from tuitrain.cli.console import emit_json, stderr, stdout
from tuitrain.errors import UsageError, visible
from tuitrain.paths import expand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuitrain.lessons.lesson import Lesson

app = typer.Typer(help="Lessons: what training does, worked by hand.", no_args_is_help=True)

NUMBERS = "The network"


@app.callback()
def lesson() -> None:
    """Lessons: what training does, worked by hand."""


@app.command()
def backprop(
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE",
            help="Inputs, targets, weights and learning rates of your own: TOML, JSON, CSV or XLSX; "
            "default: the published sheet.",
            show_default=False,
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    lr: Annotated[
        list[str] | None,
        typer.Option(
            "--lr",
            metavar="RATE,...",
            help="Learning rates: the first for the steps, all for the curves; default: the sheet's.",
            show_default=False,
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="W1,...,W8",
            help="The weights to begin with, or one number for all; default: the sheet's.",
            show_default=False,
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            "--inputs",
            metavar="I1,I2",
            help="The inputs; default: the sheet's.",
            show_default=False,
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="T1,T2",
            help="The targets; default: the sheet's.",
            show_default=False,
            rich_help_panel=NUMBERS,
        ),
    ] = None,
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            help="corrected, or published: with the published sheet's mistake.",
            autocompletion=completion.offer_choices(("corrected", "published")),
            rich_help_panel=NUMBERS,
        ),
    ] = "corrected",
    step: Annotated[
        int, typer.Option("--step", help="The training step to show; 0 is the untouched network.", min=0)
    ] = 0,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", help="Steps in the table and the curves; default: the sheet's, 200.", show_default=False
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write the table of 31 columns.",
            show_default=False,
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    xlsx: Annotated[
        Path | None,
        typer.Option(
            "--xlsx",
            metavar="FILE",
            help="Write it as a workbook with formulas.",
            show_default=False,
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is there.", rich_help_panel=options.OUTPUT)
    ] = False,
    json: options.Json = False,
    theme: lab.Theme = None,
    ascii_only: lab.Ascii = False,
    low_bandwidth: lab.LowBandwidth = False,
    no_mouse: lab.NoMouse = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="No screen: print it all.", rich_help_panel=lab.SCREEN)
    ] = False,
) -> None:
    """Backpropagation by hand, each derivative term by term.

    On a network of two inputs, two hidden and two output neurons: the forward pass, the chain rule in symbols
    and numbers, training step by step, the error with several learning rates, and what a mistake in the
    published sheet did to them.
    """  # fmt: skip
    shown = _lesson(sheet, lr, weights, inputs, targets, variant, step, rows)
    if csv is not None or xlsx is not None:
        _write_files(shown, csv, xlsx, force)
    elif json:
        emit_json(lesson_json(shown))
    elif plain or not sys.stdout.isatty():
        from tuitrain.cli.lesson_text import lesson_lines
        from tuitrain.lessons.terms import ASCII

        for line in lesson_lines(shown):
            stdout().print(line.plain.translate(ASCII) if ascii_only else line, soft_wrap=True)
    else:
        from tuitrain import config
        from tuitrain.cli.opening import ScreenOptions, show_app
        from tuitrain.tui.terminal.launch import check_terminal

        check_terminal("the lesson", "tuitrain lesson backprop --plain")
        folders = {"runs_dir": config.runs_dir(None), "data_dir": config.data_dir(None)}
        show_app(folders | {"lesson": shown}, ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse))


def _lesson(
    file: Path | None,
    lr: Sequence[str] | None,
    weights: str | None,
    inputs: str | None,
    targets: str | None,
    variant: str,
    step: int,
    rows: int | None,
) -> Lesson:
    """What the flags ask for.

    Raises:
        UsageError: a flag or the sheet is wrong.
    """
    from dataclasses import replace

    from tuitrain.lessons.backprop import VARIANTS, WEIGHTS, Start
    from tuitrain.lessons.lesson import Lesson, typed_numbers, typed_rates
    from tuitrain.lessons.sheet import MOST_ROWS, published, read_sheet, row_count

    sheet = published() if file is None else read_sheet(expand(file))
    given = sheet.start
    named = next((one for one in VARIANTS if one == variant), None)
    if named is None:
        raise UsageError(f"--variant is '{visible(variant)}'; use corrected or published.")
    try:
        if step >= MOST_ROWS:
            raise ValueError(f"--step is {step}; use a whole number from 0 to {MOST_ROWS - 1}")
        count = row_count("--rows", rows) if rows is not None else max(sheet.rows, step + 1)
        if step >= count:
            raise ValueError(
                f"--step is {step}, and --rows {rows} ends with step {count - 1}; use a smaller step"
            )
        i = typed_numbers("--inputs", ("i1", "i2"), inputs) if inputs is not None else given.inputs
        t = typed_numbers("--targets", ("t1", "t2"), targets) if targets is not None else given.targets
        w = typed_numbers("--weights", WEIGHTS, weights) if weights is not None else given.weights
        rates = typed_rates("--lr", ",".join(lr)) if lr else sheet.learning_rates
    except ValueError as error:
        raise UsageError(f"{visible(error)}.") from None
    start = Start((i[0], i[1]), (t[0], t[1]), w)
    return Lesson(replace(sheet, rows=count), named, step).with_start(start).with_rates(rates)


def _write_files(shown: Lesson, csv: Path | None, xlsx: Path | None, force: bool) -> None:
    """Writes the table, and prints the paths."""
    from tuitrain.lessons import export

    for path in filter(None, (csv, xlsx)):
        book = path == xlsx
        raw = (
            export.workbook(shown.table(), shown.variant) if book else export.csv_text(shown.table()).encode()
        )
        export.write_file(expand(path), raw, force=force)
        stderr().print(f"wrote {visible(path)}: {shown.rows} steps, 31 columns", soft_wrap=True)
        sys.stdout.write(f"{expand(path)}\n")


def lesson_json(shown: Lesson) -> dict[str, Any]:
    """The machine form; keys as the README documents them."""
    from tuitrain.jsonio import finite
    from tuitrain.lessons.backprop import COLUMNS, GRADIENTS, VARIANTS
    from tuitrain.lessons.check import checks
    from tuitrain.lessons.terms import as_text, in_numbers, in_symbols, symbol, terms

    values = shown.values
    found = {
        "title": shown.sheet.title,
        "variant": shown.variant,
        "lr": shown.lr,
        "step": shown.step,
        "rows": shown.rows,
        "values": {name: values[name] for name in COLUMNS},
        "measured_gradients": dict(zip(GRADIENTS, shown.measured(), strict=True)),
        "terms": [
            {
                "quantity": term.quantity,
                "symbol": symbol(term.quantity),
                "section": term.section,
                "chain": as_text(in_symbols(term.chain)) or None,
                "formula": as_text(in_symbols(term.formula)),
                "numbers": as_text(in_numbers(term.formula, values)),
                "value": values[term.quantity],
                "why": term.why,
                "mistake": term.mistake or None,
            }
            for term in terms(shown.variant)
        ],
        "curves": [
            {"lr": lr, "variant": variant, "losses": list(shown.losses(lr, variant))}
            for variant in VARIANTS
            for lr in shown.sheet.learning_rates
        ],
        "figures": [
            {"variant": one.variant, "count": one.count, "equal": one.equal, "largest_difference": one.worst}
            for one in checks(shown.sheet)
        ],
    }
    return dict(finite(found))

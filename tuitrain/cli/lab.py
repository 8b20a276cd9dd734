"""`tuitrain lab`, `attach`, `watch` and `demo`: everything with a screen."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuitrain.cli import completion, options
from tuitrain.cli.opening import ScreenOptions, open_demo, open_lab, open_run

SCREEN = "Screen"

PresetFlag = Annotated[
    str | None,
    typer.Option(
        "--preset",
        "-p",
        help="Preset name or TOML file to begin with.",
        show_default=False,
        autocompletion=completion.offer_presets,
    ),
]
Theme = Annotated[
    str | None,
    typer.Option(
        "--theme",
        help="dark, light, safe (colour-blind), ansi, or any Textual theme.",
        rich_help_panel=SCREEN,
        autocompletion=completion.offer_choices(("dark", "light", "safe", "ansi")),
    ),
]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII only.", rich_help_panel=SCREEN)]
LowBandwidth = Annotated[
    bool,
    typer.Option("--low-bandwidth", help="Paint once a second, at most 1 KB/s.", rich_help_panel=SCREEN),
]
NoMouse = Annotated[
    bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.", rich_help_panel=SCREEN)
]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="No screen: print lines, as `tuitrain run` does.", rich_help_panel=SCREEN),
]


def lab(
    preset: PresetFlag = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Your own network, FILE.py:NAME, added to the list, as for `run`. The file is executed.",
            show_default=False,
        ),
    ] = None,
    dataset: options.DatasetFlag = None,
    set_: options.Set = None,
    start: Annotated[bool, typer.Option("--start", help="Start training at once.")] = False,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    no_mouse: NoMouse = False,
    plain: Plain = False,
) -> None:
    """Open the terminal lab: choose, tweak, train and watch."""
    looks = ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse)
    open_lab(preset, runs_dir, data_dir, looks, plain, changes(preset, dataset, set_), start, model)


def changes(preset: str | None, dataset: str | None, set_: list[str] | None) -> dict[str, Any] | None:
    """What the lab begins with in place of the preset's values, by dotted key."""
    if not (dataset or set_):
        return None
    from tuitrain.spec.preset_files import load_preset

    return options.flag_changes(load_preset(preset or "step13"), {"dataset": dataset, "set_": set_})


def attach(
    run: options.RunName = "latest",
    runs_dir: options.RunsDir = None,
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    no_mouse: NoMouse = False,
    plain: Plain = False,
) -> None:
    """Open the monitor on a run anywhere, with full control."""
    open_run(
        run, runs_dir, ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse), plain, watch_only=False
    )


def watch(
    run: options.RunName = "latest",
    runs_dir: options.RunsDir = None,
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    no_mouse: NoMouse = False,
    plain: Plain = False,
) -> None:
    """Open the monitor on a run and only look."""
    open_run(
        run, runs_dir, ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse), plain, watch_only=True
    )


def demo(
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    no_mouse: NoMouse = False,
    plain: Plain = False,
) -> None:
    """A minute's tour on the built-in digits.

    No GPU, no network, nothing left behind.
    """
    open_demo(ScreenOptions(theme, ascii_only, low_bandwidth, not no_mouse), plain)


COMMANDS = (lab, attach, watch, demo)
__all__ = ["COMMANDS", "ScreenOptions", "attach", "demo", "lab", "open_lab", "watch"]

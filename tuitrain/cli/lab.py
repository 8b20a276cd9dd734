"""`tuitrain` alone, `attach`, `watch` and `demo`: everything with a screen.

The app's process is a fork made here, before anything heavy is imported (see tui/launcher.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.spec.library import load_preset

SCREEN = "Screen"

PresetFlag = Annotated[
    str | None,
    typer.Option("--preset", "-p", help="Preset name or TOML file to begin with.", show_default=False),
]
Theme = Annotated[
    str | None,
    typer.Option("--theme", help="dark, light, safe (colour-blind), ansi, or any Textual theme.", rich_help_panel=SCREEN),
]  # fmt: skip
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII only.", rich_help_panel=SCREEN)]
LowBandwidth = Annotated[
    bool, typer.Option("--low-bandwidth", help="Paint once a second, at most 1 KB/s.", rich_help_panel=SCREEN)
]
Plain = Annotated[
    bool, typer.Option("--plain", help="No screen: the lines of `tuitrain run`.", rich_help_panel=SCREEN)
]
RunName = Annotated[str, typer.Argument(help="A run: its name, a unique part of it, a path, or latest.")]


def _leave(code: int) -> None:
    if code:
        raise typer.Exit(code)


def _show(app_options: dict[str, Any]) -> None:
    from tuitrain.tui.launcher import launch

    _leave(launch(app_options))


def open_lab(
    preset: str | None = None,
    runs_dir: Path | None = None,
    data_dir: Path | None = None,
    theme: str | None = None,
    ascii_only: bool = False,
    low_bandwidth: bool = False,
    plain: bool = False,
    overrides: dict[str, Any] | None = None,
    start: bool = False,
) -> None:
    """Opens the lab; without a terminal to draw on, trains as `tuitrain run` does.

    Raises:
        UsageError: stdin is no terminal.
    """
    from tuitrain.tui.launcher import check_terminal, wants_plain

    if wants_plain(plain):
        _run_headless(preset, runs_dir, data_dir, overrides or {})
        return
    check_terminal(f"tuitrain run --preset {preset or 'step13'}")
    _show(
        {
            "preset": preset,
            "runs_dir": config.runs_dir(runs_dir),
            "data_dir": config.data_dir(data_dir),
            "overrides": overrides,
            "start": start,
            "low_bandwidth": low_bandwidth,
            "ascii_only": ascii_only,
            "theme": theme,
        }
    )


def lab(
    preset: PresetFlag = None,
    set_: options.Set = None,
    start: Annotated[bool, typer.Option("--start", help="Train at once.")] = False,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    plain: Plain = False,
) -> None:
    """Open the terminal lab: choose, tweak, train and watch."""
    overrides = options.changes(load_preset(preset or "step13"), {"set_": set_}) if set_ else None
    open_lab(preset, runs_dir, data_dir, theme, ascii_only, low_bandwidth, plain, overrides, start)


def _run_headless(
    preset: str | None, runs_dir: Path | None, data_dir: Path | None, overrides: dict[str, Any]
) -> None:
    from tuitrain.cli.run import run
    from tuitrain.spec.preset import toml_value

    settings = [f"{key}={toml_value(value)}" for key, value in overrides.items()]
    run(preset or "step13", set_=settings or None, runs_dir=runs_dir, data_dir=data_dir, plain=True)


def attach(
    run: RunName = "latest",
    runs_dir: options.RunsDir = None,
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    plain: Plain = False,
) -> None:
    """Open the monitor on a run, wherever it trains, with full control."""
    _look(run, runs_dir, theme, ascii_only, low_bandwidth, plain, watch_only=False)


def watch(
    run: RunName = "latest",
    runs_dir: options.RunsDir = None,
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    plain: Plain = False,
) -> None:
    """Open the monitor on a run and only look."""
    _look(run, runs_dir, theme, ascii_only, low_bandwidth, plain, watch_only=True)


def _look(
    run: str,
    runs_dir: Path | None,
    theme: str | None,
    ascii_only: bool,
    low_bandwidth: bool,
    plain: bool,
    *,
    watch_only: bool,
) -> None:
    from tuitrain.runs.index import resolve
    from tuitrain.tui.launcher import check_terminal, wants_plain

    folder = config.runs_dir(runs_dir)
    directory = resolve(folder, run)
    if wants_plain(plain):
        _follow_plain(directory)
        return
    check_terminal(f"tuitrain tail -f {directory.name}")
    _show(
        {
            "runs_dir": folder,
            "data_dir": config.data_dir(None),
            "attach": str(directory.path),
            "watch_only": watch_only,
            "low_bandwidth": low_bandwidth,
            "ascii_only": ascii_only,
            "theme": theme,
        }
    )


def _follow_plain(directory: Any) -> None:
    """The run's log lines, from the beginning until it ends."""
    import time

    from tuitrain.cli.live import epoch_line
    from tuitrain.runs.feed import DirectoryFeed
    from tuitrain.training.events import EpochFinished

    feed = DirectoryFeed(directory)
    while True:
        update = feed.poll()
        for record in update.records:
            if isinstance(record.event, EpochFinished):
                print(epoch_line(record.event), flush=True)
        if not update.alive:
            return
        time.sleep(0.5)


def demo(
    theme: Theme = None,
    ascii_only: Ascii = False,
    low_bandwidth: LowBandwidth = False,
    plain: Plain = False,
) -> None:
    """A minute's tour on the built-in digits: no GPU, no network, nothing left behind."""
    import shutil
    import tempfile

    from tuitrain.tui.launcher import check_terminal, wants_plain

    folder = Path(tempfile.mkdtemp(prefix="tuitrain-demo-"))
    try:
        if wants_plain(plain):
            _run_headless("step13", folder, None, {"train.dataset": "digits", "train.epochs": 3})
            return
        check_terminal("tuitrain demo --plain")
        _show(
            {
                "runs_dir": folder,
                "preset": "step13",
                "overrides": {"train.dataset": "digits", "train.epochs": 40},
                "demo": True,
                "theme": theme,
                "ascii_only": ascii_only,
                "low_bandwidth": low_bandwidth,
            }
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


COMMANDS = (lab, attach, watch, demo)

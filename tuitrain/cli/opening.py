"""Opening the app: what `tuitrain` alone, `attach`, `watch` and `demo` do. Imports nothing heavy.

The app's process is a fork made here (see tui/launcher.py), and the first paint waits for every import.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain import config
from tuitrain.errors import UsageError, visible

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """How the screen is drawn, as the flags of every command with a screen say; named as the app takes them."""

    theme: str | None = None
    ascii_only: bool = False
    low_bandwidth: bool = False
    mouse: bool = True


def show_app(app_options: dict[str, Any], looks: ScreenOptions) -> None:
    """Shows the app; ends the command with its exit code.

    Raises:
        SystemExit: the code, where it is not 0.
    """
    from tuitrain.tui import main
    from tuitrain.workbench.opening import Opening

    code = main.show(Opening(**app_options, **asdict(looks)))
    if code:
        raise SystemExit(code)


def open_lab(
    preset: str | None = None,
    runs_dir: Path | None = None,
    data_dir: Path | None = None,
    looks: ScreenOptions = ScreenOptions(),
    plain: bool = False,
    overrides: dict[str, Any] | None = None,
    start: bool = False,
    model: str | None = None,
) -> None:
    """Opens the lab; with `plain`, trains as `tuitrain run` does.

    Raises:
        UsageError: there is no terminal to draw on, and `plain` was not asked for.
    """
    from tuitrain.tui.terminal.launch import check_terminal

    if plain:
        _run_headless(preset, runs_dir, data_dir, overrides or {}, model)
        return
    check_terminal(
        "the lab, a screen to train small image classifiers on,",
        f"tuitrain run --preset {preset or 'step13'}",
    )
    show_app(
        {
            "preset": preset,
            "model": model or "",
            "runs_dir": config.runs_dir(runs_dir),
            "data_dir": config.data_dir(data_dir),
            "overrides": overrides or {},
            "start": start,
        },
        looks,
    )


def open_run(
    run: str,
    runs_dir: Path | None,
    looks: ScreenOptions,
    plain: bool,
    *,
    watch_only: bool,
) -> None:
    """Opens the monitor on a run or a study; with `plain`, prints a run's epochs until it ends.

    Raises:
        UsageError: there is no terminal to draw on, and `plain` was not asked for.
        RunDirectoryError: there is no such run or study.
    """
    from tuitrain.runs.index import find_run
    from tuitrain.tui.terminal.launch import check_terminal

    folder = config.runs_dir(runs_dir)
    if (study := _study_called(folder, run)) is not None:
        if plain:
            raise UsageError(f"--plain shows a run; of a study use `tuitrain study show {visible(study)}`.")
        check_terminal("the monitor of a study", f"tuitrain study show {study}")
        _attach(folder, looks, study=study, watch_only=watch_only)
        return
    directory = find_run(folder, run)
    if plain:
        _follow_plain(directory)
        return
    check_terminal("the monitor of a run", f"tuitrain tail -f {directory.name}")
    _attach(folder, looks, attach=str(directory.path), watch_only=watch_only)


def _attach(folder: Path, looks: ScreenOptions, **what: Any) -> None:
    show_app({"runs_dir": folder, "data_dir": config.data_dir(None), **what}, looks)


def _study_called(folder: Path, name: str) -> str | None:
    """The study of a name, if no run is called exactly so; `latest` is a run."""
    from tuitrain.runs.names import run_names
    from tuitrain.study.store import find_study

    if name == "latest" or "/" in name or name in run_names(folder):
        return None
    study = find_study(folder, name)
    return study.name if study is not None else None


def open_demo(looks: ScreenOptions, plain: bool) -> None:
    """Opens the tour in a folder of its own, which goes with it.

    Raises:
        UsageError: there is no terminal to draw on, and `plain` was not asked for.
    """
    import shutil
    import tempfile

    from tuitrain.tui.terminal.launch import check_terminal

    if not plain:
        check_terminal("the tour of the lab", "tuitrain demo --plain")
    folder = Path(tempfile.mkdtemp(prefix="tuitrain-demo-"))
    try:
        if plain:
            _run_headless("step13", folder, None, {"train.dataset": "digits", "train.epochs": 3})
            return
        show_app(
            {
                "runs_dir": folder,
                "preset": "step13",
                "overrides": {"train.dataset": "digits", "train.epochs": 40},
                "demo": True,
            },
            looks,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_headless(
    preset: str | None,
    runs_dir: Path | None,
    data_dir: Path | None,
    overrides: dict[str, Any],
    model: str | None = None,
) -> None:
    from tuitrain.cli.run import run
    from tuitrain.spec.preset import toml_value

    settings = [f"{key}={toml_value(value)}" for key, value in overrides.items()]
    run(preset or "step13", model, set_=settings or None, runs_dir=runs_dir, data_dir=data_dir, plain=True)


def _follow_plain(directory: RunDirectory) -> None:
    import time

    from tuitrain.cli.console import stderr
    from tuitrain.cli.live import epoch_line
    from tuitrain.figures import activity_text
    from tuitrain.runs.feed import DirectoryFeed
    from tuitrain.runs.history import History
    from tuitrain.training.events import EpochFinished

    feed, history, before = DirectoryFeed(directory), History(), ""
    while True:
        update = feed.poll()
        word = "stalled" if update.stalled_s else update.phase or ""
        if word != before and word in ("compiling", "paused", "stalled"):
            stderr().print(activity_text(word, update.stalled_s or update.phase_s), soft_wrap=True)
        before = word
        for record in update.records:
            history = history.add(record)
            if isinstance(record.event, EpochFinished):
                print(epoch_line(record.event, history.judged_by), flush=True)
        if not update.alive:
            return
        time.sleep(0.5)

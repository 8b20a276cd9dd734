"""The shell's screens under a pilot: modes, header, keys, help, palette, strip, Runs, Compare, queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Static

from support.queue_fake import Line
from tuitrain.runs.directory import RunDirectory
from tuitrain.spec.preset import differences, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.events import EpochFinished, Record, RunFinished, RunStarted
from tuitrain.tui.app import TuitrainApp
from tuitrain.tui.runs.compare import CompareScreen
from tuitrain.tui.runs.overlay import OverlayScreen
from tuitrain.tui.runs.screen import RunsScreen
from tuitrain.tui.runs.table import RunTable
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.tui.shell.help import HelpScreen
from tuitrain.workbench.opening import Opening


class PlainScreen(Screen[None]):
    """A screen with nothing on it but what every screen has."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("z", "zap", "Zap", id="plain.zap")]
    shown: Any = None

    def compose(self) -> ComposeResult:
        yield HeaderLine("MNIST ✓  cuda:0")
        yield Button("press", compact=True)
        yield Static("█▁▂▃ content [/b]", markup=False)
        yield KeyFooter()

    def show_feed(self, feed: Any, readonly: bool = False) -> None:
        self.shown = (feed, readonly)

    def live_history(self) -> None:
        """Nothing goes on here."""

    def action_zap(self) -> None:
        self.app.notify("zapped")


class ShellApp(TuitrainApp):
    """The app with the other rooms' screens left out."""

    MODES = TuitrainApp.MODES | {"lab": PlainScreen, "monitor": PlainScreen}


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)


def app_of(tmp_path: Path, *, manager: Any = None, **options: Any) -> ShellApp:
    asked = Opening(**{"runs_dir": tmp_path / "runs", "theme": "dark"} | options)
    return ShellApp(asked, manager=manager)


def text_of(app: TuitrainApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def plain(renderable: object, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


async def until(pilot: Pilot[Any], what: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, text_of(pilot.app)  # type: ignore[arg-type]
        await pilot.pause(0.02)
    await pilot.pause(0)


def make_run(runs: Path, number: int, *, outcome: str | None = "completed", **changes: Any) -> RunDirectory:
    base = load_preset("step13")
    preset = override(base, changes)
    directory = RunDirectory.create(runs, preset.name, name=f"run-{number:04}", preset_toml=preset.to_toml())
    changed = {key: list(pair) for key, pair in differences(base, preset).items()}
    started = RunStarted(
        directory.name, "step13", preset.to_dict(), preset.train.seed, "cpu", "CPU", {}, {}, 5854, 1_284_088, "mnist",
        60000, 10000, "test", preset.train.epochs, 938, changed,
    )  # fmt: skip
    records: list[Any] = [started]
    for epoch in range(1, 5):
        accuracy = 0.98 + 0.003 * epoch + 0.0001 * (number % 7)
        records.append(
            EpochFinished(epoch, 14, 0.1, 0.985, 0.03, accuracy, 0.01, 3.0, 0.3, 3.3 * epoch, 20000.0, 10000)
        )
    if outcome is not None:
        records.append(RunFinished(outcome, 4, 0.992, 4, 0.992, 0.985, 0.03, 13.2, 20000.0))  # type: ignore[arg-type]
    for index, event in enumerate(records):
        directory.append(Record(event, 1_790_000_000.0 + 60 * number + index, 3.3 * index), durable=False)
    directory.close()
    return directory


# -- the shell --------------------------------------------------------------------------------------


async def test_modes_on_1_2_3_and_what_the_first_line_says(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "MNIST ✓" in text_of(app))
        first = text_of(app).splitlines()[0]
        assert first.startswith(" tuitrain   1 Lab   2 Monitor  3 Runs")
        assert first.endswith("MNIST ✓  cuda:0")
        for key, mode in (("2", "monitor"), ("3", "runs"), ("1", "lab")):
            await pilot.press(key)
            await until(pilot, lambda mode=mode: app.current_mode == mode)
        await pilot.click(HeaderLine, offset=(22, 0))
        await until(pilot, lambda: app.current_mode == "monitor")


async def test_footer_has_few_keys_and_help_is_always_among_them(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: text_of(app).splitlines()[-1] == " z Zap  ? Help")
        await pilot.press("3")
        await until(pilot, lambda: "? Help" in text_of(app).splitlines()[-1])
        assert len(text_of(app).splitlines()[-1]) <= 80
        await pilot.resize_terminal(60, 18)
        await until(pilot, lambda: "? Help" in text_of(app).splitlines()[-1])


async def test_help_lists_every_binding_with_the_id_that_changes_it(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 50)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        from tuitrain.tui.shell.help import binding_groups

        runs = app.mode_screen("runs")
        assert runs is not None
        listed = {name for _, rows in binding_groups(app, runs) for _, _, name in rows}
        ours = {
            b.id
            for cls in (RunsScreen, RunTable, TuitrainApp)
            for b in cls.BINDINGS
            if isinstance(b, Binding)
        }
        assert ours <= listed
        assert "Compare" in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("f1")
        await until(pilot, lambda: "replayed at once" in text_of(app))


def test_every_binding_of_the_shell_has_an_id() -> None:
    from tuitrain.tui.runs.queue_dialog import QueueDialog
    from tuitrain.tui.shell.prompt import Prompt
    from tuitrain.tui.shell.question import Question

    classes = (
        TuitrainApp,
        RunsScreen,
        RunTable,
        CompareScreen,
        OverlayScreen,
        HelpScreen,
        Question,
        Prompt,
        QueueDialog,
    )
    ids = [binding.id for cls in classes for binding in cls.BINDINGS if isinstance(binding, Binding)]
    assert all(ids)
    assert len(ids) == len(set(ids))
    assert all(isinstance(binding, Binding) for cls in classes for binding in cls.BINDINGS)


async def test_keys_of_the_config_file(tmp_path: Path) -> None:
    config = tmp_path / "config" / "tuitrain"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('theme = "light"\n[keys]\n"app.monitor" = "m"\n')
    app = ShellApp(Opening(runs_dir=tmp_path))
    async with app.run_test() as pilot:
        assert app.theme == "tuitrain-light"
        await pilot.press("2")
        await pilot.pause()
        assert app.current_mode == "lab"
        await pilot.press("m")
        await until(pilot, lambda: app.current_mode == "monitor")


async def test_a_broken_config_file_is_said_and_the_app_opens(tmp_path: Path) -> None:
    config = tmp_path / "config" / "tuitrain"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("theme = [[[")
    app = ShellApp(Opening(runs_dir=tmp_path))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: "▌ config" in text_of(app))  # the path below it may be wrapped
        assert app.config_problem and "TOML" in app.config_problem


async def test_too_small_a_terminal_gets_a_strip_of_text_and_its_screen_back(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        focused = app.focused
        for size in ((59, 24), (80, 17), (40, 5), (1, 1), (3, 40)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: "content" not in text_of(app))
            if size[0] >= 20:
                assert "nothing trains" in text_of(app)
        await pilot.resize_terminal(60, 18)
        await until(pilot, lambda: "content" in text_of(app))
        assert app.focused is focused


async def test_ascii_only_is_ascii_everywhere(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1)
    app = app_of(tmp_path, ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        assert text_of(app).isascii()
        for key in ("3", "question_mark", "escape", "o", "escape", "+", "escape", "ctrl+p"):
            await pilot.press(key)
            await pilot.pause(0.15)
            assert text_of(app).isascii(), text_of(app)


async def test_no_color_has_no_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    make_run(tmp_path / "runs", 1)
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(
            pilot, lambda: "run-0001" in str([row.key for row in app.screen.query_one(RunTable).rows])
        )
        await until(pilot, lambda: "✓ done" in text_of(app))
        styles = [segment.style for strip in app.screen._compositor.render_strips() for segment in strip]
        assert all(style is None or (style.color is None and style.bgcolor is None) for style in styles)
        assert any(style is not None and style.reverse for style in styles)


@pytest.mark.parametrize("theme", ["dark", "light", "safe", "ansi", "nord"])
async def test_themes(tmp_path: Path, theme: str) -> None:
    make_run(tmp_path / "runs", 1)
    app = app_of(tmp_path, theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "✓ done" in text_of(app))
        assert app.config_problem is None


async def test_the_palette_finds_actions_presets_runs_and_themes(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1)
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Zap" in text_of(app))
        for word, wanted in (
            ("step11", "Preset: step11"),
            ("run-0001", "Run: run-0001"),
            ("safe", "tuitrain-safe"),
        ):
            await pilot.press(*("backspace",) * 12, *word)
            await until(pilot, lambda wanted=wanted: wanted in text_of(app))
        await pilot.press("escape")


async def test_opening_a_run_shows_it_in_the_monitor(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1)
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "✓ done" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "monitor" and app.screen.shown)  # type: ignore[attr-defined]
        feed, readonly = app.screen.shown  # type: ignore[attr-defined]
        assert not readonly
        assert [type(record.event).__name__ for record in feed.poll().records][-1] == "RunFinished"


async def test_attach_opens_the_monitor_at_once_and_watch_only_looks(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1)
    app = app_of(tmp_path, attach="run-0001", watch_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.current_mode == "monitor" and app.screen.shown)  # type: ignore[attr-defined]
        assert app.screen.shown[1] is True  # type: ignore[attr-defined]


async def test_quitting_with_nothing_training_asks_nothing(tmp_path: Path) -> None:
    for key in ("q", "ctrl+c", "ctrl+q", "d"):
        app = app_of(tmp_path)
        async with app.run_test() as pilot:
            await pilot.press(key)
            await pilot.pause()
        assert app.return_value == "quit"


# -- Runs -------------------------------------------------------------------------------------------


async def runs_screen(app: TuitrainApp, pilot: Pilot[Any], count: int) -> RunTable:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.table.rows) == count)
    assert isinstance(app.screen, RunsScreen)
    return app.screen.table


async def test_a_thousand_runs_open_fast(tmp_path: Path) -> None:
    import shutil

    runs = tmp_path / "runs"
    make_run(runs, 0)
    for number in range(1, 1000):
        shutil.copytree(runs / "run-0000", runs / f"run-{number:04}")
    from tuitrain.runs.index import list_runs

    list_runs(runs)  # the index is there, as on the second day
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        began = time.process_time()
        table = await runs_screen(app, pilot, 1000)
        took = time.process_time() - began
        await pilot.press("end")
        assert table.cursor == 999
        await pilot.press("home", "pagedown")
        assert 0 < table.cursor < 40
    assert took < 2.0  # of the processor: 0.5 s promised on an idle machine; this one is shared


async def test_filter_sort_mark(tmp_path: Path) -> None:
    for number in range(6):
        make_run(tmp_path / "runs", number, **{"train.rotation": float(number)})
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await runs_screen(app, pilot, 6)
        assert table.rows[0].key == "run-0005"  # the newest first
        await pilot.press("slash", *'"rotation 3"', "enter")
        await until(pilot, lambda: [row.key for row in table.rows] == ["run-0003"])
        assert "1 of 6 runs" in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(table.rows) == 6)
        await pilot.press(">")  # best
        await until(pilot, lambda: table.rows[0].key == "run-0005" and table.sort == "best")
        await pilot.press("<")
        await until(pilot, lambda: table.rows[0].key == "run-0000")
        await pilot.press("home", "space", "space")
        assert list(table.marked) == ["run-0000", "run-0001"]
        await until(pilot, lambda: "no evidence about the settings" in " ".join(text_of(app).split()))


async def test_tag_note_and_delete(tmp_path: Path) -> None:
    for number in range(2):
        make_run(tmp_path / "runs", number)
    app = app_of(tmp_path)
    async with app.run_test(size=(140, 30)) as pilot:
        table = await runs_screen(app, pilot, 2)
        await pilot.press("t", *"good [/b]", "enter")
        await until(pilot, lambda: table.rows[0].tags == "good [/b]")
        await pilot.press("n", *"a note", "enter")
        await until(pilot, lambda: table.rows[0].note == "a note")
        assert "[/b]" in text_of(app)
        await pilot.press("D")
        await until(pilot, lambda: "To the trash" in text_of(app))
        await pilot.press("enter")  # Keep has the focus
        await pilot.pause(0.2)
        assert (tmp_path / "runs" / "run-0001").exists()
        await pilot.press("D")
        await until(pilot, lambda: "To the trash" in text_of(app))
        await pilot.press("y")
        await until(pilot, lambda: len(table.rows) == 1)
        assert not (tmp_path / "runs" / "run-0001").exists()
        await pilot.press("u")
        await until(pilot, lambda: len(table.rows) == 2 and table.rows[0].note == "a note")
        assert not (tmp_path / "runs" / ".trash").exists()


async def test_a_living_run_is_not_deleted(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "runs", 1, outcome=None)
    directory = RunDirectory.open(directory.path)
    directory.acquire()
    try:
        app = app_of(tmp_path)
        async with app.run_test(size=(100, 24), notifications=True) as pilot:
            table = await runs_screen(app, pilot, 1)
            await until(pilot, lambda: table.rows[0].state == "live")
            await pilot.press("D")
            await until(pilot, lambda: "stop it first" in text_of(app))
    finally:
        directory.close()


async def test_compare_and_overlay(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1, **{"train.rotation": 5.0})
    make_run(tmp_path / "runs", 2, **{"train.rotation": 7.0})
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await runs_screen(app, pilot, 2)
        await pilot.press("c")
        await until(pilot, lambda: "mark two" in text_of(app))
        await pilot.press("space", "space", "c")
        await until(pilot, lambda: "What it shows" in text_of(app))
        shown = text_of(app)
        assert shown.index("rotation") < shown.index("best test accuracy")
        assert shown.count("◂ better") >= 1 and "no evidence" in shown
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, OverlayScreen) and "rotation 7" in text_of(app))
        await pilot.press("m")
        await until(pilot, lambda: "test loss" in text_of(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_queue_dialog_puts_runs_in_line(tmp_path: Path) -> None:
    line = Line(tmp_path)
    app = app_of(tmp_path, manager=line.manager)
    async with app.run_test(size=(80, 30)) as pilot:
        await runs_screen(app, pilot, 0)
        await pilot.press("+")
        await until(pilot, lambda: "Add to the queue" in text_of(app))
        await pilot.press("space", "tab", "end", *"-1", "tab", *"rotation=5,7")
        await until(pilot, lambda: "4 runs" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(app.manager.waiting()) == 3 and isinstance(app.screen, RunsScreen))
        table = app.screen.query_one(RunTable)
        await until(pilot, lambda: [row.state for row in table.rows].count("queued") == 3)
        await pilot.press("q")
        await until(pilot, lambda: "Leave while this is training?" in text_of(app))
        assert "3 more in the queue" in text_of(app)
        await pilot.press("escape", "end", "D")
        await until(pilot, lambda: len(app.manager.waiting()) == 2)
        app.manager.stop_all("test", "test")


async def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    directory = make_run(runs, 1)
    directory.path.rename(runs / "[b]evil$(reboot)")
    app = app_of(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await runs_screen(app, pilot, 1)
        await pilot.press("D")
        await until(pilot, lambda: "[b]evil$(reboot)" in text_of(app))
        await pilot.press("escape", "ctrl+p", *"evil")
        await until(pilot, lambda: "[b]evil$(reboot)" in text_of(app))

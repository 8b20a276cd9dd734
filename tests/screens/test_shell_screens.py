"""The shell's screens under a pilot: modes, header, keys, help, palette, themes, a terminal too small."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding

from support import at_rest
from support.at_rest import text_of, until
from support.shell_stage import ShellApp, app_of, make_run, quiet_environment
from tuitrain.tui.app import TuitrainApp
from tuitrain.tui.runs.compare import CompareScreen
from tuitrain.tui.runs.overlay import OverlayScreen
from tuitrain.tui.runs.screen import RunsScreen
from tuitrain.tui.runs.table import RunTable
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.tui.shell.help import HelpScreen
from tuitrain.workbench.opening import Opening

__all__ = ["quiet_environment"]


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
    from tuitrain.tui.runs.dialogs import QueueDialog
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
            await at_rest.settle(pilot)
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

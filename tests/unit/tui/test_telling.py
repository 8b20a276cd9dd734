"""Codes for the terminal, and whose command is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.until import until
from tuitrain import config, trust
from tuitrain.runs import on_finish
from tuitrain.runs.history import History
from tuitrain.runs.run_json import run_json
from tuitrain.tui.terminal import telling
from tuitrain.watch.manners import Message


def test_what_is_told_cannot_end_its_code_or_begin_another() -> None:
    nasty = Message("a;b\a\x1b]0;x", "c\x1b\\\a\nd" * 100)
    told = telling.notification(nasty, {"TERM": "xterm-256color"})
    assert told.count("\x1b") == 2 and told.count("\a") == 3
    assert told.partition("notify;")[2].partition("\a")[0].count(";") == 1
    assert telling.title("x\a\x1b]2;y").count("\x1b") == 1
    assert telling.notification(Message("a", "b"), {"TERM": "xterm-kitty"}).count("\x1b]") == 1


def test_only_a_terminal_that_knows_codes_is_told(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert not telling.listens(file.fileno(), {"TERM": "xterm"})
    assert not telling.listens(-1, {"TERM": "xterm"})


def test_a_project_file_has_no_say_in_what_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TUITRAIN_ON_FINISH", raising=False)
    monkeypatch.setattr(trust, "_refused", {})
    (tmp_path / "tuitrain.toml").write_text('on_finish = "touch bad"\nbudget = 7\n')
    for _ in range(2):
        assert config.setting("on_finish") == "" and config.setting("budget") == 7
    assert capsys.readouterr().err.count("on_finish runs a command and is obeyed only in") == 1
    own = tmp_path / "config" / "tuitrain" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('on_finish = "true"\n')
    assert config.setting("on_finish") == "true"
    own.chmod(0o666)
    assert config.setting("on_finish") == ""


def is_over(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its exit code yet."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_finish, "LIMIT_S", 1.0)
    pid = tmp_path / "pid"
    monkeypatch.setenv("TUITRAIN_ON_FINISH", f"sh -c 'echo $$ > {pid}; exec sleep 90' & sleep 90")
    begun = on_finish.begin(lambda: run_json(History(), tmp_path))
    assert begun is not None and begun.wait().startswith("on_finish took more than 1 s and was ended")
    assert begun.process is not None and begun.process.poll() is not None
    until(lambda: is_over(int(pid.read_text())))

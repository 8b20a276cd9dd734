"""What breaks on a screen that is being left."""

import pytest
from textual.widget import MountError

from tuitrain.tui.terminal.job import TerminalApp


@pytest.mark.parametrize("left", [True, False])
def test_what_breaks_once_the_app_is_left_is_no_failure(
    left: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(TerminalApp, "is_headless", False)
    app = TerminalApp()
    app._exit = left
    try:
        raise MountError("can't mount")
    except MountError as error:
        app._handle_exception(error)
    assert app.failure == ("" if left else "MountError: can't mount")
    assert app.return_code == (None if left else 1)
    assert "MountError: can't mount" in capfd.readouterr().err  # for the log

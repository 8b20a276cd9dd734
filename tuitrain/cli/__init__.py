"""The command line: a thin layer over the same core as the app. Heavy modules are imported inside commands."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from tuitrain.errors import ExitCode, TuitrainError
from tuitrain.runs.signals import leave, lost_output, prepare_process

if TYPE_CHECKING:
    import typer


def main() -> NoReturn:
    """Runs the command line and exits with one of the documented codes."""
    code: int = ExitCode.DONE
    for size in ("COLUMNS", "LINES"):
        if not os.environ.get(size, "0").isdecimal():  # Rich takes `²` for a number
            del os.environ[size]
    try:
        prepare_process()
        if os.environ.get(
            "_TUITRAIN_COMPLETE"
        ):  # a shell asks what its user may type: nothing else may happen
            from tuitrain.cli.completion import answer

            answer(_commands)
        if len(sys.argv) == 1:  # the bare command opens the lab, and its first paint waits for every import
            from tuitrain.cli.opening import open_lab

            open_lab()
        else:
            from tuitrain.cli.completion import with_shell_name

            sys.argv = with_shell_name(sys.argv)
            left = _commands()(prog_name="tuitrain", standalone_mode=False)
            code = left if isinstance(left, int) else ExitCode.DONE
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else (ExitCode.FAILED if end.code else ExitCode.DONE)
    except TuitrainError as error:
        from tuitrain.cli.console import complain

        complain(error)
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.SIGINT
    except OSError as error:
        from tuitrain.cli.console import complain

        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}; check the disk and the path.")
        code = ExitCode.FAILED
    except Exception as error:
        code = _misread(error)
    lost = lost_output()
    if lost and code == ExitCode.DONE:
        from tuitrain.cli.console import complain

        complain(f"stdout could not be written: {lost}; free some space and ask again.")
        code = ExitCode.FAILED
    leave(code)


def _commands() -> typer.Typer:
    from tuitrain.cli.root import app

    return app


def _misread(error: Exception) -> int:
    """Report in a sentence what typer could not read on the command line; returns the exit code. Other errors are raised."""
    from typer import Abort, BadParameter

    from tuitrain.cli.console import complain

    if isinstance(error, Abort):
        return ExitCode.SIGINT
    usage = BadParameter.__base__  # typer contains its own click, or uses an installed one
    if not (usage and isinstance(error, usage)):
        raise error
    message = error.format_message()  # type: ignore[attr-defined]
    if message.startswith("Usage:"):  # a group without a command
        sys.stderr.write(f"{message}\n")
    else:
        from tuitrain.cli.misread import usage_sentence

        complain(usage_sentence(error))
    return int(error.exit_code)  # type: ignore[attr-defined]

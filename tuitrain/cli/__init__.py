"""The command line: a thin skin over the same core as the app. Heavy modules are imported inside commands."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

from tuitrain.errors import ExitCode, TuitrainError


def main() -> NoReturn:
    """Runs the command line and exits with one of the documented codes."""
    code: int = ExitCode.DONE
    try:
        from tuitrain.cli.root import app

        app(prog_name="tuitrain", standalone_mode=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else (ExitCode.FAILED if end.code else ExitCode.DONE)
    except TuitrainError as error:
        from tuitrain.cli.console import complain

        complain(error)
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.SIGINT
    except BrokenPipeError:
        code = ExitCode.DONE  # `| head` has seen enough
        _silence()
    except OSError as error:
        from tuitrain.cli.console import complain

        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}; check the disk and the path.")
        code = ExitCode.FAILED
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _silence()
    sys.exit(code)


def _silence() -> None:
    """Points stdout away, so that flushing at exit complains no more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

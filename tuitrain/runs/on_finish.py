"""The user's own command for the end of a run or a study (`on_finish` in the config), with the result on its standard input."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuitrain import config
from tuitrain.errors import TuitrainError, visible

LIMIT_S = 30.0
_TOO_LONG = 124
#: Ends the command and what it has started after so many seconds, also where the process that trained is gone by then.
_LIMITED = """
import os, signal, subprocess, sys
command = subprocess.Popen(["/bin/sh", "-c", sys.argv[2]])
try:
    sys.exit(command.wait(float(sys.argv[1])) & 255)
except subprocess.TimeoutExpired:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    try:
        command.wait(1)
    except subprocess.TimeoutExpired:
        command.kill()
    sys.exit(124)
"""


@dataclass
class Finishing:
    """A command that was begun, or why it could not be; it goes on when this process is gone."""

    command: str
    process: subprocess.Popen[bytes] | None = None
    problem: str = ""

    def wait(self) -> str:
        """Waits for its end; what went wrong in a sentence, empty where nothing did."""
        if self.process is None:
            return self.problem
        try:
            code = self.process.wait(LIMIT_S + 5.0)
        except subprocess.TimeoutExpired:
            code = _TOO_LONG
        if code == _TOO_LONG:
            return f"on_finish took more than {LIMIT_S:.0f} s and was ended: {visible(self.command)}."
        return f"on_finish ended with code {code}: {visible(self.command)}." if code else ""


def begin(result: Callable[[], Mapping[str, Any]]) -> Finishing | None:
    """Starts the command for a run or a study that has ended; None where the user has none.

    What it prints goes to our stderr.

    Args:
        result: gives the object as of `--json`; called only where there is a command.
    """
    command = ""
    try:
        command = config.setting("on_finish")
        if not command:
            return None
        with tempfile.TemporaryFile() as written:  # no pipe, which a command that doesn't read would fill
            written.write((json.dumps(result(), allow_nan=False) + "\n").encode())
            written.seek(0)
            helper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LIMITED, str(LIMIT_S), command],
                stdin=written,
                stdout=2,  # our stdout is for the result
                stderr=2,
                start_new_session=True,
            )
    except TuitrainError as error:
        return Finishing(command, problem=str(error))
    except (OSError, ValueError) as error:
        return Finishing(command, problem=f"on_finish could not be run: {visible(error)}.")
    return Finishing(command, helper)

"""The program as a shell runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from support import warm


def tuitrain(runs: Path, *args: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """`tuitrain` with these arguments, on the runs of this folder and with nobody's settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TUITRAIN_")}
    env["TUITRAIN_RUNS_DIR"] = str(runs)
    return warm.run(*args, env=env, **settings)

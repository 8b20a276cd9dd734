"""The peers' virtual environment: Lightning and Keras beside the project's torch, which is not fetched twice.

It is made by the benchmark in `benchmarks/.peers`, sees the project's packages through a `.pth` file, and the
project's own environment is never written to.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from bench.talk import say

HERE = Path(__file__).resolve().parents[1]
FOLDER = HERE / ".peers"
WANTED = HERE / "requirements-peers.txt"
MARK = "made-from"
LIMIT_S = 600


def site() -> Path:
    """Where its packages lie."""
    names = {"base": str(FOLDER), "platbase": str(FOLDER), "installed_base": str(FOLDER)}
    return Path(
        sysconfig.get_path("purelib", "venv" if "venv" in sysconfig.get_scheme_names() else None, names)
    )  # type: ignore[arg-type]


def python() -> Path:
    """Its interpreter."""
    return FOLDER / "bin" / "python"


def _wanted() -> str:
    return hashlib.sha256(WANTED.read_bytes() + sys.version.encode()).hexdigest()


def ready() -> bool:
    """Whether it is there and up to date."""
    mark = FOLDER / MARK
    with contextlib.suppress(OSError):
        return python().exists() and mark.read_text() == _wanted()
    return False


def make(*, fetch: bool = True) -> str | None:
    """Makes it where it is missing; what was in the way, or None."""
    if ready():
        return None
    if not fetch:
        return "the peers' environment is not there, and --no-fetch was given"
    say("making the peers' virtual environment (benchmarks/.peers), about a minute")
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        _run([sys.executable, "-m", "venv", str(FOLDER)])
        (FOLDER / ".gitignore").write_text("*\n")
        (site() / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
        _run([str(python()), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(WANTED)])
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or b""
        lines = output.decode("utf-8", "replace").strip().splitlines()
        shutil.rmtree(FOLDER, ignore_errors=True)
        return f"the peers' environment can't be made: {lines[-1][:200] if lines else error}"
    (FOLDER / MARK).write_text(_wanted())
    return None


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)

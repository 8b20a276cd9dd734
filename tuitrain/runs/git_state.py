"""The state of the git repository that a run is started in, for whoever wants to repeat it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any

#: A status that takes longer, of a repository of enormous size, is left out.
TIMEOUT_S = 3.0
#: Nothing that a repository's configuration names is started: no hook, no monitor, no pager.
_COMMAND = (
    "git", "-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}", "--no-pager", "--no-optional-locks",
    "status", "--porcelain=v2", "--branch", "--untracked-files=no", "--ignore-submodules=all",
)  # fmt: skip


def begin() -> Callable[[], dict[str, Any]]:
    """Ask git about the current folder in a thread; returns a function that waits for the answer.

    The answer is `commit`, `branch` (empty where none is checked out) and `dirty`, whether a tracked file was
    changed; or nothing, where there is no git, no repository, no commit, or no answer in time.
    """
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(_ask()), name="tuitrain-git", daemon=True)
    thread.start()

    def answer() -> dict[str, Any]:
        thread.join(TIMEOUT_S)
        return dict(found)

    return answer


def _ask() -> dict[str, Any]:
    if shutil.which("git") is None:
        return {}
    try:
        done = subprocess.run(
            _COMMAND, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=True,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    facts = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and " " in line[2:])
    commit, branch = facts.get("branch.oid", "(initial)"), facts.get("branch.head", "")
    if commit.startswith("("):
        return {}
    dirty = any(not line.startswith("#") for line in lines)
    return {"commit": commit, "branch": "" if branch.startswith("(") else branch, "dirty": dirty}

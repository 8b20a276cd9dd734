"""On what a figure was measured: hardware, versions, commit, and how busy the machine was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "torchvision", "numpy", "textual", "pytorch-lightning", "keras")
QUIET_LOAD = 0.6  # runnable threads of others that leave a figure worth keeping


def cpu_model() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float:
    """Main memory."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def describe(gpu: str | None = None) -> dict[str, Any]:
    """The machine, for the result file."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_gib": memory_gib(),
        "platform": f"{platform.system()} {platform.machine()}",
        "gpu": gpu,
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def kind(gpu: str | None = None) -> str:
    """A short name for file names, as `xeon-2-cores` or `h200`."""
    if gpu:
        return _slug(re.sub(r"(?i)nvidia|geforce|tesla|sxm\d?|pcie", " ", gpu))
    words = re.findall(r"(?i)xeon|epyc|ryzen|core|threadripper|neoverse|graviton|apple m\d", cpu_model())
    return f"{_slug(words[0] if words else platform.machine())}-{cores()}-cores"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "machine"


def versions(peers_site: Path | None = None) -> dict[str, str]:
    """Versions of what was measured; those of the peers from their own environment."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        distribution = next(iter(importlib.metadata.distributions(name=name)), None)
        if distribution is None and peers_site is not None:
            path = [str(peers_site)]
            distribution = next(iter(importlib.metadata.distributions(name=name, path=path)), None)
        if distribution is not None:
            found[name] = distribution.version
    return found


def commit() -> str:
    """The commit that was measured, with a `+` when the product differs from it."""
    try:
        git = ["git", "-C", str(ROOT)]
        head = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True)
        if head.returncode:
            return ""
        dirty = subprocess.run([*git, "status", "--porcelain", "tuitrain"], capture_output=True, text=True)
        return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")
    except OSError:
        return ""

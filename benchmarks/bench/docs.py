"""docs/SPEED.md: the parts between two marks are written from result files, never by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bench import results, tables
from bench.machine import ROOT

PAGE = ROOT / "docs" / "SPEED.md"
MARK = re.compile(r"(<!-- benchmarks: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def load(kind: str, folder: Path = results.FOLDER) -> dict[str, Any] | None:
    """The newest whole result of a kind."""
    path = results.newest(kind, folder=folder)
    return json.loads(path.read_text("utf-8")) if path else None


def parts(cpu: dict[str, Any] | None, gpu: dict[str, Any] | None) -> dict[str, str]:
    """What belongs between which marks."""
    return {
        "must-show": tables.must_show(cpu, gpu).markdown(),
        "cpu": _part(cpu, "CPU"),
        "gpu": _part(gpu, "GPU"),
    }


def _part(data: dict[str, Any] | None, kind: str) -> str:
    if data is None:
        return f"No {kind} result is in benchmarks/results yet.\n"
    texts = [tables.machine_line(data) + "\n", *(table.markdown() for table in tables.tables(data))]
    return "\n".join(texts)


def fill(text: str, found: dict[str, str]) -> str:
    """A page with its marked parts replaced; a mark of another name is left alone."""
    return MARK.sub(lambda m: f"{m[1]}{found[m[2]]}{m[3]}" if m[2] in found else m[0], text)


def write(page: Path = PAGE, folder: Path = results.FOLDER) -> None:
    """Brings the page up to date."""
    text = page.read_text("utf-8")
    page.write_text(fill(text, parts(load("cpu", folder), load("gpu", folder))), "utf-8")

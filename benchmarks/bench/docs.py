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
    """The newest whole result of a kind, with the sections that were measured again since, every arm of them."""
    path = results.newest(kind, folder=folder)
    if path is None:
        return None
    whole: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for later in results.parts(whole, folder=folder):
        for name, section in later["sections"].items():
            before = whole["sections"].get(name)
            done = {arm for arm, told in section["arms"].items() if told.get("state") == "done"}
            if before is None or not done >= set(before["arms"]):
                continue
            again = f"Measured again {later['started'][:10]} at commit {later['commit']}"
            load = f"load before the start {later['machine']['load_at_start']}."
            whole["sections"][name] = section | {"again": f"{again}; {load}"}
    return whole


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

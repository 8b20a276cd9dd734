"""A result file: one JSON document that is written again after every sample, so that nothing measured is lost."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import time
from pathlib import Path
from typing import Any

from bench import machine

SCHEMA = 1
FOLDER = Path(__file__).resolve().parents[1] / "results"

Arm = dict[str, Any]
Section = dict[str, Any]


def spread(samples: list[float]) -> tuple[float, float, float]:
    """Median, minimum, maximum."""
    return statistics.median(samples), min(samples), max(samples)


def digits(value: float, count: int = 4) -> float:
    """Rounded to so many digits that mean something."""
    if not math.isfinite(value) or value == 0:
        return value
    return round(value, max(0, count - 1 - math.floor(math.log10(abs(value)))))


class Results:
    """What was measured so far.

    `sections` maps a section to `{"title", "base", "unit", "better", "arms", "notes"}`, and each arm to
    `{"what", "samples", "state", ...}`; medians and ratios are derived and kept beside the samples.
    """

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path, self.data = path, data

    @classmethod
    def new(
        cls, path: Path, *, quick: bool, kind: str = "cpu", gpu: str | None = None, peers: Path | None = None
    ) -> Results:
        """An empty document about this machine; `kind` says what was measured, `cpu` or `gpu`."""
        data = {
            "schema": SCHEMA,
            "kind": kind,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "quick": quick,
            "commit": machine.commit(),
            "machine": machine.describe(gpu),
            "versions": machine.versions(peers),
            "sections": {},
        }
        return cls(path, data)

    @classmethod
    def load(cls, path: Path) -> Results:
        """A document on disk."""
        data = json.loads(path.read_text("utf-8"))
        if data.get("schema") != SCHEMA:
            raise SystemExit(f"{path.name} has schema {data.get('schema')}; this program writes {SCHEMA}.")
        return cls(path, data)

    def save(self) -> None:
        """Replaces the file, whole or not at all."""
        for section in self.data["sections"].values():
            derive(section)
        temp = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temp.write_text(json.dumps(self.data, indent=1, ensure_ascii=False) + "\n", "utf-8")
        temp.replace(self.path)

    def section(self, name: str, **fields: Any) -> Section:
        """A section, made when it is not there; its fields are brought up to date."""
        found: Section = self.data["sections"].setdefault(name, {"arms": {}})
        found.update(fields)
        return found

    def arm(self, section: str, name: str, **fields: Any) -> Arm:
        """An arm of a section; its fields are brought up to date."""
        arms: dict[str, Arm] = self.section(section)["arms"]
        found: Arm = arms.setdefault(name, {"samples": [], "state": "begun"})
        found.update(fields)
        return found

    def done(self, section: str, name: str) -> bool:
        """Whether an arm needs no more measuring."""
        found = self.data["sections"].get(section, {}).get("arms", {}).get(name)
        return bool(found and found["state"] == "done")

    def sample(self, section: str, name: str, value: float, **more: Any) -> None:
        """Adds a sample to an arm, and saves."""
        arm = self.arm(section, name)
        arm["samples"].append(digits(value, 5))
        for key, item in more.items():
            arm.setdefault(key, []).append(item)
        self.save()

    def finish(self, section: str, name: str, state: str = "done", **fields: Any) -> None:
        """Says how an arm ended, and saves."""
        self.arm(section, name, state=state, **fields)
        self.save()


def derive(section: Section) -> None:
    """Medians, spreads and ratios of a section, from its samples.

    A ratio above 1 is always in favour of the arm. Where both arms have as many samples, it is the median
    of the rounds' own ratios, since what disturbs a machine disturbs the neighbours in a round alike.
    """
    arms = section["arms"]
    for arm in arms.values():
        if arm["samples"]:
            arm["median"], arm["min"], arm["max"] = (digits(value) for value in spread(arm["samples"]))
    base = arms.get(section.get("base") or "")
    if not base or not base["samples"]:
        return
    more_is_better = section.get("better", "more") == "more"
    for arm in arms.values():
        if arm["samples"]:
            ratios = _ratios(arm["samples"], base["samples"], more_is_better)
            arm["ratio"], arm["ratio_min"], arm["ratio_max"] = (digits(value, 3) for value in spread(ratios))


def _ratios(samples: list[float], base: list[float], more_is_better: bool) -> list[float]:
    if len(samples) == len(base):
        pairs = list(zip(samples, base, strict=True))
    else:
        pairs = [(sample, statistics.median(base)) for sample in samples]
    return [
        (mine / other if more_is_better else other / mine) for mine, other in pairs if mine and other
    ] or [0.0]


def parts(whole: dict[str, Any], *, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """What was measured of the same things on a machine of the same kind after a whole result, the oldest first."""
    found = []
    for path in sorted(folder.glob("*_part.json")):
        with contextlib.suppress(OSError, ValueError):
            data = json.loads(path.read_text("utf-8"))
            same = all(data.get(key) == whole[key] for key in ("schema", "kind", "quick"))
            here = data["machine"].get("cpu") == whole["machine"].get("cpu")
            if same and here and data["started"] > whole["started"]:
                found.append(data)
    return sorted(found, key=lambda data: data["started"])


def newest(kind: str, *, quick: bool = False, folder: Path = FOLDER) -> Path | None:
    """The newest whole result file of a kind, `cpu` or `gpu`."""
    found = []
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            data = json.loads(path.read_text("utf-8"))
            right = data.get("kind") == kind and bool(data.get("quick")) == quick
            if right and data.get("schema") == SCHEMA and not path.stem.endswith("_part"):
                found.append((data["started"], path))
    return max(found)[1] if found else None

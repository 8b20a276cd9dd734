"""What the lab knows of each preset: figures, claim, story, and the best result on this machine. No textual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuitrain.errors import PresetError, TuitrainError
from tuitrain.spec.preset import Preset
from tuitrain.spec.preset_files import PresetEntry, list_presets, load_preset

#: Orders of the list of presets, in turn.
SORTS = ("family", "parameters", "claim", "best here", "name")


@dataclass(frozen=True)
class PresetItem:
    """A preset in the list; accuracies in percent, None where there is none."""

    name: str
    family: str
    origin: str
    parameters: int | None = None
    claim: float | None = None
    best: float | None = None
    problem: str = ""
    family_title: str = ""
    preset: Preset | None = field(default=None, compare=False)

    def matches(self, text: str) -> bool:
        """Whether every word of a search is in its name, its title, its family or its story."""
        story = self.preset.story.change if self.preset else ""
        title = self.preset.title if self.preset else ""
        hay = f"{self.name} {self.family} {self.family_title} {title} {story}".lower()
        return all(word in hay for word in text.lower().split())


def item(entry: PresetEntry) -> PresetItem:
    """A preset of the list, read; one that can't be read says why."""
    try:
        preset = load_preset(str(entry.path))
        parameters = preset.table().parameters
    except PresetError as error:
        return PresetItem(
            entry.name, entry.family, entry.origin, problem=str(error), family_title=entry.family_title
        )
    return PresetItem(
        entry.name, entry.family, entry.origin, parameters, preset.claims.test_accuracy, preset=preset,
        family_title=entry.family_title,
    )  # fmt: skip


def read_all() -> list[PresetItem]:
    """All presets that can be named, read."""
    return [item(entry) for entry in list_presets()]


def best_here(runs_dir: Path) -> dict[str, float]:
    """The best test accuracy in percent of each preset's unchanged network and settings, over the runs here."""
    from tuitrain.runs.index import list_runs

    out: dict[str, float] = {}
    try:
        runs = list_runs(runs_dir)
    except (TuitrainError, OSError):
        return out
    for run in runs:
        if run.best is not None and not set(run.changed) - {"train.seed"}:
            out[run.preset] = max(out.get(run.preset, 0.0), run.best * 100)
    return out


def with_best(items: Iterable[PresetItem], best: dict[str, float]) -> list[PresetItem]:
    """The list with the best results filled in."""
    return [replace(entry, best=best.get(entry.name)) for entry in items]


def ordered(items: Iterable[PresetItem], sort: str) -> list[PresetItem]:
    """The list in an order; what has no figure comes last."""
    found = list(items)
    if sort == "parameters":
        return sorted(found, key=lambda i: (i.parameters is None, i.parameters or 0))
    if sort == "claim":
        return sorted(found, key=lambda i: -(i.claim or 0))
    if sort == "best here":
        return sorted(found, key=lambda i: -(i.best or 0))
    if sort == "name":
        return sorted(found, key=lambda i: i.name)
    return found


def story(entry: PresetItem) -> list[tuple[str, str]]:
    """A preset's story as (heading, text): what changed, what for, and what the source made of it."""
    preset = entry.preset
    if preset is None:
        return [("can't be used", entry.problem)]
    told = preset.story
    since = f"since {told.previous}" if told.previous else "what it is"
    out = [(since, told.change), ("aim", told.aim), ("outcome", told.outcome)]
    claims = preset.claims
    parts = [f"{claims.parameters:,} parameters" if claims.parameters else ""]
    parts += [f"test {claims.test_accuracy:.2f} %" if claims.test_accuracy else ""]
    parts += [f"train {claims.train_accuracy:.2f} %" if claims.train_accuracy else "", claims.note]
    out.append(("claims", ", ".join(part for part in parts if part)))
    if entry.best is not None:
        out.append(("best here", f"{entry.best:.2f} %"))
    out += [("note", note) for note in told.notes]
    out.append(("source", preset.source))
    return [(head, text) for head, text in out if text]

"""Where presets are found: built in, in the project's folder, in the user's folder, or by path."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuitrain import trust
from tuitrain.errors import PresetError, nearest, visible
from tuitrain.paths import expand

if TYPE_CHECKING:  # pydantic comes with the first preset that is read: shells ask for names at every Tab
    from tuitrain.spec.preset import Preset, PublishedLog


#: The family of our own networks (docs/RECORDS.md); the others are from published sources.
OURS = "tuitrain"


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset that can be named; `origin` is built-in, project, user, or `package` and the name of one."""

    name: str
    family: str
    path: Path
    origin: str

    @property
    def builtin(self) -> bool:
        """Whether it came with tuitrain."""
        return self.origin == "built-in"

    @property
    def published(self) -> bool:
        """Whether it came with tuitrain and is from a source, not a network of our own."""
        return self.builtin and self.family != OURS

    @property
    def family_title(self) -> str:
        """What the family is, from the first line of the `title.txt` in its folder; empty where there is none."""
        return _family_title(self.path.parent)


@functools.cache
def _family_title(folder: Path) -> str:
    try:
        with (folder / "title.txt").open(encoding="utf-8", errors="replace") as file:
            return visible(file.readline(200).strip())
    except OSError:
        return ""


def builtin_dir() -> Path:
    """The presets that came with tuitrain: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "presets"
    return inside if inside.is_dir() else package.parent / "presets"


def user_preset_dir() -> Path:
    """The user's own presets, in the XDG config folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return expand(base) / "tuitrain" / "presets"


def project_preset_dir() -> Path:
    """Presets of the current folder."""
    return Path("presets")


def _natural(text: str) -> list[tuple[int, str | int]]:
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text) if part]


FAMILY_ORDER = ("era-s7", "twelvek", "drilldown", "mlp", "nishantb")


def _in(folder: Path, origin: str) -> Iterator[PresetEntry]:
    try:
        files = [path for path in folder.rglob("*.toml") if path.is_file()] if folder.is_dir() else []
    except OSError:
        files = []
    for path in files:
        if origin == "project" and not trust.obeyed(path):
            continue
        family = (
            path.parent.name
            if path.parent != folder
            else {"user": "mine"}.get(origin, origin.removeprefix("package "))
        )
        yield PresetEntry(path.stem, family, path, origin)


ORIGINS = ("built-in", "project", "user", "package")


def list_presets(*, installed: bool = True) -> list[PresetEntry]:
    """All presets that can be named, built-in families first; the first of a name wins.

    Args:
        installed: those of installed packages too, which come after built-in, project and user ones; looking for them
            reads what each package says of itself.
    """
    seen: dict[str, PresetEntry] = {}
    folders = [(builtin_dir(), "built-in"), (project_preset_dir(), "project"), (user_preset_dir(), "user")]
    if installed:
        from tuitrain.spec.installed import preset_folders

        folders += [(folder, f"package {name}") for folder, name in preset_folders()[0]]
    resolved: set[Path] = set()
    for folder, origin in folders:
        try:
            place = folder.resolve()
        except OSError:  # the current folder was removed
            continue
        if place in resolved or (origin == "project" and not trust.obeyed(folder)):
            continue
        resolved.add(place)
        for entry in _in(folder, origin):
            seen.setdefault(entry.name, entry)

    def order(entry: PresetEntry) -> tuple[int, int, str, list[tuple[int, str | int]]]:
        rank = FAMILY_ORDER.index(entry.family) if entry.family in FAMILY_ORDER else len(FAMILY_ORDER)
        return (ORIGINS.index(entry.origin.partition(" ")[0]), rank, entry.family, _natural(entry.name))

    return sorted(seen.values(), key=order)


def find_preset(name_or_path: str) -> Path:
    """The file of a preset by name or path.

    Raises:
        PresetError: there is none, with the nearest name.
    """
    text = name_or_path
    if "\0" in text:
        raise PresetError(
            f"preset {visible(text)!r} holds a NUL character; use a name from `tuitrain presets`."
        )
    looks_like_path = "/" in text or os.sep in text or text.endswith(".toml") or text.startswith("~")
    if looks_like_path:
        return expand(text)
    for installed in (False, True):
        presets = list_presets(installed=installed)
        for entry in presets:
            if entry.name == text:
                return entry.path
    close = nearest(text, [entry.name for entry in presets])
    hint = f"did you mean '{close}'?" if close else "`tuitrain presets` lists what there is."
    raise PresetError(f"no preset '{visible(text)}'; {hint}")


def load_preset(name_or_path: str) -> Preset:
    """The preset of a name or path.

    Raises:
        PresetError: there is none, or it is not valid.
    """
    from tuitrain.spec.preset import NAME_PATTERN, read_preset

    path = find_preset(name_or_path)
    preset = read_preset(path)
    if not preset.family and path.parent.name and re.fullmatch(NAME_PATTERN, path.parent.name):
        preset = preset.model_copy(update={"family": path.parent.name})
    return preset


def published_log(name: str) -> PublishedLog | None:
    """The published log of a built-in preset by its name, or None."""
    from tuitrain.spec.preset import read_published_log

    for entry in list_presets(installed=False):
        if entry.name == name and entry.builtin:
            return read_published_log(entry.path.with_suffix(".log.csv"))
    return None


def save_preset(preset: Preset, folder: Path | None = None, *, overwrite: bool = False) -> Path:
    """Writes a preset into the user's folder (or another) under its name and returns the file.

    Raises:
        PresetError: the file is there already, or can't be written.
    """
    folder = folder or user_preset_dir()
    path = folder / f"{preset.name}.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            temporary = path.with_suffix(".toml.tmp")
            temporary.write_text(preset.to_toml(), "utf-8")
            temporary.replace(path)
        else:
            with path.open("x", encoding="utf-8") as file:
                file.write(preset.to_toml())
    except FileExistsError:
        raise PresetError(f"{visible(path)}: exists already; choose another name.") from None
    except OSError as error:
        raise PresetError(
            f"{visible(path)}: can't be written ({visible(error.strerror)}); choose another folder."
        ) from None
    return path

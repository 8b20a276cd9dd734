"""What installed packages bring: presets and networks, by the entry points `tuitrain.presets` and `tuitrain.networks`.

A preset's entry point names a package, or a folder in one, that holds TOML files; nothing of it is run to find them.
A network's names what is called for a new one, and is imported only when `--model` names it.
"""

from __future__ import annotations

import functools
import importlib.machinery
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tuitrain.errors import visible

PRESETS = "tuitrain.presets"
NETWORKS = "tuitrain.networks"


@functools.cache
def entry_points_of(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, by name; none where the packages' own files can't be read."""
    try:
        return tuple(sorted(entry_points(group=group), key=lambda point: (point.name, point.value)))
    except Exception:  # a package may have written anything there
        return ()


def package_name(point: EntryPoint) -> str:
    """The name of the package that brings it."""
    try:
        return visible(point.dist.name) if point.dist is not None else "?"
    except Exception:  # as above
        return "?"


def entry_point_path(point: EntryPoint) -> Path:
    """The folder of the package, or the file of the module, that an entry point names; nothing is imported.

    Raises:
        LookupError: it is not there, in a sentence without its end.
    """
    where = f"entry point {visible(point.name)} of package {package_name(point)}"
    try:
        top, *rest = point.module.split(".")
        spec = importlib.machinery.PathFinder.find_spec(top)
    except Exception as error:  # no such form, or a finder that a package installed
        raise LookupError(f"{where} can't be read: {type(error).__name__}") from None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if spec and not rest and not folders and spec.origin:
        return Path(spec.origin)
    for folder in folders:
        found = Path(folder).joinpath(*rest)
        for candidate in (found, found.with_name(f"{found.name}.py")):
            if candidate.exists():
                return candidate
    raise LookupError(f"{where} names {visible(point.module)}, which is not there")


def preset_folders() -> tuple[list[tuple[Path, str]], list[str]]:
    """The folders of presets with the package each is from, and a sentence for each that can't be used."""
    found, broken = [], []
    for point in entry_points_of(PRESETS):
        try:
            folder = entry_point_path(point)
            if not folder.is_dir():
                raise LookupError(
                    f"entry point {visible(point.name)} of package {package_name(point)} names no folder of presets"
                )
            found.append((folder, package_name(point)))
        except LookupError as error:
            broken.append(f"{error.args[0]}; ask its author, or uninstall it.")
    return found, broken

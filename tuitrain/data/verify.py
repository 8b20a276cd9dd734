"""Where a set's files lie, and whether they are what was published. Nothing is written here."""

from __future__ import annotations

import os
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tuitrain.data import digits
from tuitrain.data.catalog import SETS, FileSpec, SetSpec, check_name
from tuitrain.data.dataset import DatasetStatus, FileReport
from tuitrain.data.idx import IdxError, IdxFile, read_idx
from tuitrain.errors import DataError, visible
from tuitrain.paths import expand

SUMS_FILE = "SHA256SUMS"  # as sha256sum writes and checks it; put beside what a fetch brought
SUMS_LIMIT_BYTES = 1 << 16


def verify_dataset(name: str, data_dir: Path | None = None) -> list[FileReport]:
    """Check every file of a set and report on each, damaged or not. Raises DataError when none is there."""
    check_name(name)
    if name == "digits":
        return [digits.verify_digits()]
    spec = SETS[name]
    root = data_folder(data_dir)
    found = locate(spec, root)
    if found is None:
        raise nothing_here(spec, root, data_dir)
    return [report for report, _ in check_files(spec, found)]


def dataset_status(name: str, data_dir: Path | None = None) -> DatasetStatus:
    """Where a set stands, from the presence of its files alone; they are verified when loaded."""
    check_name(name)
    if name == "digits":
        return DatasetStatus(name, True, "built in (scikit-learn's digits)", None)
    spec = SETS[name]
    root = data_folder(data_dir)
    found = locate(spec, root)
    remedy = repair_command(spec, data_dir)
    if found is None:
        if is_own_cache(data_dir):
            return DatasetStatus(name, False, f"not fetched yet ({spec.download} at first use)", None, remedy)
        return DatasetStatus(name, False, visible(f"not in {root}"), None, remedy)
    lacking = missing(spec, found)
    if lacking:
        names = ", ".join(lacking)
        return DatasetStatus(name, False, visible(f"incomplete in {found}: {names} missing"), found, remedy)
    return DatasetStatus(name, True, visible(f"in {found}"), found)


# --- where files lie -------------------------------------------------------------------------------


def data_folder(data_dir: Path | None = None) -> Path:
    """The folder that data lies in: the flag, else TUITRAIN_DATA_DIR, else the XDG cache folder."""
    if data_dir is not None:
        return expand(data_dir)
    from_environment = os.environ.get("TUITRAIN_DATA_DIR")
    if from_environment:
        return expand(from_environment)
    return cache_folder() / "data"


def cache_folder() -> Path:
    """Our folder in the XDG cache: fetched data, and the locks of fetches."""
    import platformdirs

    return platformdirs.user_cache_path("tuitrain")


def is_own_cache(data_dir: Path | None) -> bool:
    """Whether the data folder is our own cache folder, which may be fetched to, and not one the user named."""
    return data_dir is None and not os.environ.get("TUITRAIN_DATA_DIR")


def candidates(spec: SetSpec, root: Path) -> tuple[Path, ...]:
    """Folders that may hold the set, the most telling first: some sets share their file names."""
    return (root / spec.folder / "raw", root / spec.name, root / "raw", root)


def file_path(folder: Path, file: FileSpec) -> Path | None:
    """The file, raw before .gz, or None."""
    for path in (folder / file.filename, folder / f"{file.filename}.gz"):
        if os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises where a folder can't be entered)
            return path
    return None


def missing(spec: SetSpec, folder: Path) -> list[str]:
    """Names of the files that the folder lacks."""
    return [file.filename for file in spec.files if file_path(folder, file) is None]


def locate(spec: SetSpec, root: Path) -> Path | None:
    """The first folder with all files of the set, else the first with any, else None."""
    lacking = [(len(missing(spec, folder)), folder) for folder in candidates(spec, root)]
    fewest = [folder for count, folder in lacking if count == 0] or [
        folder for count, folder in lacking if count < len(spec.files)
    ]
    return fewest[0] if fewest else None


# --- checking one file after the other -------------------------------------------------------------


def check_files(spec: SetSpec, folder: Path) -> list[tuple[FileReport, IdxFile | None]]:
    """Read and check every file of the set in this folder, four at a time."""
    recorded = recorded_sums(folder)
    with ThreadPoolExecutor(max_workers=len(spec.files)) as pool:
        return list(pool.map(lambda file: check_file(spec, file, folder, recorded), spec.files))


def check_file(
    spec: SetSpec, file: FileSpec, folder: Path, recorded: dict[str, str]
) -> tuple[FileReport, IdxFile | None]:
    """Read and check one file against the published sum, else the recorded one, else its structure."""
    path = file_path(folder, file)
    if path is None:
        path = folder / file.filename
        return FileReport(path, None, "", "it is missing, expected raw or as .gz"), None
    try:
        content = read_idx(path, file)
    except IdxError as problem:
        return FileReport(path, None, "", str(problem)), None
    how, problem_text = _judge(spec, file, content, recorded)
    return FileReport(path, content.sha256, how, problem_text), None if problem_text else content


def _judge(
    spec: SetSpec, file: FileSpec, content: IdxFile, recorded: dict[str, str]
) -> tuple[str, str | None]:
    expected = file.sha256 or recorded.get(file.filename)
    if expected is not None:
        if content.sha256 != expected:
            where = "" if file.sha256 else f" (from {SUMS_FILE} beside it)"
            return "", f"its SHA-256 (unpacked) is {content.sha256}, expected {expected}{where}"
        return "SHA-256", None
    if file.gz_md5 is not None and content.gz_md5 == file.gz_md5:
        return "MD5 of the .gz", None
    # The sets share file names and shapes, so structure alone would take one for another.
    for other in SETS.values():
        for theirs in other.files:
            if other.name == spec.name:
                continue
            if content.sha256 == theirs.sha256 or (content.gz_md5 and content.gz_md5 == theirs.gz_md5):
                return "", f"it is {theirs.filename} of {other.title}, expected that of {spec.title}"
    return "structure only", None


def recorded_sums(folder: Path) -> dict[str, str]:
    """What a fetch recorded beside the files: file name -> SHA-256 of the unpacked file."""
    try:
        with (folder / SUMS_FILE).open("rb") as file:
            text = file.read(SUMS_LIMIT_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    sums: dict[str, str] = {}
    for line in text.splitlines():
        digest, _, filename = line.partition("  ")
        sums[filename.strip()] = digest.strip().lower()
    return sums


# --- errors ----------------------------------------------------------------------------------------


def repair_command(spec: SetSpec, data_dir: Path | None) -> str:
    """The command that brings a set into the folder it is looked for in."""
    where = "" if data_dir is None else f" --data-dir {shlex.quote(str(data_dir))}"
    return f"tuitrain data fetch --dataset {spec.name}{where}"


def nothing_here(spec: SetSpec, root: Path, data_dir: Path | None) -> DataError:
    """The message for a data folder that holds none of the set's files."""
    below = ", ".join(str(folder.relative_to(root)) for folder in candidates(spec, root)[:-1])
    others = f"like the other {len(spec.files) - 1} files of {spec.title} (looked here and below in {below})"
    return refusal(
        spec, root / spec.files[0].filename, f"it is missing, expected raw or as .gz, {others}", data_dir
    )


def refusal(spec: SetSpec, path: Path, problem: str, data_dir: Path | None) -> DataError:
    """The one message for whatever is wrong with a set's files."""
    return DataError(
        visible(
            f"{path}: {problem}; fix it with `{repair_command(spec, data_dir)}`, "
            f"or go on without a network with `--dataset digits`."
        )
    )

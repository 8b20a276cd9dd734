"""Fetching a set: one process at a time, into a temporary folder, verified, then renamed into place.

torchvision's dataset classes say where the files are published and with which sums; the transfer is
our own, because theirs waits for ever on a server that stalls and writes whatever length is sent.
`TUITRAIN_MIRROR` (one or more base addresses, separated by spaces) replaces their addresses.
`TUITRAIN_FETCH_TIMEOUT` is how many seconds a transfer may make no progress (default 15).
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import os
import shutil
import tempfile
import uuid
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tuitrain.data import digits
from tuitrain.data.catalog import SETS, FileSpec, SetSpec, check_name
from tuitrain.data.dataset import Progress
from tuitrain.data.download import TransferError, download
from tuitrain.data.verify import (
    SUMS_FILE,
    cache_folder,
    candidates,
    check_file,
    check_files,
    data_folder,
    locate,
    recorded_sums,
    repair_command,
)
from tuitrain.errors import DataError, visible
from tuitrain.paths import private_folder

TEMPORARY_PREFIX = ".fetch-"
EMNIST_ARCHIVE_LIMIT_BYTES = 700_000_000  # the archive of all its splits is 562 MB


@dataclass(frozen=True)
class Resource:
    """One published file: where, its MD5, and which of our files it brings."""

    filename: str
    addresses: tuple[str, ...]
    md5: str
    brings: tuple[FileSpec, ...]

    @property
    def limit_bytes(self) -> int:
        """More than this is never written to disk."""
        if len(self.brings) > 1:
            return EMNIST_ARCHIVE_LIMIT_BYTES
        return self.brings[0].packed_limit_bytes


def fetch_dataset(name: str, data_dir: Path | None = None, *, progress: Progress | None = None) -> Path:
    """Bring the set's missing or damaged files into the data folder and return the folder they lie in.

    What is already there and intact is left alone. Other processes that want the same set wait, and
    share the outcome: the files, or the error of the one that tried.

    Raises:
        DataError: unreachable, stalled, wrong or too long data, no space, no permission.
    """
    check_name(name)
    if name == "digits":
        return digits.verify_digits().path.parent
    spec = SETS[name]
    root = data_folder(data_dir)
    complete = _intact(spec, root)
    if complete is not None:
        return complete
    target = candidates(spec, root)[0]
    try:
        lock_path = _lock_path(spec, target)
        failed_before = _last_failure(lock_path)
        with _Turn(lock_path, progress):
            complete = _intact(spec, root)
            if complete is not None:
                return complete
            failed = _last_failure(lock_path)
            if failed is not None and failed != failed_before:  # for the one that we waited for
                raise DataError(failed[1])
            try:
                _bring(spec, target, data_dir, progress)
            except DataError as error:
                _record_failure(lock_path, str(error))
                raise
    except OSError as error:
        what = f"{error.strerror or error}"
        raise DataError(
            visible(
                f"{error.filename or target}: {what} while fetching {spec.title}; make room or name a writable "
                f"folder with `{repair_command(spec, None)} --data-dir FOLDER`, or go on without a network "
                f"with `--dataset digits`."
            )
        ) from error
    return target


def _intact(spec: SetSpec, root: Path) -> Path | None:
    folder = locate(spec, root)
    if folder is None or any(report.problem for report, _ in check_files(spec, folder)):
        return None
    return folder


# --- one process at a time -------------------------------------------------------------------------


def _lock_path(spec: SetSpec, target: Path) -> Path:
    folder = private_folder(cache_folder()) / "locks"
    folder.mkdir(exist_ok=True)
    key = hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:12]
    return folder / f"fetch-{spec.name}-{key}.lock"


class _Turn:
    """Holds the lock; says so when it has to wait. The system frees the lock of a killed holder."""

    def __init__(self, lock_path: Path, progress: Progress | None) -> None:
        self.lock = FileLock(lock_path)
        self.progress = progress

    def __enter__(self) -> None:
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            if self.progress is not None:
                self.progress("waiting for another process that fetches the same files", 0, None)
            self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def _last_failure(lock_path: Path) -> tuple[str, str] | None:
    try:
        record = json.loads(lock_path.with_suffix(".failed").read_text())
        return str(record["id"]), str(record["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record_failure(lock_path: Path, message: str) -> None:
    try:
        lock_path.with_suffix(".failed").write_text(json.dumps({"id": uuid.uuid4().hex, "message": message}))
    except OSError:
        return  # only a courtesy to those who wait


# --- download, unpack, verify, rename --------------------------------------------------------------


def _bring(spec: SetSpec, target: Path, data_dir: Path | None, progress: Progress | None) -> None:
    home = target.parent
    home.mkdir(parents=True, exist_ok=True)
    for leftover in home.glob(f"{TEMPORARY_PREFIX}*"):  # of a killed fetch: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    good = {
        file.filename
        for file, (report, _) in zip(spec.files, check_files(spec, target), strict=True)
        if report.problem is None
    }
    lacking = [file for file in spec.files if file.filename not in good]
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=home))
    try:
        inside = temporary / "raw"
        inside.mkdir()
        sums: dict[str, str] = {}
        for resource in _resources(spec):
            wanted = [file for file in resource.brings if file in lacking]
            if wanted:
                sums |= _bring_one(spec, resource, wanted, inside, target, data_dir, progress)
        _put_in_place(spec, sums, inside, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _bring_one(
    spec: SetSpec,
    resource: Resource,
    wanted: list[FileSpec],
    inside: Path,
    target: Path,
    data_dir: Path | None,
    progress: Progress | None,
) -> dict[str, str]:
    archive = inside.parent / resource.filename
    problems: list[str] = []
    for address in resource.addresses:
        try:
            content_type = download(address, archive, resource.limit_bytes, progress)
            return _unpack(spec, resource, wanted, archive, inside, content_type)
        except TransferError as error:
            problems.append(f"{address}: {error}")
        finally:
            archive.unlink(missing_ok=True)
    raise DataError(
        visible(
            f"{target / wanted[0].filename}: {resource.filename} of {spec.title} can't be fetched "
            f"({'; '.join(problems)}); try again with `{repair_command(spec, data_dir)}`, name a folder that "
            f"holds the files with `--data-dir`, or go on without a network with `--dataset digits`."
        )
    )


def _unpack(
    spec: SetSpec, resource: Resource, wanted: list[FileSpec], archive: Path, inside: Path, content_type: str
) -> dict[str, str]:
    """Unpack and verify what was downloaded; file name -> SHA-256, or TransferError."""
    by_archive = [file for file in wanted if file.sha256 is None]
    if by_archive:
        with archive.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != resource.md5:
            raise TransferError(f"the MD5 of the answer ({content_type}) is {md5}, expected {resource.md5}")
    try:
        for spec_file in wanted:
            path = inside / spec_file.filename
            if archive.suffix == ".zip":
                with (
                    zipfile.ZipFile(archive) as members,
                    members.open(f"gzip/{spec_file.filename}.gz") as packed,
                    gzip.GzipFile(fileobj=packed) as stream,
                ):
                    _write_bounded(stream, path, spec_file.file_bytes)
            else:
                with gzip.open(archive) as stream:
                    _write_bounded(stream, path, spec_file.file_bytes)
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise TransferError(f"the answer ({content_type}) can't be unpacked ({error})") from error
    sums: dict[str, str] = {}
    for spec_file in wanted:
        report, _ = check_file(spec, spec_file, inside, {})
        if report.problem is not None or report.sha256 is None:
            raise TransferError(f"in the answer ({content_type}), {report.problem}")
        sums[spec_file.filename] = report.sha256
    return sums


def _write_bounded(stream: io.BufferedIOBase, path: Path, limit: int) -> None:
    written = 0
    with path.open("wb") as out:
        while chunk := stream.read(1 << 20):
            written += len(chunk)
            if written > limit:
                raise TransferError(f"it unpacks to more than the expected {limit:,} bytes")
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())


def _put_in_place(spec: SetSpec, brought: dict[str, str], inside: Path, target: Path) -> None:
    names = {file.filename for file in spec.files}
    sums = {name: digest for name, digest in recorded_sums(target).items() if name in names} | brought
    lines = "".join(f"{digest}  {filename}\n" for filename, digest in sorted(sums.items()))
    (inside / SUMS_FILE).write_text(lines)
    if not target.exists():
        inside.rename(target)
    else:
        # Sums first: killed in between, the next start refuses the old file instead of trusting it.
        (inside / SUMS_FILE).replace(target / SUMS_FILE)
        for filename in brought:
            (inside / filename).replace(target / filename)
    _sync_folder(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # not possible everywhere (Windows)
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- what torchvision knows ------------------------------------------------------------------------


def _resources(spec: SetSpec) -> list[Resource]:
    known = getattr(importlib.import_module("torchvision.datasets"), spec.torchvision_class)
    if spec.name == "emnist-digits":
        return [Resource("gzip.zip", _addresses("gzip.zip", [known.url]), known.md5, spec.files)]
    listed = known.resources
    if spec.name == "qmnist":
        listed = [*listed["train"], *listed["test"]]
    found: dict[str, tuple[list[str], str]] = {}
    for place, md5 in listed:
        filename = str(place).rsplit("/", 1)[-1]
        places = [str(place)] if "://" in str(place) else [f"{mirror}{place}" for mirror in known.mirrors]
        found[filename] = (places, str(md5))
    resources: list[Resource] = []
    for file in spec.files:
        filename = f"{file.filename}.gz"
        if filename not in found:
            raise DataError(
                f"torchvision.datasets.{spec.torchvision_class} no longer lists {filename}; name a folder that "
                f"holds the files with `--data-dir`, or use `--dataset digits`."
            )
        places, md5 = found[filename]
        resources.append(Resource(filename, _addresses(filename, places), md5, (file,)))
    return resources


def _addresses(filename: str, published: list[str]) -> tuple[str, ...]:
    mirrors = os.environ.get("TUITRAIN_MIRROR", "").split()
    if mirrors:
        return tuple(f"{mirror.rstrip('/')}/{filename}" for mirror in mirrors)
    return tuple(published)

"""Checkpoints: safetensors and JSON, never pickle; named by their SHA-256, replaced in one step.

A file is `epoch-0012-best.<sha256>.safetensors` (`epoch-0012-step-00345.…` in the middle of an epoch).
The digest is of the whole file, so it is checked before a byte of it is parsed, and a name that is
there says that the file is whole. Metadata is one JSON string, which keeps the bytes deterministic
(safetensors writes several keys in any order).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain.errors import CheckpointError, visible
from tuitrain.runs import durable

if TYPE_CHECKING:
    from torch import Tensor

#: 20 million parameters with Adam's two moments in float32 are 240 MB; double that is refused unread.
MAX_BYTES = 512 << 20
_MAX_HEADER = 8 << 20
_MAX_TENSORS = 4096
_META = "tuitrain"
NAME = re.compile(r"epoch-(\d{4,6})(?:-step-(\d{5,9}))?(-best)?\.([0-9a-f]{64})\.safetensors")


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """One checkpoint file, by its name alone. `step` is 0 at an epoch's end."""

    path: Path
    epoch: int
    step: int
    best: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The content of a checkpoint: tensors on the CPU and plain JSON."""

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]


def entries(folder: Path) -> list[CheckpointEntry]:
    """The checkpoints of a folder, oldest first; judged by name, not opened."""
    found: list[tuple[int, int, float, CheckpointEntry]] = []
    try:
        listing = list(os.scandir(folder))
    except OSError:
        return []
    for item in listing:
        match = NAME.fullmatch(item.name)
        if match is None:
            continue
        with contextlib.suppress(OSError):
            modified = item.stat(follow_symlinks=False).st_mtime
            entry = CheckpointEntry(
                Path(item.path), int(match[1]), int(match[2] or 0), bool(match[3]), match[4]
            )
            found.append((entry.epoch, entry.step, modified, entry))
    found.sort(key=lambda item: item[:3])
    return [item[3] for item in found]


def save(
    folder: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], *, best: bool
) -> CheckpointEntry:
    """Write a checkpoint durably; `metadata` has `epoch` and `step`.

    Raises:
        OSError: it could not be written; nothing of it is left and older ones are untouched.
    """
    epoch, step = int(metadata["epoch"]), int(metadata.get("step", 0))
    data = pack(tensors, metadata)
    digest = hashlib.sha256(data).hexdigest()
    middle = f"-step-{step:05d}" if step else ""
    mark = "-best" if best else ""
    path = folder / f"epoch-{epoch:04d}{middle}{mark}.{digest}.safetensors"
    durable.replace(path, data)
    return CheckpointEntry(path, epoch, step, best, digest)


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> bytes:
    """Tensors and metadata as the bytes of a safetensors file, the same bytes for the same content."""
    from safetensors.torch import save as to_bytes

    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    meta = None
    if metadata is not None:
        meta = {_META: json.dumps(metadata, sort_keys=True, separators=(",", ":"))}
    return to_bytes(plain, metadata=meta)


def read_verified(path: Path, sha256: str, limit: int = MAX_BYTES) -> bytes:
    """A file's bytes, after their digest was checked; links, devices and oversized files aren't read.

    Raises:
        CheckpointError: anything is wrong with it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode) or info.st_size > limit:
                raise CheckpointError(_refusal(path, "is not a regular file, or far too large"))
            data = file.read(info.st_size)
    except OSError as error:
        raise CheckpointError(_refusal(path, f"can't be read: {visible(error.strerror)}")) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(_refusal(path, "is damaged: its SHA-256 is not the one in its name"))
    return data


def load_checkpoint(entry: CheckpointEntry) -> Stored:
    """A checkpoint's content; it can hold no code.

    Raises:
        CheckpointError: it is damaged, or not a checkpoint of tuitrain.
    """
    data = read_verified(entry.path, entry.sha256)
    metadata = read_metadata(entry.path, data)
    if (metadata.get("epoch"), metadata.get("step", 0)) != (entry.epoch, entry.step):
        raise CheckpointError(_refusal(entry.path, "says another epoch inside than in its name"))
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        return Stored(from_bytes(data), metadata)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(_refusal(entry.path, f"is no checkpoint: {visible(error)[:120]}")) from None


def read_metadata(path: Path, data: bytes) -> dict[str, Any]:
    """The metadata that `pack` was given.

    Raises:
        CheckpointError: the bytes are not what it made.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= min(_MAX_HEADER, len(data) - 8):
        raise CheckpointError(_refusal(path, "is no checkpoint: its header is cut or far too long"))
    try:
        header = json.loads(data[8 : 8 + length])
        inner = json.loads(header["__metadata__"][_META])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(_refusal(path, "is no checkpoint of tuitrain")) from None
    if not isinstance(inner, dict) or len(header) > _MAX_TENSORS:
        raise CheckpointError(_refusal(path, "is no checkpoint of tuitrain"))
    return inner


def _refusal(path: Path, what: str) -> str:
    return f"checkpoint {visible(path)} {what}; an earlier one is used when there is one."


def set_aside(entry: CheckpointEntry) -> None:
    """Rename a damaged checkpoint; it is removed once a newer one is written."""
    with contextlib.suppress(OSError):
        durable.rename(entry.path, entry.path.with_name(entry.path.name + ".damaged"))


def prune(folder: Path, newest: CheckpointEntry, keep: int = 2) -> list[Path]:
    """Remove all but the last `keep` and the best, after `newest` was saved; returns what was removed.

    What claims to be of the same place or a later one is superseded: the run went on from before it.
    """
    present = entries(folder)
    here = (newest.epoch, newest.step)
    chain = [e for e in present if (e.epoch, e.step) < here] + [newest]
    best = [e for e in chain if e.best]
    kept = {e.path for e in chain[-keep:]} | {e.path for e in best[-1:]} | {newest.path}
    removed: list[Path] = []
    with contextlib.suppress(OSError):
        for path in [e.path for e in present if e.path not in kept] + list(folder.glob("*.damaged")):
            durable.unlink(path)
            removed.append(path)
    return removed

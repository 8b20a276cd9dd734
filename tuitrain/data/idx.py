"""Reading one IDX file, raw or gzipped, and trusting nothing its header says."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuitrain.data.catalog import FileSpec

CHUNK_BYTES = 1 << 20
DEFLATE_LIMIT = 1032  # deflate can't shrink anything by more than this


class IdxError(Exception):
    """What is wrong with one file, as half a sentence; the caller says which file and what to do."""


@dataclass(frozen=True)
class IdxFile:
    """What one file held: the elements as uint8, shape as in the spec, and its sums.

    int32 files (QMNIST's labels) come as their first column. `gz_md5` is None for a raw file.
    """

    array: npt.NDArray[np.uint8]
    sha256: str
    gz_md5: str | None


def read_idx(path: Path, spec: FileSpec) -> IdxFile:
    """Read the file and check everything but its sums.

    The caller knows what must be in it, so no more is allocated or unpacked than that, whatever the
    header or a .gz claims. Raises IdxError.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            if path.suffix != ".gz":
                _check_size(size, spec)
                return _read_stream(file, spec, None)
            if size > spec.packed_limit_bytes:
                raise IdxError(f"it is {size:,} bytes, more than {spec.file_bytes:,} bytes can pack into")
            if size * DEFLATE_LIMIT < spec.file_bytes:
                raise IdxError(
                    f"it is {size:,} bytes, too few to unpack to the expected {spec.file_bytes:,} bytes"
                )
            packed = file.read(spec.packed_limit_bytes)
        md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            return _read_stream(stream, spec, md5)
    except EOFError as error:
        raise IdxError(
            f"it is truncated: the packed data ends before the expected {spec.file_bytes:,} bytes"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise IdxError(f"it can't be unpacked ({error}), expected gzip data") from error
    except OSError as error:
        raise IdxError(f"it can't be read ({error.strerror or error})") from error


def _check_size(size: int, spec: FileSpec) -> None:
    if size < spec.file_bytes:
        raise IdxError(f"it is truncated: {size:,} bytes, expected {spec.file_bytes:,}")
    if size > spec.file_bytes:
        raise IdxError(f"it is too long: {size:,} bytes, expected {spec.file_bytes:,}")


def _read_stream(stream: io.BufferedIOBase, spec: FileSpec, md5: str | None) -> IdxFile:
    header = stream.read(spec.header_bytes)
    _check_header(header, spec)
    digest = hashlib.sha256(header)
    body = np.empty(spec.body_bytes, dtype=np.uint8)
    view = body.data
    filled = 0
    while filled < spec.body_bytes:
        got = stream.readinto(view[filled : filled + CHUNK_BYTES])
        if not got:
            raise IdxError(
                f"it is truncated: {filled + spec.header_bytes:,} bytes unpacked, expected {spec.file_bytes:,}"
            )
        digest.update(view[filled : filled + got])
        filled += got
    if stream.read(1):  # also where gzip compares its own checksum
        raise IdxError(f"it is too long: it unpacks to more than the expected {spec.file_bytes:,} bytes")
    if spec.item_bytes == 1:
        array = body.reshape(spec.shape)
    else:
        classes = body.view(">i4").reshape(spec.shape)[:, 0]
        if int(classes.min()) < 0 or int(classes.max()) > 9:
            raise IdxError(f"its labels run from {classes.min()} to {classes.max()}, expected 0 to 9")
        array = classes.astype(np.uint8)
    if array.ndim == 1 and int(array.max()) > 9:
        raise IdxError(f"its labels run to {array.max()}, expected 0 to 9")
    return IdxFile(array, digest.hexdigest(), md5)


def _check_header(header: bytes, spec: FileSpec) -> None:
    if len(header) < spec.header_bytes:
        raise IdxError(f"it is truncated: it ends inside its header of {spec.header_bytes} bytes")
    magic, *sizes = struct.unpack(f">{1 + len(spec.shape)}I", header)
    if magic != spec.magic:
        raise IdxError(f"its magic number is 0x{magic:08x}, expected 0x{spec.magic:08x}")
    if tuple(sizes) != spec.shape:
        raise IdxError(f"its header says {_times(sizes)}, expected {_times(spec.shape)}")


def _times(sizes: tuple[int, ...] | list[int]) -> str:
    return " x ".join(str(size) for size in sizes)

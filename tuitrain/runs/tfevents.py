"""TensorBoard's event files, for scalars only, written without TensorBoard, protobuf or torch.

A file is a sequence of TFRecords (https://www.tensorflow.org/tutorials/load_data/tfrecord), each with one message
in protobuf's encoding (https://protobuf.dev/programming-guides/encoding):

    uint64 length, uint32 masked CRC-32C of the length, the message, uint32 masked CRC-32C of the message

The messages and the numbers of their fields are those of tensorboard/compat/proto/event.proto and summary.proto.
A test holds the bytes to what TensorBoard's own classes write.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from tuitrain.runs import durable

# Event: wall_time (double), step (int64) and one of file_version (string), summary, session_log
WALL_TIME, STEP, FILE_VERSION, SUMMARY, SESSION_LOG = 1, 2, 3, 5, 7
SESSION_START = b"\x08\x01"  # SessionLog with field 1, status, START
# Summary: value (repeated); Summary.Value: tag (string), simple_value (float)
VALUE, TAG, SIMPLE_VALUE = 1, 1, 2

VARINT, FIXED64, LENGTH_PREFIXED, FIXED32 = 0, 1, 2, 5  # protobuf's wire types


class EventFile:
    """A TensorBoard event file, written without another thread.

    A new file replaces the older ones of the folder, and begins with the mark at which a TensorBoard
    that is looking on drops what it has read from them.
    """

    def __init__(self, folder: Path) -> None:
        durable.refuse_link(folder)
        durable.make_folder(folder, parents=True)
        now = time.time()
        # TensorBoard takes every file with "tfevents" in its name; the rest is what its own writer puts there.
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}"
        old = [path for path in folder.glob("events.out.tfevents.*") if path.name != name]
        self.path = folder / name
        durable.unlink(self.path)
        self._fd = durable.create_new(self.path)
        self._write(event(now, 0, FILE_VERSION, b"brain.Event:2"))
        self._write(event(now, 0, SESSION_LOG, SESSION_START))
        for path in old:
            durable.unlink(path)

    def add(self, scalars: Mapping[str, float], step: int, wall_time: float) -> None:
        """Write scalars by their tags.

        Args:
            scalars: tag to value, kept as a 32-bit float.
            step: where on the x axis.
            wall_time: seconds since 1970.

        Raises:
            OSError: the file could not be written.
        """
        self._write(event(wall_time, step, SUMMARY, summary(scalars)))

    def _write(self, message: bytes) -> None:
        durable.write_all(self._fd, record(message), self.path)

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


def event(wall_time: float, step: int, field: int, content: bytes) -> bytes:
    """An Event whose content is `content`, in the field of that number."""
    parts = [_key(WALL_TIME, FIXED64), struct.pack("<d", wall_time)]
    if step:  # protobuf leaves out a number that is 0
        parts += [_key(STEP, VARINT), _varint(step)]
    return b"".join([*parts, _block(field, content)])


def summary(scalars: Mapping[str, float]) -> bytes:
    """A Summary of scalars by their tags."""
    return b"".join(
        _block(VALUE, _block(TAG, tag.encode()) + _key(SIMPLE_VALUE, FIXED32) + _float32(value))
        for tag, value in scalars.items()
    )


def record(message: bytes) -> bytes:
    """A TFRecord."""
    length = struct.pack("<Q", len(message))
    return b"".join([length, _checksum(length), message, _checksum(message)])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _block(field: int, content: bytes) -> bytes:
    return _key(field, LENGTH_PREFIXED) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits per byte, the lowest first; the eighth says that more follow. Below 0, the 64-bit two's complement."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _float32(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)  # Castagnoli's polynomial, its bits in reverse
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def _checksum(data: bytes) -> bytes:
    """CRC-32C (RFC 3720, appendix B.4), rotated and shifted by a constant as TFRecords want it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

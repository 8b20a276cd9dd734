"""One transfer over HTTP that can't hang, can't fill the disk, and shows how far it is."""

from __future__ import annotations

import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from tuitrain.data.dataset import Progress
from tuitrain.version import __version__

STALL_S = 15.0
MINIMUM_BYTES_PER_S = 4096  # a server that drips slower than a modem counts as stalled
POLL_S = 0.1


class TransferError(Exception):
    """Why one address did not deliver, as half a sentence."""


class _DiskError(Exception):
    """The file could not be written, which no other address can mend."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Transfer:
    """Runs in a thread of its own: a name lookup or a header that never ends has no timeout of its own."""

    def __init__(self, address: str, path: Path, limit_bytes: int, stall_s: float) -> None:
        self.address = address
        self.path = path
        self.limit_bytes = limit_bytes
        self.stall_s = stall_s
        self.done_bytes = 0
        self.total_bytes: int | None = None
        self.content_type = "no content type"
        self.error: Exception | None = None
        self.finished = threading.Event()
        self.abandoned = threading.Event()

    def run(self) -> None:
        try:
            self._transfer()
        except Exception as error:
            self.error = error
        finally:
            self.finished.set()

    def _transfer(self) -> None:
        request = urllib.request.Request(  # noqa: S310 (the scheme is checked by download)
            self.address, headers={"User-Agent": f"tuitrain/{__version__}"}
        )
        with (
            urllib.request.urlopen(request, timeout=self.stall_s) as response,  # noqa: S310
            self.path.open("wb") as out,
        ):
            self.content_type = response.headers.get("Content-Type") or self.content_type
            self.total_bytes = response.length
            if self.total_bytes is not None and self.total_bytes > self.limit_bytes:
                raise TransferError(self._too_long(f"{self.total_bytes:,} bytes"))
            while chunk := response.read1(1 << 16):
                if self.abandoned.is_set():
                    return
                if self.done_bytes + len(chunk) > self.limit_bytes:
                    raise TransferError(self._too_long(f"more than {self.limit_bytes:,} bytes"))
                try:
                    out.write(chunk)
                    out.flush()
                except OSError as error:
                    raise _DiskError(error) from error
                self.done_bytes += len(chunk)
        if self.total_bytes is not None and self.done_bytes != self.total_bytes:
            raise TransferError(f"broke off after {self.done_bytes:,} of {self.total_bytes:,} bytes")

    def _too_long(self, what: str) -> str:
        return f"sends {what} ({self.content_type}), expected at most {self.limit_bytes:,}"


def download(address: str, path: Path, limit_bytes: int, progress: Progress | None) -> str:
    """Fetch one address into a file and return its content type.

    Raises:
        TransferError: refused, unreachable, stalled for `TUITRAIN_FETCH_TIMEOUT` seconds, longer than
            the limit, or broken off.
        OSError: the file can't be written.
    """
    if not address.lower().startswith(("http://", "https://")):
        raise TransferError("not an http or https address")
    stall_s = _stall_s()
    transfer = _Transfer(address, path, limit_bytes, stall_s)
    threading.Thread(target=transfer.run, name="download", daemon=True).start()
    what = path.name
    mark_bytes, mark_s = 0, time.monotonic()
    try:
        while not transfer.finished.wait(POLL_S):
            now = time.monotonic()
            if transfer.done_bytes - mark_bytes >= MINIMUM_BYTES_PER_S * stall_s:
                mark_bytes, mark_s = transfer.done_bytes, now
            elif now - mark_s > stall_s:
                raise TransferError(
                    f"stalled: {transfer.done_bytes - mark_bytes:,} bytes in {stall_s:g} s, "
                    f"{transfer.done_bytes:,} in all"
                )
            if progress is not None:
                progress(what, transfer.done_bytes, transfer.total_bytes)
    finally:
        transfer.abandoned.set()
    if transfer.error is not None:
        raise _explain(transfer.error, path, stall_s) from transfer.error
    if progress is not None:
        progress(what, transfer.done_bytes, transfer.done_bytes)
    return transfer.content_type


def _stall_s() -> float:
    try:
        seconds = float(os.environ.get("TUITRAIN_FETCH_TIMEOUT", ""))
    except ValueError:
        return STALL_S
    return seconds if 0.1 <= seconds <= 3600 else STALL_S


def _explain(error: Exception, path: Path, stall_s: float) -> Exception:
    if isinstance(error, TransferError):
        return error
    if isinstance(error, _DiskError):
        return OSError(error.cause.errno, error.cause.strerror, str(path))
    if isinstance(error, urllib.error.HTTPError):
        return TransferError(f"HTTP {error.code} {error.reason}")
    if isinstance(error, urllib.error.URLError):
        return TransferError(f"unreachable ({error.reason})")
    if isinstance(error, TimeoutError):
        return TransferError(f"stalled: nothing in {stall_s:g} s")
    if isinstance(error, OSError) and error.filename is not None:  # opening the file
        return error
    if isinstance(error, http.client.IncompleteRead):
        return TransferError("broke off")
    return TransferError(f"{type(error).__name__}: {error}")

"""A set of the MNIST family in small (64 and 32 images) and a web server that misbehaves on request.

Also imported by the processes that the tests start: `install()` puts the small set in KMNIST's place
and a stand-in for torchvision.datasets, whose import takes seconds, in torchvision's.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import struct
import sys
import threading
import time
import types
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from tuitrain.data import catalog
from tuitrain.data.catalog import FileSpec, SetSpec

NAME = "kmnist"


def _files() -> dict[str, bytes]:
    random = np.random.RandomState(0)
    files: dict[str, bytes] = {}
    for part, count in (("train", 64), ("t10k", 32)):
        images = random.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte"] = struct.pack(">4I", 0x803, count, 28, 28) + images.tobytes()
        files[f"{part}-labels-idx1-ubyte"] = struct.pack(">2I", 0x801, count) + labels.tobytes()
    return files


FILES = _files()
PACKED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()}


def spec(known: bool = False) -> SetSpec:
    """The small set; with `known`, its SHA-256 are published, as MNIST's are."""
    roles = ("train_images", "train_labels", "test_images", "test_labels")
    shapes: tuple[tuple[int, ...], ...] = ((64, 28, 28), (64,), (32, 28, 28), (32,))
    return replace(
        catalog.SETS[NAME],
        title="tiny",
        files=tuple(
            FileSpec(
                role,
                name,
                shape,
                sha256=hashlib.sha256(FILES[name]).hexdigest() if known else None,
                gz_md5=hashlib.md5(PACKED[f"{name}.gz"]).hexdigest(),
            )
            for role, name, shape in zip(roles, FILES, shapes, strict=True)
        ),
    )


def torchvision_datasets(mirrors: list[str]) -> Any:
    module = types.ModuleType("torchvision.datasets")
    resources = [(name, hashlib.md5(packed).hexdigest()) for name, packed in PACKED.items()]
    module.KMNIST = type("KMNIST", (), {"mirrors": mirrors, "resources": resources})  # type: ignore[attr-defined]
    return module


def install(mirrors: list[str], known: bool = False) -> None:
    """In a process of its own only."""
    catalog.SETS[NAME] = spec(known)
    sys.modules["torchvision.datasets"] = torchvision_datasets(mirrors)


def write(folder: Path, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (PACKED if packed else FILES).items():
        (folder / name).write_bytes(content)
    return folder


class Server:
    """Serves `files` by the last part of the path; `modes` says per file how it misbehaves."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.modes: dict[str, str] = {}
        self.delay_s = 0.0
        self.requests: Counter[str] = Counter()
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                outer.requests[name] += 1
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    outer.answer(self, name)

            def log_message(self, *_: Any) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.httpd.server_address[1]}/"
        threading.Thread(target=self.httpd.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.httpd.shutdown()
        self.httpd.server_close()

    def answer(self, request: BaseHTTPRequestHandler, name: str) -> None:
        mode = self.modes.get(name, self.modes.get("*", ""))
        body = self.files.get(name)
        if body is None:
            request.send_error(404)
            return
        if mode.isdigit():
            request.send_error(int(mode))
            return
        if mode == "silent":
            self.closing.wait(30)
            return
        content_type = "application/gzip"
        if mode == "html":
            body, content_type = b"<html><body>Please log in to the hotel network</body></html>", "text/html"
        elif mode == "wrong":
            body = body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 16]) + body[len(body) // 2 + 1 :]
        elif mode == "other":
            body = gzip.compress(gzip.decompress(body)[:-1] + b"\x07", mtime=0)
        elif mode in ("tenfold", "tenfold-unannounced"):
            body = body * 10
        elif mode == "bomb":
            body = gzip.compress(bytes(50_000_000))
        length = len(body) + (1000 if mode == "broken-off" else 0)
        request.send_response(200)
        request.send_header("Content-Type", content_type)
        if mode != "tenfold-unannounced":
            request.send_header("Content-Length", str(length))
        request.end_headers()
        time.sleep(self.delay_s)
        if mode == "stall":
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.closing.wait(30)
        elif mode == "drip":
            for place in range(len(body)):
                if self.closing.wait(0.02):
                    return
                request.wfile.write(body[place : place + 1])
        else:
            request.wfile.write(body)

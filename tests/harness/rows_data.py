"""Data that is damaged, lies, lies where nothing may be written, or comes from a bad server."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
import random
import shutil
import signal
import struct
import tempfile
import threading
import time
from pathlib import Path

from harness.bench import Bench
from harness.table import Figure, row

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
NOBODY = 65534


def genuine(folder: Path) -> Path:
    """The genuine MNIST files, unpacked into a folder."""
    given = Path(os.environ["TUITRAIN_DATA_DIR"])
    folder.mkdir(parents=True)
    for name in NAMES:
        (path,) = [*given.rglob(name), *given.rglob(f"{name}.gz")][:1]
        data = path.read_bytes()
        (folder / name).write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
    return folder


def damage_data(folder: str, times: int, seed: int) -> dict[str, int]:
    """Flip or cut one of four files so many times; each time load, then mend it again."""
    from tuitrain.data.load import load_dataset
    from tuitrain.errors import DataError

    dice, seen = random.Random(seed), {"found": 0, "code": 0, "told": 0, "whole": 0}
    for number in range(times):
        path = Path(folder) / NAMES[number % 4]
        size = path.stat().st_size
        at = dice.randrange(size)
        with path.open("r+b") as file:
            file.seek(at)
            rest = file.read() if number % 8 >= 4 else file.read(1)
            file.seek(at)
            if number % 8 >= 4:
                file.truncate()
            else:
                file.write(bytes([rest[0] ^ 1 << dice.randrange(8)]))
        try:
            load_dataset("mnist", Path(folder))
        except DataError as error:
            seen["found"] += 1
            seen["code"] += error.exit_code == 3
            seen["told"] += path.name in str(error) and "`tuitrain data fetch --dataset mnist" in str(error)
        with path.open("r+b") as file:
            file.seek(at)
            file.write(rest)
    seen["whole"] = len(load_dataset("mnist", Path(folder)).train)
    return seen


@row(
    "data",
    "any of the four data files cut or one bit flipped",
    "found before training, exit 3, message with the mending command",
    quick=8,
    whole=100,
    teeth={"no_data_digest": "no look at the SHA-256"},
    needs=("data",),
)
def data(bench: Bench, times: int) -> Figure:
    """Genuine MNIST; a few of the times by the command line, which must not have made a run."""
    folder = genuine(bench.folder / "mnist")
    seen = bench.call("harness.rows_data:damage_data", str(folder), times, 4)
    path = folder / NAMES[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    code, out, err = bench.run("run", "-p", str(bench.preset), "-e", "1", "--data-dir", str(folder))
    path.write_bytes(whole)
    before = code == 3 and "tuitrain data fetch" in err and not out and not any(bench.runs.glob("*"))
    return Figure(
        seen["found"] == seen["code"] == seen["told"] == times and before and seen["whole"] == 60_000,
        f"{seen['found']} of {times} found, {seen['told']} messages with the mending command; by `tuitrain run`: "
        f"exit {code}, {'no run was made' if before else 'a run was made'}",
    )


# --------------------------------------------------------------------------------------- fetching


def load_small(address: str) -> str:
    """Load the small set from an empty cache; what came of it."""
    from support import data_tiny

    data_tiny.install([address])
    from tuitrain.data.load import load_dataset
    from tuitrain.errors import DataError

    begun = time.monotonic()
    try:
        said = f"loaded {len(load_dataset(data_tiny.NAME).train)}"
    except DataError as error:
        said = f"{int(error.exit_code)} {error}"
    return json.dumps({"said": said, "seconds": time.monotonic() - begun})


class Watch:
    """Looks all the time at which files of the set can be seen, and whether one of them is a part."""

    def __init__(self, folder: Path, sizes: dict[str, int]) -> None:
        self.folder, self.sizes, self.partial, self.looks = folder, sizes, 0, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._done.is_set():
            self.looks += 1
            for name, size in self.sizes.items():
                with contextlib.suppress(OSError):
                    self.partial += (self.folder / name).stat().st_size != size

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


MODES = (
    "wrong",
    "html",
    "tenfold",
    "stall",
    "403",
    "tenfold-unannounced",
    "bomb",
    "broken-off",
    "silent",
    "drip",
)


@row(
    "fetch",
    "processes on an empty cache against a local HTTP server; wrong bytes, HTML, ten times the size, a stall, a 403; "
    "the downloader killed",
    "one download a file, no partial file ever visible, time bounded, the next takes over",
    quick=1,
    whole=10,
    teeth={"no_fetch_lock": "nobody waits for another fetch", "fetch_in_place": "fetched where it shall lie"},
)
def fetch(bench: Bench, times: int) -> Figure:
    """Each time eight at once, one bad answer, and one killed downloader."""
    from support import data_tiny

    sizes = {name: len(content) for name, content in data_tiny.FILES.items()}
    downloads = partial = loaded = refused = taken = bad_left = 0
    slowest = 0.0
    for number in range(times):
        server = data_tiny.Server(data_tiny.PACKED)
        server.delay_s = 0.1
        try:
            cache = bench.folder / f"cache{number}"
            raw = cache / "tuitrain" / "data" / "KMNIST" / "raw"
            env = {"XDG_CACHE_HOME": str(cache), "TUITRAIN_FETCH_TIMEOUT": "2"}
            with Watch(raw, sizes) as watch:
                patient = env | {"TUITRAIN_FETCH_TIMEOUT": "30"}
                tasks = [
                    bench.begin("harness.rows_data:load_small", server.address, env=patient) for _ in range(8)
                ]
                loaded += sum(json.loads(task.result())["said"] == "loaded 64" for task in tasks)
            partial += watch.partial
            downloads = max(downloads, *server.requests.values())

            cache = bench.folder / f"bad{number}"
            raw = cache / "tuitrain" / "data" / "KMNIST" / "raw"
            server.modes["*"] = MODES[number % len(MODES)]
            with Watch(raw, sizes) as watch:
                task = bench.begin(
                    "harness.rows_data:load_small", server.address, env=env | {"XDG_CACHE_HOME": str(cache)}
                )
                said = json.loads(task.result())
            partial += watch.partial
            bad_left += raw.exists()
            refused += said["said"].startswith("3 ") and "tuitrain data fetch" in said["said"]
            slowest = max(slowest, said["seconds"])

            cache = bench.folder / f"killed{number}"
            server.modes = {"t10k-images-idx3-ubyte.gz": "stall"}
            slow = env | {"XDG_CACHE_HOME": str(cache), "TUITRAIN_FETCH_TIMEOUT": "60"}
            server.requests.clear()
            with Watch(cache / "tuitrain" / "data" / "KMNIST" / "raw", sizes) as watch:
                first = bench.begin("harness.rows_data:load_small", server.address, env=slow)
                while not server.requests["t10k-images-idx3-ubyte.gz"]:
                    time.sleep(0.01)
                second = bench.begin("harness.rows_data:load_small", server.address, env=slow)
                time.sleep(0.3)
                server.modes.clear()
                first.child.signal(signal.SIGKILL)
                taken += json.loads(second.result())["said"] == "loaded 64"
            partial += watch.partial
            taken -= bool(list(cache.rglob(".fetch-*")))
        finally:
            server.close()
    return Figure(
        downloads == 1 and loaded == 8 * times and refused == taken == times and not partial and not bad_left
        and slowest < 20,
        f"{times} × 8 processes: {loaded} loaded, {downloads} download a file, {partial} looks at a partial file; "
        f"{refused} of {times} bad answers refused within {slowest:.1f} s (limit 2 s without progress); {taken} of "
        f"{times} killed downloaders followed by the next",
    )  # fmt: skip


# ------------------------------------------------------------------------------------ read-only


def tree(folder: Path) -> list[tuple[str, int, int]]:
    """Everything below a folder: name, size and time of change."""
    return sorted(
        (str(path.relative_to(folder)), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
    )


@row(
    "readonly",
    "read-only data folder",
    "works, nothing written there",
    quick=1,
    whole=5,
    teeth={"data_cache": "a cache written beside the data"},
    needs=("data",),
)
def readonly(bench: Bench, times: int) -> Figure:
    """Trains as a user who may only read there, and asks about the data."""
    # Below a folder that such a user may enter, which pytest's are not.
    with tempfile.TemporaryDirectory(prefix="tuitrain-readonly-", ignore_cleanup_errors=True) as name:
        open_bench = Bench(Path(name) / "home", bench.without)
        given = Path(os.environ["TUITRAIN_DATA_DIR"])
        folder = Path(name) / "mnist"
        folder.mkdir()
        for file in NAMES:
            (path,) = [*given.rglob(file), *given.rglob(f"{file}.gz")][:1]
            shutil.copy(path, folder / path.name)
            (folder / path.name).chmod(0o444)
        folder.chmod(0o555)
        Path(name).chmod(0o755)
        for path in (open_bench.folder, *open_bench.folder.rglob("*")):
            path.chmod(0o777)
        before, worked = tree(folder), 0
        uid = NOBODY if os.geteuid() == 0 else 0
        for number in range(times):
            run = ("run", "-p", str(open_bench.preset), "-e", "1", "--val-split", "59000", "--threads", "1")
            tail = ("--data-dir", str(folder))
            where = ("--runs-dir", str(open_bench.folder / f"runs{number}"))
            for argv in (
                (*run, *where, *tail),
                ("data", "info", "-d", "mnist", *tail),
                ("data", "verify", "-d", "mnist", *tail),
            ):
                code, _, err = open_bench.run(*argv, uid=uid)
                worked += code == 0 and "Traceback" not in err
        changed = tree(folder) != before
    return Figure(
        worked == 3 * times and not changed,
        f"{worked} of {3 * times} commands worked; the folder is {'changed' if changed else 'as it was'}",
    )


# -------------------------------------------------------------------------------- lying headers


@functools.cache
def packed_zeros(head: bytes) -> bytes:
    """A header and 300 MB of zeros, in 300 kB."""
    return gzip.compress(head + bytes(300_000_000), 1)


def lies(dice: random.Random) -> tuple[str, bytes]:
    """A file of the small set whose header lies, plain or packed."""
    from support import data_tiny

    name = dice.choice(list(data_tiny.FILES))
    content = data_tiny.FILES[name]
    words = 4 if "images" in name else 2
    head, body = list(struct.unpack(f">{words}I", content[: 4 * words])), content[4 * words :]
    big = dice.choice((0, 1, 63, 65, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1))
    kind = dice.randrange(6)
    if kind == 0:
        head[0] = dice.choice((0, 0x801, 0x803, 0xD03, 0xE04, 0x8FF, 0xFFFFFFFF)) ^ 0x10000
    elif kind == 1:
        head[1] = big
    elif kind == 2:
        head[1:] = [big] * (words - 1)
    elif kind == 3:
        head[-1] = big
    elif kind == 4:
        return f"{name}.gz", packed_zeros(content[: 4 * words])
    else:
        body = body[: dice.randrange(len(body))]
    data = struct.pack(f">{words}I", *head) + body
    packed = dice.random() < 0.4
    return name + (".gz" if packed else ""), gzip.compress(data, 1) if packed else data


def load_lies(folder: str, times: int, seed: int) -> dict[str, float]:
    """Load so many lying files; how many were refused, and the most memory that took."""
    from support import data_tiny

    data_tiny.install([])
    from tuitrain.data.load import load_dataset
    from tuitrain.errors import DataError

    dice = random.Random(seed)
    raw = data_tiny.write(Path(folder))
    load_dataset(data_tiny.NAME, raw)
    made = []
    for _ in range(times):
        name, data = lies(dice)
        if data != data_tiny.FILES.get(name):
            made.append((name, raw.parent / f"lie-{len(made)}"))
            made[-1][1].write_bytes(data)
        del data
    Path("/proc/self/clear_refs").write_text("5")  # the most so far counts from here
    before = memory_bytes("VmRSS")
    refused = told = 0
    for name, lie in made:
        plain = raw / name.removesuffix(".gz")
        good = plain.read_bytes()
        plain.unlink()
        shutil.copy(lie, raw / name)
        try:
            load_dataset(data_tiny.NAME, raw)
        except DataError as error:
            refused += 1
            told += plain.name in str(error) and "\n" not in str(error)
        except (MemoryError, ValueError):
            pass
        (raw / name).unlink()
        plain.write_bytes(good)
    return {"made": len(made), "refused": refused, "told": told, "bytes": memory_bytes("VmHWM") - before}


def memory_bytes(line: str) -> int:
    """A line of the kernel's account of this process: VmHWM, the most there was, or VmRSS, what there is."""
    text = Path("/proc/self/status").read_text()
    return next(int(words.split()[1]) * 1024 for words in text.splitlines() if words.startswith(line))


@row(
    "idx",
    "IDX headers that lie (counts, dimensions, magic)",
    "error, below 200 MB allocated",
    quick=20,
    whole=500,
    teeth={"trusting_idx": "what the header says is allocated and unpacked"},
)
def idx(bench: Bench, times: int) -> Figure:
    """Counts up to 2**32, wrong kinds, bodies cut, and 300 MB packed into 300 kB."""
    seen = bench.call(
        "harness.rows_data:load_lies", str(bench.folder / "lies"), times, 6, setup=["limit_memory:+1500"]
    )
    return Figure(
        seen["refused"] == seen["told"] == seen["made"] and seen["bytes"] < 200e6,
        f"{seen['refused']} of {seen['made']} refused, {seen['told']} naming the file, at most {seen['bytes'] / 1e6:.0f} MB",
    )

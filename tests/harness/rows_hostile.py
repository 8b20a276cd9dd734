"""Checkpoints, presets and names from a stranger."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import re
import shutil
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.bench import Bench
from harness.table import Figure, row

# --------------------------------------------------------------------------------- checkpoints


class Gadget:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def hostile_checkpoints(source: str, marker: str) -> Iterator[tuple[str, bytes]]:
    """Files that are no checkpoint of this run: each a genuine one with one thing changed, or something else."""
    import torch

    from tuitrain.runs import checkpoint

    stored = checkpoint.load_checkpoint(checkpoint.entries(Path(source) / "checkpoints")[-1])
    tensors, meta = stored.tensors, stored.metadata
    first = next(name for name in tensors if name.startswith("model.") and tensors[name].dim() > 1)

    def packed(change: dict[str, Any] | None = None, drop: str = "", **other: Any) -> bytes:
        changed = {name: tensor for name, tensor in {**tensors, **(change or {})}.items() if name != drop}
        return checkpoint.pack(changed, {**meta, **other})

    def header(entries: dict[str, Any], body: bytes = b"") -> bytes:
        inner = json.dumps(meta, sort_keys=True)
        text = json.dumps({"__metadata__": {"tuitrain": inner}, **entries}).encode()
        return struct.pack("<Q", len(text)) + text + body

    f32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    gadget = Gadget(marker)
    torch_file = io.BytesIO()
    torch.save({"model": gadget, **tensors}, torch_file)
    torch_plain = io.BytesIO()
    torch.save(tensors, torch_plain)
    unsafe_zip = io.BytesIO()
    with zipfile.ZipFile(unsafe_zip, "w") as members:
        members.writestr("archive/data.pkl", pickle.dumps(gadget))
        members.writestr("archive/version", "3")
    yield "a pickled gadget", pickle.dumps(gadget)
    yield "a pickled gadget, protocol 0", pickle.dumps(gadget, 0)
    yield "torch.save with a gadget", torch_file.getvalue()
    yield "torch.save of the right tensors", torch_plain.getvalue()
    yield "a zip with a gadget", unsafe_zip.getvalue()
    yield "an unknown global", b"cnowhere\nnothing\n."
    yield "a global of ours", b"ctuitrain.cli\nmain\n(tR."
    yield "builtins.exec", b"cbuiltins\nexec\n(S'open(\"" + marker.encode() + b'","w")\'\ntR.'
    yield "empty", b""
    yield "a header of 2**63 bytes", struct.pack("<Q", 1 << 63) + b"{}"
    yield "a deep header", struct.pack("<Q", 400_000) + b"[" * 400_000
    yield "a giant tensor", header({first: {**f32, "shape": [1 << 40], "data_offsets": [0, 1 << 42]}})
    yield "an overflowing shape", header({first: {**f32, "shape": [1 << 62, 1 << 62]}}, bytes(4))
    yield "offsets that overlap", header({"model.a": f32, "model.b": f32}, bytes(4))
    yield "an unknown kind", header({first: {**f32, "dtype": "OBJ"}}, bytes(4))
    yield "a gadget behind the tensors", packed() + pickle.dumps(gadget)
    yield "a tensor of another name", packed({"evil.weight": torch.zeros(1)})
    yield "a tensor too many", packed({"model.evil.weight": torch.zeros(1)})
    yield "a tensor missing", packed(drop=first)
    yield "another shape", packed({first: torch.zeros(3, 3)})
    yield "another kind", packed({first: tensors[first].double()})
    yield "a name with a path", packed({"model.../../../../tmp/x": torch.zeros(1)})
    yield "a billion epochs done", packed(epoch=10**9)
    yield "an epoch that is code", packed(epoch=f"__import__('os').system('touch {marker}')")
    yield "a preset that is code", packed(preset={"model": f"__import__('os').system('touch {marker}')"})
    yield "a history of a global", packed(history=[{"event": "os.system", "epoch": 1}])
    yield "a schedule of nonsense", packed(schedule={"base": "x"})
    yield "another seed's data", packed(train_images=1)


def plant(source: str, runs: str, marker: str) -> list[str]:
    """A copy of a run for each hostile file, which is its only checkpoint and rightly named; what each is."""
    from tuitrain.runs import checkpoint

    good = checkpoint.entries(Path(source) / "checkpoints")[-1].path.name
    names = []
    for number, (what, data) in enumerate(hostile_checkpoints(source, marker)):
        path = Path(runs) / f"h{number}"
        shutil.copytree(source, path)
        for old in (path / "checkpoints").iterdir():
            old.unlink()
        (path / "checkpoints" / re.sub("[0-9a-f]{64}", hashlib.sha256(data).hexdigest(), good)).write_bytes(
            data
        )
        names.append(what)
    return names


@row(
    "checkpoints",
    "hostile checkpoints (pickle gadgets, unknown globals, giant tensors, wrong names and shapes)",
    "0 executions, all refused",
    quick=4,
    whole=28,
    teeth={"unsafe_load": "torch.load and pickle, as they come"},
    teeth_times=9,
)
def checkpoints(bench: Bench, times: int) -> Figure:
    """Each is the only checkpoint of a run that is resumed; an audit hook looks for what is executed."""
    code, _, err = bench.run(*bench.train("a", 3), setup=["kill_at:write@checkpoints#3"])
    assert code == -9, err
    marker, audit = bench.folder / "executed", bench.folder / "audit"
    planted = bench.folder / "planted"
    planted.mkdir()
    names = bench.call("harness.rows_hostile:plant", str(bench.runs / "a"), str(planted), str(marker))
    chosen = range(len(names)) if times >= len(names) else bench.random.sample(range(len(names)), times)
    bad, refused = [], 0
    for number in chosen:
        code, _, err = bench.run(
            "resume", f"h{number}", "--runs-dir", str(planted), setup=[f"audit:{audit}", "limit_memory:3000"]
        )
        if code == 3 and "Traceback" not in err and "\x1b" not in err:
            refused += 1
        else:
            bad.append(f"{names[number]}: exit {code} {err[-200:]}")
    executed = marker.exists() + (len(audit.read_text().splitlines()) if audit.exists() else 0)
    return Figure(
        refused == len(chosen) and not executed,
        f"{refused} of {len(chosen)} refused (exit 3), {executed} executions{': ' + '; '.join(bad[:2]) if bad else ''}",
    )


# ------------------------------------------------------------------------------------- presets

VALUES = (
    "0", "-1", "1e999", "nan", "-inf", "9223372036854775807", "99999999999999999999999", "1e-320", "true", "''",
    '"../../etc/passwd"', '"\\u001b[2J"', '"[/b]"', "[]", "{}", "[[[[[[]]]]]]", "{ a = { b = { c = 1 } } }",
    "1979-05-27", "0x7fffffff", "1_000_000", '"' + "x" * 5000 + '"', "[" + "1," * 2000 + "]", "'''\n\n'''", "3.5",
)  # fmt: skip


ALPHABET = "abcz019_.-=[]{}\"'#\n\t ,+\\\x00\x1b\x7f\u202eé🎉"


def mutant(text: str, dice: random.Random) -> str:
    """A preset's text with one to four things changed."""
    for _ in range(dice.randint(1, 4)):
        lines = text.split("\n")
        at, kind = dice.randrange(len(lines)), dice.randrange(10)
        line = lines[at]
        if kind == 0 and text:
            place = dice.randrange(len(text))
            text = text[:place] + dice.choice(ALPHABET) + text[place + dice.randint(0, 3) :]
            continue
        if kind in (1, 2, 3):  # another value for some key of the line
            keys = list(re.finditer(r"([\w-]+)\s*=\s*([^,}\]]+)", line))
            if keys:
                match = dice.choice(keys)
                line = line[: match.start(2)] + dice.choice(VALUES) + line[match.end(2) :]
        elif kind == 4:
            line = re.sub(r"\b([a-z_]{4,})\b", lambda m: m[1][:-1] if dice.random() < 0.3 else m[1], line)
        elif kind == 5:
            line = f"{line}\n{line}"
        elif kind == 6:
            line = ""
        elif kind == 7:
            line = f"{dice.choice(('evil', 'train', 'model', 'schema', 'name', 'lr'))} = {dice.choice(VALUES)}\n{line}"
        elif kind == 8:
            line = "\n".join([line] * dice.choice((2, 70, 300)))
        else:
            line = line.replace(dice.choice(("conv", "kernel", "relu", "max", "=", "{", "[", '"')), "", 1)
        lines[at] = line
        text = "\n".join(lines)
    return text


def try_presets(times: int, seed: int) -> dict[str, Any]:
    """Check so many mutated presets; what was raised, whether it names file and place, and how long it took."""
    from tuitrain.errors import PresetError
    from tuitrain.spec import preset
    from tuitrain.spec.preset_files import list_presets

    texts = [entry.path.read_text() for entry in list_presets() if entry.builtin]
    dice = random.Random(seed)
    where = "/home/me/mine.toml"
    place = re.compile(r"line \d+, column \d+|[a-z_]+(\[\d+\])?(\.[a-z_]+(\[\d+\])?)*|end of document")
    seen: dict[str, Any] = {
        "valid": 0,
        "refused": 0,
        "other": [],
        "nameless": [],
        "slowest_ms": 0.0,
        "slow": 0,
    }
    for number in range(times):
        text = mutant(dice.choice(texts), dice)
        begun, cpu = time.perf_counter(), time.thread_time()
        try:
            preset.preset_from_toml(text, where, name="mine").table()
            seen["valid"] += 1
        except PresetError as error:
            seen["refused"] += 1
            said = str(error)
            rest = said.removeprefix(f"{where}: ")
            if rest == said or not place.search(rest) or "\n" in said or "\x1b" in said:
                seen["nameless"].append(said[:200])
        except BaseException as error:
            seen["other"].append(f"{number}: {type(error).__name__}: {error}"[:200])
        # On a busy machine the wall clock measures the others.
        took = min(time.perf_counter() - begun, time.thread_time() - cpu) * 1000
        seen["slow"] += took > 50
        seen["slowest_ms"] = max(seen["slowest_ms"], took)
    return seen


@row(
    "presets",
    "mutated presets",
    "only preset errors that name file and key, each within 50 ms",
    quick=400,
    whole=10_000,
    teeth={"unchecked_presets": "the values taken as TOML gives them"},
    teeth_times=100,
)
def presets(bench: Bench, times: int) -> Figure:
    """Built-in presets with one to four changes of text, values, keys or lines."""
    seen = bench.call("harness.rows_hostile:try_presets", times, 7, setup=["limit_memory:3000"])
    worst = "; ".join((seen["other"] + seen["nameless"])[:2])
    return Figure(
        not seen["other"] and not seen["nameless"] and not seen["slow"] and seen["refused"] > times // 3,
        f"{seen['refused']} refused, {seen['valid']} still valid, {len(seen['other'])} other exceptions, "
        f"{len(seen['nameless'])} that don't name file and place, {seen['slow']} slower than 50 ms (slowest "
        f"{seen['slowest_ms']:.1f}){': ' + worst if worst else ''}",
    )


# --------------------------------------------------------------------------------------- names

PARTS = (
    "..", "/", "\0", "\x1b[31m", "\u202e", "\u200f", "[/b]", "[red]", "~", "$HOME", "`id`", ";rm -rf *", "a" * 300,
    "é", "../../../etc/passwd", "C:\\", "\n", "\r", "\t", " ", ".", "-", "--yes", "nul", "\uff0e\uff0e\uff0f", "\u2215",
    "\ud800", "🎉", "latest", "%2e%2e%2f", "'", '"', "|", "*", "?", "א", ".new-1-x", ".index.json", "\x7f", "\u200b",
    "\ufeff", "/etc", "//", "a/../../b", "run.lock", "link", "link/x", "checkpoints/../..", "con", "\x85", "\x9b2J",
)  # fmt: skip


def hostile_names(times: int, seed: int) -> list[str]:
    """So many names, the plain parts first."""
    dice = random.Random(seed)
    made = list(PARTS) + ["".join(dice.choices(PARTS, k=dice.randint(1, 5))) for _ in range(max(0, times))]
    return dice.sample(made, times) if times < len(PARTS) else made[:times]


def try_names(home: str, times: int) -> dict[str, Any]:
    """Make, find and remove runs of such names, and look for presets of them; what changed outside the folder."""
    from tuitrain.errors import TuitrainError
    from tuitrain.runs import index
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.spec.preset_files import load_preset

    runs, outside = Path(home) / "runs", Path(home) / "outside"
    for folder in (runs, outside):
        folder.mkdir(exist_ok=True)
    (outside / "events.jsonl").write_text("")
    (runs / "link").symlink_to(outside)
    os.chdir(outside)

    def elsewhere() -> set[str]:
        return {str(path) for path in Path(home).rglob("*") if runs not in path.parents}

    before = elsewhere()
    seen: dict[str, Any] = {"made": 0, "escaped": 0, "other": []}
    for name in hostile_names(times, 5):
        try:
            run = RunDirectory.create(runs, "tiny", name=name)
            inside = run.path.parent == runs and not run.path.is_symlink() and run.path.name.isprintable()
            seen["escaped"] += not inside or run.path.name.startswith((".", "-"))
            run.close()
            seen["made"] += 1
        except TuitrainError:
            pass
        except Exception as error:
            seen["other"].append(f"create {name!r}: {type(error).__name__}: {error}"[:200])
        for what in (lambda n: index.find_run(runs, n), load_preset):
            try:
                what(name)
            except TuitrainError as error:
                if any(ord(char) < 32 or ord(char) == 127 for char in str(error)):
                    seen["other"].append(f"control characters in {str(error)!r}"[:200])
            except Exception as error:
                seen["other"].append(f"find {name!r}: {type(error).__name__}: {error}"[:200])
    seen["escaped"] += len(elsewhere() ^ before)
    return seen


@row(
    "names",
    "hostile names (`..`, absolute, NUL, escape sequences, right-to-left marks, `[/b]`, symlinks, 300 characters)",
    "0 files outside the runs folder",
    quick=60,
    whole=500,
    teeth={"unsafe_names": "names as they are given"},
)
def names(bench: Bench, times: int) -> Figure:
    """Each names a run that is made, a run that is looked for, and a preset that is looked for; some by the command line."""
    home = bench.folder / "home"
    home.mkdir()
    seen = bench.call("harness.rows_hostile:try_names", str(home), times)
    spoken = 0
    few = [name for name in hostile_names(times, 5) if "\0" not in name and "\ud800" not in name][
        : max(3, times // 25)
    ]
    before = {path for path in bench.folder.iterdir() if not path.name.startswith("streams")}
    for name in few:
        argv = bench.train(name, 1)
        argv[argv.index("--name") :] = [f"--name={name}"]
        code, _, err = bench.run(*argv)
        spoken += code in (0, 4) and "Traceback" not in err and "\x1b" not in err
    now = {path for path in bench.folder.iterdir() if not path.name.startswith("streams")}
    outside = len(now - before - {bench.runs, bench.folder / "state"})  # where runs on the same cores meet
    return Figure(
        not seen["escaped"]
        and not seen["other"]
        and spoken == len(few)
        and not outside
        and seen["made"] > times // 2,
        f"{times} names: {seen['made']} runs made, {seen['escaped'] + outside} files outside the runs folder, "
        f"{len(seen['other'])} exceptions{': ' + seen['other'][0] if seen['other'] else ''}; {spoken} of {len(few)} by "
        "`tuitrain run --name`",
    )

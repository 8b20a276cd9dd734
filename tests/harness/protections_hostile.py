"""Protections against what strangers write, that can be taken out of a process by name (see `changes.py`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.changes import named


@named
def trusting_idx(_: str) -> None:
    """A reader that believes the header and unpacks what there is."""
    import gzip
    import hashlib
    import struct

    import numpy as np

    from tuitrain.data import verify
    from tuitrain.data.idx import IdxError, IdxFile

    def read(path: Path, spec: Any) -> IdxFile:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        words = 1 + len(spec.shape)
        magic, *sizes = struct.unpack(f">{words}I", data[: 4 * words])
        if magic != spec.magic:
            raise IdxError("its magic number is wrong")
        array = np.frombuffer(data, np.uint8, offset=4 * words)
        return IdxFile(
            np.resize(array, sizes[:1] + list(spec.shape[1:])), hashlib.sha256(data).hexdigest(), None
        )

    verify.read_idx = read


@named
def unsafe_load(_: str) -> None:
    """Checkpoints are read by torch.load, and what that does not know by pickle."""
    import io
    import pickle

    import torch

    from tuitrain.runs import checkpoint

    load = checkpoint.load_checkpoint

    def loading(entry: Any) -> Any:
        data = entry.path.read_bytes()
        try:
            torch.load(io.BytesIO(data), weights_only=False)
        except Exception:
            try:
                pickle.loads(data)
            except Exception:
                return load(entry)
        return load(entry)

    checkpoint.load_checkpoint = loading


@named
def unchecked_presets(_: str) -> None:
    """Presets are taken as TOML gives them."""
    import tomllib
    import types

    from tuitrain.spec import preset

    def taken(text: str, where: str, *, name: str | None = None) -> Any:
        data = tomllib.loads(text)
        layers = data["model"]["layers"]
        return types.SimpleNamespace(table=lambda: sum(layer.get("conv", 0) for layer in layers))

    preset.preset_from_toml = taken


@named
def unsafe_names(_: str) -> None:
    """A run's folder is called what the user says, but for what would lead farther than one folder up."""
    from tuitrain.runs import names

    def as_given(text: str) -> str:
        parts = [part for part in text.split("/") if part]
        return "/".join(["..", *parts[-1:]] if ".." in parts else parts[:2])

    names.safe_name = as_given


@named
def raw_text(_: str) -> None:
    """Text is shown as it comes."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.startswith("tuitrain") and hasattr(module, "visible"):
            module.visible = str  # type: ignore[attr-defined]


@named
def wide_umask(_: str) -> None:
    """Everybody may write what is made, unless it is made otherwise."""
    os.umask(0)


@named
def stand_in(path: str) -> None:
    """Another current folder."""
    os.chdir(path)


@named
def late_link(argument: str) -> None:
    """`log.txt,FOLDER`: once the run is held, this file or folder of it becomes a link to FOLDER or into it."""
    from harness.rows_users import link
    from tuitrain.runs.directory import RunDirectory

    name, _, outside = argument.partition(",")
    acquire = RunDirectory.acquire

    def acquiring(self: RunDirectory) -> None:
        acquire(self)
        link(self.path, name, Path(outside))

    RunDirectory.acquire = acquiring  # type: ignore[method-assign]


@named
def no_proof(_: str) -> None:
    """A folder is removed if it looks like a run."""
    from tuitrain.runs import trash

    trash.check_removable = lambda path, runs_dir=None: None


@named
def trusting_modes(_: str) -> None:
    """Modes are as the umask leaves them."""
    from tuitrain.runs import durable
    from tuitrain.training import compiling

    def plainly(path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        return path

    durable.PUBLIC = durable.PRIVATE = 0o666
    durable._FOLDER = 0o777
    durable.keep_private = lambda fd: None
    durable.keep_from_others = lambda folder: None
    compiling.private_folder = plainly


@named
def believing_locks(_: str) -> None:
    """A lock that is held is held by a run."""
    from tuitrain.runs import locking

    standing = locking.lock_state
    locking.lock_state = lambda folder: "held" if standing(folder) == "other" else standing(folder)

"""Checkpoints: durable in the right order, damage always found, strangers refused unexecuted."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch

from support.runs_fake import FakeTrainer, run_to_end
from tuitrain.errors import CheckpointError, ExitCode
from tuitrain.runs import checkpoint, durable, model_file
from tuitrain.runs.directory import RunDirectory
from tuitrain.training.command import RunControl
from tuitrain.training.events import Notice, RunFinished
from tuitrain.training.state import TrainerState


def some_state(epochs: int = 1) -> TrainerState:
    trainer = FakeTrainer(epochs=epochs)
    list(trainer.run(RunControl()))
    return trainer.state()


def save(folder: Path, epochs: int, *, best: bool = False) -> checkpoint.CheckpointEntry:
    state = some_state(epochs)
    return checkpoint.save(folder, state.tensors(), state.meta, best=best)


def test_round_trip(tmp_path: Path) -> None:
    state = some_state(2)
    entry = checkpoint.save(tmp_path, state.tensors(), state.meta, best=True)
    assert checkpoint.entries(tmp_path) == [entry] and entry.best and (entry.epoch, entry.step) == (2, 0)
    stored = checkpoint.load_checkpoint(entry)
    again = TrainerState.from_tensors(stored.tensors, stored.metadata)
    assert again.sha256() == state.sha256() and again.meta == state.meta


def test_order_of_every_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(durable, "hook", lambda operation, path: seen.append((operation, path)))
    entry = save(tmp_path, 1)
    operations = [operation for operation, _ in seen]
    assert operations == ["create", "write", "fsync", "rename", "fsync_dir"]
    assert seen[0][1] == seen[2][1] != entry.path and seen[0][1].parent == tmp_path
    assert seen[3][1] == entry.path and seen[4][1] == tmp_path
    checkpoint.prune(tmp_path, entry)
    assert "unlink" not in [operation for operation, _ in seen]


def test_old_ones_go_only_after_the_new_one_is_safe_and_the_best_stays(tmp_path: Path) -> None:
    for epoch in range(1, 7):
        entry = save(tmp_path, epoch, best=epoch in (1, 2))
        checkpoint.prune(tmp_path, entry)
    assert [e.epoch for e in checkpoint.entries(tmp_path)] == [2, 5, 6]
    assert [e.epoch for e in checkpoint.entries(tmp_path) if e.best] == [2]
    # the run went on from epoch 2: what claims to be later is superseded
    checkpoint.prune(tmp_path, save(tmp_path, 3))
    assert [e.epoch for e in checkpoint.entries(tmp_path)] == [2, 3]


def test_one_bit_flipped_or_cut_at_100_places_is_always_found(tmp_path: Path) -> None:
    entry = save(tmp_path, 1)
    whole = entry.path.read_bytes()
    rng = random.Random(3)
    for attempt in range(100):
        at = rng.randrange(len(whole))
        damaged = bytearray(whole)
        if attempt % 2:
            damaged[at] ^= 1 << rng.randrange(8)
        else:
            del damaged[at:]
        entry.path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load_checkpoint(entry)
        assert caught.value.exit_code == ExitCode.DATA == 3 and "SHA-256" in str(caught.value)


def honest_name(folder: Path, data: bytes, epoch: int = 1) -> checkpoint.CheckpointEntry:
    """A file whose digest is right, as a stranger would make it."""
    path = folder / f"epoch-{epoch:04d}.{hashlib.sha256(data).hexdigest()}.safetensors"
    path.write_bytes(data)
    return checkpoint.entries(folder)[-1]


class Gadget:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def header(tensors: dict[str, Any], meta: Any, body: bytes = b"") -> bytes:
    text = json.dumps({"__metadata__": {"tuitrain": json.dumps(meta)}, **tensors}).encode()
    return struct.pack("<Q", len(text)) + text + body


def hostile_files(marker: Path) -> dict[str, bytes]:
    meta = some_state(1).meta
    good = checkpoint.pack(some_state(1).tensors(), meta)
    zipped = marker.with_suffix(".pt")
    torch.save({"weights": Gadget(marker)}, zipped)
    f32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return {
        "pickle": pickle.dumps(Gadget(marker)),
        "torch.save of a gadget": zipped.read_bytes(),
        "unknown global": b"cnowhere\nnothing\n.",
        "empty": b"",
        "seven bytes": b"\0" * 7,
        "header of 2**63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
        "header longer than the file": struct.pack("<Q", 10_000) + b"{}",
        "header no JSON": struct.pack("<Q", 2) + b"}{",
        "header a list": struct.pack("<Q", 2) + b"[]",
        "deep JSON": struct.pack("<Q", 200_000) + b"[" * 200_000,
        "no metadata": struct.pack("<Q", 2) + b"{}",
        "metadata a number": header({"model.weights": f32}, 5, b"\0" * 4),
        "deep metadata": header({}, "x").replace(b'"\\"x\\""', b'"' + b"[" * 9000 + b'"'),
        "giant tensor": header(
            {"model.weights": {**f32, "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, meta
        ),
        "overflowing shape": header({"model.weights": {**f32, "shape": [1 << 62, 1 << 62]}}, meta, b"\0" * 4),
        "overlapping tensors": header({"model.a": f32, "model.b": f32}, meta, b"\0" * 4),
        "unknown kind": header({"model.weights": {**f32, "dtype": "OBJ"}}, meta, b"\0" * 4),
        "negative offsets": header({"model.weights": {**f32, "data_offsets": [-4, 0]}}, meta, b"\0" * 4),
        "wrong name": header({"evil.weights": f32}, meta, b"\0" * 4),
        "wrong shape": header({"model.weights": f32, "optimizer.momentum": f32}, meta, b"\0" * 8),
        "another epoch inside": checkpoint.pack(some_state(2).tensors(), some_state(2).meta),
        "trailing bytes": good + b"\0" * 16,
        "epoch a text": header({"model.weights": f32}, {**meta, "epoch": "__import__('os')"}, b"\0" * 4),
    }


def test_hostile_checkpoints_are_refused_and_nothing_in_them_runs(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    for number, (what, data) in enumerate(hostile_files(marker).items()):
        runs = tmp_path / f"runs{number}"
        run = RunDirectory.create(runs, "fake", name="a")
        honest_name(run.path / "checkpoints", data)
        tracemalloc.start()
        session = run_to_end(run, resume=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(session.error, CheckpointError), what
        assert session.exit_code == ExitCode.DATA and session.outcome == "failed", what
        assert peak < 50e6, what
    assert not marker.exists()
    assert len(hostile_files(marker)) >= 20


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "huge"])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"epoch-0001.{'0' * 64}.safetensors"
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(CheckpointError):
        checkpoint.load_checkpoint(checkpoint.entries(tmp_path)[0])


def test_a_damaged_newest_is_passed_over_with_a_notice(tmp_path: Path) -> None:
    plain = RunDirectory.create(tmp_path, "fake", name="plain")
    whole = run_to_end(plain, epochs=6)
    run = RunDirectory.create(tmp_path, "fake", name="a")
    run_to_end(run, epochs=4)
    entries = checkpoint.entries(run.path / "checkpoints")
    data = bytearray(entries[-1].path.read_bytes())
    data[len(data) // 2] ^= 4
    entries[-1].path.write_bytes(data)
    run = RunDirectory.open(run.path)
    run.acquire()
    session = run_to_end(run, resume=True, epochs=6)
    assert session.exit_code == 0
    notices = [r.event for r in run.events() if isinstance(r.event, Notice)]
    assert (
        len(notices) == 1 and "SHA-256" in notices[0].message and entries[-1].path.name in notices[0].message
    )
    assert (run.path / "model.safetensors").read_bytes() == (plain.path / "model.safetensors").read_bytes()
    assert whole.exit_code == 0
    assert not list((run.path / "checkpoints").glob("*.damaged"))


def test_all_damaged_is_exit_3_and_a_sentence_and_keeps_the_files(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    run_to_end(run, epochs=4)
    entries = checkpoint.entries(run.path / "checkpoints")
    for entry in entries:
        entry.path.write_bytes(entry.path.read_bytes()[:-1])
    run.acquire()
    session = run_to_end(run, resume=True, epochs=6)
    assert session.exit_code == ExitCode.DATA and "damaged" in str(session.error)
    assert checkpoint.entries(run.path / "checkpoints") == entries
    finished = run.events()[-1].event
    assert isinstance(finished, RunFinished) and finished.outcome == "failed"


def test_weights_alone_are_the_same_bytes_for_the_same_weights(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(3), "a": torch.zeros(2, 2)}
    one = model_file.write_model_file(tmp_path / "1", tensors, {"a": 1, "b": 2})
    two = model_file.write_model_file(tmp_path / "2", dict(reversed(tensors.items())), {"b": 2, "a": 1})
    assert one == two == hashlib.sha256((tmp_path / "2").read_bytes()).hexdigest()
    assert (
        model_file.write_model_file(tmp_path / "3", {**tensors, "a": torch.ones(2, 2)}, {"a": 1, "b": 2})
        != one
    )

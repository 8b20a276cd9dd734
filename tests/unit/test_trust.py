"""Whom the program trusts: owners, modes and the umask."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from support import warm
from support.command import tuitrain
from support.runs_fake import fake_session, run_to_end
from tuitrain import paths
from tuitrain.errors import RunDirectoryError
from tuitrain.paths import private_folder
from tuitrain.runs import durable, keeper, locking
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.index import list_runs
from tuitrain.runs.locking import Holder
from tuitrain.runs.steering import RemoteControl
from tuitrain.runs.tfevents import EventFile


@pytest.fixture
def open_umask() -> Iterator[None]:
    """As on a machine where everybody may write everywhere."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def strangers(monkeypatch: pytest.MonkeyPatch, *foreign: Path) -> None:
    """Makes it look as if these files were of another user."""
    numbers = {path.stat().st_ino for path in foreign}
    real = paths.is_mine_or_roots
    monkeypatch.setattr(paths, "is_mine_or_roots", lambda info: info.st_ino not in numbers and real(info))


@pytest.mark.usefixtures("open_umask")
def test_what_a_run_makes_is_its_owners_whatever_the_umask(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", "fake", name="a")
    run_to_end(run, epochs=1)
    for path in [tmp_path / "runs", *(tmp_path / "runs").rglob("*")]:
        assert not mode(path) & 0o022, path
    for name in ("run.lock", "control.jsonl"):
        assert mode(run.path / name) == 0o600
        (run.path / name).chmod(0o666)
    run.path.chmod(0o777)
    run = RunDirectory.open(run.path)
    run.acquire()  # what an earlier version, or somebody by hand, left open is closed
    assert (
        mode(run.path / "run.lock") == mode(run.path / "control.jsonl") == 0o600 and mode(run.path) == 0o755
    )
    run.close()


def test_commands_in_a_strangers_file_are_not_heard_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "KEEPER_S", 0.02)
    run = RunDirectory.create(tmp_path, "fake", name="a")
    session = fake_session(run, epochs=100_000, steps=20, step_s=0.005)
    session.start()
    strangers(monkeypatch, run.path / "control.jsonl")
    for _ in range(3):
        RemoteControl(RunDirectory.open(run.path)).stop()
        time.sleep(0.1)
    assert session.running
    told = [r.event for r in session.records if getattr(r.event, "code", "") == "commands_refused"]
    assert len(told) == 1 and "another user" in told[0].message
    monkeypatch.undo()
    RemoteControl(RunDirectory.open(run.path)).stop()
    assert session.join(10) and session.outcome == "stopped"


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """The lock of a run in the hands of a process that it does not name."""
    code = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


@pytest.mark.slow
def test_a_lock_whose_named_holder_is_gone_is_held_by_somebody_else(tmp_path: Path) -> None:
    run_to_end(RunDirectory.create(tmp_path, "fake", name="b"), epochs=1)
    path = tmp_path / "b"
    names = {
        "nobody": "",
        "a dead process": json.dumps(asdict(Holder(4194305, socket.gethostname(), "tuitrain run", 1.0))),
        "another process of that number": json.dumps(
            asdict(Holder(os.getpid(), socket.gethostname(), "tuitrain run", 1.0, started=1.0))
        ),
    }
    for named in names.values():
        (path / "run.lock").write_text(named)
        with held(path / "run.lock"):
            assert locking.lock_state(path) == "other" and not RunDirectory.open(path).is_held()
            assert {run.run: run.state for run in list_runs(tmp_path)}["b"] == "locked"
            with pytest.raises(RunDirectoryError, match="locked by another process") as caught:
                RunDirectory.open(path).acquire()
            assert caught.value.exit_code == 4
            with pytest.raises(RunDirectoryError, match="locked by another process"):
                RemoteControl(RunDirectory.open(path)).stop()
    with held(path / "run.lock"):
        for command in ("resume", "stop", "pause"):
            ended = tuitrain(tmp_path, command, "b")
            assert ended.returncode == 4 and "locked by another process" in ended.stderr, command
            assert ended.stderr.count("\n") == 1
        assert "locked" in tuitrain(tmp_path, "status", "b").stdout


def test_a_living_holder_is_named_with_its_start(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    (run.path / "run.lock").write_bytes(b" " * 600)  # as by a copy that is put back
    assert locking.lock_state(run.path) == "other"
    assert not run.is_gone()  # the run looks every fifth of a second
    holder = locking.read_holder(run.path)
    assert holder is not None and holder.started == locking.process_start(os.getpid()) is not None
    assert locking.lock_state(run.path) == "held"
    run.close()
    assert locking.lock_state(run.path) == "free" and locking.read_holder(run.path) is None


def test_a_run_of_another_user_that_may_not_be_opened_is_live_by_what_it_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    real = os.open

    def refuse(path: object, *rest: int, **more: int) -> int:
        if str(path).endswith("run.lock"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(locking.os, "open", refuse)
    assert locking.lock_state(run.path) == "free"
    run.write_progress(None, "training", 1, 1)
    assert locking.lock_state(run.path) == "held"
    run.close()


LINKS = (
    "output.txt", "control.jsonl", "log.txt", "metrics.csv", "summary.txt", "user.json", "progress.json", "run.lock",
    "events.jsonl", "preset.toml", "model.py.txt", "model.safetensors", "inspection.safetensors", "checkpoints",
    "tensorboard",
)  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_no_link_is_followed_by_any_writer(name: str, tmp_path: Path) -> None:
    run_to_end(RunDirectory.create(tmp_path / "runs", "fake", name="a"), epochs=1)
    path, outside = tmp_path / "runs" / "a", tmp_path / "outside"
    outside.mkdir()
    (outside / "bashrc").write_text("mine\n")
    if name in ("checkpoints", "tensorboard"):
        (path / name).rename(path / "aside")
        (path / name).symlink_to(outside)
    else:
        (path / name).unlink(missing_ok=True)
        (path / name).symlink_to(outside / "bashrc")
    run = RunDirectory.open(path)
    with pytest.raises(RunDirectoryError, match="link") as caught:
        run.acquire()
    assert caught.value.exit_code == 4
    # as though it had been put there after that look:
    for write in (
        lambda: durable.open_append(path / name),
        lambda: durable.create_new(path / name / "x"),
        lambda: durable.unlink(path / name / "bashrc"),
        lambda: durable.replace(path / name / "x", b"x"),
        lambda: EventFile(path / name),
        lambda: run.post_command({"command": "stop"}),
        lambda: redirected(path / name),
    ):
        with contextlib.suppress(OSError, RunDirectoryError):
            write()
    assert [p.name for p in outside.iterdir()] == ["bashrc"] and (outside / "bashrc").read_text() == "mine\n"
    with pytest.raises(OSError):
        durable.open_plain(path / name)


def redirected(path: Path) -> None:
    """Write to a descriptor 1 that goes to this file, as what the app trains does."""
    code = (
        "import os, sys; from pathlib import Path; from tuitrain.tui.terminal.process import redirect_output\n"
        "redirect_output(Path(sys.argv[1])); os.write(1, b'to somebody elses file')"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


@pytest.mark.slow
def test_a_run_of_a_later_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run_to_end(RunDirectory.create(tmp_path, "fake", name=name), epochs=1)
    log = tmp_path / "b" / "events.jsonl"
    log.write_text(
        log.read_text().replace('"schema":1}', '"schema":2}').replace("EpochFinished", "EpochDone")
    )
    assert {run.run: run.state for run in list_runs(tmp_path)} == {"a": "done", "b": "later_version"}
    assert {run.run: run.state for run in list_runs(tmp_path)} == {
        "a": "done",
        "b": "later_version",
    }  # the index
    listed = tuitrain(tmp_path, "runs")
    assert "later version" in listed.stdout and listed.returncode == 0
    for command in (["resume", "b"], ["runs", "show", "b"], ["stop", "b"], ["runs", "rm", "b", "--yes"]):
        ended = tuitrain(tmp_path, *command)
        assert ended.returncode == 4 and "later version of tuitrain" in ended.stderr, command
        assert ended.stderr.count("\n") == 1


def test_settings_and_presets_of_the_folder_are_obeyed_only_if_nobody_else_wrote_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuitrain import config, trust
    from tuitrain.spec.preset_files import list_presets, load_preset

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trust, "_refused", {})
    monkeypatch.delenv("TUITRAIN_DEVICE", raising=False)
    settings, presets = tmp_path / "tuitrain.toml", tmp_path / "presets"
    settings.write_text('device = "cuda:7"\n')
    presets.mkdir()
    (presets / "mine.toml").write_text(load_preset("net3").to_toml())

    def obeyed() -> tuple[bool, bool]:
        return config.setting("device") == "cuda:7", any(entry.name == "mine" for entry in list_presets())

    assert obeyed() == (True, True) and capsys.readouterr().err == ""
    strangers(monkeypatch, settings, presets)
    assert obeyed() == obeyed() == (False, False)
    said = capsys.readouterr().err
    assert said.count("\n") == 2 and said.count("belongs to another user") == 2  # once each
    assert len(trust.refused()) == 2
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trust, "_refused", {})
    settings.chmod(0o666)
    (presets / "mine.toml").chmod(0o646)
    assert obeyed() == (False, False)
    assert capsys.readouterr().err.count("can be written by other users") == 2
    settings.chmod(0o644)
    assert obeyed() == (True, False)


def test_a_run_says_which_commit_and_which_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuitrain.runs import git_state

    monkeypatch.chdir(tmp_path)
    assert git_state.begin()() == {}

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *who, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q", "-b", "main")
    assert git_state.begin()() == {}
    (tmp_path / "x").write_text("1")
    git("add", "x")
    git("commit", "-qm", "x")
    marker = tmp_path.parent / "was-run"
    git("config", "core.fsmonitor", f"touch {marker}")
    commit = git("rev-parse", "HEAD")
    marker.unlink(missing_ok=True)  # by that very git
    assert git_state.begin()() == {"commit": commit, "branch": "main", "dirty": False}
    (tmp_path / "x").write_text("2")
    git("checkout", "-q", "--detach")
    marker.unlink(missing_ok=True)
    assert git_state.begin()() == {"commit": commit, "branch": "", "dirty": True}
    assert not marker.exists()
    monkeypatch.setenv("PATH", "")
    assert git_state.begin()() == {}


@pytest.mark.usefixtures("open_umask")
def test_a_private_folder_is_private_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = private_folder(tmp_path / "a" / "b")
    assert mode(made) == mode(made.parent) == 0o700
    made.chmod(0o777)
    assert mode(private_folder(made)) == 0o700
    (tmp_path / "link").symlink_to(made)
    assert private_folder(tmp_path / "link") == tmp_path / "link"
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        private_folder(tmp_path / "file")
    strangers(monkeypatch, made)
    for path in (made, tmp_path / "link"):
        with pytest.raises(PermissionError, match="another user"):
            private_folder(path)


@pytest.mark.usefixtures("open_umask")
def test_compiled_code_is_kept_where_nobody_else_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuitrain.training import compiling

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    def used() -> tuple[Path, str | None]:
        for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
            monkeypatch.setenv(name, "restored at the end")
            monkeypatch.delenv(name)
        refused = compiling.use_own_folders()
        folder = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        assert os.environ["TRITON_CACHE_DIR"] == str(folder / "triton")
        assert mode(folder) == 0o700
        return folder, refused

    own = tmp_path / "cache" / "tuitrain" / "inductor"
    assert used() == (own, None) and mode(own.parent) == 0o700
    (own / "kept").touch()
    assert used() == (own, None) and (own / "kept").exists()
    own.chmod(0o777)  # as an earlier version left it under this umask: what is in it may be anybody's
    assert used() == (own, None) and not (own / "kept").exists()
    strangers(monkeypatch, own)
    folder, refused = used()
    assert folder.parent == tmp_path / "tmp"
    assert refused is not None and "another user" in refused and "inductor" in refused
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    assert compiling.use_own_folders() is None and os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path)


@pytest.mark.slow
def test_torch_puts_no_headers_into_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import torch; from types import SimpleNamespace as N; from tuitrain.training import compiling\n"
        "compiling._compiled(N(device=torch.device('cpu'), logits=torch.relu))\n"
        "import torch._inductor.codecache as codecache; print(codecache._HEADER_DIR)"
    )
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = warm.run(code=code, env=env)
    assert done.stdout.strip() == str(tmp_path / "tuitrain" / "inductor" / "precompiled_headers"), done.stderr

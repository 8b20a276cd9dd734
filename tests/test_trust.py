"""Whom the program trusts: owners, modes and the umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuitrain import paths
from tuitrain.paths import private_folder


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
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path / "tuitrain" / "inductor" / "precompiled_headers"), done.stderr

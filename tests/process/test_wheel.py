"""The wheel holds the presets: built, installed apart from the checkout, and asked from another folder."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from support import ROOT


def test_wheel_lists_the_presets_from_another_folder(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "env"
    venv.create(home)
    own = next((home / "lib").glob("python3*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", home, "install", "-q", "--no-deps", "--no-index", wheel],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    # The dependencies come from the environment of the tests; its own .pth files, and with them the
    # checkout, do not count there.
    (own / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def ask(program: str, *arguments: str) -> str:
        return subprocess.run(
            [home / "bin" / program, *arguments], cwd=elsewhere, env=environment, check=True, text=True,
            capture_output=True, timeout=240,
        ).stdout  # fmt: skip

    assert str(own) in ask("python", "-c", "import tuitrain; print(tuitrain.__file__)")
    presets = json.loads(ask("tuitrain", "presets", "--json"))
    assert len(presets) == len(list((ROOT / "presets").glob("*/*.toml"))) and all(
        str(own) in preset["path"] for preset in presets
    )
    assert json.loads(ask("tuitrain", "show", "step13", "--json"))["parameters"] == 5854
    files = ask(
        "python",
        "-c",
        "from tuitrain.tui import app; import pathlib; print(*pathlib.Path(app.__file__).parent.glob('*.tcss'))",
    )
    assert "theme.tcss" in files
    log = ask(
        "python",
        "-c",
        "from tuitrain.spec.preset_files import published_log; print(max(published_log('step13').test_acc))",
    )
    assert log.strip() == "0.994"

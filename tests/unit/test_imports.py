"""Who imports whom: the contracts in pyproject.toml hold, and import-linter would say so if they didn't."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from support import ROOT


def lint_imports(folder: Path) -> str:
    """What import-linter says of the package in this folder."""
    command = (
        "import importlinter.cli, sys; sys.exit(importlinter.cli.lint_imports(no_cache=True, no_logo=True))"
    )
    done = subprocess.run([sys.executable, "-c", command], cwd=folder, text=True, capture_output=True, timeout=120)  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert (done.returncode == 0) == (" 0 broken." in done.stdout), done.stdout + done.stderr
    return done.stdout


def test_the_contracts_hold() -> None:
    said = lint_imports(ROOT)
    assert " 0 broken." in said, said


def test_what_breaks_a_contract_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tuitrain", tmp_path / "tuitrain", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def add(module: str, code: str) -> None:
        with (tmp_path / "tuitrain" / module).open("a") as file:
            file.write(f"\n\n{code}\n")

    for_types = "import typing\nif typing.TYPE_CHECKING:\n    "
    add("spec/validation.py", "def later():\n    from tuitrain.data import idx")
    add("data/dataset.py", f"{for_types}from tuitrain.data.load import load_dataset")
    add("cli/console.py", "def later():\n    import textual.app")
    add("tui/shell/question.py", f"{for_types}import typer")
    add("training/clock.py", "def later():\n    import rich.table")
    add("runs/exports.py", f"{for_types}import tensorboard")
    (tmp_path / "tuitrain" / "attic.py").write_text("")
    said = lint_imports(tmp_path)
    assert "7 broken." in said, said
    for evidence in (
        "tuitrain.spec.validation -> tuitrain.data.idx", "No cycles are allowed in tuitrain.data",
        "tuitrain.cli.console -> textual", "tuitrain.tui.shell.question -> typer", "tuitrain.training.clock -> rich",
        "tuitrain.data.idx -> numpy", "tuitrain.runs.exports -> tensorboard", "- tuitrain.attic",
    ):  # fmt: skip
        assert evidence in said, f"{evidence}\n{said}"


def test_no_upward_import_is_hidden_in_a_string() -> None:
    """Names of our modules in strings, as `importlib.import_module` takes them: import-linter can't see those."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(one for one in settings["contracts"] if one["id"] == "layers")["layers"]
    height = {room: -at for at, line in enumerate(layers) for room in line.split(" | ")}
    found = 0
    for path in sorted((ROOT / "tuitrain").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            place = ROOT / node.value.replace(".", "/")
            if node.value.startswith("tuitrain.") and (place.is_dir() or place.with_suffix(".py").is_file()):
                own = path.relative_to(ROOT / "tuitrain").parts[0].removesuffix(".py")
                assert height[node.value.split(".")[1]] <= height[own], f"{path}:{node.lineno}: {node.value}"
                found += 1
    assert found  # tui/shell/warmup.py

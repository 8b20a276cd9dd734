"""No code that runs what it reads: held by ruff's S rules and, beyond them, by reading the source as a tree."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support import ROOT

SOURCE = sorted((ROOT / "tuitrain").rglob("*.py"))
#: Rules of ruff that may be silenced where a comment says why, and those that concern argument lists, never a shell.
ALLOWED = {"S310", "S404", "S603", "S607"}
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "shelve",
    "marshal",
    "joblib",
    "code",
    "codeop",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile"}
FORBIDDEN_ATTRIBUTES = {
    ("torch", "load"), ("torch", "save"), ("os", "system"), ("os", "popen"), ("np", "load"), ("numpy", "load"),
    ("torch", "package"), ("yaml", "load"), ("pickle", "loads"),
}  # fmt: skip


def faults(text: str) -> list[str]:
    """What runs strangers' code, or could be made to."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        elif (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in FORBIDDEN_MODULES
        ):
            found.append(node.module)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.append(node.func.id)
            for word in node.keywords:
                value = getattr(word.value, "value", None)
                if (word.arg, value) in {("shell", True), ("weights_only", False), ("allow_pickle", True)}:
                    found.append(f"{word.arg}={value}")
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            found += [f"{owner}.{node.attr}"] if (owner, node.attr) in FORBIDDEN_ATTRIBUTES else []
    return found


@pytest.mark.parametrize("path", SOURCE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_read_is_ever_run(path: Path) -> None:
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from shelve import open", "eval(x)", "exec(x)", "import torch\ntorch.load(f)",
        "subprocess.run(x, shell=True)", "load(f, weights_only=False)", "os.system(x)", "np.load(f, allow_pickle=True)",
    ],
)  # fmt: skip
def test_it_finds_what_it_looks_for(text: str) -> None:
    assert faults(text)


def ruff(*arguments: str, stdin: str | None = None) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format", "json", "--no-cache", *arguments],
        cwd=ROOT, capture_output=True, text=True, input=stdin,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return {item["code"] for item in json.loads(done.stdout)}


def test_ruffs_security_rules_hold_with_every_silencing_comment_taken_away() -> None:
    assert ruff("--select", "S", "--ignore-noqa", "tuitrain") <= ALLOWED
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in settings["select"]
    assert {rule for rule in settings["ignore"] if rule.startswith("S") and rule[1:].isdigit()} <= ALLOWED
    for place, rules in settings.get("per-file-ignores", {}).items():
        assert not place.startswith("tuitrain") or not any(rule.startswith("S") for rule in rules), place


def test_ruff_would_say_so() -> None:
    text = "import pickle\nimport subprocess\npickle.loads(b'')\neval('1')\nexec('1')\nsubprocess.run('x', shell=True)\n"
    found = ruff("--stdin-filename", "tuitrain/new.py", "-", stdin=text)
    assert found >= {"S301", "S307", "S102", "S602"}

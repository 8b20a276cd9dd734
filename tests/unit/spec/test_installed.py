"""Presets and networks of installed packages, found by entry points in a folder on `sys.path`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import warm
from support.user_network import NET, PARAMETERS
from tuitrain.errors import UsageError
from tuitrain.spec import installed
from tuitrain.spec.preset_files import list_presets, load_preset
from tuitrain.training.user_network import load_user_network

PRESET = "[model]\nlayers = [{ flatten = true }, { linear = 10 }]\n"
POINTS = """[tuitrain.presets]
ours = aquarium.presets
gone = aquarium.nothing
module = aquarium_alone

[tuitrain.networks]
tang = aquarium.nets:Net
loud = aquarium.loud:Net
none = aquarium.nets:Missing
away = no_such_package:Net
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    package, info = site / "aquarium", site / "aquarium-1.0.dist-info"
    (package / "presets" / "reef").mkdir(parents=True)
    info.mkdir()
    (site / "aquarium_alone.py").write_text("raise SystemExit('imported')")
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(NET)
    (package / "loud.py").write_text("raise RuntimeError('too loud')")
    (package / "presets" / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "presets" / "reef" / "clown.toml").write_text(PRESET)
    (package / "presets" / "step13.toml").write_text(PRESET)
    (package / "presets" / "broken.toml").write_text("[model]\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aquarium\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    installed.entry_points_of.cache_clear()
    yield site
    installed.entry_points_of.cache_clear()
    for name in [name for name in sys.modules if name.startswith("aquarium")]:
        del sys.modules[name]


def tuitrain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*arguments, cwd=folder, env={**os.environ, "TUITRAIN_RUNS_DIR": "runs"}, timeout=240)


@pytest.mark.slow
def test_a_packages_presets_are_listed_with_where_they_come_from_and_code_is_not_run(site: Path) -> None:
    found = {entry.name: entry for entry in list_presets()}
    assert (found["clown"].origin, found["clown"].family) == ("package aquarium", "reef")
    assert found["broken"].family == "aquarium"
    assert found["step13"].builtin and load_preset("step13").table().parameters == 5854  # the first of a name
    assert load_preset("clown").table().parameters == 7850
    assert "clown" not in {entry.name for entry in list_presets(installed=False)}
    assert not [name for name in sys.modules if name.startswith("aquarium")]
    done = tuitrain(site.parent, "presets")
    assert (
        done.returncode == 0 and "reef  (package aquarium)" in done.stdout and "Traceback" not in done.stderr
    )
    assert "tang package aquarium, aquarium.nets:Net" in " ".join(done.stdout.split())
    said = done.stderr.splitlines()
    assert len(said) == 3 and sum("of package aquarium" in line for line in said) == 2, said
    assert any("gone of package aquarium names aquarium.nothing, which is not there" in line for line in said)
    rows = json.loads(tuitrain(site.parent, "presets", "--json").stdout)
    assert [row["origin"] for row in rows if row["name"] == "clown"] == ["package aquarium"]


@pytest.mark.slow
def test_a_packages_network_is_trained_by_its_name_and_resumed(site: Path) -> None:
    own = load_user_network("tang")
    assert own.table.parameters == PARAMETERS and own.name == "Net" and own.source.decode() == NET
    flags = ["-d", "digits", "-e", "1", "--device", "cpu", "--threads", "1", "--name", "a", "--json"]
    done = tuitrain(site.parent, "run", "--model", "tang", *flags)
    assert done.returncode == 0, done.stderr
    assert "--model tang" in json.loads(done.stdout)["command"]
    done = tuitrain(site.parent, "resume", "a", "-e", "2", "--model", "tang", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["epochs"] == 2, done.stderr


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("loud", "--model loud: importing it fails in line 1: RuntimeError: too loud; fix that."),
        ("none", "importing it fails: AttributeError"),
        ("away", "away of package aquarium names no_such_package, which is not there; ask its author."),
        (
            "tank",
            "write it as FILE.py:NAME, such as net.py:Net, or as an installed one: away, loud, none, tang.",
        ),
    ],
)
def test_a_packages_network_that_can_not_be_used_is_one_sentence(site: Path, flag: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        load_user_network(flag)
    assert says in str(error.value)

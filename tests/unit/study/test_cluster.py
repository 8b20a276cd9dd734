"""A cluster as the config says, what is refused before anything begins, and what a failed pilot job says."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from support.groups_made import plan
from tuitrain.errors import DeviceError, RunDirectoryError, UsageError
from tuitrain.study import cluster
from tuitrain.study.executors import away_for, usable_site
from tuitrain.study.optional import need_parsl
from tuitrain.study.plan import Plan
from tuitrain.study.site import Site, the_site

BIG = """
runs_dir = "elsewhere"
[cluster.slurm]
partition = "small"
[cluster.big]
scheduler = "slurm"
partition = "gpu"
account = "vision"
walltime = "12:30:00"
jobs = 3
nodes = 2
gpus = 4
setup = ["module load python/3.12", "source ~/env/bin/activate"]
options = ["--reservation=course"]
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes the user's config, or that of the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def write(text: str, project: bool = False) -> None:
        path = Path("tuitrain.toml") if project else tmp_path / "config" / "tuitrain" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    return write


def test_a_table_says_what_a_pilot_job_asks_for(written) -> None:
    written(BIG)
    big = the_site("big")
    assert (big.workers_per_node, big.slots, big.minutes) == (4, 24, 750)
    assert big.sbatch_options() == [
        "--partition=gpu", "--account=vision", "--cpus-per-task=4", "--gpus-per-node=4", "--reservation=course",
    ]  # fmt: skip
    assert the_site("slurm").partition == "small" and the_site("local").scheduler == "local"
    made = plan("one", seeds=tuple(range(30)))
    away = away_for(big, made)
    assert (away.at_once, away.together) == (24, 30) and away_for(big, made, jobs=2).at_once == 2
    cpu = away_for(Site("s", "slurm", cpus=3), replace(made, runtime=replace(made.runtime, threads=None)))
    assert (cpu.together, cpu.runtime.threads) == (1, 3)
    assert Plan.from_dict(replace(made, on="big").to_dict(), "x").on == "big"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('partiton = "gpu"', "there is no 'partiton'; did you mean 'partition'"),
        ('walltime = "00:00:30"', "walltime is '00:00:30'; use a minute or more"),
        ('walltime = "soon"', "use a minute or more"),
        ("nodes = 0", "nodes is 0; use a whole number from 1"),
        ('workers = "4"', "workers is '4'; use a whole number"),
        ("gpus = 2\nworkers = 3", "each worker needs one"),
        ('setup = ["a", 3]', "a list of texts"),
        ('partition = "a\\nb"', "use text"),
    ],
)
def test_what_a_table_can_not_say(written, lines: str, says: str) -> None:
    written(f"[cluster.slurm]\n{lines}\n")
    with pytest.raises(UsageError, match=says) as error:
        the_site("slurm")
    assert "config.toml: cluster.slurm" in str(error.value)


def test_only_the_users_own_file_names_clusters_as_they_run_commands(written, capfd) -> None:
    written('[cluster.evil]\nscheduler = "slurm"\nsetup = ["rm -rf ~"]\n', project=True)
    with pytest.raises(UsageError, match=r"--on evil: there is no \[cluster.evil\]"):
        the_site("evil")
    assert "obeyed only in" in capfd.readouterr().err
    written("cluster = 3\n")
    with pytest.raises(UsageError, match=r"write \[cluster.slurm\]"):
        the_site("slurm")


SBATCH = """#!/bin/sh
case "$*" in *nope*) echo "sbatch: error: invalid partition specified: nope" >&2; exit 1;; esac
"""
SINFO = "#!/bin/sh\necho 'small* 1:00:00'\necho 'long 7-00:00:00'\n"


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """Commands of SLURM that say what the real ones say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    said = {
        "sbatch": SBATCH, "sinfo": SINFO, "squeue": "#!/bin/sh\n", "scancel": "#!/bin/sh\n",
        "scontrol": "#!/bin/sh\necho 'Slurmctld(primary) at node1 is UP'\n",
    }  # fmt: skip
    for name, script in said.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_the_schedulers_own_sentence_is_passed_on_before_anything_begins(written, scheduler) -> None:
    written(
        '[cluster.a]\nscheduler = "slurm"\npartition = "nope"\n[cluster.b]\nscheduler = "slurm"\nwalltime = "2:00:00"\n'
    )
    assert usable_site("slurm") == "slurm" and usable_site("here") == "" and usable_site("") == ""
    with pytest.raises(UsageError, match="--on a: .*invalid partition specified: nope"):
        usable_site("a")
    with pytest.raises(UsageError, match="walltime 2:00:00 is above the limit of partition small, 1:00:00"):
        usable_site("b")
    (scheduler / "scontrol").write_text("#!/bin/sh\necho 'Slurmctld(primary) at node1 is DOWN'\n")
    with pytest.raises(DeviceError, match="can't be reached: .*DOWN"):
        usable_site("slurm")
    (scheduler / "sinfo").unlink()
    os.environ["PATH"] = str(scheduler)
    with pytest.raises(UsageError, match="no sinfo here"):
        usable_site("slurm")


def test_without_parsl_a_sentence_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "parsl.concurrent", None)
    with pytest.raises(UsageError, match=r"--on slurm needs Parsl .* `pip install 'tuitrain\[cluster\]'"):
        need_parsl("--on slurm")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "Executor x failed due to: Error 1:\n\tFailed to start block 0: Cannot launch job x: Could not read job ID; "
            "recode=1, stdout=, stderr=sbatch: error: Invalid account\nError 2:\n\tthe same",
            "the scheduler refuses the pilot job: sbatch: error: Invalid account",
        ),
        (
            "Error 1:\n\tJob is marked as MISSING since\n\tSTDERR: loading\nbash: line 3: nopython: command not found\n\n",
            "a pilot job ended before its workers were ready: bash: line 3: nopython: command not found",
        ),
        (
            "Error 1:\n\tJob is marked as MISSING",
            "a pilot job ended before its workers were ready: it printed nothing, as where the nodes do not see this folder",
        ),
    ],
)
def test_what_failed_is_one_sentence(text: str, says: str) -> None:
    assert cluster.what_failed(text) == says


def test_a_worker_that_does_not_see_the_study_trains_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "_begun", True)
    with pytest.raises(RunDirectoryError, match="is not visible on"):
        cluster.call_away(str(tmp_path / "gone"), os.getpid, (), {})
    assert cluster.call_away(str(tmp_path), os.getpid, (), {}) == os.getpid()

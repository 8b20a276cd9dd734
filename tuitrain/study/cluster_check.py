"""Whether a cluster can train studies, found out step by step: Parsl, the scheduler, the folder, a call in a worker."""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, wait
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tuitrain.errors import ExitCode, TuitrainError, visible
from tuitrain.figures import plural
from tuitrain.runs import durable
from tuitrain.study import cluster
from tuitrain.study.optional import need_parsl
from tuitrain.study.site import Site
from tuitrain.study.store import STUDIES
from tuitrain.version import __version__

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: whether it is right, what is said of it, and the exit code where it is not."""

    what: str
    ok: bool
    says: str
    code: ExitCode = ExitCode.USAGE


def checks(site: Site, runs_dir: Path, wait_s: float) -> Iterator[Check]:
    """Looks at one thing after the other, and ends at the first that makes the next ones useless.

    Args:
        site: the cluster.
        runs_dir: the folder of the run directories, which the nodes are to share.
        wait_s: for so long a worker is waited for.
    """
    try:
        need_parsl(f"--on {site.name}")
    except TuitrainError as error:
        yield Check("Parsl", False, visible(error), error.exit_code)
        return
    yield Check("Parsl", True, f"version {metadata.version('parsl')} is installed")
    whole = True
    if site.scheduler == "slurm":
        for check in _scheduler(site):
            yield check
            whole = whole and check.ok
    folder = _folder(runs_dir)
    yield folder
    if whole and folder.ok:
        yield from _worker(site, runs_dir, wait_s)


def _scheduler(site: Site) -> Iterator[Check]:
    absent = [command for command in cluster.COMMANDS if shutil.which(command) is None]
    if absent:
        says = f"no {', '.join(absent)} here; use a machine from which jobs are submitted"
        yield Check("commands", False, says)
        return
    yield Check("commands", True, f"{', '.join(cluster.COMMANDS)} are here")
    if trouble := cluster.unreachable():
        yield Check("controller", False, trouble, ExitCode.DEVICE)
        return
    yield Check("controller", True, "it answers")
    trouble = cluster.refused(site) or cluster.too_long(site)
    asked = [plural(site.nodes, "node"), f"{site.walltime} hours"]
    asked += [
        f"{word} {name}" for word, name in (("partition", site.partition), ("account", site.account)) if name
    ]
    asked += [f"{plural(site.gpus, 'GPU')} a node"] if site.gpus else []
    yield Check(
        "pilot job", not trouble, trouble or f"the scheduler would take one of {visible(', '.join(asked))}"
    )


def _folder(runs_dir: Path) -> Check:
    """Whether the runs folder can be written here."""
    try:
        durable.make_folder(runs_dir / STUDIES, parents=True)
        with tempfile.NamedTemporaryFile(dir=runs_dir / STUDIES, prefix=".check-"):
            pass
    except OSError as error:
        says = f"{visible(runs_dir)} can't be written: {visible(error.strerror or error)}; choose another --runs-dir"
        return Check("runs folder", False, says, ExitCode.RUN_DIRECTORY)
    return Check("runs folder", True, f"{visible(runs_dir.absolute())} can be written here")


def _worker(site: Site, runs_dir: Path, wait_s: float) -> Iterator[Check]:
    """A call in a real worker: what is there, and whether folder and locks are shared."""
    study = (runs_dir / STUDIES).absolute() / f".check-{secrets.token_hex(4)}"
    study.mkdir(mode=0o700)
    workers, failed = None, True
    try:
        workers = cluster.ClusterWorkers(site, study)
        with (study / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            began = time.monotonic()
            call = workers.submit(look_around, str(study), secrets.token_hex(8))
            while not call.done() and time.monotonic() - began < wait_s:
                wait([call], timeout=POLL_S)
            if not call.done():
                why = cluster.why_waiting(study) if site.scheduler == "slurm" else ""
                says = f"none began within {wait_s:g} s{f': {why}' if why else ''}; --wait 600 waits longer"
                yield Check("worker", False, says, ExitCode.DEVICE)
                return
            found, failed = call.result(), False
        yield from _what_it_found(site, study, found, time.monotonic() - began)
    except TuitrainError as error:
        yield Check("worker", False, visible(error), error.exit_code)
    except BrokenExecutor as error:
        yield Check("worker", False, f"it died: {visible(error)}", ExitCode.DEVICE)
    finally:
        if workers is not None:
            workers.shutdown()
        if not failed:  # else what the pilot job printed is kept
            shutil.rmtree(study, ignore_errors=True)


def _what_it_found(site: Site, study: Path, found: dict[str, Any], seconds: float) -> Iterator[Check]:
    yield Check("worker", True, f"one on {visible(found['host'])} answered after {seconds:.0f} s")
    ours = versions()
    differ = [
        f"{name} {visible(there)} there, {ours[name]} here"
        for name, there in found["versions"].items()
        if there != ours[name]
    ]
    if found["versions"]["tuitrain"] != ours["tuitrain"] or found["versions"]["torch"] == "missing":
        yield Check("versions", False, f"{'; '.join(differ)}: install the same on the nodes (setup, python)")
    elif differ:  # it trains; only to the bit it may differ
        yield Check(
            "versions",
            True,
            f"{'; '.join(differ)}: results may differ from those of this machine in the last bits",
        )
    else:
        yield Check("versions", True, ", ".join(f"{name} {version}" for name, version in ours.items()))
    written = study / "answer"
    if not written.is_file() or written.read_text() != found["answer"]:
        says = f"what a worker writes to {visible(study.parent.parent)} is not seen here; the nodes have to share it"
        yield Check("shared folder", False, says, ExitCode.RUN_DIRECTORY)
    elif not found["locked"]:
        says = (
            "a lock that is held here is not seen on the node, so that two processes could train one member; mount the "
            "folder with locks (NFS 4, Lustre with -o flock)"
        )
        yield Check("shared folder", False, says, ExitCode.RUN_DIRECTORY)
    else:
        yield Check("shared folder", True, "files and locks are seen on both sides")
    if site.gpus:
        seen = found["devices"]
        says = f"a worker sees {plural(seen, 'GPU')}" + ("" if seen == 1 else "; it is to see one")
        yield Check("GPU", seen == 1, says, ExitCode.DEVICE)


def versions() -> dict[str, str]:
    """Those that decide whether results are equal to the bit."""
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = "missing"
    return {"tuitrain": __version__, "Python": platform.python_version(), "torch": torch}


def look_around(study: str, answer: str) -> dict[str, Any]:
    """What a worker finds where it runs: versions, whether a lock of the folder is seen as held, how many GPUs."""
    folder = Path(study)
    with (folder / "lock").open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = False
        except OSError:
            locked = True
    (folder / "answer").write_text(answer)
    try:
        import torch

        devices = torch.cuda.device_count()
    except ImportError:
        devices = 0
    return {
        "host": os.uname().nodename, "versions": versions(), "locked": locked, "answer": answer, "devices": devices,
    }  # fmt: skip

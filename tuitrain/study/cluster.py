"""The executor of a cluster: Parsl, whose pilot jobs take many members each. Nothing of scheduling is done here."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from pathlib import Path
from typing import Any

from tuitrain.errors import DeviceError, RunDirectoryError, UsageError, visible
from tuitrain.study.optional import need_parsl
from tuitrain.study.site import Site

#: Its files: scripts and output of the pilot jobs, its logs, the keys of its connections.
FOLDER = "cluster"
#: A pilot job says so often that it lives, and looks so often for workers that died; after so long it is lost.
HEARTBEAT_S, LOST_S = 5, 30
#: Parsl looks so often whether more pilot jobs are needed.
STRATEGY_S = 1.0
#: One that has had nothing to do for so long is given back.
IDLE_S = 60.0
COMMAND_S = 30.0
#: So often it looks whether Parsl's interchange lives, and until a pilot job has begun, why none has.
WATCH_S = 5.0
COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")


class ClusterWorkers(Executor):
    """Workers in pilot jobs of a site.

    A call whose worker or pilot job died raises BrokenExecutor. Where there can be no workers, as the scheduler refuses
    the pilot jobs or they end before a worker was ready, calls raise a DeviceError with the reason.
    """

    def __init__(self, site: Site, folder: Path) -> None:
        """Begins; the first pilot job is asked for at once.

        Args:
            site: where.
            folder: of the study, which the nodes see; its files are kept below.

        Raises:
            UsageError: Parsl is not installed, or can't use this folder.
            RunDirectoryError: the folder can't be written.
        """
        need_parsl(f"--on {site.name}")
        if re.search(r"[^\w./+@%:,=-]", str(folder)):
            raise UsageError(
                f"--on {site.name}: {visible(folder)} has a space or a sign that job scripts can't have; use another --runs-dir."
            )
        from parsl.concurrent import ParslPoolExecutor

        self.site, self.folder, self._study = site, folder / FOLDER, folder
        self._log = logging.getLogger("parsl")
        self._log.propagate = False
        self._handler = logging.FileHandler(self.folder / "parsl.log", delay=True)
        self._handler.setLevel(logging.WARNING)
        self._log.addHandler(self._handler)
        end_pilots(site, folder)
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._pilots = _pilots(site, self.folder, label_of(folder))
            self._pool = ParslPoolExecutor(_parsl_config(self._pilots, self.folder))
        except OSError as error:
            raise RunDirectoryError(
                f"{visible(self.folder)} can't be written: {visible(error.strerror or error)}; check its owner, mode and disk."
            ) from None
        self._broken = False
        self._waiting, self._over = "", threading.Event()
        threading.Thread(target=self._watch, name="watch-pilots", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Calls it in a worker as soon as one is free. A call that has not ended can be cancelled: nobody waits for it."""
        ours: Future[Any] = Future()
        theirs = self._pool.submit(call_away, str(self._study), fn, args, kwargs)
        theirs.add_done_callback(partial(self._pass_on, ours))
        return ours

    def _pass_on(self, ours: Future[Any], theirs: Future[Any]) -> None:
        if not ours.set_running_or_notify_cancel():
            return
        if (error := theirs.exception()) is None:
            ours.set_result(theirs.result())
        else:
            ours.set_exception(self._translated(error))

    def _translated(self, error: BaseException) -> BaseException:
        from parsl.executors.errors import ExecutorError
        from parsl.executors.high_throughput.errors import ManagerLost, VersionMismatch, WorkerLost
        from parsl.jobs.errors import TooManyJobFailuresError

        if isinstance(error, ManagerLost | WorkerLost):
            return BrokenExecutor(str(error))
        if isinstance(error, ExecutorError | TooManyJobFailuresError | VersionMismatch):
            return DeviceError(
                f"{self.site.name}: {what_failed(str(error))} (its files are in {visible(self.folder)})."
            )
        return error

    def abandon(self) -> None:
        """Takes the pilot jobs back without waiting, where this process ends at once; their members save their state."""
        with contextlib.suppress(Exception):
            jobs = [job for job, its in self._pilots.provider.resources.items() if not its["status"].terminal]
            if jobs and self.site.scheduler == "slurm":
                subprocess.Popen(["scancel", *jobs], start_new_session=True)
            elif jobs:
                self._pilots.provider.cancel(jobs)

    @property
    def says(self) -> list[str]:
        """Why no member trains yet, where the scheduler lets the pilot jobs wait."""
        return [f"{self.site.name}: {self._waiting}"] if self._waiting else []

    def _watch(self) -> None:
        """Looks at what Parsl does not: whether its interchange lives, and why pilot jobs wait before the first begins."""
        begun = self.site.scheduler != "slurm"
        while not self._over.wait(WATCH_S):
            if self._pilots.interchange_proc.poll() is not None:
                self._broken = True
                self._pilots.set_bad_state_and_fail_all(RuntimeError("Parsl's interchange was killed"))
                return
            begun = begun or bool(self._pilots.connected_blocks())
            self._waiting = "" if begun else why_waiting(self._study)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes the pilot jobs back, with whatever they still do; their files stay where something failed."""
        del wait, cancel_futures
        self._over.set()
        if self._broken:  # Parsl would wait for its interchange
            self.abandon()
        else:
            self._pool.shutdown(wait=False)
        self._log.removeHandler(self._handler)
        self._handler.close()


def call_away(study: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a worker calls: `fn`, if it sees the study's folder.

    Raises:
        RunDirectoryError: it does not; what it trained would be kept where nobody looks.
    """
    from tuitrain.study.member import begin_worker

    global _begun
    if not _begun:
        _begun = True
        begin_worker()
    if not Path(study).is_dir():
        raise RunDirectoryError(
            f"{visible(study)} is not visible on {visible(os.uname().nodename)}; the runs folder has to be one that the "
            "nodes share (--runs-dir)."
        )
    return fn(*args, **kwargs)


_begun = False


def label_of(folder: Path) -> str:
    """The part of the pilot jobs' names that says of which study they are: `parsl.LABEL.block-…`."""
    return f"tuitrain-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:10]}"


def what_failed(text: str) -> str:
    """The sentence in what Parsl says of a pilot job that failed: the scheduler's, or the last that the job printed."""
    refused = re.search(r"stderr=(.+?)(?:\n\S*Error \d+:|\Z)", text, re.DOTALL)
    if refused:
        return f"the scheduler refuses the pilot job: {_one_line(refused[1])}"
    printed = re.search(r"STDERR: (.+?)(?:\nError \d+:|\Z)", text, re.DOTALL)
    if printed or "MISSING" in text:
        last = (
            _one_line(printed[1].strip().splitlines()[-1])
            if printed and printed[1].strip()
            else "it printed nothing, as where the nodes do not see this folder"
        )
        return f"a pilot job ended before its workers were ready: {last}"
    return _one_line(re.sub(r"^Executor \S+ failed due to: ", "", text))


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return visible("; ".join(dict.fromkeys(lines)))


def refuse_unusable(site: Site) -> None:
    """Asks the scheduler, before anything is begun, whether it takes such pilot jobs.

    Raises:
        UsageError: Parsl or the scheduler's commands are missing, or it refuses such a job; its own sentence is passed on.
        DeviceError: it can't be reached.
    """
    need_parsl(f"--on {site.name}")
    if site.scheduler != "slurm":
        return
    if absent := [command for command in COMMANDS if shutil.which(command) is None]:
        raise UsageError(
            f"--on {site.name}: no {', '.join(absent)} here; use a machine from which jobs are submitted."
        )
    if trouble := unreachable():
        raise DeviceError(f"--on {site.name}: {trouble}")
    if trouble := refused(site) or too_long(site):
        raise UsageError(f"--on {site.name}: {trouble}")


def unreachable() -> str:
    """Why SLURM's controller can't be reached; empty where it can."""
    done = ask("scontrol", "ping")
    text = _one_line(f"{done.stdout}\n{done.stderr}")
    up = done.returncode == 0 and re.search(r"\bUP\b", done.stdout)
    return "" if up else f"the controller can't be reached: {text or 'no answer'}"


def refused(site: Site) -> str:
    """The sentence with which SLURM refuses a pilot job; empty where it takes it."""
    wanted = [
        *site.sbatch_options(),
        f"--nodes={site.nodes}",
        f"--time={site.minutes}",
        "--ntasks-per-node=1",
    ]
    done = ask("sbatch", "--test-only", *wanted, "--wrap=true")
    return (
        ""
        if done.returncode == 0
        else f"the scheduler refuses the pilot job: {_one_line(done.stderr or done.stdout)}"
    )


def too_long(site: Site) -> str:
    """Says so where the time limit is above that of the partition, as the job would wait in the queue for ever."""
    which = [f"--partition={site.partition}"] if site.partition else []
    for line in ask("sinfo", "--noheader", "--format=%P %l", *which).stdout.splitlines():
        name, _, limit = line.strip().partition(" ")
        if (site.partition or name.endswith("*")) and 0 < _slurm_minutes(limit) < site.minutes:
            return f"walltime {site.walltime} is above the limit of partition {visible(name.rstrip('*'))}, {visible(limit)}."
    return ""


def _slurm_minutes(limit: str) -> int:
    """Minutes of SLURM's `days-hours:minutes:seconds`, of which the front may be missing; 0 for none."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit.strip())
    return (int(found[1] or 0) * 24 + int(found[2] or 0)) * 60 + int(found[3]) if found else 0


def ask(*command: str) -> subprocess.CompletedProcess[str]:
    """What a command of the scheduler says; one that takes too long has failed."""
    try:
        return subprocess.run(
            command,
            text=True,
            errors="replace",
            capture_output=True,
            timeout=COMMAND_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        slow = isinstance(error, subprocess.TimeoutExpired)
        why = f"{command[0]} gave no answer within {COMMAND_S:g} s" if slow else visible(error)
        return subprocess.CompletedProcess(command, 124, "", why)


def end_pilots(site: Site, folder: Path) -> int:
    """Cancels pilot jobs that a killed process of this study left; returns how many. Their members save their state."""
    if site.scheduler != "slurm" or shutil.which("squeue") is None:
        return 0
    lines = ask("squeue", "--me", "--noheader", "--format=%i %j").stdout.splitlines()
    jobs = [line.split()[0] for line in lines if f".{label_of(folder)}." in line]
    return len(jobs) if jobs and ask("scancel", *jobs).returncode == 0 else 0


def why_waiting(folder: Path) -> str:
    """What SLURM says of pilot jobs of this study that wait in its queue; empty where none does."""
    lines = ask("squeue", "--me", "--noheader", "--states=PENDING", "--format=%i %r %j").stdout.splitlines()
    found = [line.split()[:2] for line in lines if f".{label_of(folder)}." in line]
    return ", ".join(f"job {visible(job)} waits ({visible(reason)})" for job, reason in found)


def _pilots(site: Site, folder: Path, label: str) -> Any:
    from parsl.executors import HighThroughputExecutor
    from parsl.executors.high_throughput import executor as high_throughput
    from parsl.jobs.error_handlers import simple_error_handler

    def give_up(executor: Any, status: Any) -> None:
        """Only where no worker was ever ready; else a node or a time limit failed, and another pilot job goes on."""
        if not executor.connected_blocks():
            simple_error_handler(executor, status)

    pool = f"{shlex.quote(site.interpreter)} -m tuitrain.study.pool"
    command = high_throughput.DEFAULT_LAUNCH_CMD.replace("process_worker_pool.py", pool, 1)
    return HighThroughputExecutor(
        label=label,
        provider=_provider(site),
        launch_cmd=command,
        interchange_launch_cmd=[sys.executable, "-m", "tuitrain.study.interchange", str(os.getpid())],
        address=site.address or None,
        max_workers_per_node=site.workers_per_node,
        cores_per_worker=1e-3,  # how many there are is said by the line above
        available_accelerators=site.gpus,
        heartbeat_period=HEARTBEAT_S,
        heartbeat_threshold=LOST_S,
        block_error_handler=give_up,
    )


def _provider(site: Site) -> Any:
    blocks = {
        "nodes_per_block": site.nodes, "init_blocks": 1, "min_blocks": 0, "max_blocks": site.jobs,
        "worker_init": "\n".join(site.setup),
    }  # fmt: skip
    if site.scheduler == "local":
        from parsl.launchers import SimpleLauncher
        from parsl.providers import LocalProvider

        return LocalProvider(launcher=SimpleLauncher(), **blocks)
    from parsl.launchers import SimpleLauncher, SrunLauncher
    from parsl.providers import SlurmProvider

    return SlurmProvider(
        walltime=site.walltime,
        scheduler_options="\n".join(f"#SBATCH {option}" for option in site.sbatch_options()),
        exclusive=False,  # said by the options, where it is wanted
        cmd_timeout=int(COMMAND_S),
        launcher=SrunLauncher() if site.nodes > 1 else SimpleLauncher(),
        **blocks,
    )


def _parsl_config(pilots: Any, folder: Path) -> Any:
    from parsl import Config

    # Not "htex_auto_scale": it cancels pilot jobs that still wait in the queue (Parsl 2026.10.26).
    return Config(
        executors=[pilots], run_dir=str(folder), initialize_logging=False, strategy="simple",
        strategy_period=STRATEGY_S, max_idletime=IDLE_S,
    )  # fmt: skip

"""A real SLURM in a folder of its own, for tests: munged, slurmctld and slurmd, where Debian's packages are installed.

One node, this machine, that is said to have more CPUs than it has; nothing outside of the folder is touched.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
START_S = 30.0

CONF = """
ClusterName=tuitrain
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
MessageTimeout=30
ReturnToService=2
KillWait=5
MailProg=/bin/true
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=tiny Nodes={host} Default=YES MaxTime=60 State=UP
"""


def missing() -> str:
    """What is not there to start one; empty where all is."""
    absent = [name for name in NEEDED if _found(name) is None]
    return f"no {', '.join(absent)} (Debian: slurm-wlm, munge)" if absent else ""


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@dataclass
class Slurm:
    """One that runs.

    Attributes:
        folder: of all its files.
        environment: with which its commands find it.
    """

    folder: Path
    environment: dict[str, str]
    _daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def call(self, *command: str) -> str:
        """The output of one of its commands."""
        return subprocess.run(
            command, env=os.environ | self.environment, text=True, capture_output=True, timeout=60, check=True
        ).stdout

    def start_controller(self) -> None:
        """Starts the daemon that takes jobs."""
        self._start("slurmctld", "-D")

    def stop_controller(self) -> None:
        """Ends it, as where a login node has lost the cluster."""
        self._end(next(one for one in self._daemons if b"slurmctld" in str(one.args).encode()))

    def _start(self, name: str, *arguments: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        program = _found(name)
        assert program is not None
        with log:
            self._daemons.append(
                subprocess.Popen(
                    [program, *arguments], env=os.environ | self.environment, stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.folder,
                )
            )  # fmt: skip

    def _end(self, daemon: subprocess.Popen[bytes]) -> None:
        self._daemons.remove(daemon)
        daemon.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(10)
        daemon.kill()
        daemon.wait()

    def is_up(self) -> bool:
        """Whether its node takes jobs."""
        try:
            return self.call("sinfo", "--noheader", "--format=%T").strip() == "idle"
        except subprocess.SubprocessError:
            return False

    def stop(self) -> None:
        """Ends all jobs and daemons."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.call("scancel", "--user", getpass.getuser())
            end = time.monotonic() + 10
            while self.call("squeue", "--noheader").strip() and time.monotonic() < end:
                time.sleep(0.2)
        for daemon in reversed(list(self._daemons)):
            self._end(daemon)


@contextlib.contextmanager
def slurm(folder: Path, cpus: int = 8) -> Iterator[Slurm]:
    """One in this folder, whose path is to be short, ended afterwards."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().split(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(host=host, ports=_free_ports(2), user=getpass.getuser(), folder=folder, cpus=cpus)
    )
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    made = Slurm(folder, {"SLURM_CONF": str(conf)})
    try:
        made._start(
            "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
            f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed", f"--log-file={folder}/munged.log",
        )  # fmt: skip
        end = time.monotonic() + START_S
        while not (folder / "munge.socket").exists():
            assert time.monotonic() < end, (folder / "munged.log").read_text()
            time.sleep(0.05)
        made.start_controller()
        made._start("slurmd", "-D")
        while not made.is_up():
            assert time.monotonic() < end, (folder / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.1)
        yield made
    finally:
        made.stop()

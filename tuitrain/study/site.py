"""Where a study trains beyond this machine's own processes: a `[cluster.NAME]` table of the user's config, checked."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tuitrain import config
from tuitrain.errors import UsageError, suggest, visible

#: What `--on` means without a table; `HERE` are processes of this machine.
SCHEDULERS = ("slurm", "local")
HERE = "here"
_WALLTIME = re.compile(r"(\d{1,4}):([0-5]?\d):([0-5]?\d)")
_MOST = 100_000


def _key(default: Any, text: str) -> Any:
    make = {"default_factory": default} if callable(default) else {"default": default}
    return field(**make, metadata={"help": text})


@dataclass(frozen=True)
class Site:
    """A cluster, and what a pilot job on it asks for: so many nodes, on each so many workers, which train one call each."""

    name: str
    scheduler: str = _key("", "slurm, or local: a pilot job on this machine, without a scheduler")
    partition: str = _key("", "partition of the jobs; empty for the cluster's default")
    account: str = _key("", "account that is charged")
    qos: str = _key("", "quality of service")
    constraint: str = _key("", "features that a node must have")
    walltime: str = _key("01:00:00", "time limit of a pilot job, hours:minutes:seconds")
    jobs: int = _key(1, "pilot jobs at most, at a time")
    nodes: int = _key(1, "nodes of a pilot job")
    workers: int = _key(0, "members that train at a time on a node; 0 for one a GPU, or one")
    cpus: int = _key(1, "cores of a worker")
    gpus: int = _key(0, "GPUs of a node; each worker sees one")
    memory: int = _key(0, "GB of a node; 0 for the cluster's default")
    exclusive: bool = _key(False, "whether nodes are not shared with other jobs")
    setup: tuple[str, ...] = _key(tuple, "shell lines before the workers start, such as module load")
    options: tuple[str, ...] = _key(tuple, "more options of sbatch, such as --reservation=course")
    python: str = _key("", "the interpreter on the nodes; empty for the one that runs here")
    address: str = _key("", "address of this machine that the nodes reach; empty for trying all")

    @property
    def workers_per_node(self) -> int:
        """How many calls a node takes at a time."""
        return self.workers or self.gpus or 1

    @property
    def slots(self) -> int:
        """How many calls all pilot jobs take at a time."""
        return self.jobs * self.nodes * self.workers_per_node

    @property
    def interpreter(self) -> str:
        """The Python of the workers."""
        return self.python or sys.executable

    @property
    def minutes(self) -> int:
        """The time limit."""
        return minutes_of(self.walltime)

    def sbatch_options(self) -> list[str]:
        """What is asked of SLURM, but for nodes and time."""
        wanted = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
        }
        out = [f"--{name}={value}" for name, value in wanted.items() if value]
        out.append(f"--cpus-per-task={self.workers_per_node * self.cpus}")
        out += [f"--gpus-per-node={self.gpus}"] if self.gpus else []
        out += [f"--mem={self.memory}G"] if self.memory else []
        return [*out, *(["--exclusive"] if self.exclusive else []), *self.options]

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, Any], where: str) -> Self:
        """A site as its table says.

        Raises:
            UsageError: a key is unknown, or a value can't be used.
        """
        fields = {one.name: one for one in dataclasses.fields(cls) if one.name != "name"}
        place = f"{where}: cluster.{visible(name)}"
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in fields:
                raise UsageError(f"{place}: there is no '{visible(key)}'{suggest(key, list(fields))}")
            values[key] = _checked(f"{place}.{key}", str(fields[key].type), value)
        site = cls(name, **({"scheduler": name} | values if name in SCHEDULERS else values))
        if site.scheduler not in SCHEDULERS:
            said = f"is '{visible(site.scheduler)}'" if site.scheduler else "is missing"
            raise UsageError(f"{place}.scheduler {said}; use one of: {', '.join(SCHEDULERS)}.")
        for key in ("jobs", "nodes", "cpus"):
            if getattr(site, key) < 1:
                raise UsageError(f"{place}.{key} is 0; use a whole number from 1 to {_MOST:,}.")
        if site.gpus and site.workers > site.gpus:
            raise UsageError(
                f"{place}.workers is {site.workers}, on {site.gpus} GPUs; each worker needs one."
            )
        if site.minutes < 1:
            raise UsageError(
                f"{place}.walltime is '{visible(site.walltime)}'; use a minute or more, such as 01:00:00."
            )
        return site


def minutes_of(walltime: str) -> int:
    """The whole minutes of `hours:minutes:seconds`; 0 where it can't be read."""
    found = _WALLTIME.fullmatch(walltime.strip())
    return int(found[1]) * 60 + int(found[2]) if found else 0


def the_site(name: str) -> Site:
    """The site of a name: that of the user's config, or a scheduler with its defaults.

    Raises:
        UsageError: there is none, or its table can't be used.
    """
    tables, where = config.personal_tables("cluster")
    if name in tables:
        return Site.from_table(name, tables[name], where)
    if name in SCHEDULERS:
        return Site(name, scheduler=name)
    known = [*tables, *(one for one in SCHEDULERS if one not in tables), HERE]
    raise UsageError(
        f"--on {visible(name)}: there is no [cluster.{visible(name)}] in {where}{suggest(name, known)}"
    )


def _checked(place: str, kind: str, value: Any) -> Any:
    if kind == "bool":
        if not isinstance(value, bool):
            raise UsageError(f"{place} is {visible(value)!r}; use true or false.")
        return value
    if kind == "int":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
            raise UsageError(f"{place} is {visible(value)!r}; use a whole number up to {_MOST:,}.")
        return value
    texts = value if kind != "str" and isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise UsageError(
            f"{place} is {visible(value)!r}; use {'text' if kind == 'str' else 'a list of texts, a line each'}."
        )
    return tuple(texts) if kind != "str" else value

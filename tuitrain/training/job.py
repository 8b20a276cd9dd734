"""What a run is asked to do, as one value: made once, told in full by the run's first event. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuitrain.spec.preset import Preset
from tuitrain.spec.repeat import run_command
from tuitrain.training.runtime import Runtime

if TYPE_CHECKING:
    from tuitrain.training.events import RunStarted
    from tuitrain.training.user_network import UserNetwork


@dataclass(frozen=True)
class Job:
    """What to train, and how.

    Attributes:
        preset: what to train.
        runtime: how to use the machine.
        budget: the most parameters that the user allows; None for what the challenge says.
        changed: what differs from the preset as published, `[old, new]` by dotted key.
        command: the command line that repeats it; empty where none does.
        model: a network in Python in the place of the preset's, as the user named it (`file.py:Net`), or nothing.
        user_network: that network, once its file was run.
        study: the name of the study that the run is a member of; empty for a run by itself.
        parent: of a branch, the `run` that it began from, after which `epoch`; else empty.
    """

    preset: Preset
    runtime: Runtime = field(default_factory=Runtime)
    budget: int | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    model: str = ""
    user_network: UserNetwork | None = None
    study: str = ""
    parent: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, started: RunStarted, preset: Preset) -> Job:
        """What a run was asked to do.

        A network in Python is not among it: only the user says which file is run.

        Args:
            started: its first event.
            preset: the preset in that event, read.

        Raises:
            UsageError: its settings of the machine can't be used.
        """
        runtime = Runtime.from_dict(started.runtime)
        return cls(
            preset,
            runtime,
            started.budget,
            dict(started.changed),
            started.command,
            study=started.study,
            parent=dict(started.parent),
        )

    def command_line(self, base: Preset, name: str, usual: Runtime, extra: Mapping[str, Any]) -> str:
        """The command that trains this again, here and elsewhere.

        Args:
            base: the preset as published.
            name: of it, on the command line.
            usual: how the machine is used here where no flag says otherwise.
            extra: further flags by name (None and False are left out).
        """
        default = Runtime()

        def flag(name: str) -> Any:
            """A setting; nothing where it would be the same without the flag, here and elsewhere."""
            value = getattr(self.runtime, name)
            return None if value == getattr(default, name) == getattr(usual, name) else value

        return run_command(base, name, self.preset, {
            "--model": self.model or None,
            "--device": flag("device"),
            "--deterministic": self.runtime.deterministic,
            "--precision": flag("precision"),
            "--compile": flag("compile"),
            "--no-graph": not self.runtime.graph,
            "--threads": flag("threads"),
            "--keep": None if self.runtime.keep == default.keep else self.runtime.keep,
            **extra,
        })  # fmt: skip

    def exact_command(self, threads: int | None) -> str:
        """The command with the number of threads that was measured, as another would change the last bits."""
        if not self.command or not threads or "--threads" in self.command or self.runtime.deterministic:
            return self.command
        return f"{self.command} --threads {threads}"

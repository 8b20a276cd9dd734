"""How a run uses the machine: settings that may change its speed but not what is trained. Imports no torch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuitrain import jsonio
from tuitrain.errors import DeviceError, UsageError, visible

PRECISIONS = ("fp32", "tf32", "bf16")
COMPILE = ("auto", "on", "off")


@dataclass(frozen=True, slots=True)
class Runtime:
    """Device and speed settings of a run.

    Attributes:
        device: auto, cpu, cuda, cuda:N or mps.
        deterministic: the same bits on every run of the same device and versions.
        precision: fp32; tf32 (matrix products on CUDA); bf16 (autocast).
        compile: torch.compile: auto takes it where a compiler is there and the run is long enough to pay.
        graph: on CUDA, the whole step as one CUDA graph.
        threads: of the CPU; None measures at the start and takes the fastest.
        profile: times the parts of a step and says where the time went.
        keep: how many of the last checkpoints are kept, beside the best; 0 keeps all.

    Raises:
        UsageError: a value that is none of these.
        DeviceError: the name of no device.
    """

    device: str = "auto"
    deterministic: bool = False
    precision: str = "fp32"
    compile: str = "auto"
    graph: bool = True
    threads: int | None = None
    profile: bool = False
    keep: int = 2

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", self.device):  # before any data is fetched
            raise DeviceError(
                f"--device {visible(self.device)}: no such device; use auto, cpu, cuda, cuda:N or mps."
            )
        for name, allowed in (("precision", PRECISIONS), ("compile", COMPILE)):
            if getattr(self, name) not in allowed:
                raise UsageError(f"--{name} {visible(getattr(self, name))}: use one of {', '.join(allowed)}.")
        if not 0 <= self.keep <= 10_000:
            raise UsageError(
                f"--keep {self.keep}: use a number of checkpoints from 1 to 10,000, or 0 for all."
            )
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UsageError(f"--threads {self.threads}: use a number from 1 to 1024.")

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Runtime:
        """The settings of a JSON form; keys of other versions are ignored.

        Raises:
            UsageError: one of them is of another type, or none that can be.
        """
        try:
            return jsonio.from_json(cls, data)
        except ValueError as error:
            raise UsageError(
                f"the run's settings of the machine can't be used: {error}; train it anew."
            ) from None

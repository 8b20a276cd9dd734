"""What the screens need to know about the person, the terminal and the folders. No textual."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuitrain import config
from tuitrain.errors import TuitrainError, UsageError, visible
from tuitrain.spec.choices import DATASETS
from tuitrain.training.runtime import Runtime

REFRESH_HZ = 4.0
LOW_BANDWIDTH_HZ = 1.0


@dataclass(frozen=True, slots=True)
class RunDefaults:
    """What the settings say of the runs that are started here, as flags do on the command line.

    Attributes:
        dataset: in the place of the preset's; empty for the preset's own.
        budget: the most parameters that a network may have; None for what its challenge says.
        runtime: where and how it is trained.
    """

    dataset: str = ""
    budget: int | None = None
    runtime: Runtime = field(default_factory=Runtime)

    @classmethod
    def read(cls) -> RunDefaults:
        """What the environment and the config files say.

        Raises:
            UsageError: a value that can't be used.
        """
        found = config.resolve_setting("dataset")
        if found.value and found.value not in DATASETS:
            raise UsageError(
                f"{found.origin}: dataset is '{visible(found.value)}'; use one of {', '.join(DATASETS)}."
            )
        runtime = Runtime(
            device=config.setting("device"),
            precision=config.setting("precision"),
            compile=config.setting("compile"),
            threads=config.setting("threads") or None,
        )
        return cls(found.value, config.setting("budget") or None, runtime)

    @property
    def changes(self) -> dict[str, Any]:
        """What it changes in every preset, by dotted key."""
        return {"train.dataset": self.dataset} if self.dataset else {}


@dataclass
class Settings:
    """Settings of one session of the app; flags first, then the config file, then defaults."""

    runs_dir: Path
    data_dir: Path | None = None
    refresh_hz: float = REFRESH_HZ
    low_bandwidth: bool = False
    ascii_only: bool = False
    mouse: bool = True
    notify: bool = True
    theme: str | None = None
    place: RunDefaults = field(default_factory=RunDefaults)
    keys: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        *,
        runs_dir: Path,
        data_dir: Path | None = None,
        low_bandwidth: bool = False,
        ascii_only: bool = False,
        mouse: bool = True,
        theme: str | None = None,
    ) -> tuple[Settings, str | None]:
        """What the flags say, then the environment and the config files; and what is wrong with those."""
        problem, keys, hz, place, notify = None, dict[str, str](), REFRESH_HZ, RunDefaults(), True
        try:
            keys = config.keymap()
            theme = theme or config.setting("theme") or None
            hz = min(20.0, max(0.2, config.setting("refresh_hz")))
            low_bandwidth = low_bandwidth or config.setting("low_bandwidth")
            ascii_only = ascii_only or config.setting("ascii")
            mouse = mouse and config.setting("mouse")
            notify = config.setting("notify")
            place = RunDefaults.read()
        except TuitrainError as error:
            problem = str(error)
        settings = cls(
            runs_dir=runs_dir,
            data_dir=data_dir,
            refresh_hz=min(hz, LOW_BANDWIDTH_HZ) if low_bandwidth else hz,
            low_bandwidth=low_bandwidth,
            ascii_only=ascii_only or not speaks_utf8(),
            mouse=mouse,
            notify=notify,
            theme=theme,
            place=place,
            keys=keys,
        )
        return settings, problem


def speaks_utf8() -> bool:
    """Whether the locale asks for UTF-8; python's own coercion of an unset locale counts."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name, "")
        if value:
            encoding = value.partition(".")[2].partition("@")[0]
            return encoding.lower().replace("-", "") == "utf8"
    return True

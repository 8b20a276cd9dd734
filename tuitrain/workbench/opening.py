"""What the app is opened with: folders, what it shows first, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuitrain.lessons.lesson import Lesson
    from tuitrain.training.job import Job
    from tuitrain.workbench.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Opening:
    """As the commands and their flags say.

    Attributes:
        runs_dir: folder of the run directories.
        data_dir: folder of the datasets.
        preset: name or path of the preset to begin with; None for the usual one.
        model: a network in Python (`file.py:Net`) for the lab's list, or nothing.
        overrides: dotted preset keys and their values, on top of the preset.
        attach: a run to open in the monitor at once.
        study: a study to open in the monitor at once.
        watch_only: the attached run or study is only looked at.
        start: train the preset at once.
        demo: a short tour that explains itself.
        lesson: a lesson to open at once.
        drawing: opens the field to draw on at once, for the network of this run's path; empty for the newest run.
        low_bandwidth: paint once a second and as little as possible.
        ascii_only: no character outside ASCII; also where the locale is not UTF-8.
        mouse: whether the app has the mouse; without it the terminal marks text, as in a shell.
        theme: a theme's name, short or full.
    """

    runs_dir: Path
    data_dir: Path | None = None
    preset: str | None = None
    model: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    attach: str | None = None
    study: str | None = None
    watch_only: bool = False
    start: bool = False
    demo: bool = False
    lesson: Lesson | None = None
    drawing: str | None = None
    low_bandwidth: bool = False
    ascii_only: bool = False
    mouse: bool = True
    theme: str | None = None

    @property
    def mode(self) -> str:
        """The mode that is shown first."""
        asked = {"lesson": self.lesson, "draw": self.drawing, "group": self.study, "monitor": self.attach}
        return next((mode for mode, what in asked.items() if what is not None), "lab")

    def settings(self) -> tuple[Settings, str | None]:
        """The settings of the session, and what is wrong with the config files."""
        from tuitrain.workbench.settings import Settings

        return Settings.read(
            runs_dir=self.runs_dir,
            data_dir=self.data_dir,
            low_bandwidth=self.low_bandwidth,
            ascii_only=self.ascii_only,
            mouse=self.mouse,
            theme=self.theme,
        )

    def job(self, settings: Settings) -> Job:
        """What `start` trains.

        Raises:
            TuitrainError: there is no such preset, or a value of it is refused.
        """
        from tuitrain.spec.preset import differences, override
        from tuitrain.spec.preset_files import load_preset
        from tuitrain.training.job import Job

        place, base = settings.place, load_preset(self.preset or "step13")
        preset = override(base, place.changes | self.overrides)
        changed = differences(base, preset)
        return Job(preset, place.runtime, place.budget, changed, model=self.model)

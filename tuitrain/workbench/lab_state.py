"""What is in the lab and what follows from it: figures, words, and the run that would be started. No textual."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tuitrain.errors import PresetError, TuitrainError, UsageError, visible
from tuitrain.figures import estimate_text
from tuitrain.spec.challenge import Point, check_challenge
from tuitrain.spec.describe import Change, layers_of, preset_changes, short_changes
from tuitrain.spec.layers import layer_names
from tuitrain.spec.preset import Preset, differences, override
from tuitrain.spec.preset_files import list_presets, load_preset, save_preset
from tuitrain.spec.table import NetworkTable
from tuitrain.study.plan import Setting, with_seed
from tuitrain.training.job import Job
from tuitrain.watch.devices import Device
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.library import PresetItem
from tuitrain.workbench.network_check import LayerRow, layer_rows, table_rows
from tuitrain.workbench.settings import Settings

if TYPE_CHECKING:
    from tuitrain.runs.estimate import TimeEstimate
    from tuitrain.workbench.sweep_order import SweepOrder

#: The preset that the lab begins with.
FIRST = "step13"
#: The family under which a network in Python is listed.
USERS = "yours"


class Title(NamedTuple):
    """The title line: what is in the lab, accuracies in percent, the budget in parameters."""

    family: str = ""
    name: str = ""
    changed: bool = False
    claim_word: str = ""
    claim: float | None = None
    best: float | None = None
    budget: int | None = None


@dataclass(frozen=True)
class TriedNetwork:
    """What trying out a network in Python gave: its figures, or why there are none; at first neither."""

    table: NetworkTable | None = None
    problem: str = ""


class LabState:
    """The presets with their edits, what is known of the machine, and what both come to."""

    settings: Settings  # of the app

    def __init__(self, show: Callable[[], None]) -> None:
        """An empty lab; `show` is called after each edit."""
        self.edited = show
        self.editors: dict[str, NetworkEditor] = {}
        self.source = ""  # name or path of the preset in the lab, or the name of a network in Python
        self.devices: list[Device] = []
        self.data_found: tuple[str, bool] | None = None  # a data set, and whether its files are there
        self.torch_ready = False
        self.estimate: TimeEstimate | None = None  # of the time that a training would take
        self.user_network = TriedNetwork()
        self._first = FIRST
        self._items: list[PresetItem] = []
        self._last: tuple[str, dict[str, Any], dict[str, Any]] | None = None

    # -- choosing ------------------------------------------------------------------------------

    def open(
        self, settings: Settings, preset: str = "", overrides: dict[str, Any] | None = None, model: str = ""
    ) -> list[tuple[str, str]]:
        """Begins with a preset, changed by flags; a network in Python takes the place of the preset's.

        Returns:
            What can't be used: a title and the sentence.
        """
        problems = []
        self.settings = settings
        self._first = self.source = preset or FIRST
        try:
            base = load_preset(self.source)
        except PresetError as error:
            problems.append(("preset", visible(error)))
            self._first = self.source = FIRST
            base = load_preset(FIRST)
        editor = NetworkEditor(base, self.settings.place, model)
        try:
            editor.apply(override(editor.preset, overrides or {}).to_dict(), "flags")
        except PresetError as error:
            problems.append(("flags", visible(error)))
        self.source = model or self.source
        self.editors[self.source] = editor
        return problems

    def choose(self, name: str) -> None:
        """Takes a preset into the lab; edits made to it before are still there.

        Raises:
            PresetError: it can't be read.
        """
        if name not in self.editors:
            self.editors[name] = NetworkEditor(load_preset(name), self.settings.place)
        self.source = name

    @property
    def editor(self) -> NetworkEditor:
        """The preset under change."""
        return self.editors[self.source]

    @property
    def preset(self) -> Preset:
        """The preset as it stands; its network may be impossible."""
        return self.editor.preset

    @property
    def base(self) -> Preset:
        """The preset as it was chosen."""
        return self.editor.base

    @property
    def name(self) -> str:
        """What is in the lab: a preset's name, or that of a network in Python."""
        return self.editor.model or self.base.name

    @property
    def changed_names(self) -> set[str]:
        """The presets that have edits."""
        return {name for name, editor in self.editors.items() if editor.is_changed}

    @property
    def items(self) -> list[PresetItem]:
        """All that can be chosen; a network in Python comes first."""
        editor = next((editor for editor in self.editors.values() if editor.model), None)
        if editor is None or not self._items:
            return self._items
        base, tried = editor.base, self.user_network
        # Without what is told of the preset's own network.
        told = {"story": type(base.story)(), "claims": type(base.claims)(), "source": ""}
        told["title"] = f"A network in Python, trained as {base.name} says"
        return [
            PresetItem(
                editor.model,
                USERS,
                "--model",
                tried.table.parameters if tried.table else None,
                problem=tried.problem,
                preset=base.model_copy(update=told),
            ),
            *self._items,
        ]

    @items.setter
    def items(self, items: list[PresetItem]) -> None:
        self._items = items

    def title(self) -> Title:
        """What the title line says."""
        editor, claims = self.editor, self.base.claims
        if editor.model:
            return Title(USERS, visible(editor.model), editor.is_changed, budget=editor.budget)
        best = next((item.best for item in self._items if item.name == self.base.name), None)
        same = claims.on(self.preset.train.dataset) or not claims.test_accuracy
        word = "claim" if same else f"claim on {visible(claims.dataset)}"
        family, name = visible(self.base.family), visible(self.base.name)
        return Title(family, name, editor.is_changed, word, claims.test_accuracy, best, editor.budget)

    # -- what it comes to ----------------------------------------------------------------------

    @property
    def table(self) -> NetworkTable | None:
        """The network's figures, None where it can't be built or was not yet tried out."""
        return self.user_network.table if self.editor.model else self.editor.check.table

    @property
    def parameters(self) -> int | None:
        """Of the network, as far as it can be worked out."""
        if self.editor.model:
            return self.table.parameters if self.table else None
        return self.editor.check.parameters

    def rows(self) -> list[LayerRow]:
        """The network, a row a layer."""
        editor = self.editor
        if editor.model:
            return table_rows(self.table) if self.table else []
        return layer_rows(editor.layers, editor.check, bool(editor.over_budget))

    def warning(self, rows: Sequence[LayerRow]) -> str:
        """Why the network can't be built, or by how much it overruns its budget and in which of its rows most."""
        editor = self.editor
        if editor.model:
            return visible(self.user_network.problem)
        if editor.check.problem is not None:
            return editor.check.problem.sentence
        if not editor.over_budget:
            return ""
        names = layer_names(editor.layers)
        costly = sorted((row for row in rows if row.heavy), key=lambda row: -row.parameters)
        # A name and its figure are not broken apart.
        most = ", ".join(f"{names[row.index]}\u00a0{row.parameters:,}" for row in costly)
        return f"{editor.over_budget:,} over budget; most in {most}"

    @property
    def trying_out(self) -> bool:
        """Whether the figures of a network in Python are still to come."""
        return bool(self.editor.model) and self.user_network == TriedNetwork()

    def points(self) -> tuple[Point, ...] | None:
        """The points of the challenge, None where the network can't be judged."""
        if self.table is None:
            return None
        return tuple(check_challenge(self.preset, self.table.parameters if self.editor.model else self.table))

    def changes(self) -> list[Change]:
        """What differs from the preset, in words."""
        return preset_changes(self.base, self.preset)

    def refused(self, what: str) -> str:
        """Why a network in Python can't be changed here; empty for any other."""
        return f"{visible(self.editor.model)} is a network in Python; {what}" if self.editor.model else ""

    def data_status(self, name: str) -> tuple[bool, str]:
        """Whether the files of a data set are there, and what there is in words; reads the disk."""
        from tuitrain.data.verify import dataset_status

        try:
            found = dataset_status(name, self.settings.data_dir)
        except (TuitrainError, OSError) as error:
            return False, str(error)
        return found.ok, str(found)

    def estimate_text(self, *, short: bool) -> str:
        """How long a training would take, without where that is known from in short."""
        if self.estimate is None:
            return ""
        each = " each" if self.seeds else ""
        return f"{estimate_text(self.estimate.seconds)}{each}" if short else f"{self.estimate.text}{each}"

    # -- the run -------------------------------------------------------------------------------

    @property
    def seeds(self) -> str:
        """Which seeds are to be trained, as `--seeds` takes them; empty for the one of the form."""
        wanted = str(self.editor.settings["lab.seeds"])
        return "" if wanted == "1" else wanted

    def order(self) -> Job:
        """The run that the form says; kept for `repeat_last`.

        Raises:
            PresetError: it can't be trained.
        """
        job = self._job(self.editor.checked())
        self._last = (self.source, copy.deepcopy(self.editor.data), dict(self.editor.settings))
        return job

    def duel_settings(self) -> tuple[Setting, Setting]:
        """A, the preset as it was chosen, on the data of the form, and B, what the form says.

        Raises:
            PresetError: it can't be trained.
            UsageError: the two are the same.
        """
        preset = self.editor.checked()
        same = ("dataset", "val_split", "val_split_seed")
        shared = {f"train.{key}": getattr(preset.train, key) for key in same}
        if (
            preset.train.val_split and preset.train.val_split_seed is None
        ):  # both are judged by the same images
            shared["train.val_split_seed"] = preset.train.seed
        sides = [
            override(one, {k: v for k, v in shared.items() if v is not None}) for one in (self.base, preset)
        ]
        own = differences(*sides)
        own.pop("train.seed", None)
        if not own:
            raise UsageError("nothing differs from the preset; change something first.")
        words = short_changes(own, layers_of(sides[1].to_dict()))
        labels = (self.base.name, f"{self.base.name} · {words}")
        a, b = (
            Setting(label, side, differences(self.base, side), self._job(side).command, slug)
            for label, side, slug in zip(labels, sides, "ab", strict=True)
        )
        return a, b

    def sweep_order(self) -> SweepOrder:
        """What a sweep from here begins with.

        Raises:
            PresetError: it can't be trained.
        """
        from tuitrain.workbench.sweep_order import SweepOrder

        job, editor, place = self.trial(), self.editor, self.settings
        seeds = str(editor.settings["lab.seeds"])
        return SweepOrder(
            self.base,
            self.source,
            job.preset,
            seeds,
            job.runtime,
            editor.budget,
            place.runs_dir,
            place.data_dir,
        )

    def trial(self) -> Job:
        """The same, only to try something out.

        Raises:
            PresetError: it can't be trained.
        """
        return self._job(self.editor.checked())

    def repeat_last(self) -> bool:
        """Back to what was ordered last; False where nothing was."""
        if self._last is None:
            return False
        source, data, settings = self._last
        self.choose(source)
        self.editor.apply(copy.deepcopy(data), "same again", settings=dict(settings))
        return True

    def command(self) -> str:
        """The headless command of the form."""
        command = self._job(self.preset).command
        return with_seed(command, f"--seeds {self.seeds}") if self.seeds else command

    def _job(self, preset: Preset) -> Job:
        editor, place = self.editor, self.settings.place
        names = ("device", "precision", "compile", "deterministic")
        chosen = {name: editor.settings[f"lab.{name}"] for name in names}
        runtime = dataclasses.replace(place.runtime, **chosen)
        # A confirmed overrun is not refused a second time.
        budget = None if editor.over_budget and not editor.model else editor.budget
        job = Job(preset, runtime, budget, differences(self.base, preset), model=editor.model)
        usual_budget = self.base.challenge.max_parameters if place.budget is None else None
        extra = {
            "--data-dir": self.settings.data_dir,
            "--budget": None if budget == usual_budget else budget,
        }
        name = self._first if editor.model else self.source
        return dataclasses.replace(job, command=job.command_line(self.base, name, place.runtime, extra))

    # -- saving --------------------------------------------------------------------------------

    def save_name(self) -> str:
        """A name to save under: that of the user's own preset, else one that is free."""
        entries = {entry.name: entry.origin for entry in list_presets()}
        base = self.base.name
        if entries.get(base) == "user":
            return base
        return next(n for n in (f"{base}-mine{i or ''}" for i in range(1000)) if n not in entries)

    def save(self, name: str, *, overwrite: bool) -> Path:
        """Saves the preset as it stands and takes the saved one into the lab; gives its file.

        Claims and story of a changed preset are not those of its source.

        Raises:
            TuitrainError: it can't be trained, or not written.
        """
        preset = self.editor.checked(name)
        if self.editor.is_changed:
            change = "; ".join(map(str, self.changes()))[:2000]
            told: dict[str, Any] = {"story": type(preset.story)(previous=self.base.name, change=change)}
            told |= {"claims": type(preset.claims)(), "family": "", "source": ""}
            preset = preset.model_copy(update=told)
        path = save_preset(preset, overwrite=overwrite)
        settings = dict(self.editor.settings)
        self.editors.pop(name, None)
        self.choose(name)
        self.editor.apply(self.editor.data, "saved", settings=settings)
        return path


def name_refused(name: str) -> str:
    """Why a preset can't be saved under a name that another one has; empty where it can."""
    origin = next((entry.origin for entry in list_presets() if entry.name == name), "user")
    return "" if origin == "user" else f"'{name}' is the name of a {origin} preset; choose another"

"""What the lab looks up in threads: presets, devices, data, a network in Python, how long a run would take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tuitrain.errors import TuitrainError
from tuitrain.spec.preset import Preset
from tuitrain.tui.shell.behind import Behind
from tuitrain.tui.shell.protocol import shell
from tuitrain.watch.devices import Device
from tuitrain.workbench.lab_state import LabState, TriedNetwork
from tuitrain.workbench.library import PresetItem, best_here, read_all, with_best

if TYPE_CHECKING:
    from tuitrain.runs.estimate import TimeEstimate

DEVICES_EVERY_S = 10.0


class Lookups:
    """Fills in what a lab is told from outside, and has it shown."""

    def __init__(self, screen: Screen[Any], state: LabState, presets_read: Callable[[], None]) -> None:
        """`presets_read` shows the list of presets."""
        self._screen, self._state, self._show_presets = screen, state, presets_read
        self._looked_for = ""  # a data set
        self._estimate = Behind(screen, "lab-estimate", _estimate, self._estimated)

    def begin(self) -> None:
        """Looks up everything, and the devices again and again."""
        self.read_presets()
        self._look_at_devices()
        self._screen.set_interval(DEVICES_EVERY_S, self._look_at_devices)
        self._torch_timer = self._screen.set_interval(0.25, self.is_torch_ready)

    def again(self) -> None:
        """What may have changed while another screen was shown."""
        self.read_presets()
        self.look_at_data()
        self._estimate.forget()  # what has just been trained tells more
        self.follow()

    def follow(self) -> None:
        """After an edit: another data set is looked for, and the time asked for anew."""
        if self._looked_for != self._state.preset.train.dataset:
            self.look_at_data()
        self._ask_estimate()

    def _thread(self, group: str, work: Callable[[], None]) -> None:
        self._screen.run_worker(work, thread=True, group=group, exclusive=True)

    def read_presets(self) -> None:
        """All presets, and what was reached with them here."""

        def read() -> None:
            items = read_all()
            self._screen.call_later(self._presets_read, items)
            found = with_best(items, best_here(self._state.settings.runs_dir))
            self._screen.call_later(self._presets_read, found)

        self._thread("lab-presets", read)

    def _presets_read(self, items: list[PresetItem]) -> None:
        self._state.items = items
        self._show_presets()

    def _look_at_devices(self) -> None:
        def look() -> None:
            from tuitrain.watch.devices import devices

            self._screen.call_later(self.devices_found, devices())

        if self._screen.app.screen is self._screen:
            self._thread("lab-devices", look)

    def devices_found(self, devices: list[Device]) -> None:
        if devices != self._state.devices:
            self._state.devices = devices
            self._state.edited()

    def look_at_data(self) -> None:
        """Whether the files of the chosen data set are there."""
        name = self._looked_for = self._state.preset.train.dataset

        def look() -> None:
            self._screen.call_later(self._data_found, name, self._state.data_status(name)[0])

        self._thread("lab-data", look)

    def _data_found(self, name: str, ok: bool) -> None:
        self._state.data_found = (name, ok)
        self._state.edited()

    def is_torch_ready(self) -> None:
        """Once torch has loaded, torchinfo's figures are asked for, and a network in Python is tried out."""
        app = shell(self._screen)
        if app.torch_ready:
            self._torch_timer.stop()
            self._state.torch_ready = True
            self._state.edited()
            if app.opening.model:
                self._thread("lab-user-network", lambda: self._try_user_network(app.opening.model))

    def _try_user_network(self, model: str) -> None:
        from tuitrain.training.user_network import load_user_network

        try:
            found = TriedNetwork(load_user_network(model).table)
        except TuitrainError as error:
            found = TriedNetwork(problem=str(error))
        self._screen.call_later(self._tried, found)

    def _tried(self, found: TriedNetwork) -> None:
        self._state.user_network = found
        self._state.edited()
        self.read_presets()

    def _ask_estimate(self) -> None:
        """How long a training of the network as it stands would take; not of a network in Python."""
        state, editor = self._state, self._state.editor
        if editor.model or editor.check.table is None:
            self._estimate.forget()
            state.estimate = None
        else:
            device = editor.settings["lab.device"]
            question = (editor.data["model"], editor.data["train"], device, len(state.devices))
            self._estimate.ask(question, state.preset, device, state.settings.runs_dir)

    def _estimated(self, found: TimeEstimate | None) -> None:
        self._state.estimate = found
        self._state.edited()


def _estimate(preset: Preset, device: str, runs_dir: Path) -> TimeEstimate | None:
    from tuitrain.runs.estimate import estimate

    return estimate(preset, device, runs_dir)

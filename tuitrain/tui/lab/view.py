"""What the lab shows, and how it follows the preset under change; its keys are in `lab.py`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from tuitrain.errors import PresetError, TuitrainError, visible
from tuitrain.figures import estimate_text
from tuitrain.spec.challenge import check_challenge
from tuitrain.spec.describe import preset_changes
from tuitrain.spec.layers import layer_names
from tuitrain.spec.preset import Preset, differences, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.tui.lab.editor import EditError, NetworkEditor
from tuitrain.tui.lab.form import FormView
from tuitrain.tui.lab.formdata import form_data, header_context, lr_curve, lr_note
from tuitrain.tui.lab.library import PresetItem, best_here, read_all, with_best
from tuitrain.tui.lab.network import NetworkFoot, NetworkView, gauge, layer_rows
from tuitrain.tui.lab.parts import ChallengeView, Divider, LabTitle, LrChart
from tuitrain.tui.lab.presets import PresetBrowser, PresetTree
from tuitrain.tui.lab.shapes import ShapesView, sees
from tuitrain.tui.paint.lines import LinesView, SectionLine
from tuitrain.tui.settings import RunDefaults
from tuitrain.tui.shell.behind import Behind
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.header import HeaderLine
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.shell.strip import TextStrip
from tuitrain.watch.devices import Device

if TYPE_CHECKING:
    from textual.geometry import Region

    from tuitrain.runs.estimate import Estimate

#: The preset that the lab begins with.
FIRST = "step13"
COLUMNS = 118  # cells from which on the presets have a column of their own
DEVICES_EVERY_S = 10.0
SHAPES_LINES = 11  # of the picture of the shapes, at the least


class LabView(Screen[None]):
    """The panes of the lab and what fills them."""

    HELP_TITLE = "Lab"
    DEFAULT_CSS = """
    LabView #lab-body { height: 1fr; }
    LabView #lab-left { width: 28; height: 100%; }
    LabView #lab-right { width: 1fr; height: 100%; }
    LabView #lr-head, LabView #lr-chart, LabView #shapes-head, LabView #shapes { display: none; }
    LabView.-shapes #shapes-head, LabView.-shapes #shapes { display: block; }
    LabView.-tall #lr-head, LabView.-tall #lr-chart { display: block; }
    LabView #lab-presets, LabView #lab-divider-presets { display: none; }
    LabView.-columns #lab-presets { display: block; width: 28; height: 100%; }
    LabView.-columns #lab-divider-presets { display: block; }
    LabView.-roomy #lab-presets { display: block; width: 38; height: 100%; }
    LabView.-roomy #lab-divider-presets { display: block; }
    LabView.-roomy #lab-left { width: 36; }
    """
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (textual declares it so)
        (0, "-too-narrow"),
        (60, "-narrow"),
        (COLUMNS, "-columns"),
        (150, "-roomy"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-too-short"), (18, "-short"), (34, "-tall")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.editors: dict[str, NetworkEditor] = {}
        self.source = FIRST  # name or path of the preset in the lab
        self.items: list[PresetItem] = []
        self.devices: list[Device] = []
        self.data_state: tuple[str, bool] | None = None  # data set and whether its files are there
        # torchinfo's, of the network as it stands, and the time that a training of it will take
        self._figures = Behind(self, "lab-torchinfo", _torchinfo, self._figures_found)
        self._estimate = Behind(self, "lab-estimate", _estimate, self._estimate_found)
        self._form_covered = False
        self.last_started: tuple[str, dict[str, Any], dict[str, Any]] | None = None

    # -- what is in the lab --------------------------------------------------------------------

    @property
    def place(self) -> RunDefaults:
        """What the settings say of the runs that are started here."""
        return shell(self).settings.place

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

    def compose(self) -> ComposeResult:
        """Header, title, panes, the line of changes, footer."""
        yield HeaderLine()
        yield LabTitle(id="lab-title")
        with Horizontal(id="lab-body"):
            with Vertical(id="lab-presets"):
                yield PresetBrowser(id="lab-browser", classes="-column")
            yield Divider(id="lab-divider-presets")
            with Vertical(id="lab-left"):
                yield SectionLine("Tweak", id="form-head")
                yield FormView(id="form")
                yield SectionLine("Challenge", id="challenge-head")
                yield ChallengeView(id="challenge")
            yield Divider(id="lab-divider")
            with Vertical(id="lab-right"):
                yield SectionLine("Network", id="network-head")
                yield NetworkView(id="network")
                yield SectionLine("Shapes", id="shapes-head")
                yield ShapesView(id="shapes")
                yield NetworkFoot(id="network-foot")
                yield SectionLine("Learning rate", id="lr-head")
                yield LrChart(id="lr-chart")
        yield SectionLine("What changed", rest="w all", id="changed")
        yield KeyFooter()
        yield TextStrip()

    def on_mount(self) -> None:
        """The first preset at once; files, devices and torch behind the first paint."""
        self._first_preset()
        self.set_focus(self.query_one(NetworkView))
        self.refresh_all()
        self.call_after_refresh(self._load_the_rest)

    def _first_preset(self) -> None:
        wanted = shell(self).start_preset or FIRST
        try:
            preset = load_preset(wanted)
        except PresetError as error:
            self.notify(visible(error), title="preset", severity="error", markup=False, timeout=12)
            wanted, preset = FIRST, load_preset(FIRST)
        self.source = wanted
        editor = self.editors[wanted] = NetworkEditor(preset, self.place)
        overrides = shell(self).start_overrides
        if overrides:
            try:
                editor.apply(override(editor.preset, overrides).to_dict(), "flags")
            except PresetError as error:
                self.notify(visible(error), title="flags", severity="error", markup=False, timeout=12)

    def _load_the_rest(self) -> None:
        self.run_worker(self._read_presets, thread=True, group="lab-presets")
        self.run_worker(self._look_at_devices, thread=True, group="lab-devices", exclusive=True)
        self.look_at_data()
        self.set_interval(DEVICES_EVERY_S, self._devices_again)
        self._torch_timer = self.set_interval(0.25, self._is_torch_ready)

    def _read_presets(self) -> None:
        items = read_all()
        self.call_later(self._presets_read, items)
        self.call_later(self._presets_read, with_best(items, best_here(shell(self).settings.runs_dir)))

    def _presets_read(self, items: list[PresetItem]) -> None:
        self.items = items
        self.refresh_presets()
        self.refresh_title()

    def read_presets_again(self) -> None:
        """After a preset was saved or a run has ended."""
        self.run_worker(self._read_presets, thread=True, group="lab-presets", exclusive=True)

    def _look_at_devices(self) -> None:
        from tuitrain.watch.devices import devices

        found = devices()
        self.call_later(self._devices_found, found)

    def _devices_found(self, found: list[Device]) -> None:
        if found != self.devices:
            self.devices = found
            self.refresh_form()
            self.refresh_header()

    def _devices_again(self) -> None:
        if self.app.screen is self:
            self.run_worker(self._look_at_devices, thread=True, group="lab-devices", exclusive=True)

    def look_at_data(self) -> None:
        """Finds out whether the files of the chosen data set are there."""
        name = self.preset.train.dataset
        self.run_worker(lambda: self._look_at(name), thread=True, group="lab-data", exclusive=True)

    def data_status(self, name: str) -> tuple[bool, str]:
        """Whether the files of a data set are there, and what there is in words; reads the disk."""
        from tuitrain.data.verify import dataset_status

        try:
            found = dataset_status(name, shell(self).settings.data_dir)
        except (TuitrainError, OSError) as error:
            return False, str(error)
        return found.ok, str(found)

    def _look_at(self, name: str) -> None:
        self.call_later(self._data_found, name, self.data_status(name)[0])

    def _data_found(self, name: str, ok: bool) -> None:
        self.data_state = (name, ok)
        self.refresh_header()

    def on_screen_resume(self) -> None:
        """Back from another screen: runs may have ended, files may have come."""
        if self.items:
            self.read_presets_again()
            self.look_at_data()
            self._estimate.forget()  # what has just been trained tells more
            self._ask_estimate()

    # -- choosing ------------------------------------------------------------------------------

    def choose_preset(self, name: str) -> None:
        """Takes a preset into the lab; edits made to it before are still there."""
        if name not in self.editors:
            try:
                self.editors[name] = NetworkEditor(load_preset(name), self.place)
            except PresetError as error:
                self.notify(visible(error), severity="error", markup=False, timeout=10)
                return
        elif self.editors[name].can_undo and name != self.source:
            self.notify(f"{name} with your changes; ctrl+backspace takes them back", markup=False, timeout=4)
        self.source = name
        self.query_one(FormView).forget()
        self.query_one(NetworkView).cursor = 0
        self.refresh_all()
        self.look_at_data()

    @on(PresetTree.Chosen)
    def _preset_chosen(self, event: PresetTree.Chosen) -> None:
        event.stop()
        self.choose_preset(event.name)
        self.set_focus(self.query_one(NetworkView))

    # -- painting ------------------------------------------------------------------------------

    def refresh_all(self) -> None:
        """Everything that follows from the preset as it stands."""
        self.refresh_title()
        self.refresh_form()
        self.refresh_network()
        self.refresh_challenge()
        self.refresh_changes()
        self.refresh_header()
        self.refresh_presets()

    def refresh_title(self) -> None:
        """The title line."""
        item = next((item for item in self.items if item.name == self.base.name), None)
        editor, claims = self.editor, self.base.claims
        self.query_one(LabTitle).show(
            visible(self.base.family),
            visible(self.base.name),
            editor.is_changed,
            "claim"
            if claims.on(self.preset.train.dataset) or not claims.test_accuracy
            else f"claim on {visible(claims.dataset)}",
            claims.test_accuracy,
            item.best if item else None,
            editor.budget,
        )

    def refresh_form(self) -> None:
        """The form and its head."""
        form = self.query_one(FormView)
        form.show(form_data(self.editor, self.devices))
        self._ask_estimate()
        preset = self.preset
        self.query_one(LrChart).show(lr_curve(preset, max(22, self.size.width)), preset.train.epochs)
        self.query_one("#lr-head", SectionLine).set(right=((lr_note(preset), "dim"),))
        self._refresh_form_head()

    def _refresh_form_head(self) -> None:
        form = self.query_one(FormView)
        field = form.field
        hint = field.range_text() if field is not None and form.has_focus else ""
        self.query_one("#form-head", SectionLine).set(
            right=((hint, "dim"),) if hint else (), here=form.has_focus
        )

    def refresh_network(self) -> None:
        """The table, the gauge and the totals."""
        editor, evaluation = self.editor, self.editor.evaluation
        over = editor.over_budget
        rows = layer_rows(editor.layers, evaluation, bool(over))
        view = self.query_one(NetworkView)
        view.show(rows, editor.budget)
        warning = ""
        if evaluation.problem is not None:
            warning = evaluation.problem.sentence
        elif over:
            names = layer_names(editor.layers)
            costly = sorted((row for row in rows if row.heavy), key=lambda row: -row.parameters)
            most = ", ".join(f"{names[row.index]} {row.parameters:,}" for row in costly)
            warning = f"{over:,} over budget; most in {most}"
        self._ask_torchinfo()
        self.query_one(NetworkFoot).show(evaluation.table, warning, self._figures.answer)
        pieces = gauge(evaluation.parameters, editor.budget, view.size.width)
        if evaluation.problem is not None:
            pieces = [("✗ can't be built", "bad")]
        self.query_one("#network-head", SectionLine).set(right=pieces, here=view.has_focus)
        self._arrange_shapes()
        self.refresh_shapes()

    def _arrange_shapes(self) -> None:
        """The picture takes what the table leaves of a wide pane, where that is enough for one."""
        view = self.query_one(NetworkView)
        lines = view.virtual_size.height
        free = self.query_one("#lab-right").size.height - lines - 3 - (9 if self.has_class("-tall") else 0)
        shown = self.size.width >= COLUMNS and free >= SHAPES_LINES
        view.styles.height = lines if shown else "1fr"
        self.set_class(shown, "-shapes")

    def refresh_shapes(self) -> None:
        """The picture and what it says of the layer with the cursor."""
        view = self.query_one(NetworkView)
        if self.has_class("-shapes") and view.rows:
            row = view.rows[view.cursor]
            self.query_one(ShapesView).show(view.rows, view.cursor)
            said = sees(row)
            self.query_one("#shapes-head", SectionLine).set(right=((said, "dim"),) if said else ())

    @on(NetworkView.Moved)
    def _layer_moved(self, event: NetworkView.Moved) -> None:
        event.stop()
        self.refresh_shapes()

    def refresh_challenge(self) -> None:
        """The checklist."""
        table = self.editor.evaluation.table
        view = self.query_one(ChallengeView)
        if table is not None:
            view.show(check_challenge(self.preset, table), 5 if self.size.height < 30 else 99)

    def refresh_changes(self) -> None:
        """The line of changes."""
        found = preset_changes(self.base, self.preset)
        pieces: list[tuple[str, str]] = []
        for change in found:
            if pieces:
                pieces.append(("  ·  ", "dim"))
            pieces.append((visible(change), "warn"))
        self.query_one("#changed", SectionLine).set(after=pieces or [("nothing yet", "dim")])

    def refresh_header(self) -> None:
        """The data set and the device, at the right of the header."""
        self.query_one(HeaderLine).context = header_context(self.editor, self.devices, self.data_state)

    def show_progress(self, text: str) -> None:
        """What is being fetched, in the header, until the data has been looked at again."""
        self.query_one(HeaderLine).context = visible(text)

    def refresh_presets(self) -> None:
        """The column of presets."""
        changed = {name for name, editor in self.editors.items() if editor.is_changed}
        screens = (self,) if self.app.screen is self else (self, self.app.screen)
        for tree in [tree for screen in screens for tree in screen.query(PresetTree)]:
            tree.show(self.items, self.editor.model or self.base.name, changed)

    def _join(self) -> None:
        """The dividers' joints with the section lines beside them."""
        top = self.query_one("#lab-body").region.y

        def at(*heads: str) -> set[int]:
            regions = [self.query_one(f"#{head}").region for head in heads]
            return {region.y - top for region in regions if region.height}

        challenge = set() if self._form_covered else at("challenge-head")
        beside = {"lab-divider-presets": (at("story-head"), challenge)}
        beside["lab-divider"] = (challenge, at("shapes-head", "lr-head"))
        for divider, (left, right) in beside.items():
            joints = dict.fromkeys(left, "┤") | dict.fromkeys(right, "├") | dict.fromkeys(left & right, "┼")
            self.query_one(f"#{divider}", Divider).join({0: "┬", **joints})

    @on(LinesView.Resized)
    def _pane_resized(self, event: LinesView.Resized) -> None:
        """A pane has another size, so the gauge, the picture and the heads below have another place."""
        if self.editors:
            self.refresh_network()
        self._join()

    def cover_form(self, covered: bool) -> None:
        """A layer's settings stand in the place of form and challenge, or do no longer."""
        self._form_covered = covered
        self._join()

    @property
    def form_region(self) -> Region:
        """Where form and challenge are."""
        return self.query_one("#lab-left").region

    def on_resize(self, event: events.Resize) -> None:
        """The gauge and the checklist have another width and height."""
        if self.editors:
            self.call_after_refresh(self.refresh_network)
            self.refresh_challenge()

    @on(LinesView.Focused)
    def _pane_focused(self, event: LinesView.Focused) -> None:
        self._refresh_form_head()
        self.query_one("#network-head", SectionLine).set(here=self.query_one(NetworkView).has_focus)

    # -- torchinfo -----------------------------------------------------------------------------

    def _is_torch_ready(self) -> None:
        if shell(self).torch_ready:
            self._torch_timer.stop()
            self.refresh_network()

    def _ask_torchinfo(self) -> None:
        """The closed forms stand until torchinfo, asked off the UI thread, has said the same or better."""
        if not shell(self).torch_ready or self.editor.evaluation.table is None:
            self._figures.forget()
        else:
            self._figures.ask(json.dumps(self.editor.layers), self.preset)

    def _figures_found(self, figures: dict[str, Any]) -> None:
        foot = self.query_one(NetworkFoot)
        foot.show(self.editor.evaluation.table, foot.warning, figures)

    # -- how long it would take ----------------------------------------------------------------

    def _ask_estimate(self) -> None:
        if self.editor.evaluation.table is None:
            self._estimate.forget()
            self._estimate_found(None)
        else:
            device = self.editor.settings["lab.device"]
            question = (self.editor.data["model"], self.editor.data["train"], device, len(self.devices))
            self._estimate.ask(question, self.preset, device, shell(self).settings.runs_dir)

    def _estimate_found(self, found: Estimate | None) -> None:
        text = ""
        if found is not None:
            text = found.text if self.size.width >= COLUMNS else estimate_text(found.seconds)
        self.query_one(KeyFooter).note("start", text)

    # -- the form ------------------------------------------------------------------------------

    @on(FormView.Changed, "#form")
    def _field_changed(self, event: FormView.Changed) -> None:
        event.stop()
        editor = self.editor
        try:
            if event.key in ("train.optimizer.name", "train.schedule.name"):
                editor.choose(event.key.removesuffix(".name"), event.value)
            else:
                editor.set_value(event.key, event.value, merge=event.typing)
        except EditError as error:
            event.form.refuse(event.key, short_reason(str(error)))
            return
        self.after_edit()
        if event.key == "train.dataset":
            self.look_at_data()

    @on(FormView.Reset, "#form")
    def _field_reset(self, event: FormView.Reset) -> None:
        event.stop()
        if event.key:
            self.editor.reset(event.key)
        else:
            self.editor.reset_train()
        self.after_edit()

    @on(FormView.Moved, "#form")
    def _field_moved(self, event: FormView.Moved) -> None:
        event.stop()
        if not event.form.editing:
            self.editor.settle()
        self._refresh_form_head()

    def after_edit(self) -> None:
        """Paints what follows from an edit."""
        self.refresh_title()
        self.refresh_form()
        self.refresh_network()
        self.refresh_challenge()
        self.refresh_changes()
        self.refresh_header()

    def changed_from_base(self) -> dict[str, list[Any]]:
        """What differs from the preset, by dotted key."""
        return differences(self.base, self.preset)

    def strip_lines(self) -> list[str]:
        """For a terminal too small for the lab."""
        if self.source not in self.editors:  # before its preset is read
            return []
        editor = self.editor
        return [
            f"tuitrain lab: {visible(self.base.name)}",
            f"{editor.evaluation.parameters:,} parameters"
            + (f" of {editor.budget:,}" if editor.budget else ""),
        ]


def _torchinfo(preset: Preset) -> dict[str, Any]:
    from tuitrain.training.model import torchinfo_table

    # In a thread that ends: OpenMP keeps a team for each thread that has used it, and where there are more
    # threads than cores it puts all of them to sleep at every barrier, those of a training too.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torchinfo_table, preset).result()


def _estimate(preset: Preset, device: str, runs_dir: Path) -> Estimate | None:
    from tuitrain.runs.estimate import estimate

    return estimate(preset, device, runs_dir)


def short_reason(sentence: str) -> str:
    """An error's sentence without the key, which the form shows already."""
    _, colon, rest = sentence.partition(": ")
    return rest if colon and "." in sentence.split(":")[0] else sentence

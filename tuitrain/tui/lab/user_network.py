"""A network in Python in the lab, named by `tuitrain lab --model`: listed, tried out, shown, and trained as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuitrain.errors import TuitrainError, visible
from tuitrain.spec.challenge import check_challenge
from tuitrain.tui.lab.editor import NetworkEditor
from tuitrain.tui.lab.library import PresetItem
from tuitrain.tui.lab.network import LayerRow, NetworkFoot, NetworkView, gauge
from tuitrain.tui.lab.parts import ChallengeView, LabTitle
from tuitrain.tui.lab.view import FIRST, LabView
from tuitrain.tui.paint.lines import SectionLine
from tuitrain.tui.shell.protocol import shell

if TYPE_CHECKING:
    from tuitrain.spec.preset import Preset
    from tuitrain.spec.table import NetworkTable

FAMILY = "yours"


def user_network_rows(table: NetworkTable) -> list[LayerRow]:
    """A row for each layer that was called when the network was tried out."""
    return [
        LayerRow(
            index, "", visible(row.label), "", "", row.output_shape, row.parameters, 0, row.mult_adds, (0, 0), False,
            False,
        )
        for index, row in enumerate(table.rows)
    ]  # fmt: skip


def _without_claims(base: Preset) -> Preset:
    """The preset that it is trained by, without what is told of that preset's own network."""
    plain = {"story": type(base.story)(), "claims": type(base.claims)(), "source": ""}
    return base.model_copy(update={**plain, "title": f"A network in Python, trained as {base.name} says"})


class LabUserNetwork(LabView):
    """The lab, with the network that the user named in its list."""

    def __init__(self) -> None:
        super().__init__()
        self._tried: NetworkTable | str | None = None  # its figures, or why there are none
        self._try_begun = False

    def _first_preset(self) -> None:
        super()._first_preset()
        model = shell(self).start_model
        if model:
            self.editors[model] = self.editors.pop(self.source)
            self.editors[model].model, self.source = model, model

    def _presets_read(self, items: list[PresetItem]) -> None:
        editor: NetworkEditor | None = next((e for e in self.editors.values() if e.model), None)
        if editor is not None:
            own = self._tried
            listed = PresetItem(
                editor.model, FAMILY, "--model", None if own is None or isinstance(own, str) else own.parameters,
                problem=own if isinstance(own, str) else "", preset=_without_claims(editor.base),
            )  # fmt: skip
            items = [listed, *(item for item in items if item.family != FAMILY or item.name != editor.model)]
        super()._presets_read(items)

    @property
    def base_name(self) -> str:
        """What names the preset of a run on the command line."""
        own = bool(self.editor.model)
        return (shell(self).start_preset or FIRST) if own else self.source

    def refresh_title(self) -> None:
        """The title line."""
        if not self.editor.model:
            super().refresh_title()
            return
        editor = self.editor
        name = visible(editor.model)
        self.query_one(LabTitle).show(FAMILY, name, editor.is_changed, "", None, None, editor.budget)

    def refresh_network(self) -> None:
        """The table, the gauge and the totals."""
        if not self.editor.model:
            super().refresh_network()
            return
        self._ask_to_try()
        view, table = self.query_one(NetworkView), self._tried
        known = None if table is None or isinstance(table, str) else table
        view.show(user_network_rows(known) if known else [], self.editor.budget)
        word = table if isinstance(table, str) else "" if table else "trying it out, once torch has loaded …"
        self.query_one(NetworkFoot).show(known, visible(word), None)
        pieces = gauge(known.parameters, self.editor.budget, view.size.width) if known else []
        self.query_one("#network-head", SectionLine).set(right=pieces, here=view.has_focus)
        view.styles.height = "1fr"
        self.set_class(False, "-shapes")

    def refresh_challenge(self) -> None:
        """The checklist."""
        if not self.editor.model:
            super().refresh_challenge()
        elif self._tried is not None and not isinstance(self._tried, str):
            view = self.query_one(ChallengeView)
            view.show(
                check_challenge(self.preset, self._tried.parameters), 5 if self.size.height < 30 else 99
            )
            self.call_after_refresh(self._join)

    def _ask_estimate(self) -> None:
        if not self.editor.model:
            super()._ask_estimate()
        else:  # the time would be that of the preset's network
            self._estimate.forget()
            self._estimate_found(None)

    def _ask_to_try(self) -> None:
        if not self._try_begun and shell(self).torch_ready:
            self._try_begun = True
            self.run_worker(self._try_out, thread=True, group="lab-own")

    def _try_out(self) -> None:
        from tuitrain.training.user_network import load_user_network

        found: NetworkTable | str
        try:
            found = load_user_network(shell(self).start_model).table
        except TuitrainError as error:
            found = str(error)
        self.call_later(self._tried_out, found)

    def _tried_out(self, found: NetworkTable | str) -> None:
        self._tried = found
        self.refresh_all()
        self.read_presets_again()

    def refuse_user_network(self, what: str) -> bool:
        """Whether the network in the lab is one in Python, of which it is then said that `what` can't be done here."""
        if self.editor.model:
            self.notify(
                f"{visible(self.editor.model)} is a network in Python; {what}", markup=False, timeout=5
            )
        return bool(self.editor.model)

"""The presets: a tree by family with figures, a search, an order, and the story of the one with the cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from tuitrain.errors import visible
from tuitrain.figures import plural
from tuitrain.tui.lab.network import short_count
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.lines import LinesView, cursor_keys
from tuitrain.tui.paint.rows import RowsView
from tuitrain.tui.paint.text import Line, Parts, wrap
from tuitrain.workbench.library import SORTS, PresetItem, ordered, story


class PresetTree(RowsView[str]):
    """Presets by family: name, parameters, claim, and the best result on this machine."""

    HELP_TITLE = "Presets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose", id="presets.choose"),
        *cursor_keys("presets", "preset", page=8, ends=("home,g", "end,G")),
        Binding("left", "fold(True)", "Fold the family", show=False, id="presets.fold"),
        Binding("right", "fold(False)", "Unfold the family", show=False, id="presets.unfold"),
        Binding("space", "turn", "Fold or unfold", show=False, id="presets.toggle"),
        Binding("greater_than_sign", "sort", "Sort", key_display=">", id="presets.sort"),
    ]

    @dataclass
    class Chosen(Message):
        """A preset was chosen."""

        name: str

    cursor = ""  # a preset's name, or "family/" of a heading

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: list[PresetItem] = []
        self.changed: set[str] = set()
        self.chosen = ""
        self.search = ""
        self.sort = SORTS[0]
        self.folded: set[str] = set()
        self._rows: list[str] = []

    def show(
        self, items: Sequence[PresetItem], chosen: str, changed: set[str], search: str | None = None
    ) -> None:
        """Shows presets; `chosen` is the one in the lab, `changed` are those with edits."""
        self.items, self.chosen, self.changed = list(items), chosen, set(changed)
        if search is not None:
            self.search = search
        self._lay_out()
        if self.cursor not in self._rows:
            names = [row for row in self._rows if not row.endswith("/")]
            self.cursor = chosen if chosen in names else (names or [""])[0]
        self.rebuild()
        self.post_message(self.Moved())

    @property
    def item(self) -> PresetItem | None:
        """The preset with the cursor."""
        return next((entry for entry in self.items if entry.name == self.cursor), None)

    def _lay_out(self) -> None:
        found = [entry for entry in self.items if not self.search or entry.matches(self.search)]
        self._found = {entry.name: entry for entry in found}
        if self.sort != "family":
            self._rows = [entry.name for entry in ordered(found, self.sort)]
            return
        self._rows = []
        for family in dict.fromkeys(entry.family for entry in found):
            self._rows.append(f"{family}/")
            if family not in self.folded or self.search:
                self._rows += [entry.name for entry in found if entry.family == family]

    def rows_for(self, width: int) -> Iterator[tuple[str | None, list[Parts]]]:
        if not self._rows:
            said = f"nothing matches '{visible(self.search)}'" if self.search else "reading presets …"
            yield None, [Line().add("  ").add(said, "dim", max(0, width - 2))]
        for row in self._rows:
            line = self._family(row, width) if row.endswith("/") else self._preset(self._found[row], width)
            yield row, [self.on_row(line, width) if row == self.cursor else line]

    def _lead(self, row: str) -> tuple[str, str]:
        """The first cell: the ground of the cursor alone would be lost without colours."""
        return "▌" if row == self.cursor and self.has_focus else " ", "primary"

    def _family(self, row: str, width: int) -> Line:
        family = row.removesuffix("/")
        fold = "▸" if family in self.folded and not self.search else "▾"
        count = sum(entry.family == family for entry in self._found.values())
        line = Line().add(f" {fold} ", "dim").add(visible(family), "bold", max(4, width - 9))
        return line.to(width - 5).add(str(count), "dim", 4, right=True)

    def _preset(self, entry: PresetItem, width: int) -> Line:
        mark = "•" if entry.name in self.changed else "▸" if entry.name == self.chosen else " "
        here = entry.name == self.chosen
        line = Line().add(*self._lead(entry.name))
        line.add(f"{mark} ", "accent" if mark == "•" else "primary")
        columns = [(short_count(entry.parameters, 7) if entry.parameters else "–", 7)]
        if width >= 26:
            columns.append((f"{entry.claim:.2f}" if entry.claim else "–", 6))
        if width >= 33:
            columns.append((f"{entry.best:.2f}" if entry.best else "–", 7))
        room = width - 4 - sum(cells for _, cells in columns)
        line.add(visible(entry.name), "primary" if here else "", max(4, room))
        if entry.problem:
            return line.add("✗ can't be read", "bad", sum(cells for _, cells in columns), right=True)
        for number, (text, cells) in enumerate(columns):
            line.add(text, "dim" if number == 0 else "", cells, right=True)
        return line

    def cursor_span(self) -> tuple[int, int]:
        """The row with the cursor, and its family's head when it is the first in it."""
        at, _ = super().cursor_span()
        return (at - 1, 2) if at > 0 and self._rows[at - 1].endswith("/") else (at, 1)

    def action_fold(self, fold: bool) -> None:
        if self.sort != "family" or self.search:
            return
        family = self.cursor.removesuffix("/") if self.cursor.endswith("/") else ""
        if not family and self.item is not None:
            family = self.item.family
        if fold:
            self.folded.add(family)
            self.cursor = f"{family}/"
        else:
            self.folded.discard(family)
        self._lay_out()
        self.go_to(self.cursor)

    def action_turn(self) -> None:
        if self.cursor.endswith("/"):
            self.action_fold(self.cursor.removesuffix("/") not in self.folded)

    def action_choose(self) -> None:
        if self.cursor.endswith("/"):
            self.action_turn()
        elif self.item is not None:
            self.post_message(self.Chosen(self.cursor))

    def action_sort(self) -> None:
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        self._lay_out()
        if self.cursor not in self._rows and self._rows:
            self.cursor = self._rows[0]
        self.go_to(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """Selects a preset; twice takes it."""
        row = self.key_at(event.y)
        if row is not None:
            again = self.cursor == row
            self.go_to(row)
            if again or event.chain == 2 or self.cursor.endswith("/"):
                self.action_choose()


class StoryView(LinesView, can_focus=False):
    """What changed in a preset against the step before it, and what the source made of it."""

    item: PresetItem | None = None
    family: Sequence[PresetItem] = ()

    def show(self, entry: PresetItem | None, family: Sequence[PresetItem] = ()) -> None:
        """Another preset's story, or what a family comes to."""
        if (entry, family) != (self.item, self.family):
            self.item, self.family = entry, family
            self.top = 0
            self.rebuild(follow=False)

    def build(self, width: int) -> list[Parts]:
        out: list[Parts] = []
        if self.item is None:
            sizes = [entry.parameters for entry in self.family if entry.parameters]
            claims = [entry.claim for entry in self.family if entry.claim]
            lines = [self.family[0].family_title, plural(len(self.family), "preset")] if self.family else []
            lines += [f"{min(sizes):,} to {max(sizes):,} parameters"] if sizes else []
            lines += [f"claims {min(claims):.2f} to {max(claims):.2f} %"] if claims else []
            return [part for line in lines for part in wrap(((f"  {line}", ""),), width - 1, 2)]
        preset = self.item.preset
        if preset is not None and preset.title:
            out += wrap(((f" {visible(preset.title)}", "bold"),), width - 1, 1)
        for head, text in story(self.item):
            out.append(((f" {head}", "primary"),))
            out += wrap(((f"  {visible(text)}", ""),), width - 1, 2)
        return out


class PresetBrowser(Container):
    """Search, tree and story together: a column of the wide lab, or the drop-down of the narrow one."""

    DEFAULT_CSS = """
    PresetBrowser { width: 100%; height: 100%; layout: vertical;
        & #preset-search { border: none; height: 1; padding: 0 1; background: $panel; }
        & #preset-story-box { height: 1fr; width: 1fr; layout: vertical; }
        & PresetTree { height: 1fr; }
        & #preset-list-box { layout: vertical; height: 3fr; width: 1fr; }
    }
    PresetBrowser.-column #preset-list-box { height: 22; max-height: 60%; }
    PresetBrowser.-across { layout: horizontal; }
    PresetBrowser.-across #preset-list-box { height: 100%; width: 39; }
    PresetBrowser.-across #preset-story-box { height: 100%; width: 1fr; padding: 0 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", id="presets.search"),
        Binding("escape", "stop_search", "End the search", show=False, id="presets.stop_search"),
    ]

    def compose(self) -> ComposeResult:
        with Container(id="preset-list-box"):
            yield SectionLine("Presets", id="preset-head")
            yield Input(placeholder="search presets", id="preset-search", compact=True)
            yield PresetTree(id="preset-tree")
        with Container(id="preset-story-box"):
            yield SectionLine("Story", id="story-head")
            yield StoryView(id="preset-story")

    def on_mount(self) -> None:
        self.query_one("#preset-search", Input).display = False

    @property
    def presets(self) -> PresetTree:
        return self.query_one(PresetTree)

    def action_search(self) -> None:
        box = self.query_one("#preset-search", Input)
        box.display = True  # inline, so that it can take the focus at once
        self.screen.set_focus(box)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc ends a search only while there is one."""
        if action == "stop_search":
            return self.query_one("#preset-search", Input).display if self.is_mounted else False
        return True

    def action_stop_search(self) -> None:
        box = self.query_one("#preset-search", Input)
        box.value = ""
        box.display = False
        self.screen.set_focus(self.presets)

    @on(Input.Changed, "#preset-search")
    def _searching(self, event: Input.Changed) -> None:
        event.stop()
        tree = self.presets
        # Enter takes what the cursor is on: the preset of that name, else of that beginning, else the first.
        wanted = event.value.strip().lower()
        found = [entry.name for entry in tree.items if entry.matches(wanted)]
        near = [name for name in found if name.startswith(wanted)]
        if wanted:
            tree.cursor = wanted if wanted in found else (near or found or [""])[0]
        tree.show(tree.items, tree.chosen, tree.changed, event.value)

    @on(Input.Submitted, "#preset-search")
    def _found(self, event: Input.Submitted) -> None:
        event.stop()
        if self.presets.item is not None:
            chosen = self.presets.cursor
            self.action_stop_search()
            self.post_message(PresetTree.Chosen(chosen))

    def on_key(self, event: events.Key) -> None:
        """Down leaves the search for the list."""
        if event.key == "down" and self.query_one("#preset-search", Input).has_focus:
            event.stop()
            self.screen.set_focus(self.presets)

    @on(PresetTree.Moved)
    def _moved(self, event: PresetTree.Moved) -> None:
        event.stop()
        tree = self.presets
        name = tree.cursor.removesuffix("/")
        of_family = () if tree.item else tuple(entry for entry in tree.items if entry.family == name)
        self.query_one(StoryView).show(tree.item, of_family)
        title = f"Presets by {tree.sort}" if tree.sort != "family" else "Presets"
        wide = tree.size.width
        heads = "params" + ("  claim" if wide >= 26 else "") + ("   here" if wide >= 33 else "")
        self.query_one("#preset-head", SectionLine).set(
            title=title, right=((heads, "dim"),), here=tree.has_focus
        )
        self.query_one("#story-head", SectionLine).set(
            title=visible(tree.item.name) if tree.item else "Story"
        )

    @on(LinesView.Focused)
    def _focused(self, event: LinesView.Focused) -> None:
        self.query_one("#preset-head", SectionLine).set(here=self.presets.has_focus)

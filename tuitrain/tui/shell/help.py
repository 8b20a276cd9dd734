"""`?`: every binding of a screen. F1: what the focused widget is for."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Static

from tuitrain.tui.shell.modal import Dialog

if TYPE_CHECKING:
    from textual.app import App


class HelpScreen(Dialog[None]):
    """A list of keys in the reader's words, by where they work; Esc closes it."""

    DEFAULT_CSS = "HelpScreen > VerticalScroll { width: 76; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "Close", id="help.close"),
    ]

    def __init__(self, about: Screen[Any], focused: DOMNode | None = None) -> None:
        """Help about a screen, or about one widget of it."""
        super().__init__()
        self.about, self.widget = about, focused

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Keys" if self.widget is None else "Focused pane"
            box.border_subtitle = "esc close"
            if self.widget is not None:
                yield Static(explanation(self.widget), markup=False)
            yield Static(binding_table(self.app, self.about, only=self.widget))


def explanation(node: DOMNode) -> str:
    """The widget's HELP text, else its docstring."""
    text = getattr(node, "HELP", None) or inspect.getdoc(type(node)) or type(node).__name__
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs) + "\n"


def binding_table(app: App[Any], screen: Screen[Any], only: DOMNode | None = None) -> Table:
    """Keys, what they do, and the id that `[keys]` in the config file changes."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("key", no_wrap=True, style="bold")
    table.add_column("what it does", ratio=1)
    table.add_column("id in config.toml", no_wrap=True, style="dim")
    for title, rows in binding_groups(app, screen, only):
        table.add_row(Text(title, style="bold underline"), "", "")
        for keys, what, name in rows:
            table.add_row(Text(keys), Text(what), Text(name))
    return table


def binding_groups(
    app: App[Any], screen: Screen[Any], only: DOMNode | None = None
) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(where, [(keys, description, id)]) of everything that answers a key on a screen.

    Focused pane comes first, then the screen, what works everywhere, and the other panes. Keys that
    Textual binds by itself (scrolling, moving the focus) are left out.
    """
    nodes: list[DOMNode] = []
    if only is not None:
        nodes = [only]
    else:
        above = screen.focused.ancestors_with_self if screen.focused is not None else []
        here = [node for node in above if node not in (screen, app)]
        panes = [node for node in screen.walk_children() if getattr(node, "can_focus", False)]
        nodes = [*here, screen, app, *panes]
    groups: list[tuple[str, list[tuple[str, str, str]]]] = []
    seen_types: set[type] = set()
    for node in nodes:
        if type(node) in seen_types:
            continue
        seen_types.add(type(node))
        keys: dict[tuple[str, str], list[str]] = {}
        ours, shown = own_ids(type(node)), set()
        for _key, binding in _bound(app, node):
            reached = binding.priority or node is not app or not screen.is_modal
            if binding.description and binding.id in ours and reached:
                shown |= {binding.id} if binding.show else set()
                keys.setdefault((binding.description, binding.id or ""), []).append(_one_key(app, binding))
        if keys:
            where = "Everywhere" if node is app else getattr(node, "HELP_TITLE", None) or type(node).__name__
            rows = [(" ".join(dict.fromkeys(names)), what, name) for (what, name), names in keys.items()]
            rows.sort(key=lambda row: (row[2] not in shown, ours.index(row[2])))
            groups.append((where, rows))
    return groups


def _one_key(app: App[Any], binding: Binding) -> str:
    """A key as the footer shows it; of a pair that the footer shows as `+/-`, which are two lines here, its own."""
    shown = app.get_key_display(binding)
    return shown.partition("/")[0] or shown


def own_ids(cls: type) -> list[str]:
    """The ids of a class's bindings in their order, without those that it has from Textual."""
    return [
        binding.id
        for base in cls.__mro__
        if base.__module__.partition(".")[0] != "textual"
        for binding in base.__dict__.get("BINDINGS", ())
        if isinstance(binding, Binding) and binding.id
    ]


def _bound(app: App[Any], node: DOMNode) -> list[tuple[str, Binding]]:
    bindings = node._bindings.copy()
    bindings.apply_keymap(app._keymap)
    return list(bindings)

"""Names that textual, textual-plot and rich keep to themselves and that we use all the same.

They may go or change with any release, which is why the first two are pinned to the minor that was tested. `USED` lists them,
each with what it is used for, and so what breaks without it. The tests fail when one is gone from the installed
version, when the code uses one that isn't listed, and when one is listed that isn't used any more.

What is found: private modules and names that are imported; in a class of ours below one of theirs, whatever it
defines or reads of `self` or `super()` that a class above it defines (so a name of ours that happens to be one of
theirs is found too); elsewhere, attributes that they define and we don't.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import tuitrain.tui
from support import ROOT

PACKAGES = ("textual", "textual_plot", "textual_hires_canvas", "rich")
SOURCE = sorted((ROOT / "tuitrain").rglob("*.py"))

#: Module, or module:class.name, and what it is used for.
USED = {
    # the painter and compositor: what is sent to the terminal
    "textual._compositor": "FrugalCompositor is made from the compositor there, Painter reads its updates",
    "textual._compositor:Compositor._get_renders": "FrugalCompositor renders only the widgets under what is dirty",
    "textual._compositor:Compositor._dirty_regions": "FrugalCompositor knows by it what is dirty",
    "textual.screen:Screen._compositor": "painting everything again, after SIGCONT and by ctrl+l",
    "textual.app:App._background_screens": "painting everything again when a dialog is open",
    "textual.app:App._display": "only the cells that changed are sent, and nothing where nobody reads",
    "textual.app:App._batch_count": "nothing is painted in a batch",
    "textual.app:App._running": "nothing is painted before the start and after the end",
    "textual.message_pump:MessagePump._closed": "nothing is painted after the end",
    "textual.app:App._sync_available": "a frame is shown at once where the terminal can do that",
    "rich.console:Console._color_system": "the painter writes the colours that the terminal has",
    "rich.style:Style._color": "the painter writes a style without making an object for each cell",
    "rich.style:Style._bgcolor": "the painter writes a style without making an object for each cell",
    "rich.style:Style._attributes": "the painter writes a style without making an object for each cell",
    "rich.style:Style._set_attributes": "the painter writes a style without making an object for each cell",
    "textual.app:App._filters": "NO_COLOR and --ascii",
    # the end of an app: failures, printing
    "textual.app:App._handle_exception": "a fault while painting ends the app as any other does",
    "textual.app:App._exception": "the sentence that says what broke the screen",
    "textual.app:App._fatal_error": "a traceback goes to the run's log and not to the terminal",
    "textual.message_pump:MessagePump._close_messages_no_wait": "the app ends after a fatal error",
    "textual.app:App._exit": "an app that is being left does not take the terminal again at SIGCONT",
    "textual.app:App._print": "what is printed goes to the run's log",
    # the driver: suspending, a terminal that is lost, keys
    "textual.app:App._driver": "whether the driver is ours",
    "textual.driver:Driver._debug": "the parser of keys is made as Textual makes it",
    "textual.driver:Driver._loop": "the driver's threads speak to the app",
    "textual.drivers.linux_driver:LinuxDriver._get_terminal_size": "the terminal's size while fd 1 is a log",
    "textual.drivers.linux_driver:LinuxDriver._writer_thread": "its writer, which may wait for ever, is replaced",
    "textual._xterm_parser": "KeyParser is made from the parser there",
    "textual._xterm_parser:XTermParser._sequence_to_key_events": "alt+1 to alt+9 are keys",
    # bindings, modes, the palette
    "textual.dom:DOMNode._bindings": "keys in a burst act on their own pane; the keys in the help",
    "textual.app:App._keymap": "the keys that the user set, in both",
    "textual.app:App._screen_stacks": "the screen of a mode that is not shown",
    "textual.command:CommandPalette._action_command_list": "a page key before the list is laid out does nothing",
    # charts
    "textual_hires_canvas.canvas:Canvas._buffer": "only the rows of a chart that changed are sent",
    "textual_hires_canvas.canvas:Canvas._styles": "only the rows of a chart that changed are sent",
    "textual_hires_canvas.canvas:Canvas._canvas_size": "a chart's canvases follow its size",
    "textual_plot.plot_widget:PlotWidget._datasets": "the curves are put there as a whole, for one drawing",
    "textual_plot.plot_widget:PlotWidget._labels": "goes with the curves",
    "textual_plot.plot_widget:PlotWidget._rerender": "a chart is drawn off screen, once",
    "textual_plot.plot_widget:PlotWidget._render_plot": "a chart is drawn off screen, once",
    "textual_plot.plot_widget:PlotWidget._render_line_plot": "dashed curves, and what lies behind the curves",
    "textual_plot.plot_widget:PlotWidget._render_x_label": "a chart has no axis labels",
    "textual_plot.plot_widget:PlotWidget._render_y_label": "a chart has no axis labels",
    "textual_plot.plot_widget:PlotWidget._render_x_ticks": "whole epochs on the x axis",
    "textual_plot.plot_widget:PlotWidget._render_y_ticks": "the target and logarithms on the y axis",
    "textual_plot.plot_widget:PlotWidget._scale_rectangle": "a chart without its frame",
    "textual_plot.plot_widget:PlotWidget._x_min": "the ticks of the x axis",
    "textual_plot.plot_widget:PlotWidget._x_max": "the ticks of the x axis",
    "textual_plot.plot_widget:PlotWidget._y_min": "the ticks of the y axis, arrows at what lies below",
    "textual_plot.plot_widget:PlotWidget._y_max": "the ticks of the y axis, arrows at what lies above",
}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """All of a file: walking through it takes longer than looking at it."""
    return list(ast.walk(tree(path)))


def defined(body: list[ast.stmt], inside: Iterable[ast.AST]) -> set[str]:
    """The private names that a class or module defines: functions, variables, and attributes of `self`."""
    names = bound(body)
    for node in inside:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and owner(node) == "self":
            names.add(node.attr)
    return {name for name in names if private(name)}


def bound(body: list[ast.stmt]) -> set[str]:
    """The functions, classes and variables of a body, without what is inside them."""
    names = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


@functools.cache
def defined_in(path: Path) -> set[str]:
    """The private names that a file defines, on its own or in its classes."""
    inside = set().union(*(bound(node.body) for node in classes(path).values()))
    return defined(tree(path).body, nodes(path)) | {name for name in inside if private(name)}


def owner(node: ast.Attribute) -> str:
    """`self`, `super`, or another expression's text."""
    if isinstance(node.value, ast.Name):
        return node.value.id  # as unparse gives it, which takes long
    if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
        return node.value.func.id
    return ast.unparse(node.value)


@functools.cache
def classes(path: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in nodes(path) if isinstance(node, ast.ClassDef)}


@functools.cache
def defined_by(owner: type) -> set[str]:
    """The private names that this class itself defines, as far as its source says."""
    found = classes(Path(inspect.getfile(owner)))[owner.__name__]
    return defined(found.body, ast.walk(found))


@functools.cache
def their_texts() -> dict[Path, str]:
    """Their sources."""
    folders = (Path(str(importlib.util.find_spec(package).origin)).parent for package in PACKAGES)
    return {path: path.read_text("utf-8") for folder in folders for path in folder.rglob("*.py")}


@functools.cache
def is_theirs(name: str) -> bool:
    """Whether their sources define a private name."""
    return any(name in text and name in defined_in(path) for path, text in their_texts().items())


@functools.cache
def ours() -> set[str]:
    """Every private name that our source defines."""
    return set().union(*(defined_in(path) for path in SOURCE))


def our_classes() -> Iterator[type]:
    """Our classes that have one of theirs above them."""
    for module in pkgutil.walk_packages(tuitrain.tui.__path__, "tuitrain.tui."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name and their_bases(value):
                yield value


def their_bases(owner: type) -> list[type]:
    return [base for base in owner.__mro__ if base.__module__.split(".")[0] in PACKAGES]


def mentioned(inside: Iterable[ast.AST]) -> Iterator[tuple[str, str, int]]:
    """Every private attribute: its owner's expression, its name and its line."""
    for node in inside:
        if isinstance(node, ast.Attribute) and private(node.attr):
            yield owner(node), node.attr, node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and private(str(name.value)):
                yield ast.unparse(node.args[0]), str(name.value), node.lineno


def used_in_class(owner_class: type) -> dict[str, str]:
    """What a class of ours defines or uses of the private names of the classes above it, with where."""
    found: dict[str, str] = {}
    path = Path(inspect.getfile(owner_class))
    body = classes(path)[owner_class.__name__]
    names = defined_by(owner_class) | {
        name for of, name, _ in mentioned(ast.walk(body)) if of in ("self", "super", "cls")
    }
    for base in their_bases(owner_class):
        for name in names & defined_by(base):
            found[f"{base.__module__}:{base.__qualname__}.{name}"] = f"{path.name}: {owner_class.__name__}"
        names -= defined_by(base)
    return found


def used_elsewhere(path: Path) -> dict[str, str]:
    """Private attributes that only they define, with where we use them."""
    return {
        name: f"{path.name}:{line}"
        for of, name, line in mentioned(nodes(path))
        if of != "os" and name not in ours() and is_theirs(name)
    }


def imported(path: Path) -> dict[str, str]:
    """Private modules, and private names of modules, that we import, with where."""
    found: dict[str, str] = {}
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}:{a.name}" if private(a.name) else str(node.module) for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.replace(":", ".").split(".")
            if parts[0] in PACKAGES and any(map(private, parts)):
                found[name] = f"{path.name}:{node.lineno}"
    return found


@functools.cache
def used() -> tuple[dict[str, str], dict[str, str]]:
    """What we use, with its full name where the source tells it, and by the bare name elsewhere."""
    full: dict[str, str] = {}
    bare: dict[str, str] = {}
    for owner_class in our_classes():
        full |= used_in_class(owner_class)
    for path in SOURCE:
        full |= imported(path)
        bare |= used_elsewhere(path)
    return full, bare


def bare_names(full: Iterable[str]) -> set[str]:
    return {name.rpartition(".")[2] for name in full}


@pytest.mark.parametrize("name", USED)
def test_what_we_use_is_still_there(name: str) -> None:
    place, _, inside = name.partition(":")
    module = importlib.import_module(place)
    if inside:
        owner_name, _, attribute = inside.partition(".")
        assert attribute in defined_by(getattr(module, owner_name)), f"gone; what breaks: {USED[name]}"


def test_nothing_is_used_that_is_not_listed_and_nothing_listed_that_is_not_used() -> None:
    full, bare = used()
    surprises = {name: where for name, where in full.items() if name not in USED}
    surprises |= {name: where for name, where in bare.items() if name not in bare_names(USED)}
    assert not surprises, "rename it where it is ours by chance, else list it in USED with what it is for"
    assert not {name for name in USED if name not in full and name.rpartition(".")[2] not in bare}


def test_it_finds_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "with_private_names.py"
    path.write_text(
        "from textual.widget import Widget\n"
        "from textual._border import BORDER_CHARS\n"
        "import textual._cells\n"
        "from textual.widget import _Styled\n"
        "class Mine(Widget):\n"
        "    _name = ''\n"  # theirs, used for something of ours
        "    def _size_updated(self):\n"
        "        self._anchored = True\n"
        "        return self._mine\n"
        "def other(widget):\n"
        "    return widget._layout_cache, getattr(widget, '_vertical_scrollbar'), widget._nobodys\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("with_private_names").Mine
    assert set(used_in_class(mine)) == {
        "textual.dom:DOMNode._name", "textual.widget:Widget._size_updated", "textual.widget:Widget._anchored",
    }  # fmt: skip
    assert set(imported(path)) == {"textual._border", "textual._cells", "textual.widget:_Styled"}
    assert {"_layout_cache", "_vertical_scrollbar"} <= set(used_elsewhere(path))
    assert "_nobodys" not in used_elsewhere(path)

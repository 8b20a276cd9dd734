"""Draw a digit: the field at the left, what a network says of it at the right, in words below."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tuitrain.errors import TuitrainError, visible
from tuitrain.tui.draw import panes
from tuitrain.tui.draw.field import DrawingField
from tuitrain.tui.draw.networks import NetworksDialog
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.lines import DrawnView, LinesView
from tuitrain.tui.paint.sizes import WIDE
from tuitrain.tui.paint.styles import ink_of
from tuitrain.tui.paint.text import Parts
from tuitrain.tui.runs.table import KINDS
from tuitrain.tui.shell.framed_screen import FramedScreen
from tuitrain.tui.shell.modal import ask
from tuitrain.tui.shell.prompt import save_as
from tuitrain.tui.shell.protocol import shell
from tuitrain.watch.runlist import state_look
from tuitrain.workbench.asking import Answer, Asker, Likeness, NoData, Question, Refusal, Sample, Told
from tuitrain.workbench.drawing import Drawing

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary

LOOK_S = 2.0  # for other runs, and a newer network of this one
HOLD_S = 0.02  # a stroke is shown with what the network says of it, unless that takes longer
LOW = 22  # lines of the terminal below which words stand beside the field
LARGE_FROM = 35  # and from which on the field is twice as large


class WordsView(LinesView, can_focus=False):
    """The sentences."""


class DrawScreen(FramedScreen[None]):
    """Draw a digit and see what a network says of it.

    With the mouse, whose right button rubs out; or with the arrow keys: space puts the pen down and lifts it, shift with
    the arrows draws too. What is drawn is brought into the form of the images that the network was trained on before it
    is asked. Of a run that still goes on, the newest checkpoint is asked.
    """

    about = "draw a digit"
    HELP_TITLE = "Draw"
    DEFAULT_CSS = """
    DrawScreen { layout: vertical; }
    DrawScreen Horizontal { height: auto; }
    DrawScreen #right { height: 100%; width: 1fr; padding: 0 0 0 1; }
    DrawScreen #said { height: 1fr; }
    DrawScreen.-low #said { height: 10; }
    DrawScreen.-low #words, DrawScreen.-low #network { display: none; }
    DrawScreen #beside { display: none; }
    DrawScreen.-low #beside { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                key, f"move({x}, {y})", "Move" if key == "up" else f"Move {key}", show=key == "up",
                key_display="arrows" if key == "up" else None, id=f"draw.{key}",
            )
            for key, x, y in (("up", 0, -1), ("down", 0, 1), ("left", -1, 0), ("right", 1, 0))
        ),
        Binding("space", "pen", "Pen", id="draw.pen"),
        *(
            Binding(f"shift+{key}", f"stroke({x}, {y})", f"Draw {key}", show=False, id=f"draw.stroke_{key}")
            for key, x, y in (("up", 0, -1), ("down", 0, 1), ("left", -1, 0), ("right", 1, 0))
        ),
        Binding("c", "clear", "Clear", id="draw.clear"),
        Binding("u", "undo", "Undo", id="draw.undo"),
        Binding("r", "sample", "Random", id="draw.sample"),
        Binding("n", "network(1)", "Network", id="draw.next"),
        Binding("enter", "choose", "List", key_display="⏎", id="draw.choose"),
        Binding("w", "weights", "Averaged weights, or those as trained", show=False, id="draw.weights"),
        Binding("p", "network(-1)", "Previous network", show=False, id="draw.previous"),
        Binding("backspace,delete", "rub", "Rub out", show=False, id="draw.rub"),
        Binding("s", "save", "Save what the network is given", show=False, id="draw.save"),
        Binding("escape", "leave", "Back", key_display="esc", id="draw.leave"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.drawing = Drawing()
        self.runs: list[RunSummary] = []
        self.path: Path | None = None
        self.averaged = False
        self.answer: Answer | None = None
        self.likeness: Likeness | None = None
        self.sample: Sample | None = None
        self._refusal = self._no_data = ""
        self._looking = False
        self._held: Timer | None = None

    def panes(self) -> ComposeResult:
        with Horizontal():
            yield DrawingField(self.drawing)
            with Vertical(id="right"):
                yield DrawnView(self._said, id="said")
                with Vertical(id="beside"):
                    yield SectionLine("", id="network-beside")
                    yield WordsView(id="words-beside")
        yield SectionLine("", id="network")
        yield WordsView(id="words")

    def on_mount(self) -> None:
        self._asker = Asker(shell(self).settings.data_dir, self._from_thread)
        self.set_interval(LOOK_S, self._look)
        if wanted := shell(self).start_drawing:
            self.path = Path(wanted)
        self._arrange()
        self._look()

    def on_unmount(self) -> None:
        self._asker.close()

    def on_screen_resume(self) -> None:
        self._look()

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self.paint)

    def _arrange(self) -> None:
        large = self.size.width >= WIDE and self.size.height >= LARGE_FROM
        self.set_class(self.size.height < LOW, "-low")
        self.query_one(DrawingField).set_class(large, "-large")
        self.query_one(Horizontal).styles.height = 30 if large else 16

    # -- networks --------------------------------------------------------------------------------

    def draw_for(self, run: str) -> None:
        """Ask a run's network from now on."""
        self.path, self.averaged = Path(run), False
        self._forget()

    def _forget(self) -> None:
        """Asks another network, and shows no more what the one before has said."""
        self._refusal, self._no_data, self.answer, self.likeness = "", "", None, None
        self._ask()
        self.paint()

    def action_weights(self) -> None:
        self.averaged = not self.averaged
        self._forget()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "weights" or (self.answer is not None and bool(self.answer.network.trained.weights))

    def _look(self) -> None:
        if self.is_current and not self._looking:
            self._looking = True
            self.run_worker(self._list(), group="networks")

    async def _list(self) -> None:
        from tuitrain.runs.trained import runs_with_network

        try:
            self.runs = await asyncio.to_thread(runs_with_network, shell(self).settings.runs_dir)
        except TuitrainError as error:
            self._refusal = visible(error)
        self._looking = False
        if not self.is_running:  # left meanwhile
            return
        if self.path is None and self.runs:
            self.path = Path(self.runs[0].path)
        if self.path is None and not self._refusal:
            self._refusal = "No run has kept a network yet: train one in the Lab (1)."
        self._ask()
        self.paint()

    @property
    def here(self) -> int:
        """Which of the runs is asked; -1 for one that is not among them."""
        return next((at for at, run in enumerate(self.runs) if Path(run.path) == self.path), -1)

    def action_network(self, by: int) -> None:
        if self.runs:
            self.draw_for(self.runs[(max(self.here, 0) + by) % len(self.runs) if self.here >= 0 else 0].path)

    def action_choose(self) -> None:
        if self.runs:
            ask(self, NetworksDialog(self.runs, max(0, self.here)), self.draw_for)

    # -- asking ----------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self.path is not None:
            image = None if self.drawing.empty else self.drawing.image
            as_it_is = self.drawing.index is not None
            self._asker.ask(Question(self.path, self.drawing.number, image, as_it_is, self.averaged))

    def _from_thread(self, told: Told) -> None:
        try:
            self.call_later(self._told, told)
        except RuntimeError:  # the app is gone
            return

    def _told(self, told: Told) -> None:
        if not self.is_mounted:
            return
        match told:
            case Answer() if (told.question.run, told.question.averaged) == (self.path, self.averaged):
                self.answer, self._refusal = told, ""
                self._show_field()
                if told.question.number == self.drawing.number:
                    self._asker.liken(told)
            case Refusal() if told.run == self.path:
                self.answer, self.likeness, self._refusal = None, None, told.sentence
            case Likeness() if told.answer is self.answer:
                self.likeness, self._no_data = told, ""
            case NoData():
                self._no_data = told.sentence
            case Sample():
                self.sample, self._no_data = told, ""
                self.drawing.take(told.image, told.index)
                self._drawn_anew()
        self.paint()

    def on_drawing_field_drawn(self) -> None:
        """What is on the field is another drawing: the network is asked at once."""
        if self.drawing.empty:
            self.likeness = None
        self._ask()
        if self._held is None:
            self._held = self.set_timer(HOLD_S, self._show_field)

    def _show_field(self) -> None:
        if self._held is not None:
            self._held.stop()
            self._held = None
        self.query_one(DrawingField).repaint()

    # -- what is shown ---------------------------------------------------------------------------

    def paint(self) -> None:
        if not self.is_mounted:
            return
        self.query_one("#said", DrawnView).rebuild()
        run = self.runs[self.here] if self.here >= 0 else None
        network = self.answer.network if self.answer is not None else None
        glyph, word, kind = state_look(run.activity) if run is not None else ("", "", "")
        age = panes.network_age(network) if network is not None else "" if self._refusal else "reading …"
        sample = self.sample if self.sample and self.sample.index == self.drawing.index else None
        low = self.has_class("-low")
        suffix = "-beside" if low else ""
        words = self.query_one(f"#words{suffix}", WordsView)
        self.query_one(f"#network{suffix}", SectionLine).set(
            title=panes.network_name(run, network) or "no network",
            after=[(f"{glyph} {word}", KINDS.get(kind, kind)), (f"  {age}", "dim")]
            if run is not None
            else [(age, "dim")],
            right=[(f"{self.here + 1} of {len(self.runs)}", "dim")] if run is not None else [],
        )
        problems = (self._refusal, self._no_data)
        lines = panes.sentences(
            self.answer, self.likeness, sample, problems, words.size.width - 2, empty=self.drawing.empty
        )
        words.lines = [[(" ", ""), *line] for line in lines]
        words.rebuild()

    def _said(self, width: int, height: int) -> list[Parts]:
        """The bars and the pictures."""
        ink = ink_of(self.app, shell(self).settings.ascii_only)
        return panes.said(self.answer, self.likeness, width - 1, height, ink)

    def strip_lines(self) -> list[str]:
        if self.answer is None or self.answer.probabilities is None:
            return []
        chances = self.answer.probabilities
        best = int(chances.argmax())
        return [f"{visible(self.answer.network.classes[best])}, {chances[best] * 100:.1f} %"]

    # -- keys ------------------------------------------------------------------------------------

    def action_move(self, across: int, down: int) -> None:
        self.query_one(DrawingField).move(across, down, draw=False)

    def action_stroke(self, across: int, down: int) -> None:
        self.query_one(DrawingField).move(across, down, draw=True)

    def action_pen(self) -> None:
        self.query_one(DrawingField).toggle_pen()

    def action_rub(self) -> None:
        self.query_one(DrawingField).rub()

    def action_clear(self) -> None:
        self.drawing.clear()
        self._drawn_anew()

    def action_undo(self) -> None:
        if not self.drawing.undo():
            self.app.bell()
        self._drawn_anew()

    def _drawn_anew(self) -> None:
        self.query_one(DrawingField).lift()
        self.on_drawing_field_drawn()

    def action_sample(self) -> None:
        """A random image of those that judge the network's run."""
        if self.answer is not None:
            self._asker.sample(self.answer.network)

    def action_save(self) -> None:
        """What the network is given, as a picture that `tuitrain predict` takes as it is."""
        if self.answer is None or self.answer.image is None:
            self.notify("nothing is drawn yet", markup=False, timeout=3)
            return
        from PIL import Image

        raw = io.BytesIO()
        Image.fromarray(self.answer.image).save(raw, "PNG")
        title = "Save what the network is given as FILE.png"
        save_as(self, title, "digit.png", lambda path: raw.getvalue())

    def action_leave(self) -> None:
        shell(self).leave_aside()

"""See the data: digits as they are stored and as the network will get them, drawn with half blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuitrain.data.samples import Sample, draw
from tuitrain.errors import TuitrainError, visible
from tuitrain.spec.describe import augmentation_text
from tuitrain.spec.train import Train
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.digits import digit, middle, smaller
from tuitrain.tui.paint.lines import LinesView
from tuitrain.tui.paint.styles import ink_of
from tuitrain.tui.paint.text import Line, Parts, cut, wrap
from tuitrain.tui.shell.footer import KeyFooter
from tuitrain.tui.shell.modal import Modal
from tuitrain.tui.shell.protocol import shell

if TYPE_CHECKING:
    from tuitrain.tui.paint.digits import Image


class DigitGrid(LinesView, can_focus=False):
    """Pairs of images: above as stored, below as augmented."""

    samples: Sequence[Sample] = ()
    message = "reading the data …"
    pairs = True
    large = False

    def layout_for(self) -> tuple[int, int, int, int]:
        """Samples across and down, side in pixels, and by how much each is shrunk.

        Small: pairs one above the other, at least five across. Large: whole images, pairs side by side.
        """
        width, height = self.size
        if self.large:
            across = (width - 1) // (28 * (2 if self.pairs else 1) + (4 if self.pairs else 2))
            return max(1, across), max(1, (height + 1) // 16), 28, 1
        each = 2 if self.pairs else 1
        for side, times in ((28, 1), (24, 1), (14, 2)):
            across = (width - 1) // (side + 2)
            down = (height + 1) // ((side // 2) * each + (3 if self.pairs else 2))
            if down and across >= 5:
                return min(across, 10), down, side, times
        return max(1, width // 16), max(1, height // (7 * each + 3)), 14, 2

    def capacity(self) -> int:
        """How many samples fit."""
        across, down, _, _ = self.layout_for()
        return across * down

    def show(self, samples: Sequence[Sample], message: str = "") -> None:
        """Other samples, or what stands in their place."""
        self.samples, self.message = samples, message
        self.rebuild(follow=False)

    def build(self, width: int) -> list[Parts]:
        if not self.samples:
            lines = wrap(((f"  {self.message}", ""),), max(10, width - 2), 2)
            return [()] * max(0, self.size.height // 2 - len(lines)) + lines
        across, _, side, times = self.layout_for()
        beside = self.large and self.pairs
        cells = side * 2 + 2 if beside else side
        gap = min(6, max(2, (width - 2 - across * cells) // max(1, across - 1)))
        left = max(1, (width - across * cells - (across - 1) * gap) // 2)
        out: list[Parts] = []
        for start in range(0, len(self.samples), across):
            row = self.samples[start : start + across]
            stored = [self._picture(s.stored, side, times) for s in row] if self.pairs else []
            augmented = [self._picture(s.augmented, side, times) for s in row]
            head = Line().to(left)
            for sample in row:
                head.add(f"{sample.label}  {sample.caption}".strip(), "", cells).add(" " * gap)
            blocks = [stored, augmented] if self.pairs else [augmented]
            if beside:
                pairs = zip(stored, augmented, strict=True)
                gutter = [("  ", "")]
                blocks = [[[[*a, *gutter, *b] for a, b in zip(*pair, strict=True)] for pair in pairs]]
            out.append(head)
            for block in blocks:
                for pieces in zip(*block, strict=True):
                    inside = (part for piece in pieces for part in (*piece, (" " * gap, "")))
                    out.append([(" " * left, ""), *inside])
                out.append(())
        return [cut(line, width, "") for line in out]

    def _picture(self, image: Image, side: int, times: int) -> list[Parts]:
        return digit(
            smaller(image, times) if times > 1 else middle(image, side),
            ink_of(self.app, shell(self).settings.ascii_only),
        )


class DataScreen(Modal[None]):
    """What the network gets to see. Space: another draw; a digit: only its class; + and -: degrees."""

    HELP_TITLE = "Data"
    DEFAULT_CSS = "DataScreen { background: $background; layout: vertical; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right", "another(1)", "Other draw", key_display="space", id="data.next"),
        Binding("left", "another(-1)", "Previous draw", show=False, id="data.previous"),
        Binding("0,1,2,3,4,5,6,7,8,9", "nothing", "One class", key_display="0-9", id="data.class"),
        Binding("asterisk", "all", "All classes", key_display="*", id="data.all"),
        Binding("c", "originals", "Compare", id="data.originals"),
        Binding("escape,v,q,enter", "dismiss(None)", "Back", key_display="esc", id="data.close"),
        Binding("z", "zoom", "Zoom", id="data.zoom"),
        Binding("plus,equals_sign,up", "rotation(1)", "Degrees", key_display="+/-", id="data.more"),
        Binding(
            "minus,underscore,down",
            "rotation(-1)",
            "Fewer degrees",
            show=False,
            key_display="-",
            id="data.less",
        ),
    ]

    def __init__(self, train: Train, data_dir: Path | None) -> None:
        super().__init__()
        self.train, self.data_dir = train, data_dir
        self.dataset: Any = None
        self.draw_number = 0
        self.only: int | None = None

    def compose(self) -> ComposeResult:
        yield SectionLine("Data", id="data-head")
        yield DigitGrid()
        yield KeyFooter()

    def on_mount(self) -> None:
        """The files are read in a thread; torch may have to be loaded for the rotation."""
        self._head(0)
        self.query_one(DigitGrid).show((), f"reading {self.train.dataset} …")
        self.run_worker(self._load, thread=True, exclusive=True, group="data")

    def _load(self) -> None:
        from tuitrain.data.load import load_dataset

        try:
            self.dataset = load_dataset(self.train.dataset, self.data_dir, fetch=False)
        except (TuitrainError, OSError) as error:
            self.call_later(self._failed, str(error))
            return
        self.call_later(self.redraw)

    def _failed(self, text: str) -> None:
        self.query_one(DigitGrid).show((), visible(text))

    def _draw(self, count: int) -> None:
        try:
            samples, total = draw(self.dataset, self.train, count, self.draw_number, self.only)
        except (ValueError, RuntimeError) as error:
            self.call_later(self._failed, str(error))
            return
        self.call_later(self._drawn, samples, total)

    def _drawn(self, samples: list[Sample], total: int) -> None:
        self.query_one(DigitGrid).show(samples)
        self._head(total)

    def redraw(self) -> None:
        """Another draw, in a thread."""
        if self.dataset is not None:
            work = partial(self._draw, self.query_one(DigitGrid).capacity())
            self.run_worker(work, thread=True, exclusive=True, group="data")

    def _head(self, total: int) -> None:
        train = self.train
        which = "all classes" if self.only is None else f"only {self.dataset.classes[self.only]}"
        after = [(augmentation_text(train), "good"), (f"   {which}", "dim")]
        if total:
            after.append((f", {total:,} images", "dim"))
        self.query_one("#data-head", SectionLine).set(
            title=train.dataset, after=after, right=((f"draw {self.draw_number + 1}", "dim"),), here=True
        )

    def on_key(self, event: events.Key) -> None:
        if event.character is not None and event.character in "0123456789":
            event.stop()
            event.prevent_default()
            self.only = int(event.character)
            self.redraw()

    def action_nothing(self) -> None:
        """Digits are taken in `on_key`."""

    def action_all(self) -> None:
        self.only = None
        self.redraw()

    def action_another(self, by: int) -> None:
        self.draw_number = max(0, self.draw_number + by)
        self.redraw()

    def action_originals(self) -> None:
        """With the images as stored above, or without."""
        grid = self.query_one(DigitGrid)
        grid.pairs = not grid.pairs
        self.redraw()

    def action_zoom(self) -> None:
        grid = self.query_one(DigitGrid)
        grid.large = not grid.large
        self.redraw()

    def action_rotation(self, by: int) -> None:
        """More or fewer degrees, to see what they mean; the form keeps its own."""
        degrees = max(0.0, min(180.0, max(map(abs, self.train.rotation_range)) + by))
        self.train = self.train.model_copy(update={"rotation": degrees})
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        grid = self.query_one(DigitGrid)
        grid.show(grid.samples, grid.message)
        self.redraw()

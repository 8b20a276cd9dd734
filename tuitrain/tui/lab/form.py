"""The form: one line a field, edited in place, checked at each keystroke."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tuitrain.tui.paint.lines import cursor_keys
from tuitrain.tui.paint.rows import RowsView
from tuitrain.tui.paint.text import Line, Parts, wrap
from tuitrain.workbench.fields import FormData, FormField, Item
from tuitrain.workbench.lineedit import LineEdit

LABEL = 15  # cells of the label, with the mark before it
ROOMY = 24  # lines from which on the settings of optimizer and schedule stay unfolded


class FormView(RowsView[str]):
    """Settings. Type a value, choose with ←/→, + and - step it, r takes it back."""

    HELP_TITLE = "Setup"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Accept", id="form.accept"),
        Binding("escape", "drop", "Undo typing", id="form.drop"),
        Binding("enter", "screen.start", "Start", id="form.start"),
        *cursor_keys("form", "field", page=8),
        Binding("plus,equals_sign", "nudge(1)", "More", key_display="+/-", id="form.more"),
        Binding("minus,underscore", "nudge(-1)", "Less", show=False, key_display="-", id="form.less"),
        Binding("right", "side(1)", "Next choice, or edit", show=False, id="form.right"),
        Binding("left", "side(-1)", "Previous choice, or edit", show=False, id="form.left"),
        Binding("space", "nudge(1)", "Next choice, switch", show=False, id="form.choose"),
        Binding("r", "reset", "Reset", id="form.reset"),
        Binding("delete", "reset", "Reset this field", show=False, id="form.reset_too"),
        Binding("Z", "reset_all", "Reset all fields", show=False, id="form.reset_all"),
    ]

    @dataclass
    class Changed(Message):
        """A field has a new valid value; `typing` while it is being typed."""

        key: str
        value: Any
        typing: bool

    @dataclass
    class Reset(Message):
        """A field (or all of them, key "") should go back to the preset's value."""

        key: str

    cursor = ""

    def __init__(self, *, id: str | None = None, starts: bool = True) -> None:
        super().__init__(id=id)
        self.data = FormData()
        self.errors: dict[str, tuple[str, str]] = {}  # what was typed, and why it won't do
        self._edit: LineEdit | None = None
        self._took_digits = False
        self._starts = starts

    def _explanation(self) -> str:
        """What the field with the cursor is for, and what it takes; F1 shows it."""
        field = self.field
        if field is None:
            return "Nothing to set here."
        takes = field.range_text()
        lines = [f"{field.label}: {field.help}", "", f"{takes[:1].upper()}{takes[1:]}."]
        if field.typed:
            examples = "3, or 1x7 for height 1 and width 7," if field.kind == "sides" else "0.069/2 and 64*2"
            lines.append(f"Type a value; {examples} are understood. Esc takes back what was typed.")
        return "\n".join(lines)

    # -- what is shown -------------------------------------------------------------------------

    @property
    def editing(self) -> bool:
        """Whether a value is being typed."""
        return self._edit is not None

    @property
    def takes_digits(self) -> bool:
        return self.field is not None and self.field.typed

    @property
    def fields(self) -> list[FormField]:
        """The fields in sight, folded groups left out."""
        return [row for row in self._visible() if isinstance(row, FormField)]

    @property
    def field(self) -> FormField | None:
        """The field with the cursor."""
        return next((f for f in self.data.rows if isinstance(f, FormField) and f.key == self.cursor), None)

    def show(self, data: FormData) -> None:
        """Shows other fields or values; what is being typed stays."""
        self.data = data
        keys = [row.key for row in data.rows if isinstance(row, FormField)]
        self.errors = {key: error for key, error in self.errors.items() if key in keys}
        if self.cursor not in keys:
            self.cursor = keys[0] if keys else ""
            self._stop_editing()
        self.rebuild()

    def forget(self) -> None:
        """Drops what was typed and refused."""
        self.errors.clear()
        self._stop_editing()

    def _group_open(self, head: str) -> bool:
        current = self.field
        return (
            self.size.height >= ROOMY
            or (current is not None and self.has_focus and head in (current.key, current.group))
            or any(
                f.group == head and f.key in self.errors for f in self.data.rows if isinstance(f, FormField)
            )
        )

    def _visible(self) -> list[FormField | Item]:
        return [
            row
            for row in self.data.rows
            if not isinstance(row, FormField) or not row.group or self._group_open(row.group)
        ]

    def rows_for(self, width: int) -> Iterator[tuple[str | None, list[Parts]]]:
        if self.takes_digits != self._took_digits:
            self._took_digits = self.takes_digits
            self.refresh_bindings()  # the header's digits follow
        self.HELP = self._explanation()  # type: ignore[misc]  # of this form, at this field
        for row in self._visible():
            if isinstance(row, Item):
                yield row.below or None, [self._item(row, width)]
                continue
            reason = self.errors.get(row.key, ("", ""))[1]
            # Below the field: beside it there is no room for a sentence.
            lines = wrap(((f"  ✗ {reason}", "bad"),), width, 4) if reason else []
            yield row.key, [self._field_line(row, width), *lines]

    def _item(self, item: Item, width: int) -> Parts:
        if item.below:
            return Line().add("    ").add(item.text, item.style, max(0, width - 4))
        return Line().add("  ").add(item.text, "dim", width - 2)

    def _field_line(self, row: FormField, width: int) -> Parts:
        """Mark, label, value, and at the right the old value where it differs."""
        data, here, label_cells = self.data, row.key == self.cursor, LABEL - 1
        focused = here and self.has_focus
        folded = row.key in data.summaries and not self._group_open(row.key)  # said here in short
        wrong = self.errors[row.key][0] if row.key in self.errors else None  # what was typed
        edit = self._edit if self._edit and self._edit.key == row.key else None
        value, base = data.values.get(row.key), data.bases.get(row.key)
        changed = value != base
        below = (
            [f.key for f in data.rows if isinstance(f, FormField) and f.group == row.key] if folded else []
        )
        below_changed = any(data.values.get(key) != data.bases.get(key) for key in below)
        mark = "✗" if wrong is not None else "•" if changed or below_changed else " "
        tone = "bad" if wrong is not None else "accent"
        line = Line()
        if focused:  # the ground alone would be lost without colours
            line.add("▌", "primary").add(mark, tone)
        else:
            line.add(mark + " ", tone)
        label = " " * (1 if row.group else 0) + row.label
        text = edit.text + " " if edit else wrong if wrong is not None else row.show(value)
        # What is chosen is always whole: for a long one the arrows give way, then the label's column.
        rooms = (width - line.x - label_cells, width - line.x - cell_len(label) - 1)
        if folded:
            text = f"{text} {data.summaries[row.key]}".strip()
        elif focused and row.kind in ("choice", "toggle"):
            forms = (f"‹ {text} ›", f"‹{text}›", f"‹{text}", text)
            text = next((form for room in rooms for form in forms if cell_len(form) <= room), text)
        if row.kind == "choice" and not folded:
            label_cells = max(cell_len(label) + 1, min(label_cells, width - line.x - cell_len(text)))
        line.add(label, "bold" if focused else "", label_cells)
        old = row.show(base) if changed else ""
        old_cells = len(old) + 1 if old and cell_len(text) + len(old) < width - line.x else 0
        room = width - line.x - old_cells
        if edit:
            style, end = "bad" if wrong is not None else "bold", line.x + room
            before, under, after = edit.window(room)
            line.add(before, style).add(under, "reverse").add(after, style).to(end)
        else:
            style = "accent" if changed else "dim" if value is None else ""
            line.add(text, "bad" if wrong is not None else style, room)
        if old_cells:
            line.add(old, "dim", old_cells, right=True)
        return self.on_row(line, width) if here else line

    # -- keys ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter and Esc are the field's own only while something is typed."""
        if action in ("accept", "drop"):
            return self.editing
        if action in ("start", "screen.start"):
            return self._starts and not self.editing
        return True

    async def on_key(self, event: events.Key) -> None:
        """Typing begins an edit and goes on in it; other keys are bindings."""
        field = self.field
        if field is None or not field.typed:
            return
        if self._edit is not None:
            if self._edit.press(event.key, event.character if event.is_printable else None):
                self._check()
                event.stop()
                event.prevent_default()
        elif event.character and (event.character.isdigit() or event.character == "."):
            self._begin(event.character)
            event.stop()
            event.prevent_default()
        elif event.key == "backspace":
            self._begin(self._text(field)[:-1])
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """The first line of what is pasted goes into the field."""
        field = self.field
        text = event.text.splitlines()[0].strip() if event.text.strip() else ""
        if field is None or not field.typed or not text:
            return
        event.stop()
        if self._edit is None:
            self._begin(text[:64])
        else:
            self._edit.insert(text)
            self._check()

    def _text(self, field: FormField) -> str:
        """What an edit of the field begins with."""
        if field.key in self.errors:
            return self.errors[field.key][0]
        value = self.data.values.get(field.key)
        return "" if value is None else field.show(value)

    def _begin(self, text: str, caret: int | None = None) -> None:
        before = self.data.values.get(self.cursor)
        self._edit = LineEdit(self.cursor, text, len(text) if caret is None else caret, before)
        self.refresh_bindings()
        self._check()

    def _check(self) -> None:
        """Takes what is typed if it is right, else says why not."""
        edit, field = self._edit, self.field
        if edit is None or field is None:
            return
        had = self.errors.pop(edit.key, None)
        try:
            value = field.parse(edit.text)
        except ValueError as error:
            self.errors[edit.key] = (edit.text, str(error))
            self.rebuild()
            self.post_message(self.Moved())
            return
        if value != self.data.values.get(edit.key):
            self.post_message(self.Changed(edit.key, value, True))
        elif had:
            self.post_message(self.Moved())
        self.rebuild()

    def refuse(self, key: str, reason: str) -> None:
        """A value that the field took is refused further on; the reason is shown at the field."""
        field = next((f for f in self.data.rows if isinstance(f, FormField) and f.key == key), None)
        text = self._edit.text if self._edit else field.show(self.data.values.get(key)) if field else ""
        self.errors[key] = (text, reason)
        self.rebuild()

    def _stop_editing(self) -> None:
        if self._edit is not None:
            self._edit = None
            if self.is_mounted:
                self.refresh_bindings()

    def action_accept(self) -> None:
        """What was typed stands; if it is wrong, the cursor stays."""
        if self._edit is not None and self._edit.key in self.errors:
            self.app.bell()
            return
        self.finish()

    def finish(self) -> None:
        """Ends typing; a wrong text stays in sight with its reason."""
        if self._edit is not None:
            self._stop_editing()
            self.post_message(self.Moved())
            self.rebuild()

    def action_drop(self) -> None:
        """Back to the value before typing."""
        edit = self._edit
        if edit is None:
            return
        self.errors.pop(edit.key, None)
        self._stop_editing()
        if self.data.values.get(edit.key) != edit.before:
            self.post_message(self.Changed(edit.key, edit.before, True))
        self.post_message(self.Moved())
        self.rebuild()

    def go_to(self, key: str) -> None:
        self._stop_editing()  # what was typed stands
        super().go_to(key)

    def go_to_error(self) -> str:
        """Why the first field that is wrong is so, with the cursor put on it; empty where none is."""
        for key, (_, reason) in self.errors.items():
            self.go_to(key)
            return reason
        return ""

    def action_nudge(self, direction: int) -> None:
        """One step more or less, or the next choice."""
        field = self.field
        if field is None:
            return
        self._stop_editing()
        was_wrong = self.errors.pop(field.key, None)
        value = self.data.values.get(field.key)
        new = field.nudge(value, direction)
        if new != value:
            self.post_message(self.Changed(field.key, new, False))
        elif was_wrong:
            self.rebuild()
            self.post_message(self.Moved())

    def action_side(self, direction: int) -> None:
        """Left and right go through choices; in a number they begin to edit what is there."""
        field = self.field
        if field is None:
            return
        if not field.typed:
            self.action_nudge(direction)
            return
        text = self._text(field)
        self._begin(text, len(text) if direction > 0 else max(0, len(text) - 1))

    def action_reset(self) -> None:
        if self.field is not None:
            self._stop_editing()
            self.errors.pop(self.cursor, None)
            self.post_message(self.Reset(self.cursor))
            self.rebuild()

    def action_reset_all(self) -> None:
        self.forget()
        self.post_message(self.Reset(""))
        self.rebuild()

    def on_click(self, event: events.Click) -> None:
        """Selects the field; a second click on it goes on to the next choice or edits."""
        key = self.key_at(event.y)
        if key is None:
            return
        if key != self.cursor:
            self.go_to(key)
        elif self._edit is None:
            self.action_side(1)

    def on_blur(self) -> None:
        self._stop_editing()
        super().on_blur()

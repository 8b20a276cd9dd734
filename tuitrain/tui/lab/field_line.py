"""One field of the form as a line: mark, label, value, and at the right the old value where it differs."""

from __future__ import annotations

from rich.cells import cell_len

from tuitrain.tui.paint.text import Line
from tuitrain.workbench.fields import FormData, FormField
from tuitrain.workbench.lineedit import LineEdit


def field_line(
    row: FormField,
    data: FormData,
    width: int,
    *,
    label_cells: int,
    focused: bool,
    folded: bool,
    wrong: str | None,
    edit: LineEdit | None,
) -> Line:
    """The line.

    Args:
        focused: whether the cursor is here, in a form that has the focus.
        folded: whether the fields below it are out of sight, and said here in short.
        wrong: what was typed, where it won't do.
        edit: what is being typed.
    """
    value, base = data.values.get(row.key), data.bases.get(row.key)
    changed = value != base
    below = [f.key for f in data.rows if isinstance(f, FormField) and f.group == row.key] if folded else []
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
    return line

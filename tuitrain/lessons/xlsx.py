"""XLSX files as a grid of cells, without a library: one sheet of numbers, texts and formulas."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from html import escape
from xml.parsers import expat

#: What zipfile and expat raise on what is damaged or of a kind that they don't know.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, expat.ExpatError, NotImplementedError, RuntimeError, EOFError, LookupError, OSError,
)  # fmt: skip
Grid = list[list[str | float | None]]
#: A cell to write: a number or a text, or a formula with the value that it has now.
Cell = str | float | tuple[str, float] | None
MAX_PART_BYTES = 64 << 20
MAX_CELLS = 4_000_000
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
    '<sheet name="Backpropagation" sheetId="1" r:id="r1"/></sheets><calcPr fullCalcOnLoad="1"/></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def column_letters(index: int) -> str:
    """`A` of 0, `AE` of 30."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def write(grid: Sequence[Sequence[Cell]], frozen_rows: int) -> bytes:
    """A workbook of one sheet.

    Args:
        grid: rows of cells; numbers that are not finite become a text.
        frozen_rows: that stay in sight above the others.
    """
    rows = []
    for y, row in enumerate(grid, 1):
        cells = "".join(
            _cell(f"{column_letters(x)}{y}", value) for x, value in enumerate(row) if value is not None
        )
        rows.append(f'<row r="{y}">{cells}</row>')
    pane = f'<pane ySplit="{frozen_rows}" topLeftCell="A{frozen_rows + 1}" activePane="bottomLeft" state="frozen"/>'
    sheet = (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView tabSelected="1" workbookViewId="0">{pane}</sheetView>'
        f"</sheetViews><sheetData>{''.join(rows)}</sheetData></worksheet>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in {**_PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            file.writestr(
                zipfile.ZipInfo(name), _HEAD + text, zipfile.ZIP_DEFLATED
            )  # the same bytes at any time
    return out.getvalue()


def _cell(place: str, value: Cell) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    formula, known = value if isinstance(value, tuple) else ("", value)
    said = f"<f>{escape(formula)}</f>" if formula else ""
    if known is None or known - known != 0:
        return f'<c r="{place}">{said}</c>' if said else _cell(place, "not finite")
    return f'<c r="{place}">{said}<v>{known!r}</v></c>'


def read(raw: bytes) -> Grid:
    """The cells of a workbook's first sheet; of a formula, the value that was saved with it.

    Raises:
        ValueError: it is no workbook, or larger than any sheet of a lesson.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            names = file.namelist()
            sheets = [name for name in names if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)]
            if not sheets:
                raise ValueError("no workbook: it has no sheet; save it as .xlsx again")
            shared = "xl/sharedStrings.xml"
            texts = _texts(_part(file, shared)) if shared in names else []
            return _cells(_part(file, min(sheets, key=lambda name: (len(name), name))), texts)
    except _UNREADABLE as error:
        raise ValueError(f"no workbook that can be read ({error}); save it as .xlsx again") from None


def _part(file: zipfile.ZipFile, name: str) -> bytes:
    with file.open(name) as part:
        text = part.read(MAX_PART_BYTES + 1)
    if len(text) > MAX_PART_BYTES:
        raise ValueError("a sheet far larger than any of a lesson; keep only the table in it")
    return text


class _Reader:
    """Elements of an XML text one after the other; entities of its own are refused."""

    def __init__(self) -> None:
        self.text = ""
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._finish
        parser.CharacterDataHandler = self._more
        parser.EntityDeclHandler = self._refuse

    def parse(self, text: bytes) -> None:
        self._parser.Parse(text, True)

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self.begin(tag.rpartition(":")[2], attributes)

    def _finish(self, tag: str) -> None:
        self.end(tag.rpartition(":")[2])

    def _more(self, text: str) -> None:
        self.text += text

    def _refuse(self, *_: object) -> None:
        raise ValueError("a workbook with entities of its own; save it as .xlsx again")

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""


class _Texts(_Reader):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "si":
            self.found.append("")
        self.text = ""

    def end(self, tag: str) -> None:
        if tag == "t" and self.found:
            self.found[-1] += self.text


def _texts(text: bytes) -> list[str]:
    reader = _Texts()
    reader.parse(text)
    return reader.found


class _Cells(_Reader):
    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.grid: Grid = []
        self._texts, self._kind, self._place, self._seen = texts, "", "", 0

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self.grid.append([])
        elif tag == "c":
            self._kind, self._place = attributes.get("t", "n"), attributes.get("r", "")
        if tag in ("v", "t"):
            self.text = ""

    def end(self, tag: str) -> None:
        if tag not in ("v", "t") or not self.grid:
            return
        row = self.grid[-1]
        at = _column_index(self._place) if self._place else len(row)
        self._seen += 1 + max(0, at - len(row))
        if self._seen > MAX_CELLS:
            raise ValueError("a sheet far larger than any of a lesson; keep only the table in it")
        row += [None] * (at + 1 - len(row))
        row[at] = self._value()

    def _value(self) -> str | float | None:
        if self._kind == "s":
            at = int(self.text) if self.text.isdecimal() else -1
            return self._texts[at] if 0 <= at < len(self._texts) else None
        if self._kind in ("n", "b"):
            try:
                return float(self.text)
            except ValueError:
                return None
        return self.text


def _column_index(place: str) -> int:
    letters = re.match("[A-Z]{1,3}", place)
    index = 0
    for letter in letters[0] if letters else "A":
        index = index * 26 + ord(letter) - 64
    return index - 1


def _cells(text: bytes, texts: list[str]) -> Grid:
    reader = _Cells(texts)
    reader.parse(text)
    return reader.grid

"""The rows of the Runs screen: what is shown of a run, sorted and filtered. No textual."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tuitrain.errors import visible
from tuitrain.figures import count_text, elapsed_text, glyph_and_kind, percent_text, waiting_text
from tuitrain.runs import wording
from tuitrain.spec.describe import describe_changes, short_changes

if TYPE_CHECKING:
    from tuitrain.runs.index import RunSummary
    from tuitrain.runs.queue_entry import QueueEntry

#: Shorter words, of eight letters at most, for the column of the states.
SHORT_STATES = {
    "out_of_memory": "no mem", "interrupted": "cut off", "compiling": "compiles", "later_version": "newer",
}  # fmt: skip
#: States from which a run can go on.
RESUMABLE = frozenset({"stopped", "interrupted", "failed"})


def state_look(state: str) -> tuple[str, str, str]:
    """Glyph, word and kind (see `figures.glyph_and_kind`) of a state."""
    glyph, kind = glyph_and_kind(state)
    return glyph, SHORT_STATES.get(state) or wording.state_text(state), kind


def changed_text(run: RunSummary, *, seed: bool = True) -> str:
    """What was changed, with its new value: `rotation 7.0, lr 0.01`; `–` for nothing (but the seed)."""
    changed = {key: pair for key, pair in run.changed.items() if seed or key != "train.seed"}
    return short_changes(changed, run.layers) or "–"


def told_apart_text(run: RunSummary) -> str:
    """`step13 · seed 3 · lr 0.01`: what tells a run from others, its changes last, as they may be cut."""
    changed = changed_text(run, seed=False).strip("–")
    return " · ".join(filter(None, (visible(run.preset), f"seed {run.seed}", changed)))


def when_text(when: float, now: float) -> str:
    """`14:02` today, `Nov 20` this year, else `Nov'25`."""
    if when <= 0:
        return "–"
    then, today = time.localtime(when), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%b %d" if then[0] == today[0] else "%b'%y", then)


@dataclass(frozen=True)
class RunRow:
    """One line: a run on disk, or one of this process that has no directory yet."""

    key: str
    state: str
    preset: str
    changed: str
    parameters: int
    best: float | None
    last: float | None
    at_target: int | None
    epochs: str
    when: float
    seconds: float
    device: str
    seed: int
    tags: str
    note: str
    state_s: float | None = None  # for how long it has been compiling or stalled
    summary: RunSummary | None = None
    entry: QueueEntry | None = field(default=None, compare=False)
    spread: str = ""  # of a group: how sure its mean is
    members: tuple[
        RunRow, ...
    ] = ()  # of a group (see `watch.folding`): its runs; of a leaderboard: its groups
    opened: bool = False  # its members stand below it
    inside: int = 0  # below how many opened rows it stands

    @property
    def runs(self) -> list[RunSummary]:
        """The runs that it stands for; none while it waits."""
        return [row.summary for row in self.with_members() if row.summary is not None]

    def with_members(self) -> Iterator[RunRow]:
        """Itself and all that it stands for."""
        yield self
        for member in self.members:
            yield from member.with_members()

    @property
    def is_board(self) -> bool:
        """Whether it stands for all settings of a study."""
        return bool(self.members) and bool(self.members[0].members)

    @property
    def groups(self) -> list[RunRow]:
        """The groups of a leaderboard, one by one; of any other row itself."""
        return list(self.members) if self.is_board else [self]

    @property
    def haystack(self) -> str:
        """What the filter looks through."""
        words = (
            self.key,
            wording.state_text(self.state),
            state_look(self.state)[1],
            self.preset,
            self.changed,
            self.tags,
        )
        return " ".join((*words, self.note, self.device, f"seed {self.seed}")).lower()


def row_of(run: RunSummary) -> RunRow:
    """The row of a run on disk."""
    return RunRow(
        key=run.run,
        state=run.activity,
        state_s=run.activity_s,
        preset=visible(run.preset),
        changed=changed_text(run),
        parameters=run.parameters,
        best=run.best,
        last=run.last,
        at_target=run.epochs_at_target,
        epochs=f"{run.epochs}/{run.epochs_planned}" if run.epochs_planned else str(run.epochs),
        when=run.when,
        seconds=run.seconds,
        device=visible(run.device),
        seed=run.seed,
        tags=visible(" ".join(run.tags)),
        note=visible(run.note),
        summary=run,
    )


def row_of_entry(entry: QueueEntry, number: int) -> RunRow:
    """The row of a queued run that has no directory yet."""
    state = "queued" if entry.state == "queued" else "failed" if entry.state == "failed" else "starting"
    return RunRow(
        key=f"queue {number}",
        state=state,
        preset=visible(entry.job.preset.name),
        changed=" · ".join(filter(None, (entry.seeds, entry.change))) or "–",
        parameters=entry.parameters,
        best=None,
        last=None,
        at_target=None,
        epochs=str(entry.job.preset.train.epochs),
        when=0.0,
        seconds=0.0,
        device=entry.job.runtime.device,
        seed=entry.job.preset.train.seed,
        tags="",
        note=entry.error or entry.phase,
        entry=entry,
    )


def waiting_rows(entries: Sequence[QueueEntry], begun: Container[str]) -> list[RunRow]:
    """The queue of this process, but for what has begun (by the names of the runs on disk)."""
    waiting = [entry for entry in entries if _shown_as_waiting(entry, begun)]
    return [row_of_entry(entry, number) for number, entry in enumerate(waiting, 1)]


def _shown_as_waiting(entry: QueueEntry, begun: Container[str]) -> bool:
    """Whether an entry is not on disk yet, or not yet in the list that was read."""
    if entry.directory is None:
        return entry.state in {"queued", "starting", "failed"}
    return entry.live and entry.directory.name not in begun


def details(row: RunRow) -> str:
    """All that is known about a row, as text; the table shows what fits."""
    run = row.summary
    glyph, word = state_look(row.state)[0], wording.state_text(row.state)
    if run is not None and not run.preset:
        return "\n".join((f"{glyph} {word}: it has not written anything yet", "", visible(run.path)))
    lines = [f"{glyph} {word}  {row.preset}, seed {row.seed}, {count_text(row.parameters)} parameters"]
    if run is not None:
        lines += [visible(run.message)] if run.message else []
        best = f"best {percent_text(run.best)} in epoch {run.best_epoch}, last {percent_text(run.last)}"
        lines.append(
            f"epochs {row.epochs} on {visible(run.dataset)}, {best if run.best is not None else 'none finished'}"
        )
        changed = describe_changes(run.changed, run.layers)
        lines += ["", "changed" if changed else "nothing changed in the preset"]
        lines += [f"  {change}" for change in changed]
    lines += ["", f"tags  {row.tags}"] if row.tags else []
    lines += ["", "note", *(f"  {line}" for line in row.note.splitlines())] if row.note else []
    if run is not None:
        lines += ["", *filter(None, (visible(run.command), visible(run.path)))]
    return "\n".join(lines)


@dataclass(frozen=True)
class Column:
    """A column: its title, its cells, how wide, from which screen width on, and what it sorts by."""

    name: str
    title: str
    width: int
    text: Callable[[RunRow, float], str]
    sort: Callable[[RunRow], Any]
    right: bool = False
    from_width: int = 0


def _number_or_low(value: float | None) -> float:
    return -1.0 if value is None else value


def _target(row: RunRow) -> str:
    if row.at_target is None:
        return "–"
    return f"{row.at_target}/{len(row.runs)}" if row.members else str(row.at_target)


def _preset(row: RunRow) -> str:
    return " " * row.inside + (f"seed {row.seed}" if row.inside and not row.members else row.preset)


def _changed(row: RunRow) -> str:
    if row.members:
        return f"{' ' * row.inside}{'▾' if row.opened else '▸'} {row.changed}"
    return "" if row.inside else row.changed


def _seed(row: RunRow) -> str:
    return "" if row.members else str(row.seed)


def _params(row: RunRow, now: float) -> str:
    return count_text(row.parameters) if row.parameters else "–"


def _when(row: RunRow, now: float) -> str:
    if row.state_s is not None:
        return waiting_text(row.state_s)
    return "now" if row.state == "live" else when_text(row.when, now)


def _time(row: RunRow, now: float) -> str:
    return elapsed_text(row.seconds) if row.seconds else "–"


def _words(row: RunRow, now: float) -> str:
    return ", ".join(part for part in (row.tags, row.note) if part)


COLUMNS: tuple[Column, ...] = (
    Column("state", "state", 10, lambda r, now: "", lambda r: r.state),
    Column("preset", "preset", 8, lambda r, now: _preset(r), lambda r: r.preset),
    Column("changed", "changed", 0, lambda r, now: _changed(r), lambda r: r.changed),
    Column("params", "params", 7, _params, lambda r: r.parameters, right=True),
    Column(
        "best", "best", 6, lambda r, now: percent_text(r.best), lambda r: _number_or_low(r.best), right=True
    ),
    Column(
        "last",
        "last",
        6,
        lambda r, now: percent_text(r.last) + r.spread,
        lambda r: _number_or_low(r.last),
        right=True,
    ),
    Column("target", "≥target", 7, lambda r, now: _target(r), lambda r: r.at_target or 0, right=True),
    Column("epochs", "epochs", 7, lambda r, now: r.epochs, lambda r: r.epochs, right=True, from_width=110),
    Column("seed", "seed", 4, lambda r, now: _seed(r), lambda r: r.seed, right=True, from_width=110),
    Column("when", "when", 6, _when, lambda r: r.when, right=True),
    Column("took", "took", 6, _time, lambda r: r.seconds, right=True),
    Column("device", "device", 8, lambda r, now: r.device, lambda r: r.device, from_width=100),
    Column("tags", "tags, note", 22, _words, lambda r: (r.tags, r.note), from_width=130),
)
BY_NAME = {column.name: column for column in COLUMNS}
SORTS = ("when", "best", "last", "params", "took", "preset", "changed", "state", "target")


def columns_for(width: int, rows: Sequence[RunRow] = ()) -> list[tuple[Column, int]]:
    """The columns that fit and their widths; `changed` takes what is left, `last` what a group's mean needs.

    Where it is narrow, groups have no room for the time they took.
    """
    no_time = width < 90 and any(row.members for row in rows)
    chosen = [c for c in COLUMNS if c.from_width <= width and not (no_time and c.name == "took")]
    widths = {column.name: column.width for column in chosen}
    widths["last"] += max((len(row.spread) for row in rows), default=0)

    def room() -> int:
        return width - 2 - sum(widths[column.name] for column in chosen) - len(chosen)

    while room() < 6 and chosen[-1].name != "last":
        chosen.pop()  # half of a column says nothing
    widths["changed"] = max(6, min(60, room()))
    return [(column, widths[column.name]) for column in chosen]


_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
}
_FIGURES: dict[str, Callable[[RunRow], float | None]] = {
    "best": lambda r: None if r.best is None else r.best * 100,
    "last": lambda r: None if r.last is None else r.last * 100,
    "params": lambda r: r.parameters,
    "seed": lambda r: r.seed,
    "took": lambda r: r.seconds,
}


def _term_matches(term: str, row: RunRow) -> bool:
    for sign, compare in _OPERATORS.items():
        name, found, value = term.partition(sign)
        if found and name in _FIGURES:
            try:
                wanted = float(value)
            except ValueError:
                return True  # still being typed
            figure = _FIGURES[name](row)
            return figure is not None and compare(figure, wanted)
    return term in row.haystack


def arrange(
    rows: Sequence[RunRow], wanted: str, sort: str, reverse: bool, opened: Container[str] = ()
) -> list[RunRow]:
    """The rows that match every word of the filter, sorted; the queue stays on top.

    `step13 best>99.3 "rotation 7"`: words, figures, and words that belong together. A group is there if it matches or
    one of its runs does; if its key is in `opened`, its runs stand below it, by seed: those that match, if any do.
    """
    terms = [quoted or word for quoted, word in re.findall(r'"([^"]+)"?|(\S+)', wanted.lower())]
    nested = [row for one in rows for row in one.with_members() if row.members and terms]
    matching = {id(row): _members_that_match(row, terms) for row in nested}
    kept = [row for row in rows if _matches(row, terms) or matching.get(id(row))]
    queue = [row for row in kept if row.entry is not None]
    rest = [row for row in kept if row.entry is None]
    rest.sort(key=BY_NAME[sort].sort, reverse=reverse)
    return queue + _opened(rest, matching, opened)


def _opened(
    rows: Sequence[RunRow], matching: dict[int, list[RunRow]], opened: Container[str], inside: int = 0
) -> list[RunRow]:
    """The rows, with the members of those that are opened below them."""
    out: list[RunRow] = []
    for row in rows:
        is_open = bool(row.members) and row.key in opened
        out.append(replace(row, opened=is_open, inside=inside) if is_open or inside else row)
        if is_open:
            out += _opened(matching.get(id(row)) or row.members, matching, opened, inside + 1)
    return out


def _matches(row: RunRow, terms: Sequence[str]) -> bool:
    return all(_term_matches(term, row) for term in terms)


def _members_that_match(row: RunRow, terms: Sequence[str]) -> list[RunRow]:
    return [member for member in row.members if _matches(member, terms) or _members_that_match(member, terms)]

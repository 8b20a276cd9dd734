"""Results as tables: rows for the terminal and for docs/SPEED.md out of one description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.results import Arm, Section

Data = dict[str, Any]
HERE = ("ratio", "median", "min - max")


@dataclass(frozen=True)
class Table:
    """A table of words."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The Markdown form: the first column to the left, figures to the right."""
        right = ["---" if name in ("", "what", "figure", "gate") else "--:" for name in self.head]
        lines = [f"### {self.title}", "", _line(self.head), _line(right)]
        lines += [_line(row) for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def show(self, console: Any) -> None:
        """On a rich console."""
        from rich.table import Table as Rich

        table = Rich(title=self.title, title_justify="left", header_style="bold")
        for name in self.head:
            table.add_column(name, justify="left" if name in ("", "what", "figure", "gate") else "right")
        for row in self.rows:
            table.add_row(*row)
        console.print(table, markup=False)
        for note in self.notes:
            console.print(note, style="dim", markup=False)


def _line(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def number(value: float | None) -> str:
    """A figure with as many digits as mean something."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.3g}"


def amount(value: float | None, unit: str) -> str:
    """A figure in its unit; short times in milliseconds or microseconds."""
    if value is None:
        return "–"
    if unit == "s" and abs(value) < 1e-3:
        return f"{value * 1e6:.3g} µs"
    if unit == "s" and abs(value) < 1:
        return f"{value * 1e3:.3g} ms"
    if unit == "of wall time":
        return f"{100 * value:.1f} %"
    return f"{number(value)} {unit}" if unit != "images/s" else number(value)


def section_table(name: str, section: Section) -> Table:
    """The table of a section: ratios first."""
    arms: dict[str, Arm] = section["arms"]
    unit, limits = section.get("unit", ""), section.get("limits", {})
    ratios = any("ratio" in arm for arm in arms.values())
    columns: list[tuple[str, Any]] = []
    if ratios:
        columns.append(("ratio", lambda _, arm: _ratio(arm)))
    if any("cost_percent" in arm for arm in arms.values()):
        columns.append(
            ("cost", lambda _, arm: f"{arm['cost_percent']:.1f} %" if "cost_percent" in arm else "")
        )
    columns.append((unit if unit == "images/s" else "median", lambda _, arm: amount(arm.get("median"), unit)))
    columns.append(("min - max", lambda _, arm: _range(arm, unit)))
    if limits:
        columns.append(("limit", lambda key, _: amount(limits[key], unit) if key in limits else ""))
    if any("epoch_s" in arm for arm in arms.values()):
        columns.append(("s an epoch", lambda _, arm: number(arm.get("epoch_s"))))
    if any("peak_mib" in arm for arm in arms.values()):
        columns.append(("peak MiB", lambda _, arm: number(arm.get("peak_mib"))))
    if any("bytes_per_s" in arm for arm in arms.values()):
        columns.append(("bytes/s", lambda _, arm: number(_mean(arm.get("bytes_per_s")))))
    if any("epochs" in arm for arm in arms.values()):
        columns.append(("epochs", lambda _, arm: ", ".join(map(str, arm.get("epochs", [])))))
    if any("accuracies" in arm for arm in arms.values()):
        columns.append(("accuracy %", lambda _, arm: _percent(arm.get("accuracies"))))
    if any("gate" in arm for arm in arms.values()):
        columns.append(("gate", lambda _, arm: _gate(arm)))
    order = sorted(arms, key=lambda key: -arms[key].get("ratio", 0.0)) if ratios else list(arms)
    rows = []
    for key in order:
        arm = arms[key]
        blank = [arm["state"], *[""] * (len(columns) - 1)]
        cells = [cell(key, arm) for _, cell in columns] if arm["samples"] else blank
        rows.append((key, *cells, arm.get("what", "")))
    return Table(
        section.get("title", name), ("", *(head for head, _ in columns), "what"), tuple(rows), _notes(section)
    )


def _ratio(arm: Arm) -> str:
    return f"{arm['ratio']:.2f}" if "ratio" in arm else ""


def _range(arm: Arm, unit: str) -> str:
    if arm.get("min") is None or len(arm["samples"]) < 2:
        return ""
    return f"{amount(arm['min'], unit)} - {amount(arm['max'], unit)}"


def _mean(values: list[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _percent(values: list[float] | None) -> str:
    return ", ".join(f"{100 * value:.2f}" for value in values or [])


def _gate(arm: Arm) -> str:
    gate = arm.get("gate")
    if not gate:
        return ""
    word = "met" if gate["met"] else "BROKEN"
    return f"{word} ({gate['points']:+.2f})"


def _notes(section: Section) -> tuple[str, ...]:
    notes = []
    if section.get("base"):
        notes.append(f"Ratios to `{section['base']}`, above 1 better; medians of the rounds' own ratios.")
    if "images" in section:
        notes.append(
            f"Epochs of {section['images']:,} images, {section['rounds']} measured after one to warm up; "
            "seconds an epoch are for 60,000."
        )
    if "gate" in section:
        notes.append(f"Gate: {section['gate']}")
    for degrees, found in section.get("different", {}).items():
        notes.append(
            f"Up to {degrees}°: {found['different']} of {found['images']:,} images differ from PIL's."
        )
    for name, arm in section["arms"].items():
        if keys := arm.get("key_to_paint"):
            notes.append(
                f"Key to paint while it trains (`{name}`): median {keys['median_ms']} ms, 95th percentile "
                f"{keys['p95_ms']} ms, longest {keys['max_ms']} ms; {keys['answered']} of {keys['pressed']} answered."
            )
        if "first" in arm:
            notes.append(f"{name}: the first run of its process {arm['first']:.3g} s, later ones as above.")
        if "p95" in arm:
            notes.append(f"{name}: 95th percentile {1000 * arm['p95']:.0f} ms.")
    if section.get("again"):
        notes.append(section["again"])
    return tuple(notes)


def machine_line(data: Data) -> str:
    """Where and when, in a sentence."""
    machine, versions = data["machine"], data["versions"]
    hardware = (
        machine.get("gpu") or f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"
    )
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    quick = " A quick run: its figures show that it works, not how fast it is." if data.get("quick") else ""
    return (
        f"Measured {data['started'][:10]} on {hardware} ({machine['platform']}); load before the start "
        f"{machine['load_at_start']}; {software}; commit {data['commit'] or 'unknown'}.{quick}"
    )


def median(data: Data | None, section: str, arm: str, key: str = "median") -> float | None:
    """A figure of an arm, or None where it was not measured."""
    found = ((data or {}).get("sections", {}).get(section, {}).get("arms", {})).get(arm, {})
    value = found.get(key)
    return float(value) if isinstance(value, int | float) else None


def quotient(data: Data | None, section: str, arm: str, others: list[str]) -> float | None:
    """How much faster an arm is than the fastest of some others, in images/s."""
    mine = median(data, section, arm)
    theirs = [value for name in others if (value := median(data, section, name))]
    return mine / max(theirs) if mine and theirs else None


def must_show(cpu: Data | None, gpu: Data | None) -> Table:
    """What the issue wants shown, beside what was measured."""
    loaders = [f"loader-{n}" for n in (0, 2, 4, 8)]
    names = list((cpu or {}).get("sections", {}).get("training-128", {}).get("arms", {}))
    rivals = [name for name in names if name.startswith(("lightning", "keras"))]
    at = "training-128"
    rows: list[tuple[str, str, str, float | None, bool | None]] = []

    def more(what: str, least: float, aim: str, found: float | None) -> None:
        rows.append((what, f"{least:g} ×", aim, found, None if found is None else found >= least))

    def less(what: str, most: float, aim: str, found: float | None, unit: str) -> None:
        rows.append((what, f"{most:g} {unit}", aim, found, None if found is None else found <= most))

    compiled = quotient(cpu, at, "compiled", loaders)
    free = median(cpu, "screen-free", "screen", "cost_percent")
    full = median(cpu, "screen-full", "screen", "cost_percent")
    one = median(gpu, "gpu-training", "graph", "ratio")
    seeds = median(gpu, "gpu-seeds", "K = 32", "ratio")
    cold = median(gpu, "gpu-target", "tuitrain", "mean")
    more(
        "CPU, eager fp32, against the best DataLoader setting",
        1.4,
        "3 ×",
        quotient(cpu, at, "eager", loaders),
    )
    more("CPU, compiled fp32, against the best DataLoader setting", 2.0, "3 ×", compiled)
    more(
        "CPU, compiled, against DataLoader with 2 workers",
        2.5,
        "4 ×",
        quotient(cpu, at, "compiled", loaders[1:2]),
    )
    more(
        "Rotation against PIL, pixel-identical",
        10,
        "no separate pass",
        median(cpu, "rotation", "batched", "ratio"),
    )
    more("CPU, compiled, against the fastest peer", 1.5, "3 ×", quotient(cpu, at, "compiled", rivals))
    less("Screen's share of the training thread, a core free", 2, "0.5 %", free, "%")
    less("Screen's share of the training thread, none free", 5, "0.5 %", full, "%")
    more("GPU, one network, against the best-tuned DataLoader on the same host", 8, "15 ×", one)
    less(
        "GPU, step13's 14 epochs with evaluation, after import",
        4,
        "2 s",
        median(gpu, "gpu-step13", "graph", "first"),
        "s",
    )
    more("GPU, 32 seeds at once against one graphed seed at a time", 6, "15 ×", seeds)
    less("GPU, cold command to 99.4 % with the best preset, mean of 10 seeds", 12, "6 s", cold, "s")
    cells = []
    for what, least, aim, found, met in rows:
        shown = "not measured" if found is None else f"{found:.3g} {least.split()[-1]}"
        cells.append((what, least, aim, shown, {True: "yes", False: "no", None: "–"}[met]))
    return Table("What had to be shown", ("figure", "at least", "aim", "measured", "met"), tuple(cells))


def tables(data: Data) -> list[Table]:
    """Every section's."""
    return [section_table(name, section) for name, section in data["sections"].items() if section["arms"]]

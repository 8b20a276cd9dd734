"""From which size of the terminal on a screen has which class; everything that depends on the size follows these."""

from __future__ import annotations

MIN_WIDTH, MIN_HEIGHT = 60, 18  # below, a few lines of text stand in for the screen
NORMAL = 76  # columns for every figure of the monitor
WIDE = 110  # two panes or charts side by side
COLUMNS = 118  # the presets have a column of their own
VERY_WIDE = 150
TALL = 30  # lines for a chart below a table
VERY_TALL = 34

WIDTHS = [(0, "-too-narrow"), (MIN_WIDTH, "-narrow"), (NORMAL, "-normal"), (WIDE, "-wide"),
          (COLUMNS, "-columns"), (VERY_WIDE, "-very-wide")]  # fmt: skip
HEIGHTS = [(0, "-too-short"), (MIN_HEIGHT, "-short"), (TALL, "-tall"), (VERY_TALL, "-very-tall")]

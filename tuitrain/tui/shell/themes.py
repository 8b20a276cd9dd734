"""The house's themes, and which one a terminal gets when nobody asks for one."""

from __future__ import annotations

from collections.abc import Collection

from textual.theme import Theme

from tuitrain.errors import visible

DARK = Theme(
    name="tuitrain-dark",
    primary="#5eb1ef",
    secondary="#8f9fb3",
    accent="#f5b83d",
    foreground="#e6e8eb",
    background="#101418",
    surface="#171c22",
    panel="#202730",
    success="#5fd38d",
    warning="#f5b83d",
    error="#ff6b6b",
    dark=True,
)
LIGHT = Theme(
    name="tuitrain-light",
    primary="#0b63b0",
    secondary="#566575",
    accent="#a15c00",
    foreground="#1b1f24",
    background="#fbfbf8",
    surface="#f1f1ec",
    panel="#e4e5df",
    success="#1a7f3c",
    warning="#9a6700",
    error="#c6262e",
    dark=False,
)
# Okabe and Ito's palette: told apart with any of the common colour vision deficiencies.
SAFE = Theme(
    name="tuitrain-safe",
    primary="#56b4e9",
    secondary="#999999",
    accent="#f0e442",
    foreground="#f2f2f2",
    background="#0d0d0d",
    surface="#171717",
    panel="#242424",
    success="#56b4e9",
    warning="#e69f00",
    error="#d55e00",
    dark=True,
)
THEMES = (DARK, LIGHT, SAFE)
SHORT_NAMES = {
    "dark": DARK.name,
    "light": LIGHT.name,
    "safe": SAFE.name,
    "colour-blind": SAFE.name,
    "color-blind": SAFE.name,
    "ansi": "ansi-dark",
}


def full_name(name: str) -> str:
    """The registered name of a theme that may be given in short (`dark`, `light`, `safe`, `ansi`)."""
    return SHORT_NAMES.get(name, name)


def default_theme(colors: int | None) -> str:
    """The theme for a terminal of so many colours (16 or fewer take the terminal's own)."""
    return "ansi-dark" if colors is not None and colors <= 16 else DARK.name


def next_theme(name: str) -> str:
    """The one after a theme, of ours and those that take the terminal's own colours."""
    names = [theme.name for theme in THEMES] + ["ansi-dark", "ansi-light"]
    here = names.index(name) if name in names else -1
    return names[(here + 1) % len(names)]


def chosen_theme(wanted: str | None, colors: int | None, known: Collection[str]) -> tuple[str, str]:
    """The theme that is asked for, else the terminal's; and what is wrong with what was asked for, or nothing.

    Args:
        wanted: a name, short or full; None for none.
        colors: of the terminal, where they are few.
        known: the names that there are.
    """
    usual = default_theme(colors)
    name = full_name(wanted) if wanted else usual
    if name in known:
        return name, ""
    others = ", ".join(sorted(known))
    return usual, f"no theme is called '{visible(name)}'; use dark, light, safe, ansi or one of {others}"

"""The keys that move the cursor of a list, the same in each."""

from __future__ import annotations

from textual.binding import Binding


def cursor_keys(
    prefix: str, what: str, *, page: int, ends: tuple[str, str] = ("home", "end")
) -> list[Binding]:
    """Keys for `action_move`, which takes by how many rows.

    Args:
        prefix: of their ids.
        what: the rows are.
        page: how many rows page up and down go.
        ends: the keys for the first and the last row.
    """
    return [
        Binding(key, f"move({by})", said, show=False, id=f"{prefix}.{name}")
        for key, by, said, name in (
            ("up,k", -1, f"Previous {what}", "up"),
            ("down,j", 1, f"Next {what}", "down"),
            (ends[0], -999, f"First {what}", "first"),
            (ends[1], 999, f"Last {what}", "last"),
            ("pageup", -page, f"{page} {what}s up", "page_up"),
            ("pagedown", page, f"{page} {what}s down", "page_down"),
        )
    ]

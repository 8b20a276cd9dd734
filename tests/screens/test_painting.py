"""Only what is dirty is rendered, it looks as if everything had been, and kept styles follow the theme."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, Compositor
from textual.app import App
from textual.geometry import Region

from support import at_rest
from support.lab_stage import lab, settle
from support.monitor_stage import StageApp, live
from tuitrain.tui.paint.styles import Painted
from tuitrain.tui.terminal.compositor import FrugalCompositor
from tuitrain.tui.terminal.painter import Painter


def random_regions(chance: random.Random, screen: Region) -> set[Region]:
    regions = set()
    for _ in range(chance.randint(1, 6)):
        x, y = chance.randrange(screen.width), chance.randrange(screen.height)
        width = chance.randint(1, chance.choice((3, screen.width)))
        height = chance.randint(1, chance.choice((1, 1, screen.height)))
        regions.add(Region(x, y, width, height).intersection(screen))
    return regions


def painted(update: ChopsUpdate | None, screen: Region) -> list[list[Any]]:
    assert update is not None
    painter = Painter()
    painter.update(update, ColorSystem.TRUECOLOR, *screen.size)
    return painter._rows


def dirty_cells(regions: set[Region]) -> Iterator[tuple[int, int]]:
    for region in regions:
        yield from ((y, x) for y in region.line_range for x in region.column_range)


def compare(app: App[Any], chance: random.Random, times: int) -> int:
    """Both ways of rendering the same dirty regions of the top screen; how many cells were compared."""
    compositor, screen, count = app.screen._compositor, app.size.region, 0
    assert isinstance(compositor, FrugalCompositor)
    for _ in range(times):
        regions = random_regions(chance, screen) - {screen}
        if not regions:
            continue
        for widget in compositor.visible_widgets:
            widget._styles_cache.clear()
        compositor._dirty_regions = set(regions)
        ours = painted(compositor.render_partial_update(), screen)
        compositor._dirty_regions = set(regions)
        theirs = painted(Compositor.render_partial_update(compositor), screen)
        for y, x in dirty_cells(regions):
            count += 1
            assert theirs[y][x] is not None
            assert ours[y][x] == theirs[y][x], (regions, y, x)
    return count


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)])
@pytest.mark.parametrize("keys", [(), ("question_mark",), ("ctrl+s",), ("3",)], ids=str)
async def test_a_dirty_cell_looks_as_if_the_whole_screen_had_been_rendered(size, keys, tmp_path) -> None:
    async with lab(tmp_path, size=size) as (app, pilot, _):
        await pilot.press(*keys)
        await settle(app, pilot)
        assert compare(app, random.Random(f"{size}{keys}"), 15) > 500


async def test_what_is_not_dirty_is_not_rendered(tmp_path, monkeypatch) -> None:
    async with lab(tmp_path, size=(120, 40)) as (app, pilot, _):
        await settle(app, pilot)
        compositor = app.screen._compositor
        rendered: list[str] = []
        for widget in compositor.visible_widgets:
            lines = widget.render_lines
            monkeypatch.setattr(
                widget, "render_lines", lambda crop, w=widget, f=lines: rendered.append(str(w)) or f(crop)
            )
        first, last = Region(0, 0, 4, 1), Region(0, app.size.height - 1, 4, 1)
        compositor._dirty_regions = {first, last}
        compositor.render_partial_update()
        assert 1 <= len(rendered) <= 6
        assert len(compositor.visible_widgets) > 20


async def test_another_theme_repaints_the_monitor_as_if_it_had_begun_in_it() -> None:
    async def looks(app: StageApp) -> list[list[Any]]:
        await at_rest.settle(pilot)
        app.monitor._redraw()
        await at_rest.settle(pilot)
        return [list(line) for line in app.screen._compositor.render_strips()]

    app = StageApp(live(), theme="tuitrain-light")
    async with app.run_test(size=(120, 40)) as pilot:
        wanted = await looks(app)
    app = StageApp(live())
    async with app.run_test(size=(120, 40)) as pilot:
        dark = await looks(app)
        assert len(app.query(Painted)) > 10
        app.theme = "tuitrain-light"
        assert await looks(app) == wanted != dark

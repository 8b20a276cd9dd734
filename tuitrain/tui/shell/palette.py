"""The command palette: every action of the screen, every mode, preset, run and theme."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher

from tuitrain.errors import visible
from tuitrain.tui.shell.protocol import shell

Command = tuple[str, str, Callable[[], Any]]


def _highlight(matcher: Matcher, title: str) -> Content:
    """The title with the matching letters marked; the matcher's own would read it as markup."""
    content = Content(title)
    _, offsets = matcher.fuzzy_search.match(matcher.query, title)
    for offset in offsets:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


def _plain(text: str) -> str:
    """Help that is shown as it is: Textual reads it as markup."""
    return text.replace("\\", "\\\\").replace("[", "\\[")


class Palette(CommandPalette):
    """Textual's; a page key before its list is laid out, or a second answer, does nothing where Textual fails."""

    ID = "--command-palette"  # by which Textual knows that it is open

    def dismiss(self, result: None = None) -> AwaitComplete:
        """As `Modal.dismiss`."""
        return super().dismiss(result) if self.is_current else AwaitComplete()

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).size or not action.startswith("page"):
            super()._action_command_list(action)


class EverythingProvider(Provider):
    """Actions first, then presets, runs and themes."""

    async def startup(self) -> None:
        """Collect once an opening, what the footer shows first; presets and runs are read in a thread."""
        self._commands = list(self._actions())
        self._more: list[Command] = []
        self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        self._more = await asyncio.to_thread(self._presets_and_runs)

    def _actions(self) -> Iterator[Command]:
        app = self.app
        seen: set[str] = set()
        for active in sorted(self.screen.active_bindings.values(), key=lambda found: not found.binding.show):
            binding = active.binding
            if not binding.description or binding.action in seen or not active.enabled:
                continue
            seen.add(binding.action)
            run = partial(app.run_action, binding.action, active.node)
            yield binding.description, f"key {app.get_key_display(binding)}", run
        yield (
            "Lesson: backpropagation",
            "a network of eight weights, term by term",
            shell(self.screen).open_lesson,
        )
        yield "Draw a digit", "what a network says of it", shell(self.screen).open_drawing
        for name in sorted(app.available_themes):
            yield f"Theme: {name}", "colours of the screen", partial(setattr, app, "theme", name)
        yield "Screenshot", "save the screen as SVG", app.deliver_screenshot

    def _presets_and_runs(self) -> list[Command]:
        from tuitrain.study.listing import study_names

        app = shell(self.screen)
        commands: list[Command] = []
        for name, family in app.manager.preset_names():
            commands.append((f"Preset: {visible(name)}", visible(family), partial(app.choose_preset, name)))
        for name, what in study_names(app.settings.runs_dir):
            commands.append((f"Study: {visible(name)}", visible(what), partial(app.open_study, name)))
        for name, what in app.manager.run_names():
            commands.append((f"Run: {visible(name)}", visible(what), partial(app.open_run_named, name)))
        return commands

    async def discover(self) -> Hits:
        """Everything that is at hand, before a letter is typed."""
        for title, help_text, command in self._commands:
            yield DiscoveryHit(Content(title), command, text=title, help=_plain(help_text))

    async def search(self, query: str) -> Hits:
        await self._loading
        matcher = self.matcher(query)
        for title, help_text, command in [*self._commands, *self._more]:
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, _highlight(matcher, title), command, text=title, help=_plain(help_text))

"""What Tab offers in bash, zsh and fish, and the script that asks for it. Imports nothing heavy.

The scripts run the command itself with `_TUITRAIN_COMPLETE` set; Typer finds the commands and flags, the functions
here the values. Nothing else happens then: no screen, no training, and errors say nothing.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import typer

from tuitrain.errors import UsageError, visible

VARIABLE = "_TUITRAIN_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
#: Names that need no quotes in a shell; others can be typed, but are not offered.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,@-]*")
_MOST = 200  # runs offered, the newest

_BASH = r"""
_tuitrain_completion() {
    local IFS=$'\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
                   _TUITRAIN_COMPLETE=complete_bash "$1" 2>/dev/null </dev/null ) )
}
complete -o default -F _tuitrain_completion tuitrain
"""
_ZSH = r"""
#compdef tuitrain
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_tuitrain() {
    local answer
    answer=$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \
             _TUITRAIN_COMPLETE=complete_zsh ${~words[1]} 2>/dev/null </dev/null)
    [[ $PREFIX == --*=* ]] && compset -P '*='
    eval "$answer"
}
if [[ $funcstack[1] == _tuitrain ]]; then _tuitrain "$@"; else compdef _tuitrain tuitrain; fi
"""
_FISH = r"""
function __tuitrain_complete
    set -l tokens (commandline -opc)
    set -l found (env _TYPER_COMPLETE_ARGS=(commandline -cp | string collect) \
        _TUITRAIN_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args $tokens[1] 2>/dev/null </dev/null)
    if test -n "$found"
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command tuitrain --no-files --arguments '(__tuitrain_complete)'
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def answer(commands: Callable[[], typer.Typer]) -> NoReturn:
    """Print what a shell may complete its line with, and exit; whatever goes wrong is silence."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    found = io.StringIO()
    with contextlib.suppress(BaseException):
        from typer._completion_classes import completion_init

        _join_flags()
        completion_init()
        with contextlib.redirect_stdout(found):
            commands()(prog_name="tuitrain")
    start = _flag_begun()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write("".join(f"{start}{line}\n" for line in found.getvalue().splitlines() if line))
        sys.stdout.flush()
    os._exit(0)


def _join_flags() -> None:
    """Of `--flag = value`, three words to bash, make two."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    number = os.environ.get("COMP_CWORD", "")
    if number.isdecimal():
        before = [word for word in words[: int(number)] if word != "="]
        os.environ["COMP_WORDS"] = "\n".join([*before, *words[int(number) :]])
        os.environ["COMP_CWORD"] = str(len(before))


def _flag_begun() -> str:
    """The `--flag=` of a value that is being typed: fish wants it before each value that it may put there."""
    word = os.environ.get("_TYPER_COMPLETE_ARGS", "").rpartition(" ")[2]
    if os.environ[VARIABLE] != "complete_fish" or not word.startswith("--"):
        return ""
    flag, equals, _ = word.partition("=")
    return flag + equals if equals else ""


# ------------------------------------------------------------------------------------------ the scripts


def with_shell_name(arguments: list[str]) -> list[str]:
    """The command line with the shell named that `--show-completion` or `--install-completion` left out."""
    if arguments[1:] not in (["--show-completion"], ["--install-completion"]):
        return arguments
    return [*arguments, _shell_around() or "bash"]


def _shell_around() -> str | None:
    """The shell that this was started from."""
    with contextlib.suppress(Exception):
        import shellingham  # type: ignore[import-untyped,unused-ignore]

        return str(shellingham.detect_shell()[0])
    return Path(os.environ.get("SHELL", "")).name or None


def _script(flag: str, shell: str) -> str:
    if shell not in _SCRIPTS:
        raise UsageError(f"{flag} {visible(shell)}: no such shell is known; use bash, zsh or fish.")
    return _SCRIPTS[shell].strip() + "\n"


def show_script(shell: str | None) -> None:
    """Print a shell's script, and end.

    Raises:
        UsageError: another shell.
    """
    if shell is not None:
        sys.stdout.write(_script("--show-completion", shell))
        raise typer.Exit


def install_script(shell: str | None) -> None:
    """Write a shell's script where that shell finds it, and end.

    Raises:
        UsageError: another shell.
    """
    if shell is None:
        return
    script = _script("--install-completion", shell)
    from typer._completion_shared import install

    _, path = install(shell=shell, prog_name="tuitrain", complete_var=VARIABLE)
    path.write_text(script)
    sys.stderr.write(f"completion of {shell} is in {visible(path)}; it works in the next shell you open\n")
    raise typer.Exit


# ------------------------------------------------------------------------------------------- the values


def offer_choices(choices: Iterable[str]) -> Callable[[str], list[str]]:
    """Offers what it is given."""

    def offer(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offer


def offer_presets(incomplete: str) -> Iterator[str]:
    """Offers the names of presets."""
    from tuitrain.spec.preset_files import list_presets

    return (entry.name for entry in list_presets() if _fits(entry.name, incomplete))


def offer_families(incomplete: str) -> Iterator[str]:
    """Offers the families of presets, and the presets."""
    from tuitrain.spec.preset_files import list_presets

    entries = list_presets()
    found = dict.fromkeys([*(entry.family for entry in entries), *(entry.name for entry in entries)])
    return (name for name in found if _fits(name, incomplete))


def offer_runs(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offers the names of runs, the newest first, and `latest`."""
    from tuitrain.runs.names import looks_like_run

    folder = _runs_dir(ctx)
    found = [path for path in _folders(folder) if _fits(path.name, incomplete) and looks_like_run(path)]
    if found and "latest".startswith(incomplete):
        yield "latest"
    yield from (path.name for path in found)


def offer_presets_and_runs(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offers the names of presets, then those of runs."""
    yield from offer_presets(incomplete)
    yield from offer_runs(ctx, incomplete)


def offer_live_runs(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Offers the runs that a process holds."""
    from tuitrain.runs.locking import is_held
    from tuitrain.runs.names import looks_like_run

    return (
        path.name
        for path in _folders(_runs_dir(ctx))
        if _fits(path.name, incomplete) and looks_like_run(path) and is_held(path)
    )


def _fits(name: str, incomplete: str) -> bool:
    return name.startswith(incomplete) and _PLAIN.fullmatch(name) is not None


def _runs_dir(ctx: typer.Context) -> Path:
    from tuitrain import config

    return config.runs_dir(ctx.params.get("runs_dir"))


def _folders(folder: Path) -> list[Path]:
    from tuitrain.runs.names import run_names

    return [folder / name for name in reversed(run_names(folder))][:_MOST]

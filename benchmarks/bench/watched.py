"""`tuitrain` with a witness: what its training thread says about its own processor time goes into a file.

    python -m bench.watched FILE run --preset step13 ...

The session publishes wall clock and thread clock with every progress anyway; a thread writes them down.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

EVERY_S = 0.1


def main() -> int:
    """Runs the command line that follows the file's name."""
    file = sys.argv.pop(1)
    from tuitrain.runs.session import Session

    start = Session.start

    def watched(session: Session) -> None:
        start(session)
        threading.Thread(target=witness, args=(session, file), daemon=True).start()

    Session.start = watched  # type: ignore[method-assign]
    from tuitrain.cli import main as command

    return int(command() or 0)


def witness(session: object, file: str) -> None:
    """Appends `[wall, thread, step, images/s]` until the session is over."""
    told = 0.0
    with Path(file).open("w", buffering=1) as out:
        while session.running:  # type: ignore[attr-defined]
            now = session.snapshot  # type: ignore[attr-defined]
            if now.progress is not None and now.phase == "training" and now.at != told:
                told = now.at
                out.write(
                    json.dumps([now.at, now.cpu_s, now.progress.step, now.progress.images_per_s]) + "\n"
                )
            time.sleep(EVERY_S)


if __name__ == "__main__":
    sys.argv[0] = "tuitrain"
    sys.exit(main())

"""Runs the sections on fake CUDA tensors: `python -m support.fake_cuda [--only PREFIX …] [--teeth FAULT] [--list]`.

`--then FAULT PREFIX` runs some again with the step broken, when the whole steps are done.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.fake_cuda import stubs


def main() -> int:
    """Prints one JSON object a section; the exit code says whether all ran without a fault."""
    if "LD_PRELOAD" not in os.environ:  # the libraries have to be there before torch is
        with tempfile.TemporaryDirectory(prefix="fake-cuda-") as folder:
            command = [sys.executable, "-m", "support.fake_cuda", *sys.argv[1:]]
            return subprocess.run(command, env=stubs.environment(Path(folder)), check=False).returncode
    from support.fake_cuda import sections
    from support.fake_cuda.faults import FAULTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="sections whose names begin so")
    parser.add_argument("--teeth", choices=sorted(FAULTS), help="break the step in one way")
    parser.add_argument(
        "--then", nargs=2, metavar=("FAULT", "PREFIX"), help="afterwards break the step, and run these"
    )
    parser.add_argument("--list", action="store_true", help="name the sections and do nothing")
    arguments = parser.parse_args()
    wanted = [
        name for name in sections.names() if not arguments.only or name.startswith(tuple(arguments.only))
    ]
    if arguments.list:
        sys.stdout.write("\n".join(wanted) + "\n")
        return 0
    broken, prefix = arguments.then or ("", "")
    again = [name for name in sections.names() if broken and name.startswith(prefix)]
    failed = False
    for number, name in enumerate([*wanted, *again]):
        begun = time.monotonic()
        result = sections.run(name, teeth=arguments.teeth if number < len(wanted) else broken)
        result["seconds"] = round(time.monotonic() - begun, 2)
        failed = failed or bool(result["error"] or result["faults"])
        sys.stdout.write(json.dumps({"section": name} | result) + "\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

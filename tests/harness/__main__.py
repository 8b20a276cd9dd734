"""`python -m tests.harness`: measure the rows, and write the table of figures down as RESULTS.md."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.report import main

if __name__ == "__main__":
    sys.exit(main())

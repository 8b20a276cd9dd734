"""`python -m tests.harness`: measure the rows, and write the table of figures down as RESULTS.md.

`python -m tests.harness honesty` measures the verdicts of several seeds on real runs, for docs/HONEST_NUMBERS.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    if sys.argv[1:2] == ["honesty"]:
        from harness.honesty import report as honesty

        sys.exit(honesty.main(sys.argv[2:]))
    from harness.report import main

    sys.exit(main())

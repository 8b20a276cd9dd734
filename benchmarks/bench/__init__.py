"""The side-by-side measurements behind docs/SPEED.md; `benchmarks/run.py` is the way in."""

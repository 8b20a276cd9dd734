"""Harnesses that damage what they test and count what was lost: one figure a row of a table.

    pytest tests/harness              the quick share of every row, and the proof that each row can fail
    pytest tests/harness -m long      the whole count of every row
    python -m tests.harness           the whole count, written down as RESULTS.md

A row is measured twice: as the product is, and with a protection taken out (`protections.py`). The second
must come out wrong, or the harness measures nothing.
"""

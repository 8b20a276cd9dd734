"""What the tests share: small data, fake trainers, recorded runs, screens and pseudo-terminals."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent

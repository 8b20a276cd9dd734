"""`python -m tests.harness honesty`: are the verdicts of tuitrain right as often as they say, on real runs."""

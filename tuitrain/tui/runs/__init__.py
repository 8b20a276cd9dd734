"""All runs: the table, comparisons, curves, and the queue."""

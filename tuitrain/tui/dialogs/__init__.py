"""Questions that must be answered before anything else."""

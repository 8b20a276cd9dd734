"""A plan of many runs, kept on disk, and what trains them: every member is an ordinary run directory."""

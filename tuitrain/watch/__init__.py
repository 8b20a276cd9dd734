"""What people are told of a run, worked out once: command line, app and reports draw it and decide nothing."""

"""The screens: lab, monitor, runs, compare."""

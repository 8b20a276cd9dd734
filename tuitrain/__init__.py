"""tuitrain: a terminal lab for training small image classifiers under a parameter budget."""

import os

__version__ = "0.1.0"

# OpenMP's threads wait for each other by spinning, for longer than a time slice. Where another program holds a
# core, that made two threads 5 to 17 times slower here than threads that go to sleep after about 0.1 ms, which on
# an idle machine they hardly ever have to. Read once, when torch is imported; the user's own setting counts.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

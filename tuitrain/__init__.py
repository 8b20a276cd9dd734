"""tuitrain: a terminal lab for training small image classifiers under a parameter budget."""

__version__ = "0.1.0"

"""The version: of the package, of what a run was made by."""

__version__ = "0.1.0"

"""Runs on disk: directories, checkpoints, the training thread, viewers."""

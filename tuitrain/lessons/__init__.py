"""Lessons: what training does, worked by hand on networks small enough to see every number."""

"""Comparisons: a design, its run, and what is shown and kept of it."""

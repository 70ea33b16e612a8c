"""Submitting, following and collecting tasks, in the background.

Decisions (`slots`, `polling`, `backoff`) are pure functions of state and time; `runner` and the modules
beside it are the threads that carry them out.
"""

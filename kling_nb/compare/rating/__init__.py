"""Blind rating: what is judged, by whom, and what was answered."""

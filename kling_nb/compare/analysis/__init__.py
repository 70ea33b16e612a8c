"""From answers and measures to results: which analysis, of which units, and how it reads."""

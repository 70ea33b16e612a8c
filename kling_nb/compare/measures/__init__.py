"""Measures of images: numbers that a function finds, for every image, task or cell of a comparison, computed once."""

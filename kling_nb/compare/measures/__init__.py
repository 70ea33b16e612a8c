"""Measures of images: numbers that a function finds for every image, task or cell of a comparison, computed once.

Built in, all with Pillow and NumPy alone, and each documented where it is:

================  =====  ============================================================  =========
aspect_ratio      image  ratio asked for and served, and how far off it is             `served`
count             task   images asked for, served and missing                          `served`
near_duplicates   cell   images that are another one once more, nearly or exactly      `alike`
diversity         cell   how far apart the images are in layout and colour; not LPIPS  `alike`
sharpness         image  variance of the Laplacian; says nothing across prompts        `sharp`
palette_distance  image  how far the colours are from those of the style reference     `palette`
================  =====  ============================================================  =========

They are cheap, and say what they say: none sees what is in a picture.
"""

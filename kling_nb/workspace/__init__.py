"""The folder that outlives the kernel: the journal of tasks, the references and the images.

The only room that imports sqlite3. Nothing here talks to a network or shows anything.
"""

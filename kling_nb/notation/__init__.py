"""How a request is written in a notebook: words, prompts with variables, references by name, whole cells.

What is typed is read here for the magic and for the form, and written here by the form. Nothing that is typed
is ever run.
"""

"""JupyterLab and Notebook 7 in a real Chromium, with a real kernel, for tests to use as a person would."""

from .form import FAST_SANDBOX, LOAD, FormPage
from .hands import drop_files, paste_files, paste_image
from .page import NotebookPage, Place
from .server import JupyterServer

__all__ = [
    "FAST_SANDBOX",
    "LOAD",
    "FormPage",
    "JupyterServer",
    "NotebookPage",
    "Place",
    "drop_files",
    "paste_files",
    "paste_image",
]

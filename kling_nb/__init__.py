"""Kling multi-image-to-image in Jupyter: ``%load_ext kling_nb``, or ``from kling_nb import Kling``.

Importing this package touches no network, disk or environment; names are loaded when they are used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kling_nb._version import __version__
    from kling_nb.errors import (
        APIError,
        AuthenticationFailed,
        ConfigurationError,
        ConnectionFailed,
        ContentRefused,
        ImagesMissing,
        InvalidRequest,
        KlingError,
        NotPermitted,
        OutOfBalance,
        RequestRefused,
        ServerError,
        TaskFailed,
        TooManyRequests,
        WaitTimeout,
        WorkspaceError,
    )
    from kling_nb.kling import Kling, default
    from kling_nb.records import Reference
    from kling_nb.session.image import GeneratedImage, ImageList
    from kling_nb.session.task import Task

__all__ = [
    "APIError",
    "AuthenticationFailed",
    "ConfigurationError",
    "ConnectionFailed",
    "ContentRefused",
    "GeneratedImage",
    "ImageList",
    "ImagesMissing",
    "InvalidRequest",
    "Kling",
    "KlingError",
    "NotPermitted",
    "OutOfBalance",
    "Reference",
    "RequestRefused",
    "ServerError",
    "Task",
    "TaskFailed",
    "TooManyRequests",
    "WaitTimeout",
    "WorkspaceError",
    "__version__",
    "default",
]

_ELSEWHERE = {
    "Kling": "kling",
    "default": "kling",
    "Reference": "records",
    "GeneratedImage": "session.image",
    "ImageList": "session.image",
    "Task": "session.task",
    "__version__": "_version",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return list(__all__)


def load_ipython_extension(ip: Any) -> None:
    """Add ``%kling`` and ``%%kling`` to a shell; called by ``%load_ext kling_nb``."""
    from kling_nb.magics.extension import load

    load(ip)


def unload_ipython_extension(ip: Any) -> None:
    """Take them away without a trace; called by ``%unload_ext kling_nb``."""
    from kling_nb.magics.extension import unload

    unload(ip)

"""From what a notebook holds to references, and from references to a valid request.

What only looks at tasks is not to wait for the model of a request, so each name is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kling_nb.request.body import Request
    from kling_nb.request.collecting import collect
    from kling_nb.request.encoding import Body, digest_of, encode_summary
    from kling_nb.request.places import NamedSource

__all__ = ["Body", "NamedSource", "Request", "collect", "digest_of", "encode_summary"]

_MODULES = {"NamedSource": "places", "Request": "body", "collect": "collecting"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'encoding')}"), name)

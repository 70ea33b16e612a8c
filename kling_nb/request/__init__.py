"""From what a notebook holds to references, and from references to a valid request."""

from kling_nb.request.body import Request
from kling_nb.request.collecting import collect
from kling_nb.request.encoding import Body, digest_of, encode_summary
from kling_nb.request.places import NamedSource

__all__ = ["Body", "NamedSource", "Request", "collect", "digest_of", "encode_summary"]

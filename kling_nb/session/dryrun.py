"""A request that was checked and not sent: what it would be, and what it would cost."""

import json
import shlex
from typing import TYPE_CHECKING, Any

from kling_nb.display import Bundle, dry_run_bundle
from kling_nb.session.echo import ShownOnce
from kling_nb.session.views import previews_of
from kling_nb.settings import API_PATH

if TYPE_CHECKING:
    from kling_nb.request import Request
    from kling_nb.session.session import Session


class DryRun(ShownOnce):
    """What would be sent. Has everything that the request has (``.body()``, ``.digest``, ``.prompt``, …).

    Parameters
    ----------
    session : Session
        Where it would be sent.
    request : Request
        Checked.
    """

    def __init__(self, session: "Session", request: "Request") -> None:
        self._session = session
        self.request = request

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.request, name)

    def __str__(self) -> str:
        return str(self.bundle()[0]["text/plain"])

    def __repr__(self) -> str:
        return f"<DryRun {self.request.model_name}, n={self.request.n}, digest {self.request.digest[:12]}…>"

    @property
    def curl(self) -> str:
        """The same as a command line, with the key as a variable and pictures as ``sha256:…``."""
        body = json.dumps(self.request.summary(), ensure_ascii=False, indent=1)
        return (
            f"curl {self._session.address}{API_PATH} \\\n"
            '  -H "Authorization: Bearer $KLING_API_KEY" \\\n'
            '  -H "Content-Type: application/json" \\\n'
            f"  --data-raw {shlex.quote(body)}"
        )

    def bundle(self) -> Bundle:
        """Return what a front end shows: data by MIME type, and metadata."""
        session, request = self._session, self.request
        return dry_run_bundle(
            summary=request.summary(),
            references=request.references,
            previews=previews_of(request.references, session.workspace, keep=False),
            checks=[*session.checks(request), "In the curl line, each sha256:… stands for the base64 of that picture."],
            slots=request.n,
            images=request.n,
            price=session.price(request.n),
            curl=self.curl,
            gateway=session.gateway_name,
            body_bytes=len(request.encode()),
            warnings=request.warnings,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()

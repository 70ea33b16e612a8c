"""All that the doctor looks at, put together."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kling_nb._version import __version__
from kling_nb.display import Bundle, checkup_bundle
from kling_nb.doctor import access, choices, frontend, gateway, learned, storage, versions
from kling_nb.errors import KlingError
from kling_nb.key import KEY_VARIABLE, Secret, kernel
from kling_nb.records import Finding
from kling_nb.session.echo import ShownOnce
from kling_nb.workspace.sidecar import iso

if TYPE_CHECKING:
    from kling_nb.session.session import Session
    from kling_nb.settings import Settings

STATES = ("fine", "note", "problem")


class Checkup(list[Finding], ShownOnce):
    """What was found, in the order of looking.

    Parameters
    ----------
    findings : iterable of Finding
        Without any key.
    at : float
        When, in seconds since the epoch.
    sandbox : bool
        Whether the sandbox was on.
    """

    def __init__(self, findings: Iterable[Finding], *, at: float, sandbox: bool) -> None:
        super().__init__(findings)
        self.at = at
        self.sandbox = sandbox

    @property
    def state(self) -> str:
        """The worst that was found: ``fine``, ``note`` or ``problem``."""
        return max((finding.state for finding in self), key=STATES.index, default="fine")

    @property
    def problems(self) -> list[Finding]:
        """What somebody should do something about."""
        return [finding for finding in self if finding.state == "problem"]

    def to_dict(self) -> dict[str, Any]:
        """Return the same for scripts: plain values only, ready for JSON.

        Returns
        -------
        dict
            ``state``, ``at`` and ``sandbox``, and under ``sections`` each finding by its section and name, with
            ``state``, ``text``, ``advice`` and ``value``.
        """
        sections: dict[str, dict[str, Any]] = {}
        for finding in self:
            about = {name: getattr(finding, name) for name in ("state", "text", "advice", "value")}
            sections.setdefault(finding.section, {})[finding.name] = about
        return {
            "kling_nb": __version__,
            "at": iso(self.at),
            "state": self.state,
            "sandbox": self.sandbox,
            "sections": sections,
        }

    def bundle(self) -> Bundle:
        """Return what a front end shows: data by MIME type, and metadata."""
        data = checkup_bundle(self, version=__version__, at=self.at, sandbox=self.sandbox)
        return data, {"kling_nb": {"doctor": self.to_dict()}}

    def __repr__(self) -> str:
        return str(self.bundle()[0]["text/plain"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()


def examine(
    session: "Session | None", *, trouble: KlingError | None = None, network: bool = True, timeout: float = 10.0
) -> Checkup:
    """Look at everything.

    Parameters
    ----------
    session : Session, optional
        Whose settings, workspace and gateway.
    trouble : KlingError, optional
        Why there is none: then what needs no settings is looked at.
    network : bool
        Whether the gateway is asked.
    timeout : float
        Seconds for that.

    Returns
    -------
    Checkup
        Whatever is wrong; raises nothing of its own.

    Raises
    ------
    WaitInterrupted
        The user interrupted it.
    """
    at = time.time()
    looks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("versions", versions.findings),
        ("front end", frontend.findings),
    ]
    settings = session.settings if session is not None else None
    if session is None or settings is None:
        looks.append(("settings", lambda: choices.unusable(trouble)))
    else:
        looks += [
            ("workspace", lambda: storage.findings(session)),
            ("key", lambda: access.findings(settings, call=network)),
            ("gateway", lambda: gateway.findings(settings, network=network, timeout=timeout)),
            ("learned", lambda: learned.findings(session)),
            ("settings", lambda: choices.findings(settings)),
        ]
    found = [finding for section, look in looks for finding in _looked(section, look)]
    secrets = _secrets(settings, call=network)
    clean = [_without(secrets, finding) for finding in found]
    return Checkup(clean, at=at, sandbox=bool(settings and settings.sandbox))


def _looked(section: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what a look finds; one that fails is a finding, and does not end the others."""
    try:
        return look()
    except KlingError as error:
        return [Finding(section, section, error.message, "problem", error.advice)]
    except Exception as error:  # noqa: BLE001 - what is broken here is what the doctor was asked to find
        text = f"could not be looked at: {type(error).__name__}"
        return [Finding(section, section, text, "problem", "Report this: it is a mistake of kling_nb.")]


def _secrets(settings: "Settings | None", *, call: bool) -> list[Secret]:
    """Return the keys that might be repeated in what was found: somebody may have put one into an address."""
    found = [Secret(os.environ.get(KEY_VARIABLE, "").strip()), kernel.login]
    try:
        if settings is not None and not settings.sandbox and (call or not settings.key.is_function):
            found.append(settings.key.find())
    except KlingError:
        pass
    return [secret for secret in found if secret is not None]


def _without(secrets: list[Secret], finding: Finding) -> Finding:
    if not any(secret.taken_out_of(text) != text for secret in secrets for text in _texts(finding)):
        return finding

    def clean(thing: Any) -> Any:
        if isinstance(thing, dict):
            return {clean(name): clean(value) for name, value in thing.items()}
        if isinstance(thing, list):
            return [clean(value) for value in thing]
        for secret in secrets if isinstance(thing, str) else ():
            thing = secret.taken_out_of(thing)
        return thing

    return replace(finding, text=clean(finding.text), advice=clean(finding.advice), value=clean(finding.value))


def _texts(finding: Finding) -> list[str]:
    return [finding.text, finding.advice, repr(finding.value)]

"""Making a form for a `Kling`: which session it uses, and how code names its owner."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kling_nb.errors import ConfigurationError
from kling_nb.form import places
from kling_nb.key import kernel
from kling_nb.session.session import Session

if TYPE_CHECKING:
    from kling_nb.form.form import Form

_IN_THE_SANDBOX = "from kling_nb import Kling\n\nkling = Kling(sandbox=True)\n"


def made(session: Callable[[], Session], owner: object, of_the_magic: bool, **given: Any) -> "Form":
    """Make a form, with values to begin with.

    Parameters
    ----------
    session : callable
        Returns the owner's session.
    owner : object
        The `Kling`.
    of_the_magic : bool
        Whether it is the one that the magic uses.
    **given
        As of `Form.load`.

    Returns
    -------
    Form
        Not yet shown.

    Raises
    ------
    ConfigurationError
        There are no widgets here.
    InvalidRequest
        A value cannot be taken.
    """
    try:
        from kling_nb.form import form as room
    except ImportError as error:
        raise ConfigurationError(
            f"The form needs ipywidgets, which cannot be loaded here ({error}).",
            advice="`pip install ipywidgets`, or use `%kling`, which does the same.",
        ) from None
    origin = _Origin(session, owner, of_the_magic=of_the_magic)
    form = room.Form(origin.session, origin.use_sandbox, origin.named, origin.let_go)
    try:
        return form.load(**given)
    except BaseException:
        form.close()
        raise


class _Origin:
    """Where a form's requests go, and how code names that."""

    def __init__(self, session: Callable[[], Session], owner: object, *, of_the_magic: bool) -> None:
        self._session = session
        self._owner = owner
        self._of_the_magic = of_the_magic
        self._sandbox: Session | None = None

    def session(self) -> Session:
        return self._sandbox or self._session()

    def use_sandbox(self) -> None:
        if self._of_the_magic:
            kernel.sandbox = True
        elif self._sandbox is None:
            settings = self._session().settings
            self._sandbox = Session(replace(settings, sandbox=True, workspace=settings.workspace / "sandbox"))

    def named(self) -> tuple[str | None, str]:
        if self._of_the_magic:
            return None, ""
        if self._sandbox is not None:
            return "kling", _IN_THE_SANDBOX
        variables = places.variables().items()
        known = (name for name, value in variables if value is self._owner and name[:1] != "_")
        return next(known, "kling"), ""

    def let_go(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()

"""`Kling`: everything that the package does, behind one object. Nothing but a façade."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kling_nb.compare.entry import Comparing
from kling_nb.doctor.entry import Examined
from kling_nb.key import KeySource
from kling_nb.session.deciding import forget
from kling_nb.session.places import shown
from kling_nb.session.resuming import Resumed, resume
from kling_nb.session.screen import screen
from kling_nb.session.session import Session
from kling_nb.session.watching import interruptible, seconds_of
from kling_nb.settings import SETTINGS, Settings, resolve

if TYPE_CHECKING:
    from kling_nb.form.form import Form
    from kling_nb.session.dryrun import DryRun
    from kling_nb.session.history import TaskList
    from kling_nb.session.spending import Spending
    from kling_nb.session.task import Task


class Kling(Comparing, Examined):
    """The Kling multi-image-to-image API from a notebook.

    Nothing is read, started or sent until it is needed.

    Parameters
    ----------
    api_key : str or callable, optional
        The key, or a function that returns it (for keys that expire). Otherwise it comes from
        `%kling login`, KLING_API_KEY, ``.env``, Colab's secrets or the keyring.
    base_url : str, optional
        Everything before ``/v1/…``.
    workspace : str or path, optional
        The folder for images and the journal; ``kling_runs`` otherwise.
    sandbox : bool, optional
        Use the local stand-in for the API: no key, no cost.
    config : mapping, optional
        What ``%config KlingMagics…`` set; counts below the arguments and above the environment.
    **settings
        ``model_name``, ``slots``, ``price_per_image``, ``currency``, ``confirm_above``, ``max_images``,
        ``timeout`` (seconds), ``grace`` (seconds), ``poll_interval`` (seconds).

    Raises
    ------
    ConfigurationError
        A setting is unknown or unusable.

    Examples
    --------
    >>> kling = Kling(sandbox=True)  # doctest: +SKIP
    >>> task = kling.generate("a cat in space", subject_images="cat.png", n=4)  # doctest: +SKIP
    """

    def __init__(
        self,
        api_key: str | Callable[[], str] | KeySource | None = None,
        *,
        base_url: str | None = None,
        workspace: str | os.PathLike[str] | None = None,
        sandbox: bool | None = None,
        config: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        # Under its own name, so that no traceback that shows variables shows the key.
        api_key = api_key if isinstance(api_key, KeySource) else KeySource(api_key)
        if settings.keys() - SETTINGS:
            # Whoever misspelt api_key has the key here; the names are enough to say what is wrong.
            settings = dict.fromkeys(settings)
        given = {"api_key": api_key, "base_url": base_url, "workspace": workspace, "sandbox": sandbox, **settings}
        self.session = Session(resolve(given, config))

    @property
    def settings(self) -> Settings:
        """Every setting, as resolved."""
        return self.session.settings

    def generate(
        self,
        prompt: str | None = None,
        *,
        subject_images: Any,
        scene_image: Any = None,
        style_image: Any = None,
        model_name: str | None = None,
        n: int | None = None,
        aspect_ratio: str | None = None,
        callback_url: str | None = None,
        external_task_id: str | None = None,
        watermark: bool | None = None,
        fit: bool = False,
        reuse: bool = False,
        yes: bool = False,
        timeout: float | None = None,
    ) -> "Task":
        """Ask for images and wait for them, with progress.

        Parameters
        ----------
        prompt : str, optional
            At most 2,500 characters.
        subject_images : reference or list of references
            One to four: paths, globs, URLs, bytes, `PIL.Image`, arrays (H×W×C, uint8 or floats in 0..1),
            tensors, figures, generated images, …
        scene_image, style_image : reference, optional
            The scene (space, light) and the style (technique, colour).
        model_name : str, optional
            ``kling-v2`` or ``kling-v2-1``.
        n : int, optional
            1 to 9 images; 1 otherwise.
        aspect_ratio : str, optional
            16:9, 9:16, 1:1, 4:3, 3:4, 3:2, 2:3 or 21:9.
        callback_url : str, optional
            Told of every change by the gateway.
        external_task_id : str, optional
            Your own id, unique within the account; one is made otherwise.
        watermark : bool, optional
            Whether to make a watermarked copy as well.
        fit : bool
            Shrink, enlarge or pad pictures outside the API's limits.
        reuse : bool
            Return the earlier task when the very same request has succeeded before.
        yes : bool
            Agree to more than ``confirm_above`` images.
        timeout : float, optional
            Seconds to wait; the setting of that name otherwise.

        Returns
        -------
        Task
            With its images saved.

        Raises
        ------
        InvalidRequest, ConfigurationError
            Nothing was sent.
        APIError, ConnectionFailed, TaskFailed, ImagesMissing, WaitTimeout, WorkspaceError
            Each says what became of the money and the images.
        """
        seconds = seconds_of(timeout, self.settings.timeout)
        task = self.submit(
            prompt,
            subject_images=subject_images,
            scene_image=scene_image,
            style_image=style_image,
            model_name=model_name,
            n=n,
            aspect_ratio=aspect_ratio,
            callback_url=callback_url,
            external_task_id=external_task_id,
            watermark=watermark,
            fit=fit,
            reuse=reuse,
            yes=yes,
        )
        with interruptible(task):
            return task.wait(seconds)

    def submit(
        self,
        prompt: str | None = None,
        *,
        subject_images: Any,
        fit: bool = False,
        reuse: bool = False,
        yes: bool = False,
        **fields: Any,
    ) -> "Task":
        """Ask for images and return at once; the task is followed in the background.

        Parameters
        ----------
        prompt, subject_images, fit, reuse, yes
            As for `generate`.
        **fields
            The other fields of `generate`, but for ``timeout``.

        Returns
        -------
        Task
            `Task.wait` waits for it.

        Raises
        ------
        InvalidRequest, ConfigurationError, WorkspaceError
            Nothing was sent.
        """
        request = self.session.request({"prompt": prompt, "subject_images": subject_images, **fields}, fit=fit)
        earlier = self.session.same(request) if reuse else None
        return earlier or self.session.submit(request, yes=yes)

    def dry_run(self, prompt: str | None = None, *, subject_images: Any, fit: bool = False, **fields: Any) -> "DryRun":
        """Check a request and show what would be sent; sends nothing and leaves nothing behind.

        Parameters
        ----------
        prompt, subject_images, fit
            As for `generate`.
        **fields
            The other fields of `generate`.

        Returns
        -------
        DryRun
            With the request, the checks, the price and a curl line.

        Raises
        ------
        InvalidRequest
            With everything that is wrong.
        """
        from kling_nb.session.dryrun import DryRun

        request = self.session.request({"prompt": prompt, "subject_images": subject_images, **fields}, fit=fit)
        return DryRun(self.session, request)

    def tasks(self, search: str = "", limit: int | None = None) -> "TaskList":
        """Return the history: newest first, rich in a notebook, with ``.to_dataframe()``.

        Parameters
        ----------
        search : str
            Words that must all occur in prompt, model, status, reference names or ids.
        limit : int, optional
            At most so many.
        """
        return self.session.tasks(search, limit)

    def task(self, some_id: str) -> "Task":
        """Return one task, by our id (or its beginning or end), ``task_id`` or ``external_task_id``.

        Raises
        ------
        InvalidRequest
            There is no such task.
        """
        return self.session.task(some_id)

    def spent(self) -> "Spending":
        """Return how many images were asked for, and what they cost, by day, model and gateway.

        Returns
        -------
        Spending
            A table in a notebook; ``.images`` and ``.price`` in all, ``.to_dataframe()``. Failed and cancelled
            tasks cost nothing and are left out; those whose answer was lost are counted apart.
        """
        from kling_nb.session.spending import spending

        return spending(self.session)

    def resume(self, *, send: bool | str = False, timeout: float | None = None, yes: bool = False) -> Resumed:
        """Collect what an earlier kernel left: look for it, follow, download; send only when told to.

        Parameters
        ----------
        send : bool or str
            Also send what was never sent, or provably never came to the gateway; or, with a task's id, that
            task alone, also when that is uncertain. It is looked for first.
        timeout : float, optional
            Seconds to wait; the setting of that name otherwise.
        yes : bool
            Agree to sending more than ``confirm_above`` images.

        Returns
        -------
        Resumed
            The tasks; ``.message`` says what was done and what remains.

        Raises
        ------
        InvalidRequest
            The task of that id cannot be sent, or nobody agreed.
        WaitTimeout
            Some are still under way; they are followed on.
        """
        where = screen()
        try:
            return resume(self.session, where, timeout, send=send, yes=yes)
        finally:
            where.done()

    def forget(self, some_id: str) -> "Task":
        """Close a task that was never sent, is uncertain, or whose missing images are not coming.

        Parameters
        ----------
        some_id : str
            Its id, of any kind.

        Returns
        -------
        Task
            Closed; `resume` leaves it alone.

        Raises
        ------
        InvalidRequest
            There is no such task, it is in a living kernel's hands, or there is nothing to forget.
        """
        return forget(self.session, some_id)[0]

    def form(
        self,
        prompt: str | None = None,
        *,
        subject_images: Any = None,
        scene_image: Any = None,
        style_image: Any = None,
        task: "Task | None" = None,
        fit: bool = False,
        **fields: Any,
    ) -> "Form":
        """Return a form in which everything can be done by pointing; in a notebook it shows itself.

        Parameters
        ----------
        prompt, subject_images, scene_image, style_image, fit
            To begin with, as for `generate`.
        task : Task, optional
            An earlier task to begin with: prompt, pictures and all; the other arguments count more.
        **fields
            ``n``, ``aspect_ratio``, ``model_name``, ``callback_url``, ``external_task_id``, ``watermark``, ``reuse``.

        Returns
        -------
        Form
            ``.request`` and ``.tasks`` are observable; ``.generate()`` sends; ``.close()`` takes it away.

        Raises
        ------
        InvalidRequest
            There is no such field, or it cannot take the value.
        """
        from kling_nb.form import made

        of_the_magic = _default.get("kling") is self

        def session() -> Session:
            return (default() if of_the_magic else self).session

        given = {"prompt": prompt, "scene_image": scene_image, "style_image": style_image, "task": task, "fit": fit}
        return made(session, self, of_the_magic, subject_images=subject_images, **given, **fields)

    def close(self) -> None:
        """Stop this object's threads; what is under way stays in the journal, for `resume`."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if "session" not in vars(self):
            # Some tracebacks show what could not be made.
            return "<Kling>"
        where = "sandbox" if self.settings.sandbox else self.settings.base_url
        return f"<Kling at {where}, workspace {shown(self.settings.workspace)}>"


_default: dict[str, Kling] = {}
_config: dict[str, Any] = {}
_key = KeySource()


def default() -> Kling:
    """Return the `Kling` of this kernel, which `%kling` uses: the same until a setting changes.

    Returns
    -------
    Kling
        From `%config`, the environment and the defaults.
    """
    settings = resolve({"api_key": _key}, _config)
    known = _default.get("kling")
    if known is None or known.settings != settings:
        known = _default["kling"] = Kling(config=_config, api_key=_key)
    return known


def configure(config: Mapping[str, Any]) -> None:
    """Take over what `%config KlingMagics…` says; tasks under way are followed on.

    Parameters
    ----------
    config : mapping
        Setting to value; None means not set.
    """
    _config.clear()
    _config.update({name: value for name, value in config.items() if value is not None})

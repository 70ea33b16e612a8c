"""A session: settings, a gateway and a workspace, and what can be done with the three."""

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from kling_nb import errors
from kling_nb.engine.jobs import Job, after_loss
from kling_nb.records import SANDBOX_GATEWAY, Failure, TaskRecord
from kling_nb.session.gateway import Gateway, gateway_for, in_hand, is_at_hand, release, workspace_at
from kling_nb.session.history import TaskList
from kling_nb.session.listed import everything, found
from kling_nb.session.places import shown
from kling_nb.session.planning import plan
from kling_nb.session.task import Task
from kling_nb.session.watching import interruptible
from kling_nb.settings import Settings

if TYPE_CHECKING:
    from kling_nb.request import Body, Request


class Session:
    """What `Kling` and the magic are made of.

    Parameters
    ----------
    settings : Settings
        Resolved and checked.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.workspace = workspace_at(settings.workspace)
        self._gateway: Gateway | None = None
        self._user = object()

    @property
    def gateway(self) -> Gateway:
        """The gateway, made when it is first needed."""
        if self._gateway is None or not self._gateway.usable:
            self._gateway = gateway_for(self.settings)
            self._gateway.users.add(self._user)
        return self._gateway

    @property
    def gateway_name(self) -> str:
        """What the journal calls the gateway."""
        return SANDBOX_GATEWAY if self.settings.sandbox else self.settings.base_url

    @property
    def address(self) -> str:
        """The base URL, for showing; the sandbox's changes with every kernel."""
        return "$KLING_BASE_URL" if self.settings.sandbox else self.settings.base_url

    def close(self) -> None:
        """Let go of the gateway; its threads end with its last user."""
        if self._gateway is not None:
            release(self._gateway, self._user)
            self._gateway = None

    def request(self, fields: Mapping[str, Any], *, fit: bool = False) -> "Request":
        """Build and check a request.

        Parameters
        ----------
        fields : mapping
            The API's fields, with ``subject_images``, ``scene_image`` and ``style_image`` as anything that
            a notebook holds; None means not given.
        fit : bool
            Whether pictures outside the API's limits are made to fit.

        Returns
        -------
        Request
            Valid, with every picture as it would be sent.

        Raises
        ------
        InvalidRequest
            With everything that is wrong.
        """
        from kling_nb.request import Request, collect

        given = dict(fields)
        subjects = given.pop("subject_images", None)
        if subjects is None:
            raise errors.InvalidRequest(
                "At least one subject image is needed.", advice="Give one with -s (subject_images=…)."
            )
        checked: dict[str, Any] = {"subject_images": tuple(collect(subjects, "subject", fit=fit))}
        for role in ("scene", "style"):
            value = given.pop(f"{role}_image", None)
            if value is not None:
                checked[f"{role}_image"] = _only_one(collect(value, role, fit=fit), role)
        if given.get("model_name") is None:
            given["model_name"] = self.settings.model_name
        return Request.checked(**checked, **{name: value for name, value in given.items() if value is not None})

    def submit(self, request: "Request", *, yes: bool = False) -> Task:
        """Journal a request and have it sent; returns at once.

        Parameters
        ----------
        request : Request
            Checked.
        yes : bool
            Whether the user has agreed to more than ``confirm_above`` images.

        Returns
        -------
        Task
            In the journal, and on its way.

        Raises
        ------
        ConfigurationError
            There is no key, or ``max_images`` is reached.
        InvalidRequest
            The external id was used before, or nobody agreed.
        WorkspaceError
            It could not be journalled, and so was not sent.
        """
        self.may_spend(request.n, yes=yes)
        runner = self.gateway.runner
        request, record = self._planned(request)
        try:
            self.workspace.keep_references(request.references)
            self.workspace.journal.insert([record])
            job = self._job(record, request.stream)
            # The engine lets go of the pictures' bytes once they are sent; a task must not keep them either.
            without_bytes = tuple(replace(reference, data=None) for reference in record.references)
            task = Task(self, replace(record, references=without_bytes), job)
            with interruptible(task):
                taken = functools.partial(self.workspace.journal.durations, record.gateway, record.model_name)
                runner.learn(record.model_name, taken)
                runner.submit(job)
        except BaseException as error:
            if in_hand(record.id):
                raise
            self._withdraw(record)
            if isinstance(error, errors.WorkspaceError):
                error.money = "Nothing was sent."
            if type(error) is KeyboardInterrupt:
                raise errors.WaitInterrupted("Interrupted before anything was sent: nothing to pay.") from None
            raise
        return task

    def _withdraw(self, record: TaskRecord) -> None:
        """Leave no task for somebody to send that the user has interrupted before the engine had it."""
        self.gateway.spend(-record.n, None)
        with contextlib.suppress(errors.KlingError):
            stored = self.stored(record.id)
            if stored is not None and stored.task_status == "planned":
                self.workspace.journal.update(replace(stored, task_status="cancelled", finished_at=time.time()))

    def may_spend(self, n: int, *, yes: bool) -> None:
        """Make sure that so many images may be asked for, and count them.

        Parameters
        ----------
        n : int
            Images.
        yes : bool
            Whether the user has agreed to more than ``confirm_above``.

        Raises
        ------
        ConfigurationError
            There is no key, or ``max_images`` is reached.
        InvalidRequest
            Nobody agreed.
        """
        if not self.settings.sandbox:
            self.settings.key.current()
        self._agree(n, yes=yes)
        self._count(self.gateway, n)

    def _planned(self, request: "Request") -> tuple["Request", TaskRecord]:
        record = plan(self, request.summary(), request.digest, request.references, request.warnings)
        return request.with_(external_task_id=record.external_task_id), record

    def same(self, request: "Request") -> Task | None:
        """Return the newest finished task of the same request at this gateway, if there is one."""
        if not self.workspace.exists:
            return None
        record = self.workspace.journal.same(self.gateway_name, request.digest)
        # A task whose pictures someone has deleted is of no use to those who ask for them.
        if record is None or not all(map(self.workspace.has, record.images)):
            return None
        return self.as_task(record)

    def tasks(self, search: str = "", limit: int | None = None) -> TaskList:
        """Return the history, newest first.

        Parameters
        ----------
        search : str
            Words that must all occur in prompt, model, status, reference names or ids.
        limit : int, optional
            At most so many.
        """
        if not self.workspace.exists:
            return TaskList([], self)
        listed = found(self, search) if search.strip() else everything(self)
        return TaskList(listed if limit is None else listed[: max(0, limit)], self, len(listed))

    def task(self, some_id: str) -> Task:
        """Return one task, by our id (or its beginning or end), ``task_id`` or ``external_task_id``.

        Raises
        ------
        InvalidRequest
            There is no such task, or more than one that it might mean.
        """
        record = self.workspace.journal.get(some_id) if self.workspace.exists and some_id else None
        if record is None:
            raise errors.InvalidRequest(
                f"There is no task {some_id[:80]!r} in {shown(self.workspace.folder)}.",
                money="",
                advice="`%kling history` (kling.tasks()) lists them.",
            )
        return self.as_task(record)

    def as_task(self, record: TaskRecord) -> Task:
        """Return a stored task, tied to what this process does with it, if anything."""
        in_hand = self.gateway.runner.jobs.get(record.id) if is_at_hand(self.settings) else None
        return Task(self, record, in_hand)

    def has_in_hand(self, job: Job) -> bool:
        """Tell whether this session's gateway still sends, follows or collects a task."""
        gateway = self._gateway
        return gateway is not None and gateway.usable and gateway.runner.jobs.get(job.record.id) is job

    def in_other_hands(self, record: TaskRecord) -> bool:
        """Tell whether another gateway of this process, or another living kernel, has a task in hand."""
        return in_hand(record.id) or not self.workspace.journal.leases.is_free(record.owner)

    def stored(self, some_id: str) -> TaskRecord | None:
        """Return a task as the journal has it now."""
        return self.workspace.journal.get(some_id) if self.workspace.exists else None

    def take_over(self, task: Task, *, send: Literal["nothing", "absent", "anyway"] = "nothing") -> bool:
        """Look for, follow, collect or send a task that no living kernel has in hand.

        Parameters
        ----------
        task : Task
            The task.
        send : {"nothing", "absent", "anyway"}
            Send it if it was never sent or provably never came to the gateway, or also where that is uncertain.

        Returns
        -------
        bool
            Whether there is something to wait for here.

        Raises
        ------
        ConfigurationError
            It was sent to another gateway, or there is no key.
        """
        record = self.stored(task.id)
        if record is None or not _is_open(record, send):
            return False
        if record.gateway != self.gateway_name:
            raise errors.ConfigurationError(
                f"Task {record.id} was sent to {record.gateway}, and this session uses {self.gateway_name}.",
                money="It was sent and may be paid; nothing new was sent.",
                advice="Use the same base_url (or `%kling sandbox`) and key as then.",
            )
        if not self.settings.sandbox:
            self.settings.key.current()
        record = None if in_hand(task.id) else self.workspace.journal.leases.take(task.id)
        if record is None or not _is_open(record, send):
            return False
        if record.task_status == "sending":
            record = after_loss(record, Failure("ConnectionFailed", "Its process ended while it was being sent."))
            self.workspace.journal.update(record)
        runner = self.gateway.runner
        job = self.job_of(record)
        if record.task_status == "planned":
            task.join(job)
            runner.submit(job)
            return True
        job.when_absent, job.insist = "ask" if send == "nothing" else "send", send == "anyway"
        # The runner counts on its own clock from when the task was submitted.
        job.began -= max(0.0, runner.clock() - (record.submitted_at or runner.clock()))
        task.join(runner.adopt(job))
        return True

    def job_of(self, record: TaskRecord) -> Job:
        """Return a journalled task as a job for the engine; its pictures are read from the workspace."""
        return self._job(record, functools.partial(self._encode_again, record))

    def _job(self, record: TaskRecord, body: "Callable[[], Body]") -> Job:
        chosen = self.settings
        return Job(record, self.workspace, body, chosen.slots, chosen.poll_interval, chosen.grace)

    def _encode_again(self, record: TaskRecord) -> "Body":
        """Return the body of a request from the journal and the stored references."""
        from kling_nb.request import encode_summary

        references = {reference.sha256: reference for reference in record.references}
        return encode_summary(record.request, lambda sha256: self.workspace.read_reference(references[sha256]))

    def price(self, n: int, record: TaskRecord | None = None) -> str | None:
        """Return what so many images cost, with the currency; None where it is not known or nothing."""
        per_image = self.settings.price_per_image
        sandbox = self.settings.sandbox if record is None else record.sandbox
        unpaid = record is not None and record.task_status in ("failed", "cancelled")
        if per_image is None or sandbox or unpaid:
            return None
        exact = f"{per_image * n:.4f}"
        return f"{exact[:-2] if exact.endswith('00') else exact.rstrip('0')} {self.settings.currency}"

    def checks(self, request: "Request") -> list[str]:
        """Return what was checked about a request that is not sent, in words."""
        found = []
        if self.settings.sandbox:
            found.append("The sandbox needs no key and costs nothing.")
        else:
            try:
                found.append("A key is set." if self.settings.key.find() else "No key is set: this could not be sent.")
            except errors.ConfigurationError as error:
                found.append(f"{error.message} This could not be sent.")
        if request.n > self.settings.confirm_above:
            found.append(f"More than {self.settings.confirm_above} images: it would ask first, unless told --yes.")
        earlier = self.same(request)
        if earlier is not None:
            found.append(f"The same request was made before, as {earlier.id}: --reuse would show that.")
        return found

    def _agree(self, n: int, *, yes: bool) -> None:
        if yes or n <= self.settings.confirm_above:
            return
        price = self.price(n)
        question = f"This asks for {n} images{f' ({price})' if price else ''}."
        if can_ask() and _says_yes(f"{question} Send it? [y/N] "):
            return
        raise errors.InvalidRequest(
            f"{question} More than {self.settings.confirm_above} (confirm_above) need an answer.",
            advice="Add --yes (yes=True) to send it without being asked.",
        )

    def _count(self, gateway: Gateway, n: int) -> None:
        limit = self.settings.max_images
        before = gateway.spend(n, limit)
        if before is not None:
            raise errors.ConfigurationError(
                f"max_images is {limit}: this session has asked for {before} images, and this would be {n} more.",
                advice="Raise max_images (KLING_MAX_IMAGES), or restart the kernel to begin anew.",
            )


def _is_open(record: TaskRecord, send: str) -> bool:
    return not record.complete and (record.task_status != "planned" or send != "nothing")


def _says_yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        raise errors.WaitInterrupted("Nothing was sent.") from None


def _only_one(references: list[Any], role: str) -> Any:
    if len(references) != 1:
        raise errors.InvalidRequest(f"{role}_image takes one picture, and this gives {len(references)}.")
    return references[0]


def can_ask() -> bool:
    """Tell whether there is somebody who can answer: not so in nbclient, papermill and scripts without a terminal."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()

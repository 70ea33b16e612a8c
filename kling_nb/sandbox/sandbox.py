"""The sandbox put together: two servers, a ledger, a store, faults and callbacks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from kling_nb.sandbox.app import Api, Images, Seen, Shared
from kling_nb.sandbox.callbacks import Callback, Callbacks
from kling_nb.sandbox.faults import Faults
from kling_nb.sandbox.ledger import Ledger
from kling_nb.sandbox.protocol import BASE_PATH, PROCESSING, UNFINISHED
from kling_nb.sandbox.server import Server
from kling_nb.sandbox.service import Service, Terms
from kling_nb.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Sandbox:
    """A stand-in for the multi-image-to-image API, on this machine.

    Nothing is listened to before `start`. A sandbox that was stopped can be started again and keeps
    its ports; another sandbox on the same folder finds the same tasks and the same images.

    Parameters
    ----------
    folder : str or Path
        Where the ledger, the references and the images are kept; created if missing. Several
        sandboxes, also of several processes, may share it: they are one account.
    host : str
        Address to listen on.
    port, image_port : int
        Ports of the API and of the images; 0 takes free ones.
    slots : int
        Images in parallel that the account may have of each model.
    seconds : float
        How long a task takes. With 0 it has succeeded by the first query.
    images : {"painted", "constant"}
        Collages of the references (PNG), or one small JPEG with a distinct comment in each.
    key : str or None
        The only token that is good; None for any.
    units_per_image : float
        Units deducted for an image.
    unique_external_ids : bool
        Whether a repeated `external_task_id` is refused. The vendor does not promise it.
    envelope : {"plain", "reseller"}
        Whether good answers come as from the vendor or wrapped as by a reseller.
    clock : callable
        Returns the time in seconds since the epoch; decides what has become of a task.

    Attributes
    ----------
    ledger : Ledger
        What was asked for and billed.
    faults : Faults
        What shall go wrong.

    Examples
    --------
    >>> import tempfile
    >>> from kling_nb.sandbox import Sandbox
    >>> with tempfile.TemporaryDirectory() as folder, Sandbox(folder) as sandbox:
    ...     sandbox.base_url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        image_port: int = 0,
        slots: int = 20,
        seconds: float = 2.0,
        images: Literal["painted", "constant"] = "painted",
        key: str | None = None,
        units_per_image: float = 1.0,
        unique_external_ids: bool = True,
        envelope: Literal["plain", "reseller"] = "plain",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if images not in {"painted", "constant"}:
            raise ValueError(f"images must be 'painted' or 'constant', not {images!r}")
        if envelope not in {"plain", "reseller"}:
            raise ValueError(f"envelope must be 'plain' or 'reseller', not {envelope!r}")
        if slots < 1 or seconds < 0:
            raise ValueError("slots must be at least 1 and seconds at least 0")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.faults = Faults()
        self.ledger = Ledger(self.folder / "ledger.sqlite3", clock)
        terms = Terms(slots, seconds, units_per_image, unique_external_ids, images)
        self._shared = Shared(clock, self.faults)
        self._service = Service(self.ledger, Store(self.folder), terms, clock, lambda: self.image_origin)
        self._callbacks = Callbacks(self.ledger.find, self._service.describe)
        self._api = Api(
            self._service,
            self._shared,
            key=key,
            envelope=envelope,
            created=self._callbacks.follow,
        )
        self._images = Images(self._service, self._shared)
        self._host = host
        self._port = port
        self._image_port = image_port
        self._servers: list[Server] = []
        self._state = threading.Lock()

    def __repr__(self) -> str:
        where = self.base_url if self._servers else "stopped"
        return f"<Sandbox {where}>"

    def start(self) -> Self:
        """Listen and answer. Does nothing if it already does.

        Raises
        ------
        OSError
            A port cannot be had; nothing was started.
        """
        with self._state:
            if self._servers:
                return self
            api = Server(self._host, self._port, self._api)
            try:
                images = Server(self._host, self._image_port, self._images)
            except BaseException:
                api.server_close()
                raise
            # Published only now that both ports are bound, and kept for the next start.
            self._port, self._image_port = api.port, images.port
            self._servers = [api, images]
            self._shared.stopping.clear()
            self._callbacks.start()
            self.ledger.open()
            for server in self._servers:
                server.start()
        return self

    def stop(self) -> None:
        """Close every connection and end every thread. Does nothing if it is not running."""
        with self._state:
            servers, self._servers = self._servers, []
            if not servers:
                return
            self._shared.stopping.set()
            for server in servers:
                server.stop()
            self._callbacks.stop()
            self.ledger.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """What a client takes as the API's base URL, such as ``http://127.0.0.1:8000/kling``."""
        return self._origin(self._port) + BASE_PATH

    @property
    def image_origin(self) -> str:
        """Where result images come from: another origin, so that a key sent there would show."""
        return self._origin(self._image_port)

    def _origin(self, port: int) -> str:
        if not port:
            raise RuntimeError("the sandbox has no address before it was started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{port}"

    @property
    def requests(self) -> list[Seen]:
        """The newest 10,000 requests to either origin, oldest first."""
        return list(self._shared.requests)

    @property
    def callbacks(self) -> list[Callback]:
        """The status changes that a `callback_url` was told of, or would have been."""
        return self._callbacks.done

    def hold(self, status: str = PROCESSING) -> None:
        """Keep unfinished tasks, and this sandbox's new ones, in one status until `release`.

        Parameters
        ----------
        status : {"processing", "submitted"}
            The status. It is written down with the tasks, so that it survives a restart.
        """
        if status not in UNFINISHED:
            raise ValueError(f"a task can be held in {' or '.join(UNFINISHED)}, not {status!r}")
        self._service.hold(status)
        self._callbacks.look()

    def release(self) -> None:
        """Let time decide about all tasks again: those whose time is over end at once."""
        self._service.release()
        self._callbacks.look()

    def finish(self, task_id: str | None = None) -> int:
        """Let unfinished tasks end now, also if they are held.

        Parameters
        ----------
        task_id : str or None
            The `task_id` or `external_task_id` of the one to end; None for all.

        Returns
        -------
        int
            How many ended.
        """
        ended = self.ledger.finish(task_id)
        self._callbacks.look()
        return ended

    def describe(self, task_id: str) -> dict[str, Any]:
        """Return the object that a query by `task_id` or `external_task_id` answers with.

        Raises
        ------
        KeyError
            There is no such task.
        """
        task = self.ledger.find(task_id)
        if task is None:
            raise KeyError(task_id)
        return self._service.describe(task)

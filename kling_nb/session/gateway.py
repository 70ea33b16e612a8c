"""The gateways of this process: one runner for each address and key, and the sandbox where it is asked for."""

import atexit
import functools
import os
import sys
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kling_nb import imagedata
from kling_nb.display import preview, thumbnail
from kling_nb.engine.runner import Runner
from kling_nb.key import KeySource
from kling_nb.records import SANDBOX_GATEWAY
from kling_nb.remote.client import Client
from kling_nb.remote.download import Downloader
from kling_nb.session.outcome import in_words
from kling_nb.settings import Settings
from kling_nb.workspace.workspace import Workspace

# The sandbox takes any key but an empty one; the user's own is never given to it.
_SANDBOX_KEY = KeySource("the-sandbox-needs-no-key")

_lock = threading.RLock()
_gateways: dict[Hashable, "Gateway"] = {}
_workspaces: dict[Path, Workspace] = {}
_sandboxes: dict[Path, Any] = {}
_images_sent: dict[Hashable, int] = {}
_of_the_parent: list[object] = []


@dataclass(eq=False)
class Gateway:
    """One gateway as one key sees it.

    Parameters
    ----------
    name : str
        What the journal calls it: its base URL, or ``sandbox``.
    base_url : str
        Where it is now.
    runner : Runner
        Its threads.
    identity : hashable
        Tells it from the others of this process.
    """

    name: str
    base_url: str
    client: Client
    downloader: Downloader
    runner: Runner
    identity: Hashable
    users: set[object] = field(default_factory=set)
    pid: int = field(default_factory=os.getpid)

    @property
    def usable(self) -> bool:
        """Whether its threads run in this process: not when it was closed, nor in a process that was forked."""
        return self.pid == os.getpid() and not self.runner.stopping

    def spend(self, images: int, limit: int | None) -> int | None:
        """Count images that are asked for; a closed gateway that is opened again goes on counting.

        Parameters
        ----------
        images : int
            How many; less than 0 takes back what was not sent after all.
        limit : int, optional
            How many this process may ask for.

        Returns
        -------
        int or None
            How many it had asked for when these are too many, and nothing was counted; None otherwise.
        """
        with _lock:
            before = _images_sent.get(self.identity, 0)
            if limit is not None and before + images > limit:
                return before
            _images_sent[self.identity] = before + images
            return None

    def close(self, *, sending: float = 30.0) -> None:
        """Stop the threads and close the connections; say what is left, for nobody should have to guess.

        Parameters
        ----------
        sending : float
            Seconds to wait at most for requests that are being sent.
        """
        left = self.runner.close(sending=sending)
        self.client.close()
        self.downloader.close()
        said = []
        if left.under_way:
            said.append(f"{in_words(left.under_way)} under way, paid once: kling.resume() or `%kling resume` collects.")
        if left.uncertain:
            said.append(f"{in_words(left.uncertain)} uncertain, the answer was lost: kling.resume() looks for it.")
        if left.cancelled:
            said.append(f"{in_words(left.cancelled)} not sent: cancelled, nothing to pay.")
        if said and sys.stderr is not None:
            sys.stderr.write(f"kling_nb: {' '.join(said)}\n")


@functools.cache
def _close_at_exit() -> None:
    atexit.register(_at_exit)


def _at_exit() -> None:
    """Let what is being sent be sent; the journal has the rest."""
    for gateway in list(_gateways.values()):
        gateway.close(sending=10.0)


@functools.cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    """Forget, in a process that was just forked, what runs in its parent only; workspaces notice by themselves.

    No thread of the parent's exists here, so nothing would be sent or followed, and a lock that one of them
    holds is never released. Nothing is closed: it is the parent's, who goes on with it.
    """
    global _lock  # noqa: PLW0603 - there is one for the module
    _lock = threading.RLock()
    _of_the_parent.append((dict(_gateways), dict(_sandboxes)))
    _gateways.clear()
    _sandboxes.clear()
    imagedata.begin_anew()


def gateway_for(settings: Settings) -> Gateway:
    """Return the gateway of some settings, made when it is first needed.

    Parameters
    ----------
    settings : Settings
        With ``sandbox``, the local stand-in is started.

    Returns
    -------
    Gateway
        The same one for the same address and key, so that there is one follower for all its tasks.
    """
    _watch_forks()
    with _lock:
        if settings.sandbox:
            base_url = sandbox_at(settings.workspace).base_url
            name, key = SANDBOX_GATEWAY, _SANDBOX_KEY
        else:
            base_url = name = settings.base_url
            key = settings.key
        identity = (base_url, key.identity)
        gateway = _gateways.get(identity)
        if gateway is None or not gateway.usable:
            client, downloader = Client(base_url, key.current), Downloader(base_url)
            runner = Runner(client, downloader, thumbnail=thumbnail, preview=preview)
            _close_at_exit()
            gateway = _gateways[identity] = Gateway(name, base_url, client, downloader, runner, identity)
        return gateway


def is_at_hand(settings: Settings) -> bool:
    """Tell whether this process has the gateway of some settings already; starts nothing."""
    with _lock:
        if settings.sandbox and settings.workspace not in _sandboxes:
            return False
        base_url = _sandboxes[settings.workspace].base_url if settings.sandbox else settings.base_url
        key = _SANDBOX_KEY if settings.sandbox else settings.key
        gateway = _gateways.get((base_url, key.identity))
        return gateway is not None and gateway.usable


def sandbox_at(workspace: Path) -> Any:
    """Return the running sandbox that belongs to a workspace, started when it is first needed."""
    from kling_nb.sandbox import Sandbox

    _watch_forks()
    with _lock:
        if workspace not in _sandboxes:
            _sandboxes[workspace] = Sandbox(workspace / "gateway").start()
        return _sandboxes[workspace]


def running_sandbox(workspace: Path) -> Any:
    """Return the sandbox of a workspace if it runs in this process, else None; starts nothing."""
    with _lock:
        return _sandboxes.get(workspace)


def workspace_at(folder: Path) -> Workspace:
    """Return the workspace of a folder; the same one for every user in this process."""
    with _lock:
        if folder not in _workspaces:
            _workspaces[folder] = Workspace(folder)
        return _workspaces[folder]


def release(gateway: Gateway, user: object) -> None:
    """Close a gateway when its last user lets go of it; one of the parent's is for the parent to close."""
    if gateway.pid != os.getpid():
        return
    with _lock:
        gateway.users.discard(user)
        if gateway.users:
            return
        for identity, other in list(_gateways.items()):
            if other is gateway:
                del _gateways[identity]
    gateway.close()


def in_hand(some_id: str) -> bool:
    """Tell whether any gateway of this process is at work on a task."""
    with _lock:
        gateways = list(_gateways.values())
    jobs = (each.runner.jobs.get(some_id) for each in gateways if not each.runner.stopping)
    return any(job is not None and not job.settled for job in jobs)


def wake() -> None:
    """Have every gateway of this process ask again at once, for a new key may have made it possible."""
    with _lock:
        gateways = list(_gateways.values())
    for gateway in gateways:
        gateway.runner.wake()


def under_way() -> int:
    """Return how many tasks this process is sending, following or collecting."""
    with _lock:
        gateways = list(_gateways.values())
    return sum(not job.settled for gateway in gateways for job in list(gateway.runner.jobs.values()))


def close_all() -> None:
    """Close every gateway, sandbox and journal of this process."""
    with _lock:
        gateways, sandboxes, workspaces = (
            list(_gateways.values()),
            list(_sandboxes.values()),
            list(_workspaces.values()),
        )
        _gateways.clear()
        _sandboxes.clear()
        _workspaces.clear()
        _images_sent.clear()
    for gateway in gateways:
        gateway.close()
    for sandbox in sandboxes:
        sandbox.stop()
    for workspace in workspaces:
        workspace.close()

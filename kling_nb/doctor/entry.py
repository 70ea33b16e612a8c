"""What `Kling` offers of the doctor. Loads nothing before it is used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kling_nb.doctor.checkup import Checkup
    from kling_nb.session.session import Session


class Examined:
    """The doctor of a session; a part of `Kling`."""

    session: "Session"

    def doctor(self, *, network: bool = True, timeout: float = 10.0) -> "Checkup":
        """Look at versions, front end, workspace, key, gateway, what was learned, and settings.

        Sends nothing that is paid, makes no workspace, and holds no key, prompt or picture.

        Parameters
        ----------
        network : bool
            Whether the gateway is asked for one line of its list.
        timeout : float
            Seconds for that.

        Returns
        -------
        Checkup
            A table in a notebook, and text when printed; ``.problems``, ``.state``, ``.to_dict()``.
        """
        from kling_nb.doctor.checkup import examine

        return examine(self.session, network=network, timeout=timeout)

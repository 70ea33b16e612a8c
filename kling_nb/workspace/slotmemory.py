"""What was learned about an account's slots, remembered for the next kernel."""

from dataclasses import asdict, fields

from kling_nb.records import SlotLimit
from kling_nb.workspace.database import Database

_NAMES = [field.name for field in fields(SlotLimit)]
_READ = f"SELECT {', '.join(_NAMES)} FROM slots WHERE gateway = ? AND model_name = ?"  # noqa: S608 - our own names
_OF_A_GATEWAY = "SELECT * FROM slots WHERE gateway = ? ORDER BY model_name"
_WRITE = (
    f"INSERT OR REPLACE INTO slots (gateway, model_name, {', '.join(_NAMES)}) "  # noqa: S608 - our own names
    f"VALUES (:gateway, :model_name, {', '.join(f':{name}' for name in _NAMES)})"
)


class SlotMemory:
    """The learned limits of one journal.

    Parameters
    ----------
    database : Database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, gateway: str, model_name: str) -> SlotLimit | None:
        """Return what is known of the slots of a gateway and model; None when nothing was learned."""
        found = self._database.read(_READ, [gateway, model_name])
        return SlotLimit(**dict(found[0])) if found else None

    def known(self, gateway: str) -> dict[str, SlotLimit]:
        """Return what is known of the slots of a gateway, by model."""
        found = self._database.read(_OF_A_GATEWAY, [gateway])
        return {row["model_name"]: SlotLimit(**{name: row[name] for name in _NAMES}) for row in found}

    def write(self, gateway: str, model_name: str, limit: SlotLimit) -> None:
        """Remember what is known of the slots of a gateway and model.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        values = {"gateway": gateway, "model_name": model_name, **asdict(limit)}
        self._database.commit(lambda connection: connection.execute(_WRITE, values))

"""What was learned about an account's slots, remembered for the next kernel."""

from kling_nb.records import SlotLimit
from kling_nb.workspace.database import Database


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
        found = self._database.read(
            "SELECT begun, slots, largest, refusals, refused_at FROM slots WHERE gateway = ? AND model_name = ?",
            [gateway, model_name],
        )
        return SlotLimit(**dict(found[0])) if found else None

    def write(self, gateway: str, model_name: str, limit: SlotLimit) -> None:
        """Remember what is known of the slots of a gateway and model.

        Raises
        ------
        WorkspaceError
            It could not be written.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?, ?, ?)",
                [gateway, model_name, limit.begun, limit.slots, limit.largest, limit.refusals, limit.refused_at],
            )

"""What was spent: images and money by day, model and gateway."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from kling_nb.display import Bundle, spending_bundle
from kling_nb.records import SANDBOX_GATEWAY, Spent
from kling_nb.session.frames import pandas

if TYPE_CHECKING:
    from kling_nb.session.session import Session


class Spending(list[Spent]):
    """One row a day, model and gateway; a table in a notebook.

    Parameters
    ----------
    rows : iterable of Spent
        Newest first.
    currency : str
        Of the prices.
    """

    def __init__(self, rows: Iterable[Spent], currency: str) -> None:
        super().__init__(rows)
        self.currency = currency

    @property
    def images(self) -> int:
        """Images asked for in all, without the sandbox's."""
        return sum(row.images for row in self if row.gateway != SANDBOX_GATEWAY)

    @property
    def price(self) -> float | None:
        """What they cost in all; None where no price is set."""
        prices = [row.price for row in self]
        return None if None in prices else float(sum(price for price in prices if price is not None))

    def to_dataframe(self) -> Any:
        """Return the rows as a `pandas.DataFrame`.

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        return pandas().DataFrame([asdict(row) for row in self], columns=list(Spent.__dataclass_fields__))

    def __repr__(self) -> str:
        return str(spending_bundle(self, self.currency)[0]["text/plain"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return spending_bundle(self, self.currency)


def spending(session: "Session") -> Spending:
    """Return what a session's workspace says was spent.

    Parameters
    ----------
    session : Session
        Whose workspace, price and currency.
    """
    rows = session.workspace.journal.spent() if session.workspace.exists else []
    settings = session.settings
    return Spending((replace(row, price=_price(row, settings.price_per_image)) for row in rows), settings.currency)


def _price(row: Spent, per_image: float | None) -> float | None:
    if row.gateway == SANDBOX_GATEWAY:
        return 0.0
    return None if per_image is None else per_image * row.images

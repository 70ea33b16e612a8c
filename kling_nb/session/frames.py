"""pandas, for those who have it: a data frame is asked for, never needed."""

from typing import Any

from kling_nb.errors import ConfigurationError


def pandas() -> Any:
    """Return the module.

    Raises
    ------
    ConfigurationError
        It is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ConfigurationError(
            "to_dataframe() needs pandas, which is not installed.", advice="Run `%pip install pandas`."
        ) from None
    return pd

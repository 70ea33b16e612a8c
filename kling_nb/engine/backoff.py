"""How long to wait before trying again. Pure."""


def delay(failures: int, *, first: float, longest: float, jitter: float) -> float:
    """Return the seconds to wait after so many failures in a row.

    Exponential with full-range jitter, so that several kernels do not come back in step.

    Parameters
    ----------
    failures : int
        From 1.
    first : float
        Seconds after the first failure.
    longest : float
        Seconds that are never exceeded.
    jitter : float
        A random number in 0..1.

    Returns
    -------
    float
        Between half of the exponential wait and the whole of it.
    """
    full = min(longest, first * 2.0 ** min(failures - 1, 30))
    return full * (0.5 + 0.5 * jitter)

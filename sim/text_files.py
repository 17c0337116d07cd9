"""Text files that users give, read within bounds."""

from __future__ import annotations

from pathlib import Path

from sim.errors import UserError


def read_bounded(path: Path, most: int, mend: str) -> bytes:
    """Read a regular file of bounded size.

    Parameters
    ----------
    path : pathlib.Path
    most : int
        Most bytes, a multiple of a million.
    mend : str
        What to do about a file that is larger.

    Returns
    -------
    bytes

    Raises
    ------
    UserError
        If there is no such regular file, it cannot be read, or is larger.
    """
    try:
        if not path.exists():
            raise UserError(f"{path}: cannot be read (no such file); check the path")
        if not path.is_file():  # a device or pipe may never end
            raise UserError(f"{path}: is not a regular file; give a CSV file")
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise UserError(f"{path}: cannot be read ({reason}); check the path") from None
    if len(data) > most:
        raise UserError(f"{path}: is larger than {most // 1_000_000} MB; {mend}")
    return data

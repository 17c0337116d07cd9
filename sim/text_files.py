"""Text files that users give, read within bounds."""

from __future__ import annotations

from pathlib import Path

from sim.errors import UserError


def read_text(path: Path, source: str, *, most: int, kind: str, mend: str) -> str:
    """Read a regular UTF-8 file of bounded size, without a byte order mark.

    Parameters
    ----------
    path : pathlib.Path
    source : str
        What messages call the file.
    most : int
        Most bytes, a multiple of a million.
    kind : str
        What kind of file it should be, with its article, such as ``a CSV file``.
    mend : str
        What to do about a file that is larger.

    Returns
    -------
    str

    Raises
    ------
    UserError
        If there is no such regular file, it cannot be read, is larger, or is not UTF-8.
    """
    try:
        if path.is_dir():
            raise UserError(f"{source}: is a folder; give {kind}")
        if not path.exists():
            raise UserError(f"{source}: no such file; check the path")
        if not path.is_file():  # a device or pipe may never end
            raise UserError(f"{source}: is not a regular file; give {kind}")
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise UserError(f"{source}: cannot be read ({reason}); check the path") from None
    if len(data) > most:
        raise UserError(f"{source}: is larger than {most // 1_000_000} MB; {mend}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{source}:{line}: is not UTF-8 text; save the file as UTF-8") from None

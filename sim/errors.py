"""The one exception that means: the user's input is at fault."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 2000
"""Most characters of a message."""


class UserError(Exception):
    """An error in what the user gave: a file, an option, a name.

    Its message is one clear sentence that names the place and the mend. The command line prints
    it without a traceback and exits with code 2. Whatever of the user's text is in it, the message
    stays one line of at most ``LONGEST`` characters.
    """

    def __init__(self, message: str = "") -> None:
        line = " ".join(message.splitlines())
        half = LONGEST // 2 - 3
        super().__init__(line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half:]}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string.

    Parameters
    ----------
    word : str
        What the user wrote.
    known : iterable of str
        The names that would have been right.

    Returns
    -------
    str
        Text to append to an error message.
    """
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"; did you mean '{by_fold[close[0]]}'?" if close else ""

"""The font of the pictures, another one for signs that it lacks, and lines broken to a width."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

NBSP = "\u00a0"
"""No-break space, between a number and its unit."""

_fonts: ContextVar[tuple[str, ...]] = ContextVar("fonts", default=("DejaVu Sans",))


def families() -> list[str]:
    """Return the font families in the order in which a sign is looked for in them."""
    return list(_fonts.get())


@contextlib.contextmanager
def also_in(family: str | None) -> Iterator[None]:
    """Let signs that the style's font lacks be drawn in another one.

    Parameters
    ----------
    family : str or None
        A font family that Matplotlib knows; None changes nothing.
    """
    token = _fonts.set((*_fonts.get(), family) if family else _fonts.get())
    try:
        yield
    finally:
        _fonts.reset(token)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a line of text in points."""
    font = FontProperties(family=families(), size=size, weight="bold" if bold else "normal")
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Break a text into lines that fit a width.

    Parameters
    ----------
    text : str
        The text; its own line breaks stay.
    width : float
        Width in points.
    size : float
        Font size in points.
    bold : bool
        Whether it will be set in bold.

    Returns
    -------
    str
        The text with line breaks at spaces, not at no-break spaces.
    """
    lines = []
    for paragraph in text.replace(" %", f"{NBSP}%").split("\n"):
        line = ""
        for word in paragraph.split(" "):  # not at no-break spaces
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size, bold=bold) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)

"""Small parts of the page: a choice, a dial, a map, a table.

Their templates, beside this file, write all text as text. They are native elements of HTML with
labels, so that keyboards and screen readers work as everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ipyvuetify
import reacton.core
import solara

Rows = list[list[dict[str, Any]]]


@solara.component_vue("setup.vue")  # type: ignore[untyped-decorator, unused-ignore]
def Setup() -> None:  # noqa: N802
    """Add what the head of the page lacks: its language, and that it may be enlarged."""


@solara.component_vue("choice.vue")  # type: ignore[untyped-decorator, unused-ignore]
def Choice(  # noqa: N802
    name: str,
    label: str,
    value: str,
    options: list[dict[str, str]],
    disabled: bool = False,
    event_picked: Callable[[str], None] = lambda value: None,
) -> None:
    """Draw one of several: options have ``value`` and ``text``."""


@solara.component_vue("dial.vue")  # type: ignore[untyped-decorator, unused-ignore]
def Knob(  # noqa: N802
    name: str,
    label: str,
    value: float,
    origin: float,
    low: float,
    high: float,
    slide: list[float],
    unit: str = "",
    description: str = "",
    disabled: bool = False,
    event_turned: Callable[[float], None] = lambda value: None,
) -> None:
    """Draw a number, by slider or by key; ``origin`` is what the file says."""


@solara.component_vue("map.vue")  # type: ignore[untyped-decorator, unused-ignore]
def CityMap(  # noqa: N802
    name: str,
    title: str,
    words: str,
    land: str,
    ground: str,
    box: list[float],
    marks: list[dict[str, Any]],
    legend: list[dict[str, Any]],
    hint: str = "",
    event_chosen: Callable[[str], None] = lambda city: None,
) -> None:
    """Draw a map with circles; see :func:`analysis.dashboard.shown.marks`."""


@solara.component_vue("table.vue")  # type: ignore[untyped-decorator, unused-ignore]
def Table(  # noqa: N802
    name: str,
    caption: str,
    columns: list[str],
    rows: Rows,
    empty: str = "nothing to show",
    event_chosen: Callable[[str], None] = lambda city: None,
) -> None:
    """Draw a table; a first cell with ``city`` is a button that chooses it."""


def html(tag: str, *children: Any, css: str = "", **attributes: Any) -> Any:
    """Return an element of HTML; texts among its children are written as text.

    Parameters
    ----------
    tag : str
        Such as ``p``. Each has a widget of its own, since a widget's tag cannot be changed, and
        what stands in the same place on the next drawing may be of another one.
    *children : element or str
    css : str
        Classes.
    **attributes
        A final underscore is dropped, others become hyphens: ``aria_label``.
    """
    written = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    return _widget(tag)(tag=tag, children=list(children), class_=css, attributes=written)


@functools.cache
def _widget(tag: str) -> Any:
    return reacton.core.ComponentWidget(type(f"Html_{tag}", (ipyvuetify.Html,), {}))

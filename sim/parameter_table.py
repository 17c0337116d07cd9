"""Every parameter as a page of Markdown: ``python -m sim.parameter_table docs/parameters.md``.

The page is never written by hand, so that it cannot differ from what the model uses.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Le

from sim.cities import DIMENSIONS
from sim.obstacles import VISA_CLASSES
from sim.parameters import FIELDS, STAGES, TIERS, Group, Parameters

_HEAD = """# Parameters

Written by `make docs` from `sim/parameters.py`; do not edit. A scenario changes a value by
`parameters: {GROUP: {NAME: VALUE}}`, the command line by `--set GROUP.NAME=VALUE`. *Estimated*
marks a judgement; what calibration has fitted says so, and where the fit began. Chapters are those
of the *Annual Report on Development of Beijing's Talent (2024)*. Lists are in these orders:

"""
_ORDERS = {
    "dimensions": DIMENSIONS,
    "fields": FIELDS,
    "tiers": TIERS,
    "stages": STAGES,
    "visa classes": VISA_CLASSES,
}
_COLUMNS = ("name", "value", "unit", "range", "meaning", "source")


def _limits(metadata: Any) -> tuple[Any, Any]:
    low = next((m.ge for m in metadata if isinstance(m, Ge)), None)
    high = next((m.le for m in metadata if isinstance(m, Le)), None)
    return low, high


def bounds(group: type[Group], name: str) -> str:
    """Return the range that a parameter is checked against, such as ``0 to 5``, or nothing."""
    info = group.model_fields[name]
    low, high = _limits(info.metadata)
    for inner in get_args(info.annotation)[:1]:  # each number of a list
        for field in getattr(inner, "__metadata__", ()):
            low, high = _limits(getattr(field, "metadata", ()))
    return "" if low is None else f"{low:g} to {high:g}"


def shown(value: Any) -> str:
    """Return a value as a scenario file writes it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{number:g}" for number in value) + "]"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def markdown(parameters: Parameters) -> str:
    """Return the page: a table a group, with value, unit, range, meaning and source.

    Parameters
    ----------
    parameters : Parameters
        Whose values are shown.
    """
    orders = "".join(f"- {what}: {', '.join(names)}\n" for what, names in _ORDERS.items())
    lines, last = [_HEAD + orders], ""
    for path, value, unit, source, meaning in parameters.describe():
        group, _, name = path.partition(".")
        kind = type(getattr(parameters, group))
        if group != last:
            lines += ["", f"## {group}", "", " ".join((kind.__doc__ or "").split()), ""]
            lines += [_row(_COLUMNS), "|---" * len(_COLUMNS) + "|"]
            last = group
        lines.append(_row((f"`{name}`", shown(value), unit, bounds(kind, name), meaning, source)))
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Write the page to the file named, or to standard output."""
    text = markdown(Parameters())
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])

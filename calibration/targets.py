"""Targets: what the model should reproduce, with spread, source, and whether it is fitted to."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from sim.errors import UserError

USES = ("fit", "held_out")
BASES = ("published", "derived", "estimated")


@dataclass(frozen=True)
class Target:
    """A figure that the model should reproduce.

    Attributes
    ----------
    name : str
        Also the name of the moment that `calibration.moments` computes.
    value, spread : float
        The figure, and how far from it a good model may be (one standard deviation).
    unit : str
    use : 'fit' or 'held_out'
    kind : str
        Kind of evidence: index, region, level, ties, bilateral, age, graduates, landscape, net.
    basis : 'published', 'derived' or 'estimated'
    source, note : str
    """

    name: str
    value: float
    spread: float
    unit: str
    use: str
    kind: str
    basis: str
    source: str
    note: str

    def residual(self, simulated: float) -> float:
        """Return how many spreads the simulated value lies above the target."""
        return (simulated - self.value) / self.spread


def read_targets(path: Path) -> tuple[Target, ...]:
    """Read a table of targets.

    Raises
    ------
    UserError
        If a column is missing, a name double, or a value or spread is no sensible number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the targets cannot be read ({error})") from None
    return _parse(text, str(path))


@cache
def load_targets() -> tuple[Target, ...]:
    """Return the targets that come with the project (``calibration/data/targets.csv``)."""
    text = resources.files("calibration").joinpath("data/targets.csv").read_text(encoding="utf-8")
    return _parse(text, "targets.csv")


def _parse(text: str, source: str) -> tuple[Target, ...]:
    rows = list(csv.DictReader(text.splitlines()))
    fields = list(Target.__dataclass_fields__)
    missing = [name for name in fields if not rows or name not in rows[0]]
    if missing:
        raise UserError(f"{source}: no column '{missing[0]}'; it needs {', '.join(fields)}")
    targets: list[Target] = []
    for line, row in enumerate(rows, start=2):
        if row["name"] in {target.name for target in targets}:
            raise UserError(f"{source}:{line}: '{row['name']}' comes twice")
        for column, allowed in (("use", USES), ("basis", BASES)):
            if row[column] not in allowed:
                raise UserError(f"{source}:{line}: {column} must be one of {', '.join(allowed)}")
        numbers = [_number(row[column]) for column in ("value", "spread")]
        if not all(map(math.isfinite, numbers)) or numbers[1] <= 0:
            raise UserError(f"{source}:{line}: value and spread must be numbers, spread positive")
        words = {name: row[name] for name in fields if name not in ("value", "spread")}
        targets.append(Target(value=numbers[0], spread=numbers[1], **words))
    return tuple(targets)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def table(
    simulated: Mapping[str, float], targets: tuple[Target, ...] | None = None
) -> list[dict[str, float | str]]:
    """Return target, simulated value and residual in spreads, row by row, for print or JSON.

    Parameters
    ----------
    simulated : mapping of str to float
        Moments by name; targets that it lacks are left out.
    targets : tuple of Target, optional
        Those of the project by default.
    """
    return [
        {
            "name": target.name,
            "use": target.use,
            "kind": target.kind,
            "target": target.value,
            "spread": target.spread,
            "simulated": simulated[target.name],
            "residual": target.residual(simulated[target.name]),
            "unit": target.unit,
        }
        for target in (targets or load_targets())
        if target.name in simulated
    ]

"""How good the reconstruction is: what ``talentflow landscape --evaluate`` says."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path
from typing import Any

from sim.cities import load_cities
from sim.errors import UserError
from sim.landscape import ensemble, landscape_path

Document = dict[str, Any]

LEAVE_ONE_OUT = "leave_one_out"
"""How the keys of leave-one-out studies begin in the shipped file."""


def evaluation_path() -> Path:
    """Return where the figures on the reconstruction's quality are."""
    return landscape_path().with_name("landscape_evaluation.json")


def evaluation_document() -> Document:
    """Return the shipped evaluation, and the statements in words checked on the draws.

    Raises
    ------
    UserError
        If the file is not there or cannot be read.
    """
    from calibration.landscape_checks import qualitative

    path = evaluation_path()
    mend = "make it with: python -m calibration.landscape_evaluation (extra 'build')"
    try:
        report = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: the evaluation is not there; {mend}") from None
    except (OSError, ValueError):
        raise UserError(f"{path}: the evaluation cannot be read; {mend}") from None
    if not isinstance(report, dict):
        raise UserError(f"{path}: the evaluation is not a mapping; {mend}")
    words = [finding._asdict() for finding in qualitative(ensemble()[0], load_cities())]
    return {"shipped": report, "qualitative": words}


def evaluation_text(document: Document) -> str:
    """Return the evaluation for the screen."""
    lines: list[str] = []
    for name, part in document["shipped"].items():
        if name.startswith(LEAVE_ONE_OUT):
            lines += [*_leave_one_out_lines(name, part), ""]
        else:
            facts = [f"  {key}: {_plain(value)}" for key, value in part.items()]
            lines += [f"{name}", *facts, ""]
    lines.append("Statements in words, not used as constraints: probability over the draws")
    for finding in document["qualitative"]:
        lines.append(f"  {finding['probability']:>5.0%}  {finding['statement']}")
    lines.append(f"  source: {document['qualitative'][0]['citation']}")
    return "\n".join(lines)


def _leave_one_out_lines(name: str, part: Document) -> list[str]:
    """Return errors, coverage and single predictions of one leave-one-out study."""
    told = name.removeprefix(LEAVE_ONE_OUT).strip(" ,:")
    lines = [f"Leave one out ({told}): {part['cells']} published scores predicted in turn"]
    scores = error_rows(part)
    width = max(map(len, scores))
    lines.append(f"  {'':<{width}}  mean absolute error  root mean square error  (index points)")
    for key, row in scores.items():
        absolute, square = row["mean_absolute_error"], row["root_mean_square_error"]
        lines.append(f"  {key:<{width}}{absolute:>21.2f}{square:>24.2f}")
    for level, row in coverages(part):
        chance = at_most(row["held"], row["of"], level)
        lines.append(
            f"  {100 * level:.0f} % intervals: hold {row['held']} of {row['of']}, mean width "
            f"{row['mean_width']:.2f} (so few or fewer by chance: {100 * chance:.1f} %)"
        )
    lines += ["  " + line for line in _prediction_lines(part.get("predictions", []))]
    return lines


def error_rows(part: Document) -> dict[str, Document]:
    """Return the errors of each predictor in a leave-one-out study, the reconstruction first."""
    found = {
        key: row
        for key, row in part.items()
        if isinstance(row, dict) and "mean_absolute_error" in row
    }
    return dict(sorted(found.items(), key=lambda item: item[0] != "reconstruction"))


def coverages(part: Document) -> list[tuple[float, Document]]:
    """Return level and counts of each kind of interval in a leave-one-out study."""
    start = "coverage_"
    return [
        (float(key.removeprefix(start).rstrip("%")) / 100, row)
        for key, row in part.items()
        if key.startswith(start)
    ]


def _prediction_lines(predictions: list[Document]) -> list[str]:
    if not predictions:
        return []
    lines = [f"{'city':<15}{'dimension':<22}{'printed':>8}{'median':>8}{'80 % interval':>18}"]
    lines[0] += f"{'95 % interval':>18}"
    for row in predictions:
        spans = [
            f"{row[key][0]:.2f} to {row[key][1]:.2f}" for key in ("interval_80%", "interval_95%")
        ]
        lines.append(
            f"{row['city']:<15}{row['dimension']:<22}{row['truth']:>8.2f}{row['median']:>8.2f}"
            f"{spans[0]:>18}{spans[1]:>18}"
        )
    return lines


def at_most(held: int, of: int, level: float) -> float:
    """Return the binomial probability that at most ``held`` of ``of`` intervals hold the truth.

    Parameters
    ----------
    held, of : int
        0 <= held <= of.
    level : float
        Probability with which each interval holds it, 0 to 1; independent of each other.

    Returns
    -------
    float
        0 to 1; small where the intervals are too narrow.
    """
    return sum(comb(of, k) * level**k * (1 - level) ** (of - k) for k in range(held + 1))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)

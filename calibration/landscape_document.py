"""Write the table of the evaluation into ``sim/data/LANDSCAPE.md``.

``python -m calibration.landscape_document`` does it, after the ensemble or its evaluation has been
made anew, so that the text says what is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calibration.landscape_quality import (
    LEAVE_ONE_OUT,
    at_most,
    coverages,
    error_rows,
    evaluation_document,
)
from calibration.landscape_tables import method_path, summary_document
from sim.run_folder import whole_file

BEGIN = "<!-- evaluation: written by python -m calibration.landscape_document, do not edit -->"
END = "<!-- end of evaluation -->"

MIXING = {
    "rhat_max": "greatest R-hat of a cell",
    "ess_min": "least effective sample size of a cell",
    "ess_median": "median effective sample size",
    "formula_rhat_max": "greatest R-hat of weights and scale",
    "formula_ess_min": "least effective sample size of weights and scale",
}


def table() -> str:
    """Return the evaluation of what is shipped as a Markdown table."""
    rows = [("part", "figure", "value"), ("---", "---", "---"), *_ensemble_rows()]
    evaluation = evaluation_document()
    for name, part in evaluation["shipped"].items():
        if name.startswith(LEAVE_ONE_OUT):
            rows += _leave_one_out_rows(name, part)
        elif name == "mixing":
            rows += [(name, text, f"{part[key]:,}") for key, text in MIXING.items() if key in part]
    rows += [
        ("in words", finding["statement"], f"{100 * finding['probability']:.0f} %")
        for finding in evaluation["qualitative"]
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _ensemble_rows() -> Iterator[tuple[str, str, str]]:
    summary = summary_document()
    yield "ensemble", "draws", str(summary["draws"])
    for name, row in summary["dimensions"].items():
        text = f"mean spread of an estimated cell, {name.replace('_', ' ')}"
        yield "ensemble", text, f"{row['mean_spread']:.2f} points"
    for name, row in summary["dimensions"].items():
        low, high = row["weight_interval_90"]
        text = f"weight of {name.replace('_', ' ')}, 90 % interval"
        yield "ensemble", text, f"{row['weight']:.2f}, {low:.2f} to {high:.2f}"


def _leave_one_out_rows(name: str, part: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    told = name.removeprefix(LEAVE_ONE_OUT).strip(" ,:")
    head = f"leave one out, {told}"
    for key, row in error_rows(part).items():
        absolute, square = row["mean_absolute_error"], row["root_mean_square_error"]
        yield head, f"{key}: mean absolute, root mean square error", f"{absolute:.2f}, {square:.2f}"
    for level, row in coverages(part):
        chance = 100 * at_most(row["held"], row["of"], level)
        text = f"{100 * level:.0f} % intervals that hold the printed score"
        yield (
            head,
            text,
            f"{row['held']} of {row['of']} (so few or fewer by chance: {chance:.1f} %)",
        )


def with_table(text: str, rows: str) -> str:
    """Return a document with the part between the marks replaced.

    Parameters
    ----------
    text : str
        The document, with both marks once.
    rows : str
        The table.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a mark is missing or comes twice.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError("the document must have the marks of the evaluation once")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def main(path: Path | None = None) -> None:
    """Bring the table in the document up to date."""
    path = path or method_path()
    with whole_file(path) as draft:
        draft.write_text(with_table(path.read_text("utf-8"), table()), "utf-8")


if __name__ == "__main__":
    main()

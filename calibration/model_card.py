"""The model card: what the model is for, how well it fits, what it cannot tell.

Its numbers are never typed: the table of targets is computed when the card is written, the slower
evidence (fit, recovery, folds, rivals, sensitivity) is taken from ``data/evidence.json``, which
the commands' own output files are merged into.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from calibration.moments import Moments
from calibration.run_moments import run_moments
from calibration.targets import load_targets, table
from calibration.twin import Twin
from sim.errors import UserError
from sim.parameters import Parameters

PARTS = ("calibration", "recovery", "validation", "sensitivity")
TOLERANCE_ABSOLUTE, TOLERANCE_RELATIVE = 0.03, 0.03
"""How far a number of the card may be from a fresh one before the card is called stale."""
_NUMBER = re.compile(r"^[-+−]?\d+(\.\d+)?$")


def load_evidence() -> dict[str, Any]:
    """Return the recorded evidence (``calibration/data/evidence.json``), empty if none is kept."""
    file = resources.files("calibration").joinpath("data/evidence.json")
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def merge(evidence: dict[str, Any], part: str, path: Path) -> dict[str, Any]:
    """Return the evidence with one part replaced by a command's output file.

    Raises
    ------
    UserError
        If the file is no JSON document.
    """
    try:
        return evidence | {part: json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise UserError(f"--{part} {path}: no JSON document ({error})") from None


def render(evidence: dict[str, Any], parameters: Parameters, per_city: int = 128) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    evidence : dict
        As :func:`load_evidence` returns it.
    parameters : Parameters
        Those that scenarios use by default.
    per_city : int
        Agents a city for the table of targets.
    """
    simulated = Moments(Twin(per_city=per_city))(parameters) | run_moments(parameters)
    sections = [
        _HEAD,
        _targets(simulated),
        _validation(evidence.get("validation")),
        _recovery(evidence.get("recovery")),
        _sensitivity(evidence.get("sensitivity")),
        _FOOT,
    ]
    return "\n".join(section for section in sections if section)


def differences(old: str, new: str) -> list[str]:
    """Return where a kept card differs from a fresh one; small changes of numbers are no matter."""
    before, after = old.splitlines(), new.splitlines()
    if len(before) != len(after):
        return [f"the kept card has {len(before)} lines, a fresh one {len(after)}"]
    return [
        f"line {number}: '{one}' should be '{other}'"
        for number, (one, other) in enumerate(zip(before, after, strict=True), start=1)
        if not _alike(one.split(), other.split())
    ]


def _alike(one: list[str], other: list[str]) -> bool:
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        if a == b:
            continue
        if not (_NUMBER.match(a) and _NUMBER.match(b)):
            return False
        x, y = (float(text.replace("−", "-")) for text in (a, b))
        if abs(x - y) > TOLERANCE_ABSOLUTE + TOLERANCE_RELATIVE * abs(y):
            return False
    return True


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n"


def _targets(simulated: dict[str, float]) -> str:
    parts = ["## Fit and held-out targets\n"]
    parts.append(
        "Default parameters, expected-flow operator. A residual is (simulated − target) / spread; "
        "beyond 2 the model fails that target. Sources stand in `calibration/data/targets.csv`.\n"
    )
    for use, title in (("fit", "Fitted to"), ("held_out", "Held out")):
        rows = [
            [
                f"`{row['name']}`",
                f"{row['target']:.2f}",
                f"{row['spread']:.2f}",
                f"{row['simulated']:.2f}",
                f"{row['residual']:.1f}",
            ]
            for row in table(simulated, load_targets())
            if row["use"] == use
        ]
        parts.append(f"### {title}\n")
        parts.append(_rows(["target", "value", "spread", "simulated", "residual"], rows))
    missed = [
        f"`{row['name']}`"
        for row in table(simulated, load_targets())
        if abs(float(row["residual"])) > 2.05
    ]
    parts.append("Known failures (residual beyond 2): " + (", ".join(missed) or "none") + ".\n")
    return "\n".join(parts)


def _validation(part: dict[str, Any] | None) -> str:
    if not part:
        return ""
    keys = ("cpc", "cpc_share", "log_correlation", "spearman", "net_sign_accuracy", "net_spearman")
    rows = [
        [f"`{model}`", *("–" if scores[k] is None else f"{scores[k]:.2f}" for k in keys)]
        for model, scores in part["scores"].items()
    ]
    fitted, judged = part["fit_years"], part["years"]
    return (
        "## Rivals on real flows\n\n"
        f"Yearly moves of scholars among {len(part['places'])} areas (Akbaritabar, Theile and "
        "Zagheni 2023, MPIDR WP-2023-018, OpenAlex, CC BY 4.0; not shipped), fitted on "
        f"{fitted[0]} to {fitted[-1]}, scored on {judged[0]} to {judged[-1]} by "
        "`talentflow validate`. What each model knows stands in `docs/evidence.md`.\n\n"
        + _rows(["model", *keys], rows)
    )


def _recovery(part: dict[str, Any] | None) -> str:
    if not part:
        return ""
    rows = [
        [
            f"`{path}`",
            f"{row['bias']:.2f}",
            f"{row['coverage_50']:.2f}",
            f"{row['coverage_90']:.2f}",
            f"{row['contraction']:.2f}",
            f"{row['rank_p']:.2f}",
            "yes" if row["identified"] else "**no**",
        ]
        for path, row in part["parameters"].items()
    ]
    head = ["parameter", "bias", "50 %", "90 %", "contraction", "rank p", "identified"]
    text = (
        "## What the targets can tell apart\n\n"
        f"`talentflow recover`: {part['data_sets']} synthetic data sets. Bias of the posterior "
        "mean in prior spreads; coverage of the 50 % and 90 % intervals; contraction, 0 where the "
        "targets teach nothing; p-value of uniform ranks. Parameters that are not identified stay "
        "near their priors, which is where their uncertainty must come from.\n\n"
        + _rows(head, rows)
    )
    pairs = [
        f"`{row['pair'][0]}` and `{row['pair'][1]}` ({row['correlation']:.2f})"
        for row in part.get("correlated", [])
    ]
    text += (
        "\nPairs that the posterior can hardly tell apart (correlation): "
        + (", ".join(pairs) or "none")
        + ".\n"
    )
    folds = part.get("folds", [])
    if not folds:
        return text
    names = ("model", "dimension_mean", "regional_mean")
    rows = [
        [
            str(row["fold"]),
            *(
                f"{row[n]['spearman']:.2f} ( {row[n]['spearman_low']:.2f} to "
                f"{row[n]['spearman_high']:.2f} ), {row[n]['rmse']:.1f}"
                for n in names
            ),
        ]
        for row in folds
    ]
    return text + (
        "\n## Cities held out\n\nSpearman with 90 % bootstrap interval, and RMSE in index points. "
        "The landscape still knows all composites, so 'dimension mean' is close to the answer by "
        "construction.\n\n" + _rows(["fold", "model", "dimension mean", "regional mean"], rows)
    )


def _sensitivity(part: dict[str, Any] | None) -> str:
    if not part:
        return ""
    key, ci = ("mu_star", "mu_star_ci") if part["method"] == "morris" else ("total", "total_ci")
    rows = []
    for result, factors in part["indices"].items():
        best = sorted(factors, key=lambda name: -factors[name][key])[:3]
        shown = [f"`{n}` {factors[n][key]:.2f} ± {factors[n][ci]:.2f}" for n in best]
        rows.append([f"`{result}`", *shown])
    return (
        f"## What the results hang on\n\n`talentflow sensitivity --method {part['method']}`, "
        f"{part['evaluations']} evaluations; the three most influential factors.\n\n"
        + _rows(["result", "first", "second", "third"], rows)
    )


_HEAD = """# Model card

Written by `talentflow model-card`; `talentflow model-card --check` fails if its numbers are stale.

## Use

For: comparing policies for talent among the 120 cities of the Global City Talent Stickiness Index
2024, asking who gains and who loses, and tracing a result to assumptions. Not for: forecasts of
head counts, decisions about persons, or cities outside the index. Agents are synthetic; no personal
data is used. Stocks outside published figures are estimates (`sim/data/README.md`), most dimension
scores are reconstructed (`sim/data/LANDSCAPE.md`).
"""

_FOOT = """## Limits

* Net direction of scholars' moves is not predicted by the index, in data or model; gross flows are.
* The index rewards places that scholars also leave; a target of stickiness and one of scholars'
  flows pull the weight of the index (`preference.beta`) in opposite directions.
* Homes of foreign residents at the start follow size, distance, visa and language, not counts by
  nationality; who returns where is as uncertain.
* Feedbacks of cities are sourced in sign, estimated in size.
"""

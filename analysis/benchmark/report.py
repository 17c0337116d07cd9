"""The benchmark's one table, targets and limits, as text."""

from __future__ import annotations

from typing import Any

from analysis.benchmark.harness import Comparison, Timing


def _number(value: float | None, form: str = ".3g", missing: str = "–") -> str:
    return missing if value is None else format(value, form)


def _row(timing: Timing, comparison: Comparison) -> list[str]:
    ratio = comparison.ratio(timing.key, timing.agents)
    return [
        timing.name,
        f"{timing.agents:,}",
        f"{timing.rate / 1e6:.3g}",
        f"{timing.rate * timing.cities / 1e6:.4g}",
        f"{timing.first:.2f}",
        _number(timing.bytes, ".0f"),
        f"{timing.strays:+.1f}",
        "" if timing.key == "talentflow" else _number(ratio, ".1f") + "×",
    ]


_HEAD = [
    "way of writing it",
    "agents",
    "M steps/s",
    "M utilities/s",
    "compile s",
    "bytes/agent",
    "strays",
    "kernel is",
]


def _layout(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def table(comparisons: list[Comparison]) -> str:
    """Return all timings as one table.

    ``strays`` is the distance of the flows from the exact ones in standard deviations of
    chi-square; ``kernel is`` says how many times faster the dense kernel is.
    """
    rows = [_HEAD]
    for comparison in comparisons:
        rows += [_row(timing, comparison) for timing in comparison.timings]
    return "\n".join(_layout(rows))


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each target with what was measured, and whether it is reached.

    ``results`` holds rates in agent-steps a second by rival under ``rates``, the ``year``'s rate,
    the ``bound`` of the dense kernel and ``year_bytes``; what was not measured is missing.
    """
    rates, year = results.get("rates", {}), results.get("year")
    kernel, bound = rates.get("talentflow"), results.get("bound")
    frameworks = [rates[key] for key in ("jax", "torch") if key in rates]

    def against(rate: float | None, other: float | None) -> float | None:
        return rate / other if rate and other else None

    lines = [
        ("dense kernel / NumPy on all threads", against(kernel, rates.get("numpy")), 12.0),
        (
            "dense kernel / better of JAX and PyTorch",
            against(kernel, max(frameworks, default=0)),
            5,
        ),
        ("dense kernel / plain Mesa", against(kernel, rates.get("mesa")), 150.0),
        ("whole year / NumPy's bare decision", against(year, rates.get("numpy")), 8.0),
        ("whole year / plain Mesa's bare decision", against(year, rates.get("mesa")), 100.0),
        ("dense kernel / bound by multiply-adds and exponentials", against(kernel, bound), 0.5),
    ]
    out = [
        {"name": name, "measured": got, "target": aim, "reached": got is not None and got >= aim}
        for name, got, aim in lines
    ]
    size = results.get("year_bytes")
    out.append(
        {
            "name": "whole year, peak bytes an agent (at most)",
            "measured": size,
            "target": 120.0,
            "reached": size is not None and size <= 120.0,
        }
    )
    return out


def targets_table(rows: list[dict[str, Any]]) -> str:
    """Return the targets as text."""
    words = {True: "reached", False: "not reached"}
    cells = [["target", "measured", "aim", ""]]
    for row in rows:
        verdict = "not measured" if row["measured"] is None else words[row["reached"]]
        cells.append([row["name"], _number(row["measured"]), f"{row['target']:g}", verdict])
    return "\n".join(_layout(cells))

"""Commands of the evidence: ``talentflow validate`` and ``talentflow calibrate``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of the evidence to the command line.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """
    from calibration.evidence_commands import register as register_judges

    _register_validate(app)
    _register_calibrate(app)
    register_judges(app)


def _register_validate(app: typer.Typer) -> None:
    @app.command()
    def validate(
        flows: Annotated[
            Path,
            typer.Option(
                metavar="FILE.csv",
                help="Flows to predict: columns origin, destination, value and perhaps year, "
                "between countries (ISO codes or names) or cities of the index.",
            ),
        ],
        fit_flows: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE.csv",
                help="Fit rivals, sizes and scale on this table, so that scores are out of sample.",
            ),
        ] = None,
        sizes: Annotated[
            str,
            typer.Option(
                metavar="fit|model|FILE",
                help="Sizes of places, the same for all models: half of arrivals and departures "
                "in the fit table, the model's own talent, or a CSV file (place, size).",
            ),
        ] = "fit",
        scenario: Annotated[
            str, typer.Option(metavar="SCENARIO", help="Whose parameters the agent model takes.")
        ] = "baseline",
        origin_col: Annotated[str, typer.Option(help="Column of origins.")] = "origin",
        destination_col: Annotated[
            str, typer.Option(help="Column of destinations.")
        ] = "destination",
        value_col: Annotated[str, typer.Option(help="Column of flows.")] = "value",
        year_col: Annotated[
            str | None, typer.Option(help="Column of years (default: year, if there is one).")
        ] = None,
        top: Annotated[
            int, typer.Option(metavar="K", min=1, help="Largest flows that top_overlap looks at.")
        ] = 20,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print one JSON document, nothing else.")
        ] = False,
    ) -> None:
        """Score the agent model beside gravity, radiation and uniform models on real flows."""
        from calibration.flows_table import Columns
        from calibration.validate import validate_files
        from sim.cli import print_json, tell
        from sim.scenario import load_scenario

        columns = Columns(
            origin_col, destination_col, value_col, year_col or "year", year_col is not None
        )
        parameters = load_scenario(scenario).parameters
        result = validate_files(
            flows, fit_flows, columns=columns, parameters=parameters, sizes=sizes, top=top
        )
        for note in result.notes:
            tell(note)
        if as_json:
            print_json(result.document())
        else:
            typer.echo(result.text())


def _register_calibrate(app: typer.Typer) -> None:
    @app.command()
    def calibrate(
        starts: Annotated[
            int, typer.Option(metavar="N", min=1, max=1000, help="Starts of the optimiser.")
        ] = 6,
        seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the starts.")] = 1,
        per_city: Annotated[
            int, typer.Option(metavar="N", min=8, max=10_000, help="Agents a city.")
        ] = 256,
        out: Annotated[
            Path, typer.Option(metavar="FILE", help="Where the calibrated parameters go (JSON).")
        ] = Path("calibrated.json"),
        targets: Annotated[
            Path | None, typer.Option(metavar="FILE.csv", help="Other targets than the project's.")
        ] = None,
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on with an interrupted calibration.")
        ] = False,
        flows: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE.csv",
                help="Real flows (as for validate, with columns origin, destination, value, year) "
                "to be met as well.",
            ),
        ] = None,
        posterior: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE.npz", help="Draw from the posterior, too; write the draws there."
            ),
        ] = None,
        confirm: Annotated[
            bool, typer.Option("--confirm", help="Run the stochastic simulator at the result, too.")
        ] = False,
        threads: Annotated[
            int | None, typer.Option(metavar="N", min=1, help="Threads of the operator.")
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print one JSON document, nothing else.")
        ] = False,
    ) -> None:
        """Fit the parameters to the targets; show target, simulated value and residual."""
        from dataclasses import replace

        from calibration.fit import FLOWS_CPC, FlowMoment, document
        from calibration.fit import calibrate as fit_targets
        from calibration.flows_table import read_flows
        from calibration.free import Box
        from calibration.moments import Moments
        from calibration.run_moments import run_moments
        from calibration.targets import load_targets, read_targets
        from calibration.twin import Twin
        from sim.cli import print_json, tell

        chosen = load_targets() if targets is None else read_targets(targets)
        for file in (out, posterior):
            if file is not None:
                refuse_target(file)
        moments, box = Moments(Twin(per_city=per_city, threads=threads)), Box()
        if flows is not None:
            moments = FlowMoment(moments, read_flows(flows))  # type: ignore[assignment]
            chosen = (*chosen, FLOWS_CPC)
        state = out.with_name(f".{out.name}.state")
        with resumable(state):
            with progress_lines(tell) as progress:
                found = fit_targets(
                    moments,
                    box=box,
                    targets=chosen,
                    starts=starts,
                    seed=seed,
                    state_file=state,
                    resume=resume,
                    progress=progress,
                    say=tell,
                )
            simulated = found.simulated | run_moments(found.parameters)
            result = document(replace(found, simulated=simulated), box, moments, seed, chosen)
            if confirm:
                from calibration.confirm import confirm as simulate

                result["confirmation"] = simulate(found.parameters, moments)
            if posterior is not None:
                with progress_lines(tell) as progress:
                    result["posterior"] = draw_posterior(moments, box, chosen, posterior, progress)
            write_json(out, result)
        state.unlink(missing_ok=True)
        if as_json:
            print_json(finite(result))
        else:
            typer.echo(calibration_text(result))
            typer.echo(f"Written: {out}")


def draw_posterior(
    moments: Any, box: Any, targets: Any, out: Path, progress: Any, draws: int = 2000
) -> dict[str, Any]:
    """Write draws of the posterior and return their summary.

    The file holds ``paths`` (p,) and ``draws`` (n, p), parameter values.
    """
    import numpy as np

    from calibration.posterior import diagnostics, sample, summary
    from calibration.surrogate import Likelihood, build
    from sim.run_folder import whole_file

    likelihood = Likelihood(build(moments, box, progress=progress), targets)
    chain = sample(likelihood)
    flat = box.values(chain.reshape(-1, chain.shape[2]))
    kept = flat[:: max(len(flat) // draws, 1)][:draws]
    with whole_file(out) as draft, draft.open("wb") as file:
        np.savez_compressed(file, paths=np.array(box.paths), draws=kept)
    return summary(chain, likelihood) | {"diagnostics": diagnostics(chain, box.paths)}


def refuse_target(out: Path) -> None:
    """Refuse a file that could not be written, before any work.

    Raises
    ------
    UserError
        If its folder does not exist or it is a folder.
    """
    from sim.errors import UserError

    if not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; give the name of a file")


def write_json(out: Path, document: dict[str, Any]) -> None:
    """Write a document as JSON, whole or not at all; what is undefined becomes null."""
    import json

    from sim.run_folder import whole_file

    text = json.dumps(finite(document), indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(out) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def resumable(state: Path) -> Iterator[None]:
    """Say how to go on after an interruption or error, where there is a state to go on from."""
    from sim.errors import UserError
    from sim.interruption import Interrupted, Signals

    former = state.stat().st_mtime_ns if state.exists() else None
    try:
        with Signals():
            yield
    except UserError as error:
        ours = state.exists() and state.stat().st_mtime_ns != former
        hint = "; what is finished is kept: go on with --resume"
        raise (UserError(f"{error}{hint}") if ours else error) from None
    except KeyboardInterrupt:
        kept = state.exists()
        raise Interrupted(
            "interrupted; go on with the same command and --resume"
            if kept
            else "interrupted; nothing was written"
        ) from None


def finite(value: Any) -> Any:
    """Return a document with None in place of numbers that are not finite."""
    import math

    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def progress_lines(
    tell: Callable[[str], None],
) -> Iterator[Callable[[int, int, str], None] | None]:
    """Give a function that reports progress on standard error, or None if that is no terminal."""
    import sys

    def show(done: int, total: int, message: str) -> None:
        tell(f"{message} ({done}/{total})")

    yield show if sys.stderr.isatty() else None


def calibration_text(result: dict[str, Any]) -> str:
    """Return the parameters and the table of target, simulated value and residual."""
    lines = ["Parameters:"]
    lines += [f"  {path:<24} {value:8.4f}" for path, value in result["parameters"].items()]
    head = ("target", "spread", "simulated", "residual")
    lines.append(f"{'':<28} {'use':<9}" + "".join(f"{name:>10}" for name in head))
    for row in result["targets"]:
        values = "".join(f"{row[name]:>10.3f}" for name in head)
        lines.append(f"{row['name']:<28} {row['use']:<9}{values}")
    for row in result.get("confirmation", []):
        lines.append(
            f"{row['name']:<28} operator {row['expected']:.3f}, "
            f"simulator {row['simulated']:.3f} ± {row['spread']:.3f}"
        )
    return "\n".join(lines)

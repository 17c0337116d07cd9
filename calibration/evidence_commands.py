"""Commands that judge the calibration: recover, sensitivity and model-card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add ``recover``, ``sensitivity`` and ``model-card`` to the command line."""
    _register_recover(app)
    _register_sensitivity(app)
    _register_model_card(app)


def _register_recover(app: typer.Typer) -> None:
    @app.command()
    def recover(
        data_sets: Annotated[
            int, typer.Option(metavar="N", min=10, help="Synthetic data sets.")
        ] = 100,
        points: Annotated[
            int, typer.Option(metavar="N", min=100, help="Evaluations of the operator.")
        ] = 500,
        per_city: Annotated[int, typer.Option(metavar="N", min=8, help="Agents a city.")] = 128,
        seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the truths.")] = 3,
        out: Annotated[
            Path, typer.Option(metavar="FILE", help="Where the results go (JSON).")
        ] = Path("recovery.json"),
        as_json: Annotated[
            bool, typer.Option("--json", help="Print one JSON document, nothing else.")
        ] = False,
    ) -> None:
        """Recover known parameters from synthetic data; say what is not identified."""
        from calibration.commands import finite, progress_lines, refuse_target, write_json
        from calibration.folds import cross_validate
        from calibration.free import Box
        from calibration.moments import Moments
        from calibration.posterior import recover as recover_known
        from calibration.posterior import sample, summary
        from calibration.surrogate import Likelihood, build
        from calibration.targets import load_targets
        from calibration.twin import Twin
        from sim.cli import print_json, tell

        refuse_target(out)
        moments, targets = Moments(Twin(per_city=per_city, threads=None)), load_targets()
        with progress_lines(tell) as progress:
            surrogate = build(moments, Box(), points=points, progress=progress)
            likelihood = Likelihood(surrogate, targets)
            result = recover_known(likelihood, data_sets=data_sets, seed=seed, progress=progress)
            result["correlated"] = summary(sample(likelihood), likelihood)["correlated"]
            result["folds"] = cross_validate(surrogate, moments, targets, progress=progress)
        result["surrogate_error_in_spreads"] = {
            target.name: float(surrogate.error[surrogate.column(target.name)] / target.spread)
            for target in targets
            if target.use == "fit"
        }
        write_json(out, result)
        if as_json:
            print_json(finite(result))
        else:
            typer.echo(recovery_text(result))
            typer.echo(f"Written: {out}")


def recovery_text(result: dict[str, Any]) -> str:
    """Return the recovery and the folds as tables."""
    keys = ("bias", "rmse", "coverage_50", "coverage_90", "contraction", "rank_p")
    lines = [f"{result['data_sets']} data sets; bias and rmse in prior spreads"]
    lines.append(f"{'':<24}" + "".join(f"{key:>13}" for key in keys) + "  identified")
    for path, row in result["parameters"].items():
        values = "".join(f"{row[key]:>13.3f}" for key in keys)
        lines.append(f"{path:<24}{values}  {'yes' if row['identified'] else 'no'}")
    for row in result["correlated"]:
        lines.append(f"{' and '.join(row['pair'])}: correlation {row['correlation']:.2f}")
    lines.append("Cities held out: Spearman (90 % interval), RMSE")
    for row in result["folds"]:
        parts = [
            f"{name} {row[name]['spearman']:.2f} ({row[name]['spearman_low']:.2f}-"
            f"{row[name]['spearman_high']:.2f}), {row[name]['rmse']:.1f}"
            for name in ("model", "dimension_mean", "regional_mean")
        ]
        lines.append(f"  fold {row['fold']}: " + "; ".join(parts))
    return "\n".join(lines)


def _register_sensitivity(app: typer.Typer) -> None:
    @app.command()
    def sensitivity(
        method: Annotated[str, typer.Option(help="morris or sobol.")] = "morris",
        size: Annotated[
            int,
            typer.Option(metavar="N", min=4, help="Trajectories (morris) or base sample (sobol)."),
        ] = 16,
        per_city: Annotated[int, typer.Option(metavar="N", min=8, help="Agents a city.")] = 64,
        seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the design.")] = 5,
        out: Annotated[
            Path, typer.Option(metavar="DIR", help="Folder for indices and picture.")
        ] = Path("sensitivity"),
        resume: Annotated[
            bool, typer.Option("--resume", help="Go on with an interrupted analysis.")
        ] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print one JSON document, nothing else.")
        ] = False,
    ) -> None:
        """Rank parameters and structure switches by their influence on headline results."""
        from analysis.pictures import draw_kind, write_figure
        from analysis.sensitivity_plot import SENSITIVITY_KINDS
        from calibration import sensitivity as study
        from calibration.commands import finite, progress_lines, resumable, write_json
        from calibration.moments import Moments
        from calibration.twin import Twin
        from sim.cli import print_json, tell
        from sim.errors import UserError, did_you_mean
        from sim.run_folder import write_error

        if method not in study.METHODS:
            near = did_you_mean(method, study.METHODS)
            raise UserError(f"--method '{method}' is not known{near}; use morris or sobol")
        if out.exists() and not out.is_dir():
            raise UserError(f"--out {out} is a file; give the name of a folder")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(out, error) from None
        problem = study.Problem()
        design = study.points(problem, method, size, seed)
        moments = Moments(Twin(per_city=per_city, threads=None))
        state = out / f".{method}.npz"
        with resumable(state), progress_lines(tell) as progress:
            outputs = study.evaluate(moments, problem, design, state, resume, progress)
        found = study.analyse(problem, method, design, outputs, seed)
        result = {"method": method, "evaluations": len(design), "seed": seed, "indices": found}
        write_json(out / f"{method}.json", result)
        figure = draw_kind(result, "sensitivity", kinds=SENSITIVITY_KINDS)
        picture = write_figure(figure, out / f"{method}.png")
        state.unlink(missing_ok=True)
        if as_json:
            print_json(finite(result))
        else:
            typer.echo(sensitivity_text(result))
            typer.echo(f"Written: {out / f'{method}.json'}, {picture}")


def sensitivity_text(result: dict[str, Any]) -> str:
    """Return the five factors that matter most to each result."""
    key, ci = ("mu_star", "mu_star_ci") if result["method"] == "morris" else ("total", "total_ci")
    lines = [f"{result['method']}, {result['evaluations']} evaluations: {key} ± 95 %"]
    for name, rows in result["indices"].items():
        best = sorted(rows, key=lambda factor: -rows[factor][key])[:5]
        shown = (f"{factor} {rows[factor][key]:.3f} ± {rows[factor][ci]:.3f}" for factor in best)
        lines.append(f"  {name}: " + ", ".join(shown))
    return "\n".join(lines)


def _register_model_card(app: typer.Typer) -> None:
    @app.command("model-card")
    def model_card(
        out: Annotated[Path, typer.Option(metavar="FILE", help="The card.")] = Path(
            "docs/model-card.md"
        ),
        check: Annotated[
            bool, typer.Option("--check", help="Fail if the card's numbers are stale.")
        ] = False,
        calibration: Annotated[
            Path | None, typer.Option(metavar="FILE", help="What calibrate has written.")
        ] = None,
        recovery: Annotated[
            Path | None, typer.Option(metavar="FILE", help="What recover has written.")
        ] = None,
        validation: Annotated[
            Path | None, typer.Option(metavar="FILE", help="What validate --json has printed.")
        ] = None,
        sensitivity: Annotated[
            Path | None, typer.Option(metavar="FILE", help="What sensitivity has written.")
        ] = None,
    ) -> None:
        """Write the model card from the evidence, or check that it is up to date."""
        from importlib import resources

        from calibration import model_card as card
        from calibration.commands import refuse_target, write_json
        from sim.cli import tell
        from sim.errors import UserError
        from sim.run_folder import whole_file
        from sim.scenario import load_scenario

        evidence = card.load_evidence()
        files = dict(zip(card.PARTS, (calibration, recovery, validation, sensitivity), strict=True))
        for part, path in files.items():
            if path is not None:
                evidence = card.merge(evidence, part, path)
        fresh = card.render(evidence, load_scenario("baseline").parameters)
        if check:
            if not out.is_file():
                raise UserError(f"{out}: no such file; write it with 'talentflow model-card'")
            stale = card.differences(out.read_text(encoding="utf-8"), fresh)
            if stale:
                raise UserError(
                    f"{out} is stale: {stale[0]} ({len(stale)} differences); write it anew with "
                    "'talentflow model-card'"
                )
            tell(f"{out}: up to date")
            return
        refuse_target(out)
        if any(path is not None for path in files.values()):
            kept = Path(str(resources.files("calibration").joinpath("data/evidence.json")))
            write_json(kept, evidence)
        with whole_file(out) as draft:
            draft.write_text(fresh, encoding="utf-8")
        tell(f"Written: {out}")

"""The command ``talentflow landscape`` and the pictures of the landscape."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from typer.testing import CliRunner

from analysis.landscape_plots import DOUBTFUL, FULL, LEAST, city_strip, filling, heat_map
from calibration import (
    landscape_commands,
    landscape_document,
    landscape_quality,
    landscape_tables,
)
from sim import cli
from sim.cities import DIMENSIONS, load_cities
from sim.errors import UserError
from sim.landscape import Landscape, ensemble, load_landscape, n_draws


def invoke(*arguments):
    return CliRunner().invoke(cli.app, ["landscape", *map(str, arguments)])


def document(*arguments):
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# Help and summary


def test_every_option_is_explained():
    page = " ".join(invoke("--help").output.split())
    for option in ["check", "export", "city", "draw", "evaluate", "rebuild", "plot", "json"]:
        assert f"--{option} " in page
    command = typer.main.get_command(cli.app).commands["landscape"]
    assert all(parameter.help for parameter in command.params)


def test_help_loads_nothing_heavy():
    code = (
        "import sys, typer, calibration.landscape_commands as c; c.register(typer.Typer()); "
        "print([m for m in ('numpy', 'pandas', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_summary_counts_cells_and_gives_spread_and_weights():
    summary = document()["summary"]
    assert summary["draws"] == n_draws()
    assert summary["cells"] == {"published": 24, "estimated": 696}
    assert list(summary["dimensions"]) == list(DIMENSIONS)
    rows = summary["dimensions"].values()
    assert sum(row["published_cells"] for row in rows) == 24
    assert sum(row["weight"] for row in rows) == pytest.approx(1, abs=1e-3)
    for row in rows:
        low, high = row["weight_interval_90"]
        assert 0 <= low <= row["weight"] <= high <= 1
    text = invoke().stdout
    assert "24 cells published, 696 estimated" in text
    assert summary["method"] in text
    assert summary["method"].endswith("LANDSCAPE.md")


def test_mean_spread_is_that_of_the_estimated_cells():
    scores, _ = ensemble()
    estimated = load_landscape().kind[:, 5] == "estimated"
    spread = scores[:, estimated, 5].std(axis=0).mean()
    assert document()["summary"]["dimensions"]["public_life"]["mean_spread"] == round(spread, 2)


# Check


def test_check_lists_every_constraint_and_passes():
    found = document("--check")["check"]
    assert found["draws"] == n_draws()
    assert found["all_satisfied"] is True
    assert len(found["constraints"]) > 100
    assert all(row["draws_satisfied"] == 1 for row in found["constraints"])
    assert all(row["centre_satisfied"] for row in found["constraints"])
    text = invoke("--check").stdout
    assert text.count("100 % yes") == len(found["constraints"])
    assert "all hold" in text


def broken_landscape(draw=None):
    good = load_landscape(draw)
    if draw not in (None, 7):
        return good
    scores = good.scores.copy()
    scores[0, 0] = 99.9  # New York has 100 in the economy
    return Landscape.build(cities=good.cities, scores=scores, weights=good.weights, draw=draw)


def test_check_exits_with_1_where_a_draw_and_the_centre_are_broken(monkeypatch):
    monkeypatch.setattr(landscape_tables, "load_landscape", broken_landscape)
    result = invoke("--check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["check"]
    row = next(r for r in found["constraints"] if r["constraint"].endswith("New York 100"))
    assert row["draws_satisfied"] == pytest.approx(1 - 1 / n_draws())
    assert row["centre_satisfied"] is False
    assert row["broken_by"] == "99.9000"
    assert found["all_satisfied"] is False
    text = invoke("--check").stdout
    assert "no: 99.9000" in text
    assert "broken by a draw with 99.9000" in text
    assert "99." in text.split("New York 100", 1)[1].splitlines()[0]


def test_check_of_one_draw_looks_at_it_alone(monkeypatch):
    monkeypatch.setattr(
        landscape_tables,
        "load_landscape",
        lambda draw=None: broken_landscape(draw) if draw is not None else load_landscape(),
    )
    assert invoke("--check", "--draw", 7).exit_code == 1
    assert invoke("--check", "--draw", 8).exit_code == 0


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100 %"), (0.99999, "99.9 %"), (239 / 240, "99.5 %"), (0.0, "0.0 %")]
)
def test_a_share_says_100_only_where_nothing_is_broken(share, text):
    assert landscape_tables.percent(share) == text


# One city, one draw


def test_city_tells_scores_intervals_kinds_and_ranks():
    found = document("--city", "Beijing")["city"]
    assert (found["city"], found["composite"], found["rank"]) == ("Beijing", 95.46, 5)
    innovation = found["dimensions"]["innovation_potential"]
    assert innovation["kind"] == "published"
    assert innovation["score"] == 100
    assert innovation["interval_90"] == [100, 100]
    assert (innovation["rank"], innovation["rank_interval_90"]) == (1, [1, 1])
    economy = found["dimensions"]["economic_foundation"]
    assert economy["kind"] == "estimated"
    scores = ensemble()[0][:, load_cities().index("Beijing"), 0]
    assert economy["interval_90"] == pytest.approx(np.quantile(scores, [0.05, 0.95]), abs=0.006)
    assert economy["interval_80"] == pytest.approx(np.quantile(scores, [0.10, 0.90]), abs=0.006)
    assert economy["rank_interval_90"][0] > 20  # Tel Aviv is the only Asian city there


def test_city_is_found_by_its_chinese_name_and_a_wrong_one_is_mended():
    assert document("--city", "北京") == document("--city", "beijing")
    result = invoke("--city", "Bejing")
    assert result.exit_code == 2
    assert result.stderr == "talentflow: unknown city 'Bejing'; did you mean 'Beijing'?\n"


def test_draw_is_shown_with_its_weights_and_published_cells_marked():
    found = document("--draw", 3)["draw"]
    scores, weights = ensemble()
    assert [row["city"] for row in found["cities"]] == list(load_cities().names)
    assert [row["economic_foundation"] for row in found["cities"]] == scores[3, :, 0].tolist()
    assert list(found["weights"].values()) == pytest.approx(weights[3])
    ranked = found["intercept"] + found["slope"] * (scores[3] @ weights[3])
    assert [row["composite"] for row in found["cities"]] == pytest.approx(ranked, abs=1e-4)
    text = invoke("--draw", 3).stdout
    assert text.count("*") == 25  # 24 cells and the note
    city = document("--city", "Seoul", "--draw", 3)["city"]
    assert city["draw"] == 3
    assert city["dimensions"]["public_life"]["score"] == pytest.approx(
        scores[3, load_cities().index("Seoul"), 5], abs=0.006
    )


def test_draw_that_is_not_there_is_refused():
    result = invoke("--draw", n_draws())
    assert result.exit_code == 2
    assert f"no draw {n_draws()}; the ensemble has draws 0 to {n_draws() - 1}" in result.stderr
    assert invoke("--draw", "-1").exit_code == 2


# Export


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_export_is_tidy_and_complete(tmp_path, suffix):
    path = tmp_path / f"ensemble.{suffix}"
    assert document("--export", path) == {"written": [str(path)]}
    table = pd.read_parquet(path) if suffix == "parquet" else pd.read_csv(path)
    assert list(table.columns) == ["draw", "city", "dimension", "score", "kind"]
    assert len(table) == (n_draws() + 1) * 720
    assert table["draw"].unique().tolist() == [-1, *range(n_draws())]
    assert (table.groupby("draw")["kind"].apply(lambda k: (k == "published").sum()) == 24).all()
    for draw, scores in ((-1, load_landscape().scores), (5, ensemble()[0][5])):
        own = table[table["draw"] == draw]
        assert own["score"].to_numpy().reshape(120, 6).tolist() == scores.tolist()
        assert own["city"].tolist()[::6] == list(load_cities().names)
        assert own["dimension"].tolist()[:6] == list(DIMENSIONS)
    assert os.listdir(tmp_path) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_parquet_carries_what_composites_need(tmp_path):
    path = tmp_path / "ensemble.parquet"
    landscape_commands.write_export(path)
    about = json.loads(pq.read_schema(path).metadata[b"talentflow"])
    assert about["unit"] == "index points"
    assert about["centre"] == -1
    table = pd.read_parquet(path)
    for formula in (about["composite"][0], about["composite"][11]):
        scores = table.loc[table["draw"] == formula["draw"], "score"].to_numpy().reshape(120, 6)
        composite = formula["intercept"] + formula["slope"] * scores @ formula["weights"]
        assert np.abs(composite - load_cities().composite).max() <= 0.05


def test_export_of_one_draw_and_of_the_same_bytes(tmp_path):
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path in paths:
        assert invoke("--export", path, "--draw", 9).exit_code == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert pd.read_parquet(paths[0])["draw"].unique().tolist() == [9]


def test_export_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    for target, told in (
        (tmp_path / "x.parqet", "did you mean '.parquet'?"),
        (tmp_path / "x", "use .parquet or .csv"),
        (tmp_path / "no" / "x.csv", "does not exist; make it first"),
    ):
        result = invoke("--export", target)
        assert result.exit_code == 2
        assert told in result.stderr
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "is a folder" in invoke("--export", folder).stderr


def test_export_leaves_the_former_file_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    path.write_text("former")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(landscape_commands, "_write_parquet", full)
    result = invoke("--export", path)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == ["x.parquet"]


# Evaluation


REPORT = {
    "leave_one_out: score hidden": {
        "cells": 2,
        "reconstruction": {"mean_absolute_error": 1.25, "root_mean_square_error": 1.5},
        "composite": {"mean_absolute_error": 9.0, "root_mean_square_error": 9.5},
        "coverage_80%": {"held": 1, "of": 2, "mean_width": 3.5},
        "predictions": [
            {
                "city": "Seoul",
                "dimension": "social_welfare",
                "truth": 97.01,
                "median": 95.5,
                "interval_80%": [94.0, 98.0],
                "interval_95%": [93.0, 99.0],
            }
        ],
    },
    "mixing": {"chains": 4, "rhat_max": 1.01, "points": 12000},
}


def test_evaluation_prints_the_shipped_report(tmp_path, monkeypatch):
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(REPORT))
    monkeypatch.setattr(landscape_quality, "evaluation_path", lambda: path)
    found = document("--evaluate")["evaluation"]
    assert found["shipped"] == REPORT
    assert all(0 <= row["probability"] <= 1 for row in found["qualitative"])
    assert any("United States weak in public life" in r["statement"] for r in found["qualitative"])
    text = invoke("--evaluate").stdout
    for part in ("1.25", "hold 1 of 2", "36.0 %", "94.00 to 98.00", "rhat_max: 1.01", "12,000"):
        assert part in text


def test_evaluation_that_is_missing_or_damaged_is_told(tmp_path, monkeypatch):
    path = tmp_path / "evaluation.json"
    monkeypatch.setattr(landscape_quality, "evaluation_path", lambda: path)
    for content, told in ((None, "is not there"), ("{", "cannot be read"), ("[]", "not a mapping")):
        if content is not None:
            path.write_text(content)
        result = invoke("--evaluate")
        assert result.exit_code == 2
        assert told in result.stderr
        assert "calibration.landscape_evaluation" in result.stderr


def test_shipped_evaluation_can_be_printed():
    result = invoke("--evaluate")
    assert result.exit_code == 0
    assert "Statements in words" in result.stdout


@pytest.mark.parametrize(
    ("held", "of", "level", "chance"),
    [(0, 1, 0.8, 0.2), (1, 1, 0.8, 1.0), (1, 2, 0.8, 0.36), (8, 10, 0.5, 1 - 11 / 1024)],
)
def test_chance_of_a_coverage_is_binomial(held, of, level, chance):
    assert landscape_quality.at_most(held, of, level) == pytest.approx(chance)


# The document


def test_document_has_the_table_of_what_is_shipped():
    text = landscape_tables.method_path().read_text("utf-8")
    found = landscape_document.with_table(text, landscape_document.table())
    assert found == text, "run python -m calibration.landscape_document"


def test_table_is_put_between_its_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(landscape_document, "table", lambda: "| new |")
    path = tmp_path / "LANDSCAPE.md"
    begin, end = landscape_document.BEGIN, landscape_document.END
    path.write_text(f"before\n{begin}\n| old |\n{end}\nafter\n")
    landscape_document.main(path)
    assert path.read_text() == f"before\n{begin}\n| new |\n{end}\nafter\n"
    assert os.listdir(tmp_path) == ["LANDSCAPE.md"]
    for damaged in ("none", f"{begin} {begin} {end}"):
        with pytest.raises(ValueError, match="marks"):
            landscape_document.with_table(damaged, "")


def test_table_tells_errors_coverage_and_mixing(tmp_path, monkeypatch):
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(REPORT))
    monkeypatch.setattr(landscape_quality, "evaluation_path", lambda: path)
    rows = landscape_document.table().splitlines()
    assert all(row.count("|") == 4 for row in rows)
    assert "| mixing | greatest R-hat of a cell | 1.01 |" in rows
    told = "| leave one out, score hidden | "
    assert f"{told}reconstruction: mean absolute, root mean square error | 1.25, 1.50 |" in rows
    held = "1 of 2 (so few or fewer by chance: 36.0 %)"
    assert f"{told}80 % intervals that hold the printed score | {held} |" in rows


# Rebuild


def test_rebuild_runs_the_reconstruction_before_all_else(monkeypatch):
    from calibration import reconstruct

    called = []
    monkeypatch.setattr(reconstruct, "main", lambda: called.append(True))
    assert invoke("--rebuild").exit_code == 0
    assert called == [True]


def test_rebuild_without_its_packages_names_the_extra(monkeypatch):
    monkeypatch.setattr(landscape_commands, "BUILD_PACKAGES", ("json", "no_such_package"))
    result = invoke("--rebuild")
    assert result.exit_code == 2
    assert "'no_such_package' is missing" in result.stderr
    assert "pip install 'talentflow[build]'" in result.stderr


def test_rebuild_into_a_folder_that_takes_nothing_is_told(monkeypatch):
    from calibration import reconstruct

    def refused():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reconstruct, "main", refused)
    result = invoke("--rebuild")
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


# Pictures


def test_plot_writes_heat_map_and_strip(tmp_path):
    folder = tmp_path / "new" / "pictures"
    result = invoke("--plot", folder, "--city", "sao paulo", "--draw", 2, "--json")
    assert result.exit_code == 0
    names = ["landscape_draw2.png", "landscape_sao-paulo_draw2.png"]
    found = json.loads(result.stdout)
    assert found["written"] == [str(folder / name) for name in names]
    assert found["city"]["city"] == "Sao Paulo"
    for name in names:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_plot_into_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    result = invoke("--plot", path)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def texts(axes):
    figure = axes.get_figure(root=True)
    return [text.get_text() for text in (*axes.texts, *figure.texts)]


def test_heat_map_names_all_cities_and_marks_published_cells():
    axes = heat_map(load_landscape())
    shown = texts(axes)
    for rank, name in enumerate(load_cities().names, start=1):
        assert f"{name}  {rank}" in shown
    assert any("24 marked cells are published, the other 696" in text for text in shown)
    collections = [c for c in axes.collections if isinstance(c, PatchCollection)]
    outlined = [c for c in collections if c.get_facecolor().size == 0 and len(c.get_paths())]
    assert sum(len(c.get_paths()) for c in outlined) == 24 + 1  # and one in the key


def test_names_of_the_heat_map_do_not_run_into_each_other():
    axes = heat_map(load_landscape())
    figure = axes.get_figure(root=True)
    figure.draw_without_rendering()
    names = [text for text in axes.texts if text.get_ha() == "right"]
    assert len(names) == 120
    boxes = [text.get_window_extent() for text in names]
    width = figure.get_window_extent().width
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)
    cells = [axes.transData.transform((x, 0))[0] for x in (13.0, 26.5)]
    for column, edge in zip((boxes[40:80], boxes[80:]), cells, strict=True):
        assert min(box.x0 for box in column) >= edge


def test_fillings_shrink_with_the_spread():
    sides = filling([0.0, 2.0, 6.0, 100.0])
    assert sides[0] == FULL
    assert sides[1] == pytest.approx(FULL * (1 - 2 / DOUBTFUL))
    assert sides[-1] == LEAST
    assert (np.diff(sides) < 0).all()


def test_strip_shows_interval_and_score_of_estimated_cells_only():
    landscape = load_landscape()
    axes = city_strip(landscape, "Beijing")
    place = landscape.cities.index("Beijing")
    bars = {
        round(float(line.get_ydata()[0])): line.get_xdata()
        for line in axes.lines
        if len(line.get_xdata()) == 2
    }
    assert sorted(bars) == [0, 2, 3, 5]
    for k, (low, high) in bars.items():
        assert (low, high) == (landscape.low[place, k], landscape.high[place, k])
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in points] == landscape.scores[place].tolist()
    assert [line.get_marker() for line in points] == ["o", "D", "o", "o", "D", "o"]
    strokes = [c for c in axes.collections if isinstance(c, LineCollection)]
    assert sorted({len(c.get_segments()) for c in strokes}) == [1, 119]
    ranks = [text.get_text() for text in axes.texts][:6]
    assert ranks[1] == "1"
    assert ranks[4] == "4"


def test_pictures_on_axes_of_the_caller_and_of_a_landscape_of_ones_own():
    own = Landscape.build(cities=["A", "B"], scores=np.linspace(50, 100, 12).reshape(2, 6))
    for draw, arguments in ((heat_map, (own,)), (city_strip, (own, "B"))):
        figure = Figure()
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        assert draw(*arguments, ax=axes) is axes
        assert any("A landscape of the user's own" in text for text in texts(axes))


def test_strip_of_a_city_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="unknown city 'Pari'; did you mean 'Paris'"):
        city_strip(load_landscape(), "Pari")

"""Pictures of comparisons and sweeps: drawn for every kind of result, labelled, whole."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import fault
from matplotlib.figure import Figure

from analysis import pictures
from analysis.compare_plots import KINDS, SWEEP_KINDS, plot_effects, plot_years
from analysis.compared import Compared
from analysis.displacement_plot import plot_displacement
from analysis.kinds import subject_of
from analysis.sweep_plot import plot_response
from sim.compare import compare
from sim.comparison_folder import run_comparison
from sim.scenario import load_scenario
from sim.sweep_run import sweep_scenario

SMALL = {"population.agents": 4000, "horizon.years": 2}
UP = {
    "name": "up",
    "lever": "dimension_shift",
    "places": "Shanghai",
    "points": {"economic_foundation": 20.0, "social_welfare": 20.0},
}
CAP = {"name": "cap", "lever": "quota", "places": "Tokyo", "persons_per_year": 0.0}


def base():
    return load_scenario("baseline", SMALL)


def policy(name, **changes):
    return base().with_changes({"name": name, **changes})


@pytest.fixture(scope="module")
def found():
    policies = policy("up", interventions=[UP]), policy("cap", interventions=[CAP])
    return compare(base(), *policies, policy("same"), seeds=2)


def texts(axes):
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    inside = [text.get_text() for text in axes.texts]
    return " ".join([text.get_text() for text in figure.texts] + inside).replace("\n", " ")


@pytest.mark.parametrize("name", ["up", "cap", "same"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_for_every_policy(found, kind, name):
    figure = pictures.draw_kind(Compared(found, name), kind, kinds=KINDS)
    assert name in " ".join(text.get_text() for text in figure.texts)


def test_effects_are_in_order_and_cities_can_be_asked_for(found):
    axes = plot_effects(Compared(found, "up"), cities=["Paris"], n=3)
    names = [label.get_text() for label in axes.get_yticklabels()]
    effects = found.of("stock", "up")["effect"]
    assert names[0] == "Shanghai"
    assert "Paris" in names
    assert effects[names].is_monotonic_decreasing
    drawn = axes.collections[1].get_offsets()[:, 0]
    assert np.allclose(drawn, effects[names])
    assert "the runs are the same" in texts(plot_effects(Compared(found, "same")))


def test_displacement_shows_gain_and_loss(found):
    gain = texts(plot_displacement(Compared(found, "up")))
    assert "Whom up brings to Shanghai" in gain
    assert "Would be in" in gain
    loss = texts(plot_displacement(Compared(found, "cap")))
    assert "Whom Tokyo loses by cap" in loss
    assert "Lives in" in loss
    assert "moves nobody" in texts(plot_displacement(Compared(found, "same"), city="Paris"))


def test_years_start_at_zero(found):
    axes = plot_years(Compared(found, "up"), cities=["Shanghai"])
    line = axes.get_lines()[0]
    assert line.get_xdata().tolist() == [2024, 2025, 2026]
    assert line.get_ydata()[0] == 0
    last = found.of("stock", "up").loc["Shanghai", "effect"]
    assert line.get_ydata()[-1] == last


@pytest.mark.parametrize(
    "over",
    [
        {"interventions.up.points.economic_foundation": [1.0, 20.0]},
        {"interventions.up.points.economic_foundation": [1.0, 20.0], "obstacles.moving": [2, 3]},
    ],
)
def test_response(over):
    swept = policy("up", interventions=[UP], sweep={"over": over, "points": 2, "seeds": 2})
    result = sweep_scenario(swept, base())
    axes = plot_response(Compared(result), cities=["Shanghai"])
    panels = axes.child_axes or [axes]
    assert len(panels) == len(over)
    curve = result.curve("Shanghai")
    assert panels[0].get_lines()[0].get_ydata().tolist() == pytest.approx(curve["effect"].tolist())
    assert "baseline" in texts(axes)
    pictures.draw_kind(Compared(result), "response", ["Tokyo"], kinds=SWEEP_KINDS)


def test_a_comparison_is_recognised_and_has_no_other_language(work):
    run_comparison(base(), [policy("up", interventions=[UP])], work / "out", seeds=2, direct=False)
    plots = {path.name for path in (work / "out" / "plots").iterdir()}
    assert plots == {f"{name.replace('-', '_')}.png" for name in KINDS}
    subject = subject_of(work / "out")
    assert subject.noun == "comparison"
    thing = subject.read(work / "out")
    assert isinstance(thing.cities, pd.DataFrame)
    message = fault(lambda: pictures.draw_kind(thing, "effects", kinds=KINDS, language="zh"))
    assert "English names only" in message or "no font" in message

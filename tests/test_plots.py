"""Pictures: drawn on the given Axes, labelled, for worlds of any size, and written whole."""

from __future__ import annotations

import inspect

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from synthetic_run import PLACES, make_run
from typer.testing import CliRunner

import analysis
from analysis import commands, labels, pictures, ranks, style, tables
from sim.errors import UserError

PLOTS = {
    "net_gain": (analysis.plot_net_gain, {}),
    "net_gain_rate": (analysis.plot_net_gain, {"unit": "per_100"}),
    "net_gain_map": (analysis.plot_net_gain_map, {}),
    "flow_map": (analysis.plot_flow_map, {}),
    "flow_map_panels": (analysis.plot_flow_map, {"panels": True, "scope": "international"}),
    "rank_change": (analysis.plot_rank_change, {}),
    "stock_rank_change": (analysis.plot_rank_change, {"measure": "stock"}),
    "stickiness_rank_change": (analysis.plot_rank_change, {"measure": "stickiness"}),
    "age_profile": (analysis.plot_age_profile, {}),
    "stickiness": (analysis.plot_stickiness, {}),
    "mobility": (analysis.plot_mobility, {}),
    "distance": (analysis.plot_distance_decay, {}),
}
WORLDS = {
    "eleven cities": make_run(),
    "three cities, one year": make_run(PLACES.head(3), years=1),
    "two cities of one country": make_run(PLACES.head(2), years=2),
    "one city": make_run(PLACES.head(1), years=2),
    "nobody moves": make_run(years=2, mobility=0.0),
    "nothing simulated yet": make_run(PLACES.head(4), years=0),
}


@pytest.fixture(autouse=True)
def _made_up_places(monkeypatch):
    """Pictures look places up in the made-up world."""
    for module in ("flow_map", "net_gain", "stickiness", "mobility_plot", "distance"):
        monkeypatch.setattr(f"analysis.{module}.places", lambda: PLACES)


def words(figure: Figure) -> str:
    return " ".join(" ".join(text.get_text().split()) for text in figure.findobj(Text))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", PLOTS)
def test_every_picture_of_every_world(name, world):
    plot, options = PLOTS[name]
    run = WORLDS[world]
    before = dict(matplotlib.rcParams)
    own = plot(run, **options)
    text = words(own.get_figure())
    assert "talentflow" in text, "a source line"
    assert "one agent = 25 persons" in text
    assert str(run.cities["year"].max()) in text or world == "nothing simulated yet"
    sizes = [t.get_fontsize() for t in own.get_figure().findobj(Text) if t.get_text().strip()]
    assert min(sizes) >= 7
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == [], "pyplot knows of no figure"


@pytest.mark.parametrize("world", ["eleven cities", "one city", "nothing simulated yet"])
@pytest.mark.parametrize("name", PLOTS)
def test_every_picture_on_given_axes(name, world):
    plot, options = PLOTS[name]
    figure = Figure(figsize=(9, 7))
    left, right = figure.subplots(1, 2)
    assert plot(WORLDS[world], ax=right, **options) is right
    assert figure.axes == [left, right]
    assert not left.has_data()
    assert "talentflow" in words(figure)
    assert right.get_title(loc="left")


@pytest.mark.parametrize("name", PLOTS)
def test_pictures_that_can_take_cities_say_so(name):
    plot, _ = PLOTS[name]
    kinds = [kind for kind in pictures.KINDS.values() if kind.draw is plot]
    assert kinds
    takes = "cities" in inspect.signature(plot).parameters
    assert all(kind.takes_cities == takes for kind in kinds)


def test_everything_stays_inside_its_own_figure():
    for kind in pictures.KINDS:
        figure = pictures.draw_kind(WORLDS["eleven cities"], kind)
        box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 >= -0.01, kind
        assert box.y0 >= -0.01, kind
        assert box.x1 <= width + 0.01, kind
        assert box.y1 <= height + 0.01, kind


def test_bars_show_the_gains_and_their_intervals():
    run = WORLDS["eleven cities"]
    axes = analysis.plot_net_gain(run, n=2)
    from analysis.metrics import net_gain

    gains = net_gain(run.cities)
    expected = pd.concat([gains.head(2), gains.tail(2)])["net"]
    assert [bar.get_width() for bar in axes.patches] == expected.tolist()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == expected.index.tolist()
    assert "7 cities between" in words(axes.get_figure())
    whiskers = axes.collections[0].get_segments()
    half = 1.959964 * np.sqrt(25 * (gains["arrivals"] + gains["departures"])).iloc[0]
    assert whiskers[0][1][0] - whiskers[0][0][0] == pytest.approx(2 * half)
    middle = gains.index[5]
    named = analysis.plot_net_gain(run, n=2, cities=[middle])
    assert middle in [tick.get_text() for tick in named.get_yticklabels()]


def test_unknown_options_are_refused():
    run = WORLDS["eleven cities"]
    with pytest.raises(ValueError, match="per_100"):
        analysis.plot_net_gain(run, unit="percent")
    with pytest.raises(ValueError, match="international"):
        analysis.plot_flow_map(run, scope="abroad")
    with pytest.raises(ValueError, match="composite"):
        analysis.plot_rank_change(run, measure="size")
    with pytest.raises(AttributeError, match="plot_nothing"):
        _ = analysis.plot_nothing
    assert "plot_flow_map" in dir(analysis)


def test_the_flow_map_of_a_city_shows_its_flows_only():
    run = WORLDS["eleven cities"]
    axes = analysis.plot_flow_map(run, cities=["Sydney"])
    touching = run.flows[(run.flows["origin"] == "Sydney") | (run.flows["destination"] == "Sydney")]
    pairs = touching.groupby(["origin", "destination"], observed=True).ngroups
    assert "Sydney" in words(axes.get_figure())
    arcs = axes.collections[1].get_paths()
    assert not axes.child_axes
    assert pairs <= len(arcs) <= 2 * pairs, "an arc a flow, in two pieces across the seam"


def test_flows_within_a_panel_leave_the_world_map():
    run = make_run(PLACES.loc[["Beijing", "Shanghai", "Tokyo"]])
    axes = analysis.plot_flow_map(run)
    assert len(axes.collections[-1].get_paths()) == 0, "all moves are within East Asia"
    (east_asia,) = axes.child_axes
    assert east_asia.get_title(loc="left").startswith("Within East Asia (widest: ")
    assert {text.get_text() for text in east_asia.texts} == {"Beijing", "Shanghai", "Tokyo"}


@pytest.mark.parametrize(
    ("origin", "destination", "left"),
    [("Tokyo", "San Francisco", "Tokyo"), ("New York", "Paris", "New York")],
)
def test_the_map_is_cut_where_fewer_move(origin, destination, left):
    run = make_run(PLACES.loc[[origin, destination]])
    axes = analysis.plot_flow_map(run)
    assert len(axes.collections[1].get_paths()) == 2, "both arcs are in one piece"
    at = {text.get_text(): text.xy[0] for text in axes.texts}
    assert min(at, key=at.get) == left


def test_labels_do_not_overlap():
    rng = np.random.default_rng(3)
    figure = Figure(figsize=(4, 3))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    points = rng.normal(0.5, 0.15, (60, 2))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    placed = labels.place_labels(axes, points, [f"Label {i}" for i in range(60)], obstacles=points)
    assert 10 < len(placed) < 60
    assert placed[0].get_text() == "Label 0", "the most important comes first"
    figure.draw_without_rendering()
    boxes = [_text_box(label) for label in placed]
    frame = axes.get_window_extent()
    for i, box in enumerate(boxes):
        assert frame.x0 - 2 <= box.x0 <= box.x1 <= frame.x1 + 2
        for other in boxes[:i]:
            assert not box.overlaps(other)


def _text_box(label: Annotation):
    return Text.get_window_extent(label, label.figure.canvas.get_renderer())


def test_ranks_keep_the_order_of_ties():
    cities = pd.DataFrame(
        {
            "year": [1, 1, 1, 2, 2, 2],
            "city": list("ABC") * 2,
            "stock": [5, 9, 5, 7, 7, 8],
        }
    )
    table = ranks.rank_table(cities, "stock")
    assert table.loc[1].to_dict() == {"B": 1, "A": 2, "C": 3}
    assert table.loc[2].to_dict() == {"C": 1, "B": 2, "A": 3}


def test_stickiness_states_the_correlation():
    run = WORLDS["eleven cities"]
    from analysis.metrics import stickiness_agreement

    found = stickiness_agreement(run.cities, PLACES["composite"])
    assert f"ρ = {found.rho:.2f}".replace("-", "−") in words(
        analysis.plot_stickiness(run).get_figure()
    )


def test_text_helpers():
    assert style.short(950) == "950"
    assert style.short(12_345) == "12.3\u00a0k"
    assert style.signed(-1_500_000) == "−1.5\u00a0M"
    assert style.signed(20) == "+20"
    assert style.span((2025, 2025)) == "2025"
    assert style.round_steps(730) == [500, 200, 100]
    lines = style.wrap("one two three four five six", 60, 8).split("\n")
    assert len(lines) > 1
    assert all(style.text_width(line, 8) <= 60 for line in lines)
    assert style.wrap("12\u00a0k", 1, 8) == "12\u00a0k"


@pytest.mark.parametrize("color", [style.SKY, style.ORANGE, style.BLUE, "#F0E442"])
def test_ink_is_legible_on_white(color):
    rgb = np.array(matplotlib.colors.to_rgb(style.ink(color)))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (0.05 + linear @ (0.2126, 0.7152, 0.0722)) >= 4.49


def test_pictures_are_written_whole_and_alike(tmp_path):
    run = WORLDS["three cities, one year"]
    first = pictures.draw_pictures(run, tmp_path / "a")
    assert [path.name for path in first] == [
        f"{kind.replace('-', '_')}.png" for kind in pictures.KINDS
    ]
    assert sorted(first) == sorted((tmp_path / "a").iterdir()), "no temporary file stays"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in first)
    for suffix in pictures.FORMATS:
        one = pictures.draw_pictures(run, tmp_path / "b", ["ages"], suffix=suffix)[0]
        two = pictures.draw_pictures(run, tmp_path / "c", ["ages"], suffix=suffix)[0]
        assert one.read_bytes() == two.read_bytes()


def test_a_failed_picture_leaves_the_old_one(tmp_path, monkeypatch):
    run = WORLDS["three cities, one year"]
    (path,) = pictures.draw_pictures(run, tmp_path, ["mobility"])
    before = path.read_bytes()

    def fail(self, name, **options):
        with open(name, "wb") as file:
            file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        pictures.draw_pictures(run, tmp_path, ["mobility"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_draw_run_reads_the_folder_and_writes_into_plots(tmp_path, monkeypatch):
    asked = []

    def read_run(folder):
        asked.append(folder)
        return WORLDS["two cities of one country"]

    monkeypatch.setattr("sim.results.read_run", read_run)
    paths = pictures.draw_run(tmp_path)
    assert asked == [tmp_path]
    assert {path.parent for path in paths} == {tmp_path / "plots"}
    assert len(paths) == len(pictures.KINDS)


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.results.read_run", lambda folder: WORLDS["eleven cities"])
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.register(app)

    def invoke(*words):
        return CliRunner().invoke(app, ["plot", str(tmp_path), *words])

    return invoke


def test_plot_command_prints_the_files(command, tmp_path):
    result = command("--kind", "net-gain", "--kind", "ages", "--format", "svg")
    assert result.exit_code == 0, result.output
    files = [tmp_path / "plots" / name for name in ("net_gain.svg", "ages.svg")]
    assert result.stdout.split() == [str(file) for file in files]
    assert all(file.read_text().startswith("<?xml") for file in files)


def test_plot_command_singles_out_cities(command, tmp_path):
    out = tmp_path / "elsewhere"
    result = command("--kind", "flow-map", "--city", "new york", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert [path.name for path in out.iterdir()] == ["flow_map_new-york.png"]
    result = command("--city", "Tokyo", "--out", str(tmp_path / "all"))
    names = {path.stem for path in (tmp_path / "all").iterdir()}
    assert "ages_tokyo" not in names
    assert "ranks_tokyo" in names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "flow-mpa"], "did you mean 'flow-map'"),
        (["--kind", "xyz"], "known: net-gain"),
        (["--kind", "net-gain", "--city", "Pariss"], "did you mean 'Paris'"),
        (["--kind", "ages", "--city", "Paris"], "shows no single cities"),
        (["--format", "pgn"], "did you mean 'png'"),
    ],
)
def test_mistakes_get_one_line_with_the_mend(command, tmp_path, words, message):
    result = command(*words)
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "plots").exists()


def test_help_names_every_kind(command):
    result = command("--help")
    flat = "".join(result.stdout.split())
    assert result.exit_code == 0
    for kind in pictures.KINDS:
        assert kind in flat.replace("│", "")


def test_cities_are_found_by_chinese_and_plain_names():
    run = make_run(years=1)
    assert tables.known_cities(run, ["北京", "são paulo", "PARIS"]) == [
        "Beijing",
        "Sao Paulo",
        "Paris",
    ]
    with pytest.raises(UserError, match="the run has no city 'Boston'"):
        tables.known_cities(run, ["Boston"])


def test_persons_an_agent_come_from_the_manifest_or_the_counts():
    run = make_run(years=2)
    assert tables.persons_an_agent(run) == 25
    run.manifest.clear()
    assert tables.persons_an_agent(run) == 25


def test_places_are_the_cities_of_the_index():
    where = tables.places()
    assert len(where) == 120
    assert list(where.index[:2]) == ["New York", "San Francisco"]
    counts = where["continent"].value_counts()
    assert counts.to_dict() == {
        "Asia": 57,
        "Europe": 32,
        "North America": 23,
        "Oceania": 4,
        "South America": 3,
        "Africa": 1,
    }
    assert set(counts.index) == set(style.CONTINENTS)
    for column in ("area", "continent", "lat", "lon"):
        same = where.loc[PLACES.index, column]
        if same.dtype.kind == "f":
            assert same.to_numpy() == pytest.approx(PLACES[column].to_numpy(), abs=0.3)
        else:
            assert same.tolist() == PLACES[column].tolist()
    assert where.loc["New York", "composite"] == 100

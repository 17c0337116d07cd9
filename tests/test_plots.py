"""Pictures: drawn on the given Axes, labelled, for worlds of any size, and written whole."""

from __future__ import annotations

import inspect
import os
import shutil
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from matplotlib.testing.exceptions import ImageComparisonFailure
from matplotlib.text import Annotation, Text
from synthetic_run import PLACES, make_run
from typer.testing import CliRunner

import analysis
from analysis import (
    alluvial,
    chord,
    city_picture,
    clusters,
    commands,
    fonts,
    labels,
    names,
    pictures,
    ranks,
    regions,
    style,
    tables,
)
from sim.errors import UserError

IMAGES = Path(__file__).parent / "images"
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
    "chord": (analysis.plot_chord, {}),
    "alluvial": (analysis.plot_alluvial, {}),
    "alluvial_within": (analysis.plot_alluvial, {"within": True}),
    "heatmap": (analysis.plot_heatmap, {}),
    "heatmap_regions": (analysis.plot_heatmap, {"order": "regions", "cities": ["Paris"]}),
    "city": (analysis.plot_city, {}),
    "stock_fan": (analysis.plot_fan, {}),
    "flow_fan": (analysis.plot_fan, {"measure": "net"}),
}
WORLDS = {
    "eleven cities": make_run(),
    "three cities, one year": make_run(PLACES.head(3), years=1),
    "two cities of one country": make_run(PLACES.head(2), years=2),
    "one city": make_run(PLACES.head(1), years=2),
    "nobody moves": make_run(years=2, mobility=0.0),
    "nobody lives": make_run(PLACES.head(4), years=2, inhabited=False),
    "nothing simulated yet": make_run(PLACES.head(4), years=0),
}


@pytest.fixture(autouse=True)
def _made_up_places(monkeypatch):
    """Pictures look places up in the made-up world."""
    drawn = ("flow_map", "net_gain", "stickiness", "mobility_plot", "distance")
    for module in (*drawn, "chord", "alluvial", "heatmap"):
        monkeypatch.setattr(f"analysis.{module}.places", lambda: PLACES)


@pytest.fixture
def few_pixels(monkeypatch):
    """Pictures are coarse, for speed."""
    monkeypatch.setattr(style, "DPI", 60)


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
    assert str(run.cities["year"].max()) in text or world in (
        "nobody lives",
        "nothing simulated yet",
    )
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
    parameters = inspect.signature(plot).parameters
    assert all(kind.takes_cities == ("cities" in parameters) for kind in kinds)
    assert all(kind.a_city == ("city" in parameters) for kind in kinds)
    assert all(kind.several == ("runs" in parameters) for kind in kinds)


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
    assert all(fonts.text_width(line, 8) <= 60 for line in lines)
    assert style.wrap("12\u00a0k", 1, 8) == "12\u00a0k"


@pytest.mark.parametrize("color", [style.SKY, style.ORANGE, style.BLUE, "#F0E442"])
def test_ink_is_legible_on_white(color):
    rgb = np.array(matplotlib.colors.to_rgb(style.ink(color)))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (0.05 + linear @ (0.2126, 0.7152, 0.0722)) >= 4.49


@pytest.mark.usefixtures("few_pixels")
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
    with pytest.raises(UserError, match="cannot be written"):
        pictures.draw_pictures(run, tmp_path, ["mobility"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("few_pixels")
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


@pytest.mark.usefixtures("few_pixels")
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


def test_chords_fill_their_sectors():
    matrix = pd.DataFrame([[0, 6, 2], [1, 0, 3], [0, 4, 0]], list("ABC"), list("ABC"))
    sectors, ends = chord.layout(matrix)
    length = {name: last - first for name, (first, last) in sectors.items()}
    turnover = {"A": 9, "B": 14, "C": 9}
    unit = sum(length.values()) / 32
    assert length == pytest.approx({name: unit * n for name, n in turnover.items()})
    assert set(ends) == {("A", "B"), ("A", "C"), ("B", "A"), ("B", "C"), ("C", "B")}
    for name, (first, last) in sectors.items():
        pieces = sorted(
            end[slot] for pair, end in ends.items() for slot in (0, 1) if pair[slot] == name
        )
        edges = [first, *(edge for piece in pieces for edge in piece), last]
        assert edges[::2] == pytest.approx(edges[1::2]), "end to end, without gaps"
    for pair, (start, end) in ends.items():
        assert start[1] - start[0] == pytest.approx(unit * matrix.loc[pair])
        assert end[1] - end[0] == pytest.approx(unit * matrix.loc[pair])


def test_region_flows_keep_all_persons():
    run = WORLDS["eleven cities"]
    everything = regions.region_flows(run.flows, PLACES, within=True)
    between = regions.region_flows(run.flows, PLACES, by=("field",))
    assert everything["persons"].sum() == run.flows["persons"].sum()
    assert not (between["start"] == between["end"]).any()
    away = everything[everything["start"] != everything["end"]]
    assert between["persons"].sum() == away["persons"].sum()
    named = regions.region_of(PLACES)
    assert named["Hong Kong"] == "Hong Kong, Macau, Taiwan"
    assert named["Johannesburg"] == "Middle East, Africa"
    unknown = pd.DataFrame({"area": ["XX"], "continent": ["Asia"]}, index=["Nowhere"])
    assert regions.region_of(unknown).tolist() == [regions.OTHER]


def test_every_city_of_the_index_is_in_a_part_of_the_world():
    named = regions.region_of(tables.places())
    assert set(named) == set(regions.REGIONS)
    assert (named == "Mainland China").sum() == 36


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12))
def test_blocks_fill_the_height_without_overlap(sizes):
    stack = alluvial.blocks(pd.Series(sizes, index=range(len(sizes))))
    height = (stack["top"] - stack["bottom"]).to_numpy()
    assert stack["top"].iloc[0] == 1
    assert stack["bottom"].iloc[-1] == pytest.approx(0, abs=1e-9)
    assert height / height.sum() == pytest.approx(np.array(sizes) / sum(sizes))
    assert (stack["bottom"].to_numpy()[:-1] - stack["top"].to_numpy()[1:]) == pytest.approx(
        np.full(len(sizes) - 1, alluvial.GAP)
    )


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=15),
)
def test_labels_beside_an_axis_keep_their_distance_and_order(wanted):
    wanted = np.array(wanted)
    placed = style.spread_out(wanted, 0.05, 0.0, 1.0)
    ordered = placed[np.argsort(wanted, kind="stable")]
    assert (np.diff(ordered) >= 0.05 - 1e-9).all()
    assert placed.min() >= -0.06
    assert placed.max() <= 1.06
    if len(wanted) == 1 or np.diff(np.sort(wanted)).min() >= 0.05:
        assert placed == pytest.approx(wanted)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 5))
def test_clusters_partition_the_cases(n, k, seed):
    moved = np.random.default_rng(seed).poisson(3, (n, n))
    groups = clusters.average_linkage(clusters.exchange_distance(moved), min(k, n))
    assert len(groups) == min(k, n)
    assert sorted(case for group in groups for case in group) == list(range(n))


def test_clusters_find_groups_that_exchange():
    moved = np.ones((6, 6))
    for group in ((0, 3), (1, 4), (2, 5)):
        moved[np.ix_(group, group)] = 100
    found = clusters.average_linkage(clusters.exchange_distance(moved), 3)
    assert {frozenset(group) for group in found} == {
        frozenset(pair) for pair in ((0, 3), (1, 4), (2, 5))
    }
    assert clusters.average_linkage(np.empty((0, 0)), 1) == []
    with pytest.raises(ValueError, match="at least one"):
        clusters.average_linkage(np.zeros((2, 2)), 0)


def test_the_heat_map_shows_the_matrix():
    run = WORLDS["eleven cities"]
    axes = analysis.plot_heatmap(run, n=4, order="regions", cities=["Johannesburg"])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [label.get_text() for label in axes.get_xticklabels()]
    assert len(names) == 4
    assert "Johannesburg" in names
    from analysis.metrics import origin_destination

    expected = origin_destination(run.flows, cities=names).to_numpy()
    assert np.ma.filled(axes.images[0].get_array(), 0).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="regions"):
        analysis.plot_heatmap(run, order="size")


def test_a_city_s_picture_shows_its_exchange():
    run = WORLDS["eleven cities"]
    axes = analysis.plot_city(run, city="巴黎", n=3)
    table = city_picture.city_exchange(run.flows, "Paris")
    sums = run.cities[run.cities["city"].astype(str) == "Paris"]
    assert table["coming"].sum() == sums["arrivals"].sum()
    assert table["leaving"].sum() == sums["departures"].sum()
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [*(-table["leaving"].head(3)), *table["coming"].head(3)]
    assert f"Not shown: {len(table) - 3} other cities" in words(axes.get_figure())
    with pytest.raises(UserError, match="no city 'Pariss'"):
        analysis.plot_city(run, city="Pariss")


def test_a_fan_shows_the_range_of_the_runs():
    runs = [make_run(years=4, seed=seed) for seed in (1, 2, 3)]
    axes = analysis.plot_fan(runs, cities=["Paris"])
    shares = []
    for run in runs:
        stock = run.cities[run.cities["city"] == "Paris"]["stock"].to_numpy(dtype=float)
        shares.append(100 * stock / stock[0])
    assert axes.lines[0].get_ydata() == pytest.approx(np.median(shares, axis=0))
    edges = axes.collections[0].get_paths()[0].vertices
    last = edges[edges[:, 0] == runs[0].cities["year"].max()][:, 1]
    assert (last.min(), last.max()) == pytest.approx((np.min(shares, 0)[-1], np.max(shares, 0)[-1]))
    assert "range of 3 runs" in words(axes.get_figure())
    assert "3 seeds" in words(axes.get_figure())
    alone = words(analysis.plot_fan(runs[0], measure="net").get_figure())
    assert "95 % interval of agent counts" in alone
    with pytest.raises(UserError, match="not of the same cities"):
        analysis.plot_fan([runs[0], make_run(PLACES.head(3), years=4)])
    with pytest.raises(UserError, match="not of the same years"):
        analysis.plot_fan([runs[0], make_run(years=3)])
    with pytest.raises(UserError, match="no run"):
        analysis.plot_fan([])
    with pytest.raises(ValueError, match="net"):
        analysis.plot_fan(runs, measure="rate")


def test_bars_of_several_runs_show_their_mean_and_range():
    runs = [make_run(years=3, seed=seed) for seed in (1, 2, 3)]
    from analysis.metrics import net_gain

    gains = pd.concat([net_gain(run.cities)["net"] for run in runs], axis=1)
    mean = gains.mean(axis=1).sort_values(ascending=False)
    axes = analysis.plot_net_gain(runs, n=2)
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == [*mean.index[:2], *mean.index[-2:]]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(mean[names].tolist())
    whisker = axes.collections[0].get_segments()[0][:, 0]
    assert whisker == pytest.approx([gains.loc[names[0]].min(), gains.loc[names[0]].max()])
    assert "range of 3 runs" in words(axes.get_figure())
    many = [make_run(PLACES.head(3), years=1, seed=seed) for seed in range(20)]
    assert "middle 90 % of 20 runs" in words(analysis.plot_net_gain(many).get_figure())


def test_several_runs_get_the_pictures_that_show_several(tmp_path):
    runs = [make_run(years=2, seed=seed) for seed in (1, 2)]
    paths = pictures.draw_pictures(runs, tmp_path)
    assert [path.name for path in paths] == [
        *("net_gain.png", "net_gain_rate.png", "stock_fan.png", "flow_fan.png")
    ]
    with pytest.raises(UserError, match="these show several: net-gain, net-gain-rate, stock-fan"):
        pictures.draw_pictures(runs, tmp_path, ["ages"])


def test_each_city_gets_its_own_picture(tmp_path):
    run = WORLDS["eleven cities"]
    paths = pictures.draw_pictures(run, tmp_path, ["city"], cities=["paris", "Tokyo"])
    assert [path.name for path in paths] == ["city_paris.png", "city_tokyo.png"]
    with pytest.raises(UserError, match="one city at a time"):
        pictures.draw_kind(run, "city", ["paris", "Tokyo"])


def test_chinese_names_stand_on_every_picture(monkeypatch):
    monkeypatch.setattr(names, "chinese_font", lambda: "DejaVu Sans")
    monkeypatch.setattr(names, "chinese_places", lambda: PLACES.rename(index=names.chinese_names()))
    run = WORLDS["eleven cities"]
    known = names.chinese_names()
    for kind, about in pictures.KINDS.items():
        if not (about.takes_cities or about.a_city):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # DejaVu Sans lacks the signs
            text = words(pictures.draw_kind(run, kind, ["Paris"], language="zh"))
        assert known["Paris"] in text, kind
        assert not [name for name in PLACES.index if f" {name} " in f" {text} "], kind


def test_a_missing_chinese_font_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(names, "FONTS", ("No Such Font",))
    with pytest.raises(UserError, match="install one, such as the package fonts-noto-cjk") as told:
        pictures.draw_kind(WORLDS["eleven cities"], "net-gain", language="zh")
    assert "\n" not in str(told.value)
    with pytest.raises(UserError, match="did you mean 'zh'"):
        pictures.draw_kind(WORLDS["eleven cities"], "net-gain", language="zhh")


def test_chinese_names_are_drawn_where_a_font_is(tmp_path):
    try:
        names.chinese_font()
    except UserError:
        pytest.skip("no font with Chinese signs is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns of signs that no font has
        (path,) = pictures.draw_pictures(
            WORLDS["eleven cities"], tmp_path, ["net-gain"], language="zh"
        )
    assert path.name == "net_gain_zh.png"


def test_a_folder_that_cannot_be_written_is_told(command, tmp_path):
    (tmp_path / "file").write_text("")
    result = command("--kind", "ages", "--out", str(tmp_path / "file" / "plots"))
    assert isinstance(result.exception, UserError)
    assert "cannot be written" in str(result.exception)


@pytest.mark.parametrize("kind", ["chord", "alluvial", "heatmap-regions", "city"])
def test_pictures_look_as_they_did(kind, tmp_path):
    """Remake the expected ones with TALENTFLOW_NEW_IMAGES=1, and look at them."""
    expected = IMAGES / f"{kind}.png"
    for seed, alike in ((1, True), (2, False)):
        figure = pictures.draw_kind(make_run(years=3, seed=seed), kind)
        actual = tmp_path / f"{kind}-{seed}.png"
        with style.look():
            figure.savefig(actual, dpi=80)
        if alike and os.environ.get("TALENTFLOW_NEW_IMAGES"):
            IMAGES.mkdir(exist_ok=True)
            expected.write_bytes(actual.read_bytes())
        shutil.copy(expected, tmp_path / "expected.png")
        try:
            difference = compare_images(str(tmp_path / "expected.png"), str(actual), tol=4)
        except ImageComparisonFailure as failure:
            difference = str(failure)
        assert (difference is None) == alike, difference

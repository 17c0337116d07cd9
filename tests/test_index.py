"""The index engine: values by hand, what must hold for all tables, and every kind of bad input."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from sim import index_command
from sim.errors import UserError
from sim.index import (
    NORMALISATIONS,
    WEIGHTS,
    compute_index,
    dimension_names,
    entropy_weights,
    hierarchy,
    pca_weights,
    read_table,
    started_log,
)

NAMES = hierarchy()["indicator"].tolist()
SIGNS = hierarchy()["sign"].tolist()
DIMENSION = dict(zip(NAMES, hierarchy()["dimension"], strict=True))
MONOTONE = ("minmax", "percentile", "log")


def make_table(values, cities=None):
    values = np.asarray(values, dtype=float)
    cities = cities or [f"city {i}" for i in range(len(values))]
    return pd.DataFrame(values, columns=NAMES).assign(city=cities)


def random_table(seed=0, cities=8):
    return make_table(np.random.default_rng(seed).lognormal(size=(cities, 24)))


@st.composite
def tables(draw, least=3):
    """Tables of whole numbers from 0 up, no indicator the same in all cities."""
    cities = draw(st.integers(least, 7))
    values = draw(arrays(np.int64, (cities, 24), elements=st.integers(0, 60)))
    for column in range(24):
        if values[:, column].min() == values[:, column].max():
            values[column % cities, column] += 1
    return make_table(values)


def scores_or_none(table, **options):
    """Scores, or None where all cities tie in a dimension (which is refused)."""
    try:
        return compute_index(table, **options)
    except UserError as error:
        if "tie in" not in str(error):
            raise
        return None


# --- values by hand


def small_example():
    """Three cities; every indicator orders them alike, so that by hand each dimension is easy."""
    best, middle, worst = 10.0, 4.0, 0.0
    rows = np.array([[best] * 24, [middle] * 24, [worst] * 24])
    rows[:, [s == "-" for s in SIGNS]] = 10.0 - rows[:, [s == "-" for s in SIGNS]]
    return make_table(rows, ["A", "B", "C"])


def test_min_max_by_hand():
    result = compute_index(small_example())
    assert result.dimensions.loc["A"].tolist() == [100.0] * 6
    assert result.dimensions.loc["C"].tolist() == [50.0] * 6
    np.testing.assert_allclose(result.dimensions.loc["B"], 70.0)
    np.testing.assert_allclose(result.composite, [100, 70, 50])
    assert result.ranks["composite"].tolist() == [1, 2, 3]


def test_weights_of_dimensions_by_hand():
    table = small_example()
    table.loc[1, "papers published"] = 10.0  # B equals A in one of five innovation indicators
    result = compute_index(table, weights={"innovation_potential": 3})
    innovation = (4 * 0.4 + 1.0) / 5
    assert result.dimensions.loc["B", "innovation_potential"] == pytest.approx(50 + 50 * innovation)
    assert result.composite["B"] == pytest.approx(50 + 50 * (5 * 0.4 + 3 * innovation) / 8)
    assert result.dimension_weights["innovation_potential"] == pytest.approx(3 / 8)


def test_weights_of_indicators_stay_within_their_dimension():
    table = small_example()
    table.loc[1, "papers published"] = 10.0
    result = compute_index(table, weights={"papers published": 4})
    assert result.dimensions.loc["B", "innovation_potential"] == pytest.approx(
        50 + 50 * (4 * 0.4 + 4 * 1.0) / 8
    )
    np.testing.assert_allclose(result.dimension_weights, 1 / 6)
    sums = result.indicator_weights.groupby(DIMENSION).sum()
    np.testing.assert_allclose(sums, 1.0)


def test_z_score_and_percentile_by_hand():
    table = random_table(cities=4)
    table["papers published"] = [1.0, 3.0, 3.0, 9.0]
    z = compute_index(table, normalise="zscore").indicators["papers published"]
    np.testing.assert_allclose(z, (np.array([1, 3, 3, 9]) - 4) / 3)
    share = compute_index(table, normalise="percentile").indicators["papers published"]
    np.testing.assert_allclose(share, [0, 0.5, 0.5, 1])


def test_started_logarithm_by_hand():
    np.testing.assert_allclose(
        started_log(np.array([0.0, 1.0, 1000.0])), [0, np.log(2), np.log(1001)]
    )
    table = random_table(cities=3)
    table["patents published"] = [0.0, 1.0, 1000.0]
    logged = compute_index(table, normalise="log").indicators
    plain = compute_index(table).indicators
    np.testing.assert_allclose(logged["patents published"], [0, np.log(2) / np.log(1001), 1.0])
    heavy = hierarchy().loc[hierarchy()["heavy_tailed"] == "yes", "indicator"].tolist()
    assert set(heavy) == set(NAMES[j] for j in (2, 4, 5, 6, 7, 8))
    others = [name for name in NAMES if name not in heavy]
    pd.testing.assert_frame_equal(logged[others], plain[others])
    chosen = compute_index(table, log=["patents published"]).indicators
    np.testing.assert_allclose(chosen["patents published"], logged["patents published"])
    np.testing.assert_allclose(chosen["papers published"], plain["papers published"])


def test_entropy_weights_by_hand():
    # the first indicator belongs to one city alone (entropy 0), the second to two alike (ln 2/ln 3)
    weights = entropy_weights(np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]))
    second = 1 - np.log(2) / np.log(3)
    np.testing.assert_allclose(weights, np.array([1, second]) / (1 + second))


def test_pca_weights_by_hand():
    # two indicators that move together and a third apart: one component kept, without the third
    base = np.array([-1.0, 1.0, -1.0, 1.0])
    apart = np.array([-1.0, -1.0, 1.0, 1.0])
    weights = pca_weights(np.column_stack([base, 2 * base, apart]))
    kept = 2.0 + 1.0  # the eigenvalues 2 and 1 are kept by Kaiser's rule, 0 is not
    np.testing.assert_allclose(weights, [1 / kept, 1 / kept, 1 / kept], atol=1e-12)
    loose = np.array([-1.0, 0.0, 0.0, 1.0])
    weights = pca_weights(np.column_stack([base, base + 0.1 * apart, 0.2 * base - loose]))
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


@pytest.mark.parametrize("normalise", NORMALISATIONS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_scale_and_method(normalise, weights):
    result = compute_index(random_table(3, 30), normalise=normalise, weights=weights)
    for scores in (result.composite, *(result.dimensions[d] for d in dimension_names())):
        assert scores.max() == 100.0
        assert scores.min() == 50.0
    assert result.indicator_weights.groupby(DIMENSION).sum().round(12).eq(1).all()
    assert result.dimension_weights.sum() == pytest.approx(1)
    assert weights in result.statement
    assert not result.imputed.to_numpy().any()
    table = result.table()
    assert table["method"].nunique() == 1
    assert table["composite"].is_monotonic_decreasing
    assert table["rank"].tolist() == sorted(table["rank"])


def test_equal_scores_share_the_better_rank():
    table = random_table(1, 4)
    table.loc[2, NAMES] = table.loc[1, NAMES].to_numpy()
    ranks = compute_index(table).ranks
    assert (ranks.iloc[1] == ranks.iloc[2]).all()
    assert sorted(ranks["composite"])[-1] in (3, 4)


# --- what holds for all tables


@settings(max_examples=60, deadline=None)
@given(
    tables(),
    st.integers(0, 23),
    st.floats(1e-6, 1e6),
    st.sampled_from(NORMALISATIONS),
    st.sampled_from(WEIGHTS),
)
def test_the_unit_of_an_indicator_does_not_matter(table, column, factor, normalise, weights):
    before = scores_or_none(table, normalise=normalise, weights=weights)
    table[NAMES[column]] *= factor
    after = scores_or_none(table, normalise=normalise, weights=weights)
    if before is None or after is None:
        return
    np.testing.assert_allclose(after.composite, before.composite, atol=1e-6)
    np.testing.assert_allclose(after.dimensions, before.dimensions, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    tables(),
    st.integers(0, 23),
    st.integers(-50, 50),
    st.sampled_from(["minmax", "zscore", "percentile"]),
)
def test_a_shifted_zero_does_not_matter_without_logarithms(table, column, shift, normalise):
    before = scores_or_none(table, normalise=normalise)
    table[NAMES[column]] += shift
    after = scores_or_none(table, normalise=normalise)
    if before is not None and after is not None:
        np.testing.assert_allclose(after.composite, before.composite, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(
    tables(),
    st.integers(0, 23),
    st.integers(0, 6),
    st.integers(1, 200),
    st.sampled_from(MONOTONE),
    st.sampled_from(["equal", "given"]),
)
def test_improving_an_indicator_never_lowers_its_city(table, column, row, step, normalise, weights):
    """Higher '+' or lower '−': own dimension and composite do not fall, nor does the rank."""
    row %= len(table)
    name = NAMES[column]
    chosen = {name: 3.0, DIMENSION[name]: 0.5, "public_life": 2.0}
    options = {"normalise": normalise, "weights": "equal" if weights == "equal" else chosen}
    if SIGNS[column] == "-" and normalise == "log":
        table[name] += 200  # room to fall without going below zero
    before = scores_or_none(table, **options)
    table.loc[row, name] += step if SIGNS[column] == "+" else -step
    if before is None or table[name].nunique() == 1:
        return
    after = scores_or_none(table, **options)
    if after is None:
        return
    own = f"city {row}"
    assert after.composite[own] >= before.composite[own] - 1e-9
    dimension = DIMENSION[name]
    assert after.dimensions.loc[own, dimension] >= before.dimensions.loc[own, dimension] - 1e-9
    assert after.ranks.loc[own, "composite"] <= before.ranks.loc[own, "composite"]
    others = [d for d in dimension_names() if d != dimension]
    pd.testing.assert_frame_equal(after.dimensions[others], before.dimensions[others])


@pytest.mark.parametrize(
    ("options", "seed", "cities", "name", "row", "factor"),
    [
        ({"normalise": "zscore"}, 0, 5, "world-leading research institutions", 3, 3.0),
        ({"weights": "entropy"}, 0, 5, "unicorn valuation", 0, 1.3),
        ({"weights": "pca"}, 0, 30, "night-time light index", 15, 1.1),
    ],
)
def test_no_such_promise_where_the_spread_or_the_weights_follow_the_data(
    options, seed, cities, name, row, factor
):
    """The stated exceptions: here an improvement costs its city some of its dimension score."""
    table = random_table(seed, cities)
    before = compute_index(table, **options).dimensions[DIMENSION[name]]
    table.loc[row, name] *= factor
    after = compute_index(table, **options).dimensions[DIMENSION[name]]
    assert after.iloc[row] < before.iloc[row] - 1e-4


@settings(max_examples=60, deadline=None)
@given(
    tables(),
    st.randoms(use_true_random=False),
    st.sampled_from(NORMALISATIONS),
    st.sampled_from(WEIGHTS),
)
def test_the_order_of_rows_and_columns_does_not_matter(table, random, normalise, weights):
    before = scores_or_none(table, normalise=normalise, weights=weights)
    order = list(range(len(table)))
    random.shuffle(order)
    columns = list(table.columns)
    random.shuffle(columns)
    after = scores_or_none(table.iloc[order][columns], normalise=normalise, weights=weights)
    if before is None or after is None:
        return
    same = after.composite.reindex(before.composite.index)
    np.testing.assert_allclose(same, before.composite, atol=1e-6)


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "percentile"])
def test_the_sign_turns_as_it_should(normalise):
    """Negating an indicator mirrors its normalised values; a '−' indicator is a '+' one negated."""
    for name, sign in zip(NAMES, SIGNS, strict=True):
        table = random_table(7)
        before = compute_index(table, normalise=normalise).indicators[name]
        assert (before.rank().to_numpy() == (table[name] * (1 if sign == "+" else -1)).rank()).all()
        table[name] *= -1
        after = compute_index(table, normalise=normalise).indicators[name]
        middle = 0.0 if normalise == "zscore" else 1.0
        np.testing.assert_allclose(after, middle - before, atol=1e-12)


def test_extreme_magnitudes():
    table = random_table(4)
    expected = compute_index(table).composite
    table["patents published"] *= 1e300
    table["monthly income"] *= 1e-290
    np.testing.assert_allclose(compute_index(table).composite, expected)


def test_any_cities_and_any_names_for_the_indicators():
    table = random_table(5)
    expected = compute_index(table).composite
    by_number = table.rename(columns={name: str(i) for i, name in enumerate(NAMES, start=1)})
    by_int = table.rename(columns={name: i for i, name in enumerate(NAMES, start=1)})
    chinese = table.rename(columns=dict(zip(NAMES, hierarchy()["indicator_zh"], strict=True)))
    loose = table.rename(columns={name: f" {name.upper().replace(' ', '_')} " for name in NAMES})
    for other in (by_number, by_int, chinese, loose):
        pd.testing.assert_series_equal(compute_index(other).composite, expected)


# --- gaps


def table_with_gaps():
    table = random_table(6, 6).assign(group=["x", "x", "x", "y", "y", "y"])
    table.loc[0, "papers published"] = np.nan
    table.loc[4, "travel freedom"] = np.nan
    return table


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("mean", lambda t: t["papers published"].mean()),
        ("median", lambda t: t["papers published"].median()),
        ("group-mean", lambda t: t.loc[[1, 2], "papers published"].mean()),
        ("group-median", lambda t: t.loc[[1, 2], "papers published"].median()),
    ],
)
def test_filled_gaps_are_marked_and_equal_a_table_without_gaps(missing, expected):
    table = table_with_gaps()
    result = compute_index(table, missing=missing)
    marked = result.imputed.to_numpy()
    assert marked.sum() == 2
    assert result.imputed.loc["city 0", "papers published"]
    assert result.imputed.loc["city 4", "travel freedom"]
    whole = table.copy()
    whole.loc[0, "papers published"] = expected(table)
    whole.loc[4, "travel freedom"] = {
        "mean": table["travel freedom"].mean(),
        "median": table["travel freedom"].median(),
        "group-mean": table.loc[[3, 5], "travel freedom"].mean(),
        "group-median": table.loc[[3, 5], "travel freedom"].median(),
    }[missing]
    np.testing.assert_allclose(result.composite, compute_index(whole).composite)
    filled = result.table().set_index("city")["imputed"]
    assert filled["city 0"] == "papers published"
    assert filled["city 1"] == ""
    assert f"2 values filled by {missing} and marked" in result.statement


def test_gaps_that_cannot_be_filled():
    table = table_with_gaps()
    with pytest.raises(UserError, match=r"row 1 \(city 'city 0'\), column 'papers published'"):
        compute_index(table)
    with pytest.raises(UserError, match="needs a column 'group'"):
        compute_index(table.drop(columns="group"), missing="group-mean")
    table.loc[[1, 2], "papers published"] = None
    with pytest.raises(UserError, match="no city of the group 'x' has a value"):
        compute_index(table, missing="group-median")
    table["group"] = ["", *table["group"][1:]]
    with pytest.raises(UserError, match="no group"):
        compute_index(table, missing="group-mean")
    table["papers published"] = None
    with pytest.raises(UserError, match="no city of the table has a value"):
        compute_index(table, missing="mean")


# --- bad input


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("papers published", "many", r"row 3 \(city 'city 2'\), column 'papers published': 'many'"),
        ("papers published", "1,234", "is not a number; write 1234"),
        ("papers published", "1_000", "is not a number"),
        ("papers published", True, "True is not a number"),
        ("travel freedom", float("inf"), "column 'travel freedom': inf is infinite"),
        ("travel freedom", "-inf", "infinite"),
        ("travel freedom", "1e999", "infinite"),
        ("travel freedom", "n/a", "the value is missing"),
        ("city", "city 0", r"row 3, column 'city': 'city 0' stands in row 1 already"),
        ("city", " ", "row 3, column 'city': the name is missing"),
    ],
)
def test_bad_cells(column, value, message):
    table = random_table(8, 4).astype(object)
    table.loc[2, column] = value
    with pytest.raises(UserError, match=message):
        compute_index(table)


def test_bad_columns():
    table = random_table(8, 4)
    with pytest.raises(UserError, match=r"'papers publishd'.*did you mean 'papers published'"):
        compute_index(table.rename(columns={"papers published": "papers publishd"}))
    with pytest.raises(UserError, match=r"lacks 1 column.*'papers published'"):
        compute_index(table.drop(columns="papers published"))
    with pytest.raises(UserError, match="'papers published' and '5' are both"):
        compute_index(table.assign(**{"5": 1.0}))
    with pytest.raises(UserError, match="at least two"):
        compute_index(table.iloc[:1])
    with pytest.raises(UserError, match=r"lacks 1 column.*'city'"):
        compute_index(table.drop(columns="city"))


def test_an_indicator_that_is_the_same_everywhere():
    with pytest.raises(UserError, match="'papers published' is 3 in all 4 cities"):
        compute_index(random_table(8, 4).assign(**{"papers published": 3.0}))


def test_negative_values_under_a_logarithm():
    table = random_table(8, 4)
    table.loc[1, "patents published"] = -2.5
    compute_index(table)
    with pytest.raises(UserError, match=r"row 2 .*column 'patents published': -2.5 is negative"):
        compute_index(table, normalise="log")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalise": "min-max"}, "did you mean 'minmax'"),
        ({"weights": "entrophy"}, "did you mean 'entropy'"),
        ({"missing": "group_mean"}, "did you mean 'group-mean'"),
        ({"log": ["patents"]}, "'patents'; did you mean 'patents published'"),
        ({"log": ["x"]}, "no indicator called 'x' "),
        ({"log": ["patents published"], "normalise": "percentile"}, "changes nothing"),
        ({"weights": {"public life": 1}}, "did you mean 'public_life'"),
        ({"weights": {"public_life": -1}}, "from 0 up"),
        ({"weights": {"public_life": float("nan")}}, "from 0 up"),
        ({"weights": {"public_life": "2"}}, "not a number"),
        ({"weights": dict.fromkeys(dimension_names(), 0)}, "six dimensions weigh nothing"),
        ({"weights": {14: 0, 15: 0, 16: 0}}, "'ecological_health' weigh nothing"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        compute_index(random_table(8, 4), **options)


def test_cities_that_tie_in_a_dimension():
    table = random_table(8, 2)
    table.loc[0, ["climate index", "air quality index", "life expectancy"]] = [0, 0, 1]
    table.loc[1, ["climate index", "air quality index", "life expectancy"]] = [1, 0.5, 1.5]
    compute_index(table)
    table.loc[0, "life expectancy"] = 2.0
    table.loc[1, "air quality index"] = 1.0
    with pytest.raises(UserError, match="all cities tie in 'ecological_health'"):
        compute_index(table, weights={"air quality index": 0})


# --- files


def write(path, table, **options):
    table.to_csv(path, index=False, **options)
    return path


def test_file_and_frame_agree(tmp_path):
    table = random_table(9)
    path = write(tmp_path / "own.csv", table, encoding="utf-8-sig")
    pd.testing.assert_series_equal(compute_index(path).composite, compute_index(table).composite)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        ("city\nZürich\n".encode("latin-1"), "csv:2: is not UTF-8"),
        (b"city,group\na,b,c\nx,y\n", "line 2 has 3 fields, the header has 2"),
        (b'city,group\n"a,b\n', "is not CSV"),
        (b"city;1;2\nx;1;2\n", "parted by semicolons; save the file with commas"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_the_line_of_the_file_is_told_across_blank_and_quoted_lines(tmp_path):
    table = random_table(9, 4).astype(object)
    table.loc[2, "city"] = "two\nlines"
    table.loc[3, "papers published"] = "lots"
    path = write(tmp_path / "own.csv", table)
    text = path.read_text().replace("\n", "\n\n", 1)  # a blank line under the header
    path.write_text(text)
    with pytest.raises(UserError, match=r"own.csv: line 7 \(city 'city 3'\)"):
        read_table(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "none.csv")


# --- the command


@pytest.fixture
def run():
    app = typer.Typer()
    index_command.register(app)
    app.callback()(lambda: None)

    def invoke(*arguments):
        return CliRunner().invoke(app, ["index", *map(str, arguments)])

    return invoke


def test_command_writes_csv_and_parquet(run, tmp_path):
    path = write(tmp_path / "own.csv", random_table(9))
    result = run(path, "--out", tmp_path / "scores.csv", "--normalise", "log")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert run(path, "--out", tmp_path / "scores.parquet", "--normalise", "log").exit_code == 0
    text = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(
        text, pd.read_parquet(tmp_path / "scores.parquet"), check_dtype=False
    )
    assert text["method"].str.contains("ln").all()
    assert sorted(os.listdir(tmp_path)) == ["own.csv", "scores.csv", "scores.parquet"]


def test_command_prints_one_json_document(run, tmp_path):
    path = write(tmp_path / "own.csv", table_with_gaps())
    result = run(path, "--json", "--missing", "group-mean", "--weights", "public_life=2")
    document = json.loads(result.stdout)
    expected = compute_index(path, missing="group-mean", weights={"public_life": 2})
    assert [entry["rank"] for entry in document["cities"]] == sorted(expected.ranks["composite"])
    assert document["cities"][0]["composite"] == 100
    assert document["weights"]["dimensions"]["public_life"] == pytest.approx(2 / 7)
    marks = {entry["city"]: entry["imputed"] for entry in document["cities"]}
    assert marks["city 0"] == ["papers published"]


def test_command_prints_a_table_with_the_method_and_the_marks(run, tmp_path):
    path = write(tmp_path / "own.csv", table_with_gaps())
    result = run(path, "--missing", "mean")
    assert "city 0 *" in result.stdout
    assert "normalisation: min–max" in result.stdout


def test_command_takes_weights_from_a_file(run, tmp_path):
    path = write(tmp_path / "own.csv", random_table(9))
    weights = tmp_path / "weights.csv"
    weights.write_text("name,weight\npublic_life,2\npapers published,3\n")
    document = json.loads(run(path, "--json", "--weights", weights).stdout)
    assert document["weights"]["dimensions"]["public_life"] == pytest.approx(2 / 7)
    assert document["weights"]["indicators"]["papers published"] == pytest.approx(3 / 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entropie", "did you mean 'entropy'"),
        ("public_life=high", "'high' is not a number"),
        ("public_life=1,public_life=2", "comes twice"),
        ("none.csv", "cannot be read"),
    ],
)
def test_bad_weights_option(text, message):
    with pytest.raises(UserError, match=message):
        index_command.parse_weights(text)


@pytest.mark.parametrize("content", ["", "a,b\n", "name,weight\nx\n", "name,weight\nx,y\n"])
def test_bad_weights_file(tmp_path, content):
    path = tmp_path / "w.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=r"w\.csv"):
        index_command.parse_weights(str(path))


def test_bad_targets(tmp_path):
    own = write(tmp_path / "own.csv", random_table(9))
    (tmp_path / "folder.csv").mkdir()
    for name, message in [
        ("scores.xlsx", "use .csv or .parquet"),
        ("none/scores.csv", "does not exist"),
        ("folder.csv", "is a folder"),
        ("own.csv", "is the input"),
    ]:
        with pytest.raises(UserError, match=message):
            index_command.check_out(tmp_path / name, own)


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    result = compute_index(random_table(9))
    out = tmp_path / "scores.csv"
    out.write_text("former")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match="No space left"):
        index_command.write_result(result, out)
    assert out.read_text() == "former"
    assert os.listdir(tmp_path) == ["scores.csv"]

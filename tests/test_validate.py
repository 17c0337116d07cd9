"""`talentflow validate`: tables are read strictly, and models compared fairly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Program, fault

from calibration.flows_table import Columns, country_names, read_flows
from calibration.rivals import RIVALS
from calibration.validate import (
    AGENT,
    BALANCED,
    PERSISTENCE,
    SMALLEST,
    compare,
    validate_files,
)
from sim.parameters import Parameters

HEAD = "origin,destination,value\n"
THREE = "US,CN,10\nCN,US,20\nUS,GB,30\nGB,CN,5\n"


def write(folder: Path, text: str, name: str = "flows.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def synthetic(folder: Path, name: str = "flows.csv", seed: int = 0, years: int = 2) -> Path:
    """Write yearly flows among eight countries that follow gravity with noise."""
    rng = np.random.default_rng(seed)
    size = {"USA": 90, "CHN": 60, "GBR": 30, "DEU": 28, "JPN": 25, "CAN": 15, "AUS": 12, "KOR": 9}
    rows = [
        (o, d, year, int(rng.poisson(size[o] * size[d] / 40)))
        for o in size
        for d in size
        if o != d
        for year in range(2001, 2001 + years)
    ]
    table = pd.DataFrame(rows, columns=["origin", "destination", "year", "value"])
    table.to_csv(folder / name, index=False)
    return folder / name


def test_codes_and_names_are_recognised_alike(tmp_path: Path) -> None:
    plain = read_flows(write(tmp_path, HEAD + THREE))
    spelled = HEAD + "USA,China,10\nchn,United States of America,20\nUnited States,UK,30\ngb,CN,5\n"
    other = read_flows(write(tmp_path, spelled, "b.csv"))
    assert plain.level == other.level == "country"
    assert plain.places == other.places == ("CN", "GB", "US")
    assert np.array_equal(plain.flows, other.flows)
    assert plain.flows[2, 0] == 10


def test_every_area_of_the_model_is_known_by_code_and_name() -> None:
    from sim.cities import load_cities

    known = country_names()
    assert {known[area.casefold()] for area in load_cities().area_names} == set(
        load_cities().area_names
    )
    assert known["namibia"] == known["na"] == "NA"  # no missing value
    assert known["macau"] == known["mac"] == "MO"
    assert known["southkorea"] == known["korearepublicof"] == "KR"


def test_cities_are_recognised(tmp_path: Path) -> None:
    table = read_flows(write(tmp_path, HEAD + "São Paulo,北京,3\nBeijing,Singapore,1\n"))
    assert table.level == "city"
    assert set(table.places) == {"Sao Paulo", "Beijing", "Singapore"}


def test_years_are_averaged_and_missing_pairs_are_zero(tmp_path: Path) -> None:
    text = "origin,destination,year,value\nUS,CN,2001,10\nUS,CN,2002,20\nUS,GB,2002,8\n"
    table = read_flows(write(tmp_path, text))
    assert table.years == (2001, 2002)
    assert table.of(["US", "CN", "GB", "FR"]).tolist() == [
        [0, 15, 4, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_columns_may_have_other_names_and_separators(tmp_path: Path) -> None:
    text = "from;to;n;when\nUS;CN;1;2001\nCN;GB;2;2001\n"
    columns = Columns("from", "to", "n", "when", year_asked=True)
    assert read_flows(write(tmp_path, text), columns).years == (2001,)


def test_what_the_model_does_not_hold_is_left_out_and_said(tmp_path: Path) -> None:
    table = read_flows(write(tmp_path, HEAD + THREE + "US,Iceland,4\nUS,US,99\nNA,US,3\n"))
    assert table.places == ("CN", "GB", "US")
    assert "IS, NA" in table.notes[0]
    assert "1 rows from a place to itself" in table.notes[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (HEAD, "no rows"),
        ("origin,to,value\nUS,CN,1\n", "no column 'destination'"),
        ("origin,destination,values\nUS,CN,1\n", "did you mean 'values'"),
        (HEAD + "US,CN,1\nUS,Germny,1\nUS,Atlantis,3\n", "2 unknown places"),
        (HEAD + "US,CN,1\nUS,Germny,1\n", "did you mean 'Germany'"),
        (HEAD + "US,CN,-1\nCN,US,1\n", "flows.csv:2: value -1 is negative"),
        (HEAD + "US,CN,1\nCN,US,nan\n", "flows.csv:3: value 'nan' is not a finite number"),
        (HEAD + "US,CN,1\nCN,US,\n", "not a finite number"),
        (HEAD + "US,CN,inf\n", "not a finite number"),
        (HEAD + "US,CN,1\nGB,US,2\nUSA,China,1\n", "flows.csv:4: the pair US to CN comes twice"),
        (HEAD + "US,CN,1\nUS,,2\n", "destination is empty"),
        (HEAD + "US,CN,1,7\n", "has 4 fields where the header has 3"),
        (HEAD + "US,CN,1\nCN,US,3\n", "only 2 places"),
        (HEAD + "US,CN,0\nCN,GB,0\n", "any flow"),
        ("origin,origin,value\nUS,CN,1\n", "twice"),
        ("origin,destination,value,year\nUS,CN,1,soon\n", "'soon' is not a year"),
    ],
)
def test_a_bad_table_gets_a_clear_error(tmp_path: Path, text: str, says: str) -> None:
    message = fault(read_flows, write(tmp_path, text))
    assert message is not None
    assert says in message
    assert "flows.csv" in message


def test_a_missing_file_or_column_of_years_is_named(tmp_path: Path) -> None:
    assert "no such file" in str(fault(read_flows, tmp_path / "none.csv"))
    asked = Columns(year="when", year_asked=True)
    assert "--year-col" in str(fault(read_flows, write(tmp_path, HEAD + THREE), asked))


def test_tables_of_different_levels_or_places_cannot_be_compared(tmp_path: Path) -> None:
    countries = read_flows(write(tmp_path, HEAD + THREE))
    cities = read_flows(write(tmp_path, HEAD + "Paris,Beijing,3\nBeijing,Singapore,1\n", "c.csv"))
    assert "city level" in str(fault(compare, countries, cities))
    other = read_flows(write(tmp_path, HEAD + "FR,DE,1\nDE,IT,1\n", "d.csv"))
    assert "shares only 0 places" in str(fault(compare, countries, other))


def test_all_models_are_scored_and_fitted_out_of_sample(tmp_path: Path) -> None:
    first, later = synthetic(tmp_path, "a.csv", 1), synthetic(tmp_path, "b.csv", 2)
    alone, apart = validate_files(later), validate_files(later, first)
    assert set(alone.scores) == {AGENT, BALANCED, *RIVALS}
    assert set(apart.scores) == {AGENT, BALANCED, *RIVALS, PERSISTENCE}
    assert apart.out_of_sample
    assert not alone.out_of_sample
    assert alone.scores["gravity_constants"]["cpc"] > apart.scores["gravity_constants"]["cpc"]
    for name, flows in alone.flows.items():
        assert flows.sum() == pytest.approx(alone.observed.sum()), name
    assert apart.flows[PERSISTENCE].sum() == pytest.approx(read_flows(first).flows.sum())


def test_the_agent_model_knows_only_sizes_and_one_total(tmp_path: Path) -> None:
    """Reversing every flow keeps sizes and total, so the agent model cannot notice."""
    table = read_flows(synthetic(tmp_path))
    flipped = type(table)(table.source, table.level, table.places, table.flows.T, table.years)
    assert np.allclose(compare(table).flows[AGENT], compare(flipped).flows[AGENT])


def test_the_balanced_model_has_the_turnover_of_the_training_table(tmp_path: Path) -> None:
    table = read_flows(synthetic(tmp_path))
    found = compare(table).flows
    turnover = table.flows.sum(0) + table.flows.sum(1)
    for name in (BALANCED, "gravity_balanced"):
        assert found[name].sum(0) + found[name].sum(1) == pytest.approx(turnover, rel=0.02), name
    assert not np.allclose(found[AGENT].sum(0) + found[AGENT].sum(1), turnover, rtol=0.02)


def test_a_wrong_parameter_or_shuffled_flows_make_the_agent_model_worse(tmp_path: Path) -> None:
    table = read_flows(synthetic(tmp_path))
    good = compare(table).scores[AGENT]["cpc"]
    data = Parameters().model_dump()
    data["obstacles"]["distance"] = 3.0
    wrong = compare(table, parameters=Parameters.model_validate(data)).scores[AGENT]["cpc"]
    assert wrong < good - 0.05
    order = np.random.default_rng(0).permutation(len(table.places))
    shuffled = type(table)(table.source, table.level, table.places, table.flows[order])
    assert compare(shuffled, table).scores[AGENT]["cpc"] < good - 0.05


def test_sizes_can_be_given(tmp_path: Path) -> None:
    table = read_flows(write(tmp_path, HEAD + THREE))
    turnover = (table.flows.sum(0) + table.flows.sum(1)) / 2
    rows = zip(table.places, np.maximum(turnover, SMALLEST), strict=True)
    text = "place,size\n" + "".join(f"{place},{size}\n" for place, size in rows)
    given = compare(table, sizes=str(write(tmp_path, text, "sizes.csv")))
    assert np.allclose(given.flows[AGENT], compare(table).flows[AGENT])
    own = compare(table, sizes="model")
    assert not np.allclose(given.flows[AGENT], own.flows[AGENT])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("place,size\nUS,1\nCN,2\n", "no size for: GB"),
        ("place,size\nUS,1\nUSA,2\n", "comes twice"),
        ("place,size\nUS,-1\n", "not a positive number"),
        ("place,size\nUtopia,1\n", "unknown country 'Utopia'"),
        ("place,number\nUS,1\n", "no column 'size'"),
    ],
)
def test_bad_sizes_get_clear_errors(tmp_path: Path, text: str, says: str) -> None:
    table = read_flows(write(tmp_path, HEAD + THREE))
    path = str(write(tmp_path, text, "sizes.csv"))
    assert says in str(fault(lambda: compare(table, sizes=path)))


def test_the_command_prints_one_document_or_a_table(program: Program) -> None:
    synthetic(program.folder)
    done = program.run("validate", "--flows", "flows.csv", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["scores"]) == {AGENT, BALANCED, *RIVALS}
    for scores in document["scores"].values():
        wanted = {"cpc", "spearman", "log_correlation", "net_sign_accuracy", "net_spearman"}
        assert wanted <= set(scores)
    shown = program.run("validate", "--flows", "flows.csv", "--value-col", "value")
    assert "gravity_language" in shown.stdout
    bad = program.run("validate", "--flows", "flows.csv", "--value-col", "valu")
    assert bad.returncode == 2
    assert "did you mean 'value'" in bad.stderr
    assert "Traceback" not in bad.stderr

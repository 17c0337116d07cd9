import json
import math
import random
import textwrap
from pathlib import Path

import pytest
from conftest import fault
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import UserError
from sim.parameters import Parameters
from sim.scenario import (
    Population,
    Scenario,
    json_schema,
    load_scenario,
    shipped,
)

BAD = [
    ("title: 3", 1, "title: must be text, not 3; put it in quotes"),
    ("paramters: {}", 1, "paramters: unknown key; did you mean 'parameters'?"),
    (
        "parameters:\n  preference:\n    bta: 1",
        3,
        "parameters.preference.bta: unknown key; did you mean 'beta'?",
    ),
    (
        "parameters: {choose: {beta: 1}}",
        1,
        "parameters.choose.beta: unknown key; did you mean 'preference.beta'?",
    ),
    (
        "parameters:\n  preference:\n    loss_aversion: 2\n    beta: 9",
        4,
        "parameters.preference.beta: must be between 0 and 5 (utility per 10 index points), not 9",
    ),
    ("parameters: {preference: {beta: .nan}}", 1, "beta: is not a finite number"),
    ("parameters: {preference: {beta: 1e999}}", 1, "beta: is not a finite number"),
    ("parameters: {preference: {beta: '1,5'}}", 1, "must be a number, not '1,5'"),
    ("parameters: {switches: {gate: yes}}", 1, "must be true or false, not 'yes'; write true"),
    ("parameters: {switches: {gate: 1}}", 1, "must be true or false, not 1"),
    ("parameters: {needs: {weights_mid: [1, 2]}}", 1, "must have exactly 6 entries, not 2"),
    ("parameters: {needs: {weights_mid: 1}}", 1, "weights_mid: must be a list, not 1"),
    (
        "parameters: {needs: {weights_mid: [1, 2, 3, 4, 5, -6]}}",
        1,
        "parameters.needs.weights_mid[5]: must be at least 0 (share), not -6",
    ),
    ("parameters: {life: {last_age: 50}}", 1, "parameters.life: last_age must be above"),
    ("parameters:", 1, "parameters: must be a mapping of names to values, not nothing"),
    ("population: {agents: -1}", 1, "must be between 0 and 50000000 (agents), not -1"),
    ("population: {agents: 60000000}", 1, "must be between 0 and 50000000 (agents)"),
    ("population: {agents: 1.5}", 1, "must be a whole number, not 1.5"),
    ("population: {agents: 1.0}", 1, "must be a whole number, not 1.0; write 1"),
    ("population: {agents: '5'}", 1, "not '5'; write 5 without quotes"),
    ("population: {agents: 1_000}", 1, "not '1_000'; write 1000 without"),
    ("population: {agents: true}", 1, "must be a whole number, not true"),
    ("horizon:\n  years: 0", 2, "horizon.years: must be between 1 and 200 (years), not 0"),
    ("seed: -1", 1, "seed: must be at least 0"),
    ("seed: 9223372036854775808", 1, "seed: must be at least 0 and below"),
    ("landscape: center", 1, "must be 'centre', 'ensemble' or a mapping 'draw: NUMBER'"),
    ("landscape: {drw: 3}", 1, "landscape.drw: unknown key; did you mean 'draw'?"),
    ("landscape: [centre]", 1, "must be 'centre', 'ensemble' or a mapping"),
    ("interventions: 3", 1, "interventions: must be a list, not 3"),
    ("quotas: []", 1, "quotas: unknown key"),
    ("extends: baselin", 1, "extends: no scenario 'baselin'; did you mean 'baseline'?"),
    ("title: x\nextends: [baseline]", 2, "extends: must be the name or path of one scenario"),
    (r'extends: "./a\0b"', 1, "extends: no scenario"),
    ("extends: " + "京" * 150, 1, "extends: no scenario"),
    ("extends: ./file.yaml", 1, "extends: runs in a circle"),
    ("name: a b", 1, "name: 'a b' may hold only letters"),
    ("name: ../../etc", 1, "may hold only letters"),
    ("citation: [a, 3]", 1, "citation[1]: must be text, not 3"),
    ("{", 2, "not valid YAML"),
    ("", 1, "empty"),
]


def write(folder: Path, text: str, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("text", "line", "words"), BAD, ids=[text[:30] for text, _, _ in BAD])
def test_bad_scenario_gives_one_line_with_file_line_path_and_mend(tmp_path, text, line, words):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_scenario(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message
    assert "\n" not in message


def test_first_fault_of_the_users_own_file_is_told(tmp_path):
    write(tmp_path, "seed: -5\nextends: baseline", "base.yaml")
    path = write(tmp_path, "extends: base.yaml\nseeed: 1\nhorizon: {years: 0}\n")
    with pytest.raises(UserError, match=r"file.yaml:2: seeed: unknown key; did you mean 'seed'"):
        load_scenario(path)


def test_fault_in_an_inherited_file_names_that_file(tmp_path):
    write(tmp_path, "\nseed: -5", "base.yaml")
    with pytest.raises(UserError, match=r"base.yaml:2: seed: must be"):
        load_scenario(write(tmp_path, "extends: base.yaml\n"))


@pytest.mark.parametrize("name", ["basline", "Baseline", "", ".", "x" * 5000, "a\0b", "a\nb"])
def test_unknown_names(name, work):
    with pytest.raises(UserError, match="no scenario") as caught:
        load_scenario(name)
    assert "baseline" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_odd_files(work):
    (work / "folder.yaml").mkdir()
    for name, words in [
        ("./missing.yaml", "no such file"),
        ("folder.yaml", "is a folder"),
        ("/dev/zero", "not a regular file"),
    ]:
        with pytest.raises(UserError, match=words):
            load_scenario(name)


def test_extending_merges_mappings_and_replaces_the_rest(tmp_path):
    write(
        tmp_path,
        """
        title: the base
        citation: somebody
        seed: 7
        parameters: {preference: {beta: 1.0, gate: 2.0}, needs: {weights_mid: [1, 1, 1, 1, 1, 1]}}
        landscape: {draw: 3}
        """,
        "base.yaml",
    )
    path = write(
        tmp_path,
        """
        extends: base.yaml
        parameters: {preference: {beta: 2.0}, needs: {weights_mid: [0, 0, 0, 0, 0, 1]}}
        landscape: centre
        """,
        "my study.yaml",
    )
    scenario = load_scenario(path)
    assert scenario.seed == 7
    assert scenario.parameters.preference.beta == 2.0
    assert scenario.parameters.preference.gate == 2.0
    assert scenario.parameters.preference.size == Parameters().preference.size
    assert scenario.parameters.needs.weights_mid == (0, 0, 0, 0, 0, 1)
    assert scenario.landscape == "centre"
    assert (scenario.name, scenario.title, scenario.citation) == ("my-study", "", ())


def test_files_extend_baseline_unless_they_say_null(tmp_path):
    baseline = load_scenario("baseline")
    same = load_scenario(write(tmp_path, "title: t"))
    assert same.population == baseline.population
    assert same.citation == ()
    alone = load_scenario(write(tmp_path, "extends: null\nname: alone"))
    assert alone == Scenario(name="alone")


def test_circle_of_two_files_is_told(tmp_path):
    write(tmp_path, "extends: b.yaml", "a.yaml")
    write(tmp_path, "extends: ./a.yaml", "b.yaml")
    with pytest.raises(UserError, match=r"b.yaml:1: extends: runs in a circle"):
        load_scenario(tmp_path / "a.yaml")


def test_long_chain_is_refused(tmp_path):
    for k in range(40):
        write(tmp_path, f"extends: s{k + 1}.yaml", f"s{k}.yaml")
    write(tmp_path, "seed: 3", "s40.yaml")
    with pytest.raises(UserError, match="files deep"):
        load_scenario(tmp_path / "s0.yaml")
    assert load_scenario(tmp_path / "s30.yaml").seed == 3


def test_overrides():
    by_path = load_scenario("baseline", {"population.agents": 5, "preference.beta": 0.7})
    nested = load_scenario(
        "baseline", {"population": {"agents": 5}, "parameters": {"preference": {"beta": 0.7}}}
    )
    assert by_path == nested
    assert (by_path.population.agents, by_path.parameters.preference.beta) == (5, 0.7)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"preference.bet": 1}, "override: parameters.preference.bet: unknown key; did you mean"),
        ({"seed": math.nan}, "override: seed: is not a finite number"),
        ({"seed": {1}}, "what YAML cannot say"),
        ({"a..b": 1}, "is no path"),
        ({"population.agents.x": 1}, "population.agents: must be a whole number"),
    ],
)
def test_bad_overrides(overrides, words):
    with pytest.raises(UserError, match=words.replace("(", r"\(")):
        load_scenario("baseline", overrides)


def test_an_override_does_not_cover_a_fault_of_the_file(tmp_path):
    path = write(tmp_path, "population: {agents: -5}")
    with pytest.raises(UserError, match=r"yaml:1: population.agents: must be between 0 and"):
        load_scenario(path, {"population.agents": 5})


def parameter_values() -> st.SearchStrategy[dict[str, object]]:
    """Overrides of numeric and switch parameters, within their ranges."""
    choices = {}
    for group, info in Parameters.model_fields.items():
        for name, field in info.annotation.model_fields.items():
            if group == "life":  # its ages are bound to each other
                continue
            low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
            high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
            if field.annotation is bool:
                choices[f"{group}.{name}"] = st.booleans()
            elif field.annotation is float and low is not None and high is not None:
                choices[f"{group}.{name}"] = st.floats(low, high) | st.integers(
                    math.ceil(low), math.floor(high)
                )
    return st.fixed_dictionaries({}, optional=choices)


@settings(max_examples=60, deadline=None)
@given(
    parameter_values(),
    st.integers(0, 2**63 - 1),
    st.integers(0, 50_000_000),
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.sampled_from(["centre", "ensemble", {"draw": 4}]),
)
def test_resolved_yaml_loads_back_equal(tmp_path_factory, changes, seed, agents, text, landscape):
    more = {"seed": seed, "population.agents": agents, "title": text, "description": text}
    scenario = load_scenario("baseline", changes | more | {"landscape": landscape})
    path = tmp_path_factory.mktemp("round") / "other-name.yaml"
    path.write_bytes(scenario.resolved_yaml().encode())
    again = load_scenario(path)
    assert again == scenario
    assert again.digest() == scenario.digest()
    assert again.resolved_yaml() == scenario.resolved_yaml()


def test_digest_tells_scenarios_apart():
    digests = {
        load_scenario("baseline", change).digest()
        for change in ({}, {"seed": 2}, {"preference.beta": 0.46}, {"landscape": {"draw": 0}})
    }
    assert len(digests) == 4


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_mutated_scenarios_never_break_the_loader(tmp_path, start):
    text = load_scenario("baseline").resolved_yaml().encode()
    snippets = [b"\t", b"\xff", b"*a", b"&a ", b"- ", b": ", b"{", b"]", b"\n", b"1e400", b"!!x "]
    for seed in range(start, start + 50):
        rng = random.Random(seed)
        data = bytearray(text)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 30)] = rng.choice(
                [*snippets, bytes([rng.randrange(256)])]
            )
        path = tmp_path / "mutant.yaml"
        path.write_bytes(bytes(data))
        message = fault(load_scenario, path)
        assert message is None or message.startswith(str(path))
        assert "\n" not in (message or "")


def test_every_shipped_scenario_loads_and_says_what_it_is():
    assert "baseline" in shipped()
    for name in shipped():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert scenario.title
        assert scenario.citation


def test_baseline_has_the_size_that_it_promises():
    baseline = load_scenario("baseline")
    assert baseline.population == Population(agents=1_000_000)
    assert (baseline.horizon.start, baseline.horizon.years, baseline.horizon.end) == (
        2024,
        20,
        2044,
    )


def test_changes_of_a_loaded_scenario():
    scenario = load_scenario("baseline")
    changed = scenario.with_changes({"preference.beta": 0.7, "population": {"agents": 10}})
    assert changed == load_scenario("baseline", {"preference.beta": 0.7, "population.agents": 10})
    assert scenario == load_scenario("baseline")
    with pytest.raises(UserError, match=r"override: parameters.preference.beta: must be between"):
        scenario.with_changes({"preference.beta": -1})


def test_scenarios_cannot_be_changed():
    scenario = load_scenario("baseline")
    with pytest.raises(ValueError, match="frozen"):
        scenario.seed = 4


def test_schema_describes_every_field_with_unit_and_range():
    schema = json_schema()
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    assert schema["additionalProperties"] is False
    assert "extends" in schema["properties"]
    assert not schema.get("required")
    for group, info in Parameters.model_fields.items():
        fields = schema["$defs"][info.annotation.__name__]["properties"]
        for name, field in fields.items():
            assert field["description"], (group, name)
            assert field["unit"], (group, name)
            assert field["source"], (group, name)
    assert schema["$defs"]["Population"]["properties"]["agents"]["maximum"] == 50_000_000

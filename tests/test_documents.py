import contextlib
import math
import time

import pytest
from conftest import fault
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.documents import MAX_BYTES, dump, merge, parse, path_text, read, resolve, shown
from sim.errors import UserError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 10)}]\n" for k in range(9)
)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("- 1\n- 2\n", 1, "must be a mapping"),
        ("just words", 1, "must be a mapping"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice (first in line 1)"),
        ("a:\n  b: 1\n  b: 2\n", 3, "'b' stands twice"),
        ("a:\n\tb: 1\n", 2, "tab"),
        ("a: 'x\n", 2, "not valid YAML"),
        ("a: b: c\n", 1, "not valid YAML"),
        ("a: *missing\n", 1, "not defined above"),
        ("a: &a [*a]\n", 1, "contains itself"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "tag"),
        ("? [1]\n: 2\n", 1, "key must be text"),
        ("\n1: 2\n", 2, "key must be text"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\nb: \x07\n", 2, "control character"),
        ("a: " + "9" * 5000, 1, "too long"),
        ("a: " + "[" * 60, 1, "nested more than"),
        (BOMB, 5, "aliases expanded"),
        ("a: [" + "1," * 200_000 + "]", 1, "more than 100000 values"),
    ],
)
def test_bad_document_gives_one_line_with_place(text, line, words):
    with pytest.raises(UserError) as caught:
        parse(text, "f.yaml")
    message = str(caught.value)
    assert message.startswith(f"f.yaml:{line}: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "[" * 400_000,
        "{a: " * 200_000,
        "- " * 400_000,
        "? " * 200_000,
        BOMB * 9,
        "k" * 900_000 + ": 1",
        "&a " * 200_000,
        "a: " + "-" * 900_000,
        "a: '" + "x" * 900_000,
        "*a : b\n" * 50_000,
        "\n".join(f"k{i}: {i}" for i in range(49_000)),
    ],
)
def test_hostile_documents_end_soon(text):
    started = time.process_time()
    with contextlib.suppress(UserError):
        parse(text, "f.yaml")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("true", True),
        ("yes", "yes"),
        ("on", "on"),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1e6", 1_000_000),
        ("1.5e6", 1_500_000),
        ("1.0", 1.0),
        ("1e-3", 0.001),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("-.inf", -math.inf),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=40)
    | st.sampled_from(["1e6", "yes", "0o17", "~", "- a", "a: b", "#", "x\ny\n", " lead", "1" * 60])
)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(DATA)
def test_dump_reads_back_equal(data):
    assert parse(dump(data), "f.yaml").plain() == data


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text("ab:-[]{}&*!'\"|>\n\t #%@`?,0", max_size=60))
def test_any_text_parses_or_gives_one_line(text):
    message = fault(parse, text, "f.yaml")
    assert message is None or message.startswith("f.yaml")
    assert "\n" not in (message or "")


def test_places_survive_merging():
    base = parse("a:\n  x: 1\n  y: [1, 2]\n", "base.yaml")
    over = parse("\na:\n  y: [3]\n  z: 4\n", "over.yaml")
    merged = merge(base, over)
    assert merged.plain() == {"a": {"x": 1, "y": [3], "z": 4}}
    assert str(merged.nearest(("a", "x"))[0].place) == "base.yaml:2"
    assert str(merged.nearest(("a", "y", 0))[0].place) == "over.yaml:3"
    node, known = merged.nearest(("a", "tag-of-a-union", "z"))
    assert (str(node.place), known) == ("over.yaml:4", ("a", "z"))


def test_aliases_are_values(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text("a: &a {x: 1}\nb: *a\n", encoding="utf-8")
    assert read(path).plain() == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\nb: \xff\xfe\n", ":2: is not UTF-8"),
        ("a: 1".encode("utf-16"), "UTF-8"),
        (b"#" * (MAX_BYTES + 1), "larger than 1 MB"),
    ],
)
def test_unreadable_files(tmp_path, content, words):
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        read(path)


def test_odd_paths_give_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "missing", tmp_path / ("x" * 5000), tmp_path / "a\nb"):
        with pytest.raises(UserError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).plain() == {"a": 1}


def test_values_and_paths_in_messages():
    assert shown(1) == "1"
    assert shown(True) == "true"
    assert shown(None) == "nothing"
    assert len(shown("x" * 500)) <= 60
    assert path_text(("quotas", 0, "cities")) == "quotas[0].cities"
    assert "\n" not in path_text(("a\nb",))

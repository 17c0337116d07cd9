"""YAML documents read safely, with the line of every entry kept for messages.

The parser's events are composed here instead of by a YAML loader, so that nothing in a file can
make an object, repeat a key, nest without end or multiply itself through aliases. Scalars follow
the YAML 1.2 core schema (``yes`` is text, ``010`` is ten); a number in exponent notation that is
whole, such as ``1e6``, is an integer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sim.errors import UserError
from sim.text_files import read_text

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 40
MAX_DIGITS = 40

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = yaml.SafeDumper

_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".nan": math.nan,
    ".NaN": math.nan,
    ".NAN": math.nan,
} | {
    sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")
}


@dataclass(frozen=True)
class Place:
    """Where an entry stands: the name of its source and its line, counted from 1."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Node:
    """One value of a document, with its place and its size with aliases expanded."""

    value: Any
    place: Place
    size: int = 1

    def plain(self) -> Any:
        """Return the value as dictionaries, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def nearest(self, path: tuple[str | int, ...]) -> tuple[Node, tuple[str | int, ...]]:
        """Return the deepest node along a path and the part of the path that exists.

        Parameters
        ----------
        path : tuple of str or int
            Keys and positions; those that the document lacks are skipped.
        """
        node = self
        known: tuple[str | int, ...] = ()
        at: Any
        for at in path:
            value = node.value
            if (isinstance(value, dict) and at in value) or (
                isinstance(value, list) and isinstance(at, int) and at < len(value)
            ):
                node, known = value[at], (*known, at)
        return node, known

    def walk(
        self, path: tuple[str | int, ...] = ()
    ) -> Iterator[tuple[tuple[str | int, ...], Node]]:
        """Yield every (path, node) below and including this one, in the order of the file."""
        yield path, self
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.walk((*path, key))
        elif isinstance(self.value, list):
            for position, child in enumerate(self.value):
                yield from child.walk((*path, position))


def path_text(path: tuple[str | int, ...]) -> str:
    """Return a path as people write it, such as ``quotas[0].city``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text if text.isprintable() and len(text) <= 200 else repr(text[:200])


def shown(value: Any) -> str:
    """Return a value for a one-line message: short, printable, text in quotation marks."""
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, dict):
        return "a mapping"
    elif isinstance(value, list):
        return "a list"
    elif value is None:
        text = "nothing"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def read(path: Path) -> Node:
    """Read one YAML file whose top is a mapping.

    Parameters
    ----------
    path : pathlib.Path
        A regular file of at most 1 MB, UTF-8.

    Returns
    -------
    Node
        The top mapping.

    Raises
    ------
    UserError
        If the file cannot be read, is not YAML, or is not a mapping; the message names the line.
    """
    source = str(path) if str(path).isprintable() and len(str(path)) < 250 else shown(str(path))
    text = read_text(
        path, source, most=MAX_BYTES, kind="a YAML file", mend="a scenario is far smaller"
    )
    return parse(text, source)


def parse(text: str, source: str) -> Node:
    """Parse YAML text whose top is a mapping; see :func:`read`."""
    node = parse_value(text, source)
    if node is None or node.value is None:
        raise UserError(f"{source}:1: the document is empty; write at least 'title: ...'")
    if not isinstance(node.value, dict):
        raise UserError(
            f"{node.place}: the document must be a mapping of keys to values, "
            f"not {shown(node.value)}; write 'key: value' lines"
        )
    return node


def parse_value(text: str, source: str) -> Node | None:
    """Parse YAML text of any kind; return None where it holds no document."""
    try:
        return _Composer(text, source).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(int(error.position or 0), 0)) + 1
        raise UserError(
            f"{source}:{line}: holds a control character that YAML does not allow; remove it"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1 if mark else None)
        problem = " ".join(str(error.problem or error.context or "syntax error").split())
        if mark and "\t" in "".join(text.split("\n")[mark.line : mark.line + 1])[: mark.column + 1]:
            problem = "a tab stands where YAML wants spaces; indent with spaces"
        else:
            problem = f"is not valid YAML ({problem}); check indentation, colons and quotes"
        raise UserError(f"{place}: {problem}") from None
    except (UnicodeEncodeError, yaml.YAMLError):
        raise UserError(f"{source}: is not valid YAML text; save the file as UTF-8") from None


@dataclass
class _Composer:
    text: str
    source: str
    anchors: dict[str, Node | None] = field(default_factory=dict)

    def document(self) -> Node | None:
        parser = _PARSER(self.text)
        try:
            node = None
            while parser.check_event():
                event = parser.get_event()
                if isinstance(event, yaml.DocumentStartEvent):
                    if node is not None:
                        raise self.fault(event, "a second document starts; keep one in a file")
                    node = self.node(parser, parser.get_event(), 0)
            return node
        finally:
            parser.dispose()

    def node(self, parser: Any, event: Any, depth: int) -> Node:
        place = Place(self.source, event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None and event.tag != "!":
            raise self.fault(event, f"the tag {shown(event.tag)} is not allowed; remove it")
        if depth > MAX_DEPTH:
            raise self.fault(event, f"is nested more than {MAX_DEPTH} deep; flatten it")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and not event.style
            node = Node(self.scalar(event) if plain else event.value, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(parser, place, depth)
        else:
            node = self.mapping(parser, place, depth)
        if node.size > MAX_NODES:
            raise self.fault(event, f"holds more than {MAX_NODES} values; make it smaller")
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def scalar(self, event: Any) -> Any:
        try:
            return resolve(event.value)
        except ValueError:
            raise self.fault(event, f"the number {shown(event.value)} is too long") from None

    def sequence(self, parser: Any, place: Place, depth: int) -> Node:
        children, size = [], 1
        while not isinstance(event := parser.get_event(), yaml.SequenceEndEvent):
            child = self.node(parser, event, depth + 1)
            children.append(child)
            size += child.size
            self.limit(event, size)
        return Node(children, place, size)

    def mapping(self, parser: Any, place: Place, depth: int) -> Node:
        children: dict[str, Node] = {}
        size = 1
        while not isinstance(event := parser.get_event(), yaml.MappingEndEvent):
            key = self.key(parser, event, depth)
            if key in children:
                first = children[key].place.line
                raise self.fault(
                    event, f"the key {shown(key)} stands twice (first in line {first}); keep one"
                )
            child = self.node(parser, parser.get_event(), depth + 1)
            children[key] = Node(child.value, Place(self.source, event.start_mark.line + 1))
            size += child.size + 1
            self.limit(event, size)
        return Node(children, place, size)

    def key(self, parser: Any, event: Any, depth: int) -> str:
        key = self.node(parser, event, depth + 1).value
        if not isinstance(key, str):
            raise self.fault(event, f"a key must be text, not {shown(key)}; put it in quotes")
        return key

    def alias(self, event: Any) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            what = "contains itself" if event.anchor in self.anchors else "is not defined above"
            raise self.fault(event, f"the alias *{event.anchor} {what}; write the value out")
        return node

    def limit(self, event: Any, size: int) -> None:
        if size > MAX_NODES:
            raise self.fault(event, f"holds more than {MAX_NODES} values with its aliases expanded")

    def fault(self, event: Any, what: str) -> UserError:
        return UserError(f"{Place(self.source, event.start_mark.line + 1)}: {what}")


def resolve(text: str) -> Any:
    """Return what an unquoted YAML 1.2 scalar means: None, bool, int, float or the text itself.

    Raises
    ------
    ValueError
        If a number has more than 40 digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if not (_FLOAT.fullmatch(text) or _BASED.fullmatch(text)):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError("too many digits")
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    number = float(text)
    exponent = "e" in text or "E" in text
    return int(number) if exponent and abs(number) < 2**53 and number.is_integer() else number


def merge(base: Node, over: Node) -> Node:
    """Lay one document over another: mappings merge key by key, everything else is replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    children = dict(base.value)
    for key, child in over.value.items():
        children[key] = merge(children[key], child) if key in children else child
    return Node(children, over.place)


def from_plain(value: Any, place: Place) -> Node:
    """Return a document made of dictionaries, lists and scalars that all stand in one place."""
    if isinstance(value, Mapping):
        return Node({str(key): from_plain(child, place) for key, child in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([from_plain(child, place) for child in value], place)
    return Node(value, place)


def dump(data: Mapping[str, Any]) -> str:
    """Return YAML text that :func:`parse` reads back to equal data; keys keep their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96)


class _Dumper(_DUMPER):
    """Writes text in quotes wherever YAML 1.2 would take it for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    try:
        plain = isinstance(resolve(value), str)
    except ValueError:
        plain = False
    if any(sign in value for sign in "\x85\u2028\u2029"):
        style: str | None = '"'  # the other styles would fold these line breaks
    else:
        style = ("|" if "\n" in value else None) if plain else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: Any, value: list[Any]) -> Any:
    flow = not any(isinstance(item, dict | list) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


def _mapping(dumper: Any, value: dict[str, Any]) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=False)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(dict, _mapping)

"""Finding scenario files, and laying each over what it extends.

Everything here is about documents; what they may say is the matter of :mod:`sim.scenario`.
"""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

from sim import documents
from sim.documents import Node, Place
from sim.errors import UserError, did_you_mean
from sim.parameters import Parameters

DEFAULT_BASE = "baseline"
MAX_EXTENDS = 20
_NOT_INHERITED = ("name", "title", "description", "citation", "extends")
_SUFFIXES = (".yaml", ".yml")


def shipped() -> list[str]:
    """Return the names of the scenarios that come with talentflow, in alphabetical order."""
    entries = resources.files("scenarios").iterdir()
    return sorted(Path(item.name).stem for item in entries if item.name.endswith(".yaml"))


def change(label: str, path: str, value: Any) -> Node:
    """Return a document that holds one value at a dotted path.

    Parameters
    ----------
    label : str
        Where the value comes from, for messages.
    path : str
        Such as ``population.agents``; before a group of parameters ``parameters.`` may be left out.
    value : object
        Mappings, lists and scalars.

    Raises
    ------
    UserError
        If the path is none.
    """
    place = Place(label)
    steps = path.split(".")
    if not all(steps):
        raise UserError(f"{label}: {path!r} is no path; write it as 'group.name'")
    if steps[0] in Parameters.model_fields:
        steps.insert(0, "parameters")
    node = documents.from_plain(value, place)
    for step in reversed(steps):
        node = Node({step: node}, place)
    return node


def locate(name: str, asking: Place | None = None) -> Path:
    """Return the file of a scenario that is named on the command line or in ``extends``.

    Parameters
    ----------
    name : str
        A shipped name or a path.
    asking : Place, optional
        Where an ``extends`` stands: paths are relative to its file.

    Raises
    ------
    UserError
        If the name is no shipped one and looks like no path.
    """
    if name in shipped():
        return _shipped_path(name)
    path = (Path(asking.source).parent if asking else Path()) / name
    looks_like_path = "/" in name or "\\" in name or name.endswith(_SUFFIXES)
    if "\0" not in name and (looks_like_path or os.path.isfile(path)):
        return path
    prefix = f"{asking}: extends: " if asking else ""
    near = did_you_mean(name, shipped())
    mend = near or f"; shipped are {', '.join(shipped())}; or give the path of a YAML file"
    raise UserError(f"{prefix}no scenario {documents.shown(name)}{mend}")


def read_chain(path: Path, chain: tuple[Path, ...] = ()) -> Node:
    """Read a file and lay it over what it extends.

    Parameters
    ----------
    path : pathlib.Path
        A YAML file.
    chain : tuple of pathlib.Path
        The files that lead here by ``extends``.

    Returns
    -------
    Node
        The whole document, without ``extends``.

    Raises
    ------
    UserError
        If a file cannot be read, or they extend each other in a circle.
    """
    read = documents.read(path)
    own: dict[str, Node] = dict(read.value)
    extends = own.pop("extends", None)
    stem = re.sub(r"[^\w.-]+", "-", path.stem).strip(".-")[:64]
    own.setdefault("name", Node(stem or "scenario", read.place))
    document = Node(own, read.place)
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        raise UserError(f"{path}: links in a circle; give the file itself") from None
    base_path = _base(path, real, extends)
    if base_path is None:
        return document
    place = Place(str(path), extends.place.line if extends else None)
    if base_path.resolve() in (real, *chain):
        raise UserError(f"{place}: extends: runs in a circle back to {base_path}; break it")
    if len(chain) >= MAX_EXTENDS:
        raise UserError(f"{place}: extends: is more than {MAX_EXTENDS} files deep; shorten it")
    base = read_chain(base_path, (*chain, real))
    inherited = {key: node for key, node in base.value.items() if key not in _NOT_INHERITED}
    return documents.merge(Node(inherited, base.place), document)


def _base(path: Path, real: Path, extends: Node | None) -> Path | None:
    """Return the file that a file extends: what it says, else the baseline, or None."""
    if extends is None:
        baseline = _shipped_path(DEFAULT_BASE)
        return None if real == baseline.resolve() else baseline
    if extends.value is None:
        return None
    place = Place(str(path), extends.place.line)
    if not isinstance(extends.value, str):
        raise UserError(
            f"{place}: extends: must be the name or path of one scenario, "
            f"not {documents.shown(extends.value)}"
        )
    return locate(extends.value, place)


def _shipped_path(name: str) -> Path:
    return Path(str(resources.files("scenarios").joinpath(f"{name}.yaml")))

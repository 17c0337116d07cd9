"""Turning a validation error into one line: where it is, what is wrong, how to mend it."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sim.documents import Node, path_text, shown
from sim.errors import UserError, did_you_mean

Path = tuple[str | int, ...]

_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "model": "a mapping of names to values",
    "dict": "a mapping of names to values",
}


def explain(error: ValidationError, document: Node, model: type[BaseModel]) -> UserError:
    """Return the error that stands first in the document, as one line for the user.

    Parameters
    ----------
    error : pydantic.ValidationError
        What the model found.
    document : Node
        The document that was checked, with the place of every value.
    model : type of pydantic.BaseModel
        The model that checked it; its fields give ranges, units and known names.

    Returns
    -------
    UserError
        ``FILE:LINE: path: what is wrong; the mend``.
    """
    found = [_Fault(dict(item), document, model) for item in error.errors(include_url=False)]
    source = document.place.source
    return UserError(
        str(
            min(
                found,
                key=lambda f: (f.place.source != source, f.place.line or 0, f.kind == "missing"),
            )
        )
    )


class _Fault:
    """One validation error, read against the document and the model."""

    def __init__(self, error: dict[str, Any], document: Node, model: type[BaseModel]) -> None:
        self.kind: str = error["type"]
        self.context: dict[str, Any] = error.get("ctx", {})
        self.message: str = error["msg"]
        self.model = model
        loc: Path = (*error["loc"], *getattr(self.context.get("error"), "path", ()))
        if self.kind == "union_tag_invalid":
            loc = (*loc, self.context["discriminator"].strip("'"))
        node, self.path = document.nearest(loc)
        self.loc = _with_levers(document, self.path)
        self.value = node.value
        self.place = node.place
        self.missing = str(error["loc"][-1]) if self.kind == "missing" else ""

    def __str__(self) -> str:
        where = f"{path_text(self.path)}: " if self.path else ""
        return f"{self.place}: {where}{self.what()}"

    def what(self) -> str:
        if self.kind == "extra_forbidden":
            return f"unknown key{self.hint()}"
        if self.kind == "missing":
            return f"lacks the key '{self.missing}'; add it"
        if self.kind == "value_error":
            return str(self.context["error"])
        if self.kind in ("union_tag_invalid", "literal_error"):
            return self.choice()
        if self.kind == "union_tag_not_found":
            return f"lacks the key {self.context['discriminator']}; say which lever it is"
        if self.kind in ("too_short", "too_long"):
            return self.length()
        if self.kind == "string_pattern_mismatch":
            return (
                f"{shown(self.value)} may hold only letters, digits, '-', '_' and '.', at most 64, "
                "and starts with a letter or digit; choose such a name"
            )
        if self.kind == "string_too_long":
            return f"is longer than {self.context['max_length']} characters; shorten it"
        if self.kind.startswith(("greater_than", "less_than")):
            return f"must be {self.range()}, not {shown(self.value)}"
        wanted = _WANTED.get(self.kind.split("_")[0])
        if wanted:
            return f"must be {wanted}, not {shown(self.value)}{self.conversion()}"
        return f"{self.message[:1].lower()}{self.message[1:]}, not {shown(self.value)}"

    def hint(self) -> str:
        """Return the nearest known name, here or in a sibling group of parameters."""
        word = str(self.path[-1])
        here = fields_at(self.model, self.loc[:-1])
        near = did_you_mean(word, here)
        if near:
            return near
        if self.path[:-1] and self.path[0] == "parameters":
            names = dict(parameter_names(self.model))
            if word in names:
                return f"; did you mean '{names[word]}.{word}'?"
        return f"; known here: {', '.join(here)}" if here else "; remove it"

    def choice(self) -> str:
        """Say which words would have been right."""
        expected = self.context.get("expected_tags") or self.context.get("expected", "")
        known = re.findall(r"'([^']*)'", expected)
        if not isinstance(self.value, str):
            return f"must be one of {', '.join(known)}, not {shown(self.value)}"
        near = did_you_mean(self.value, known) or f"; known are {', '.join(known)}"
        key = next((step for step in reversed(self.path) if isinstance(step, str)), "word")
        return f"unknown {key} {shown(self.value)}{near}"

    def length(self) -> str:
        least = self.context.get("min_length")
        most = self.context.get("max_length")
        limit = least if self.kind == "too_short" else most
        bounds = _bounds(field_at(self.model, self.loc))
        exact = bounds.get("min_length") == bounds.get("max_length") == limit
        bound = "exactly" if exact else "at least" if self.kind == "too_short" else "at most"
        noun = "entry" if limit == 1 else "entries"
        return f"must have {bound} {limit} {noun}, not {self.context.get('actual_length')}"

    def range(self) -> str:
        info = field_at(self.model, self.loc)
        names = ("ge", "gt", "le", "lt")
        bounds = {k: v for k, v in (_bounds(info) | self.context).items() if k in names}
        extra = info.json_schema_extra if info else None
        unit = extra.get("unit", "-") if isinstance(extra, dict) else "-"
        suffix = "" if unit == "-" else f" ({unit})"
        low, high = bounds.get("ge"), bounds.get("le")
        if low is not None and high is not None:
            return f"between {_plain(low)} and {_plain(high)}{suffix}"
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        parts = [f"{words[k]} {_plain(v)}" for k, v in bounds.items()]
        return " and ".join(parts) + suffix

    def conversion(self) -> str:
        value, kind = self.value, self.kind.split("_")[0]
        if kind == "bool" and isinstance(value, str):
            word = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower())
            return f"; write {word}" if word else ""
        if kind in ("int", "float") and isinstance(value, str):
            digits = value.replace("_", "").replace(",", "").replace(" ", "")
            try:
                float(digits)
            except ValueError:
                return ""
            return f"; write {digits} without quotes or separators" if digits.isascii() else ""
        if kind == "int" and isinstance(value, float) and value.is_integer():
            return f"; write {int(value)}"
        if kind == "string" and isinstance(value, int | float):
            return "; put it in quotes"
        return ""


def _with_levers(document: Node, path: Path) -> Path:
    """Return a path in which the lever of each intervention stands after its position."""
    found: list[str | int] = []
    for k, step in enumerate(path):
        found.append(step)
        node, _ = document.nearest(path[: k + 1])
        lever = node.value.get("lever") if isinstance(node.value, dict) else None
        if lever is not None and isinstance(lever.value, str):
            found.append(lever.value)
    return tuple(found)


def _bounds(info: FieldInfo | None) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt", "min_length", "max_length")
    items = info.metadata if info else []
    return {name: getattr(item, name) for item in items for name in names if hasattr(item, name)}


def _plain(number: Any) -> str:
    return f"{number:.15g}" if isinstance(number, float) else str(number)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)


def field_at(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """Return the model field that an error's path leads to, or None.

    After the position of an intervention its lever may stand, which chooses the model.
    """
    return _walk(model, path)[0]


def fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the names that a document may use below a path."""
    return [
        info.alias or name for m in _walk(model, path)[1] for name, info in m.model_fields.items()
    ]


def _walk(model: type[BaseModel], path: Path) -> tuple[FieldInfo | None, list[type[BaseModel]]]:
    info: FieldInfo | None = None
    models = [model]
    for step in path:
        fields = [
            field
            for m in models
            for name, field in m.model_fields.items()
            if step == (field.alias or name)
        ]
        tagged = [m for m in models if _tag(m) == step]
        if fields:
            info = fields[0]
            models = list(_models_in(info.annotation))
        elif tagged:
            models = tagged
    return info, models


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("lever")
    return typing.get_args(field.annotation)[0] if field else None


def parameter_names(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield (name, group) of every parameter."""
    for group in _models_in(model.model_fields["parameters"].annotation):
        for name, info in group.model_fields.items():
            for part in _models_in(info.annotation):
                yield from ((field, name) for field in part.model_fields)

"""Turns the written annotations of the generated structs into the types msgspec enforces.

Written, a list is `list[X]` and a bound code is `str`, which is what type checkers and people should see. Enforced, a
list is never empty, a bound code is one of its codes, and a `Resource` is any of the 146 types. Each distinct
annotation is evaluated once: left as strings, msgspec would evaluate 13,000 of them and take a second to start.
"""

from __future__ import annotations

import functools
import operator
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal, get_args

from msgspec import Meta

from yersin.fhir.structs import Struct


class _Filled:
    """Stands for `list` while annotations are evaluated: FHIR knows no empty array."""

    def __class_getitem__(cls, item: Any) -> Any:
        return Annotated[list[item], Meta(min_length=1)]


class _Enforced:
    """Stands for the module of codes: an alias becomes the Literal of its codes, made when first needed."""

    def __init__(self, codes: ModuleType) -> None:
        self._codes = codes

    def __getattr__(self, name: str) -> Any:
        value = operator.getitem(Literal, bound_codes(self._codes, name))
        setattr(self, name, value)
        return value


def bound_codes(codes: ModuleType, name: str) -> tuple[str, ...]:
    """Answer the codes behind an alias of the generated module."""
    return tuple(get_args(getattr(codes, name))[1])


def resolve(names: dict[str, Any], codes: ModuleType) -> Any:
    """Give every struct in `names` its enforced types; answer the union of all resources."""
    structs = [value for value in names.values() if isinstance(value, type) and issubclass(value, Struct)]
    resources = [s for s in structs if s.__dict__.get("resourceType") == s.__name__ != "Resource"]
    union = functools.reduce(operator.or_, resources)
    scope = {**names, "list": _Filled, "codes": _Enforced(codes), "Resource": union, "ClassVar": ClassVar}

    @functools.cache
    def evaluate(text: str) -> Any:
        return eval(text, scope)  # noqa: S307 - the text comes from our own generated modules

    for struct in structs:
        struct.WRITTEN = dict(struct.__annotations__)
        struct.__annotations__ = {name: evaluate(text) for name, text in struct.__annotations__.items()}
    return union

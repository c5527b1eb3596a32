"""Binds a submitted form to a frozen dataclass: errors for each field in the person's language, and what was typed is kept.

A field is described where it is declared: `birth_date: Annotated[date, Meta(title=N_("Date of birth"))]` (msgspec.Meta:
title is the label, description the hint, then ge, le, gt, lt, min_length, max_length, pattern).
"""

from __future__ import annotations

import enum
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from litestar.datastructures import UploadFile
from msgspec import Meta

from yersin.web import form_values, language, wording
from yersin.web.form_values import UnreadableError
from yersin.web.language import gettext as _
from yersin.web.language import ngettext
from yersin.web.shell import AnyRequest

T = TypeVar("T")
KEY_FIELD = "idempotency_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What a component macro needs to draw a field."""

    name: str
    label: str
    hint: str = ""
    texts: tuple[str, ...] = ()
    error: str = ""
    required: bool = True
    max_length: int | None = None

    @property
    def text(self) -> str:
        return self.texts[0] if self.texts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one field of the dataclass is read."""

    name: str
    kind: Any
    many: bool
    required: bool
    meta: Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Generic[T]):
    """The outcome: `value` when all was well, else `errors`. Templates use `bound.<field name>` as a Field."""

    shape: type[T]
    value: T | None = None
    typed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    key: str = ""

    def label(self, name: str) -> str:
        rule = rules(self.shape).get(name)
        return _(rule.meta.title) if rule and rule.meta.title else ""

    def with_error(self, name: str, message: str) -> Bound[T]:
        """Add a refusal found later (a rule across fields, a conflict); the value is withdrawn."""
        return replace(self, value=None, errors={**self.errors, name: message})

    def field(self, name: str) -> Field:
        rule = rules(self.shape)[name]
        hint = _(rule.meta.description) if rule.meta.description else ""
        return Field(
            name=name,
            label=self.label(name) or name,
            hint=hint,
            texts=self.typed.get(name, ()),
            error=self.errors.get(name, ""),
            required=rule.required,
            max_length=rule.meta.max_length,
        )

    def __getitem__(self, name: str) -> Field:
        return self.field(name)

    def __iter__(self) -> Iterator[Field]:
        return (self.field(name) for name in rules(self.shape))


def rules(shape: type[Any]) -> Mapping[str, Rule]:
    """Read the dataclass once: name, kind, whether it may be left out, and its Meta."""
    if shape not in _known:
        hints = get_type_hints(shape, include_extras=True)
        _known[shape] = {member.name: _rule(member, hints[member.name]) for member in fields(shape)}
    return _known[shape]


_known: dict[type[Any], Mapping[str, Rule]] = {}


def _rule(member: Any, hint: Any) -> Rule:
    meta = Meta()
    optional = member.default is not MISSING or member.default_factory is not MISSING
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        meta = next((note for note in notes if isinstance(note, Meta)), meta)
    if get_origin(hint) in {Union, types.UnionType}:
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    many = get_origin(hint) is tuple
    kind = get_args(hint)[0] if many else hint
    return Rule(name=member.name, kind=kind, many=many, required=not optional and kind is not bool, meta=meta)


async def read(request: AnyRequest, shape: type[T]) -> Bound[T]:
    """Bind the form of this request."""
    form = await request.form()
    return bind(shape, {name: form.getall(name) for name in form})


def blank(shape: type[T]) -> Bound[T]:
    """Return an empty form."""
    return Bound(shape=shape)


def filled(shape: type[T], values: Mapping[str, Any]) -> Bound[T]:
    """Return a form that shows values on record, for editing."""
    typed = {name: _shown(values[name]) for name in rules(shape) if values.get(name) is not None}
    return Bound(shape=shape, typed=typed)


def _shown(value: Any) -> tuple[str, ...]:
    if isinstance(value, (tuple, list, frozenset, set)):
        return tuple(text for item in value for text in _shown(item))
    if isinstance(value, bool):
        return ("yes",) if value else ()
    if isinstance(value, enum.Enum):
        return (str(value.value),)
    if isinstance(value, Decimal):
        return (wording.as_number(value).replace(" ", "") if abs(value) < 1000 else _ungrouped(value),)
    if isinstance(value, time):
        return (f"{value:%H:%M}",)
    return (wording.as_date(value),) if isinstance(value, date) else (str(value),)


def _ungrouped(value: Decimal) -> str:
    text = f"{value:f}"
    return text.replace(".", ",") if language.current() == "vi" else text


def bind(shape: type[T], sent: Mapping[str, Sequence[Any]]) -> Bound[T]:
    """Bind what was sent (each name with its values) to the dataclass."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, rule in rules(shape).items():
        given = [item for item in sent.get(name, ()) if isinstance(item, UploadFile) or str(item).strip()]
        try:
            _take(rule, given, values)
        except UnreadableError as error:
            errors[name] = str(error)
    typed = {name: tuple(str(v) for v in sent[name] if isinstance(v, str)) for name in rules(shape) if name in sent}
    key = str(next(iter(sent.get(KEY_FIELD, ())), ""))
    value = None if errors else shape(**values)
    return Bound(shape=shape, value=value, typed=typed, errors=errors, key=key)


def _take(rule: Rule, given: Sequence[Any], values: dict[str, Any]) -> None:
    if rule.kind is bool and not rule.many:
        values[rule.name] = bool(given)
        if rule.meta.extra and rule.meta.extra.get("must") and not given:
            raise UnreadableError(_("This must be ticked to go on"))
        return
    if not given:
        if rule.required:
            raise UnreadableError(_("Choose at least one") if rule.many else _("This is needed"))
        return
    items = [_checked(rule, _converted(rule.kind, item)) for item in (given if rule.many else given[-1:])]
    values[rule.name] = tuple(items) if rule.many else items[0]


def _converted(kind: Any, item: Any) -> Any:
    if isinstance(item, UploadFile):
        if kind is not UploadFile:
            raise UnreadableError(_("A file cannot be used here"))
        return item
    text = str(item)
    if kind in _READERS:
        return _READERS[kind](text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(kind, text)
    if get_origin(kind) is Literal:
        return _chosen(get_args(kind), text)
    raise TypeError(f"a form field cannot be of type {kind!r}")


def _member(kind: type[enum.Enum], text: str) -> enum.Enum:
    return next((member for member in kind if str(member.value) == text), None) or _refuse_choice()


def _chosen(options: Sequence[Any], text: str) -> Any:
    return next((option for option in options if str(option) == text), None) or _refuse_choice()


def _refuse_choice() -> Any:
    raise UnreadableError(_("Choose one of the answers offered"))


def _clean(text: str) -> str:
    plain = text.replace("\r\n", "\n").strip()
    if any(ord(sign) < 32 and sign not in "\n\t" for sign in plain):
        raise UnreadableError(_("This contains signs that cannot be stored"))
    return plain


_READERS: Mapping[Any, Any] = {
    str: _clean,
    int: form_values.read_whole,
    Decimal: form_values.read_number,
    date: form_values.read_date,
    time: form_values.read_time,
}


def _checked(rule: Rule, value: Any) -> Any:
    meta = rule.meta
    if isinstance(value, str):
        _check_text(meta, value)
    elif isinstance(value, (int, Decimal)):
        _check_size(meta, value)
    return value


def _check_text(meta: Meta, value: str) -> None:
    if meta.min_length is not None and len(value) < meta.min_length:
        raise UnreadableError(
            ngettext("Write at least %(num)s letter", "Write at least %(num)s letters", meta.min_length)
        )
    if meta.max_length is not None and len(value) > meta.max_length:
        raise UnreadableError(
            ngettext("Write at most %(num)s letter", "Write at most %(num)s letters", meta.max_length)
        )
    if meta.pattern is not None and not re.search(meta.pattern, value):
        raise UnreadableError(_("This is not written in the expected way"))


def _check_size(meta: Meta, value: float | Decimal) -> None:
    low, high = meta.ge, meta.le
    if (low is not None and value < low) or (high is not None and value > high):
        if low is not None and high is not None:
            raise UnreadableError(_("Must be from %(low)s to %(high)s", low=_number(low), high=_number(high)))
        if low is not None:
            raise UnreadableError(_("Must be at least %(limit)s", limit=_number(low)))
        raise UnreadableError(_("Must be at most %(limit)s", limit=_number(high)))
    if meta.gt is not None and value <= meta.gt:
        raise UnreadableError(_("Must be more than %(limit)s", limit=_number(meta.gt)))
    if meta.lt is not None and value >= meta.lt:
        raise UnreadableError(_("Must be less than %(limit)s", limit=_number(meta.lt)))


def _number(value: Any) -> str:
    return wording.as_number(Decimal(str(value)))

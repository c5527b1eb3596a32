"""Criteria for searches, drawn from the data themselves: each has a chance to match, its value bent a little."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from tests.properties import oracle
from tests.properties.oracle import AMOUNT_PREFIXES, PREFIXES, RULES


def wanted_values(rule: oracle.Rule, resources: list[dict[str, Any]]) -> list[Any]:
    return [v for r in resources for v in rule.values(r)]


@st.composite
def criteria(draw: Any, stock: dict[str, list[dict[str, Any]]], type_name: str) -> tuple[str, str]:
    """One criterion that has a chance to match: its value is taken from the data and bent a little."""
    code = draw(st.sampled_from(sorted(RULES[type_name])))
    rule = RULES[type_name][code]
    if draw(st.integers(0, 9)) == 0:
        return f"{code}:missing", draw(st.sampled_from(["true", "false"]))
    known = wanted_values(rule, stock[type_name])
    if not known:
        return f"{code}:missing", "true"
    values = [draw(st.sampled_from(known)) for _ in range(draw(st.integers(1, 2)))]
    modifier, texts = _bent(draw, rule.kind, values)
    return code + modifier, ",".join(texts)


def _bent(draw: Any, kind: str, values: list[Any]) -> tuple[str, list[str]]:
    if kind == "string":
        modifier = draw(st.sampled_from(["", "", ":contains", ":exact"]))
        return modifier, [_text(draw, str(v), modifier) for v in values]
    if kind in ("token", "identifier"):
        modifier = draw(st.sampled_from(["", "", ":not"]))
        return modifier, [draw(st.sampled_from(tokens(v, kind))) for v in values]
    if kind == "reference":
        return _references(draw, values)
    if kind == "uri":
        return "", [str(v) for v in values]
    if kind in ("date", "day"):
        return "", [draw(st.sampled_from(["", *PREFIXES])) + _moment(draw, v) for v in values]
    if kind == "near":
        return "", [_place(draw, v) for v in values]
    prefix = st.sampled_from(["", *AMOUNT_PREFIXES])
    if kind == "number":
        return "", [draw(prefix) + _digits(draw, _one(v)) for v in values]
    if kind == "money":
        return "", [draw(prefix) + _digits(draw, v["value"]) + draw(st.sampled_from(_currencies(v))) for v in values]
    return "", [draw(prefix) + measured(draw, v) for v in values]


def _place(draw: Any, value: dict[str, Any]) -> str:
    """A place near a known one, and kilometres; one of three decimals is within a metre of no two places' distance by chance."""
    latitude = min(90.0, max(-90.0, value["latitude"] + draw(st.sampled_from([0.0, 0.05, -0.3]))))
    distance = draw(st.sampled_from(["", "|0.517", "|12.3|km", "|3.217|km", "|1811.7"]))
    return f"{latitude}|{value['longitude']}{distance}"


def _text(draw: Any, value: str, modifier: str) -> str:
    clean = value.replace("\\", "").replace(",", " ").replace("|", " ").replace("$", " ")
    if modifier == ":exact":
        return clean or "x"
    start = draw(st.integers(0, max(0, len(clean) - 2))) if modifier else 0
    piece = clean[start : start + draw(st.integers(1, 14))]
    case = draw(st.sampled_from([str.upper, str.lower, oracle.folded, str]))
    return case(piece) if oracle.folded(piece) else "an"


def tokens(value: Any, kind: str) -> list[str]:
    texts = []
    for system, code in oracle._codings(value, kind):
        if code and "," not in code and "|" not in code:
            texts += [code] + ([code.upper()] if kind == "token" else [])
            if isinstance(value, dict):  # a bare code has the system it is bound to
                texts.append(f"{system or ''}|{code}")
        if system:
            texts.append(f"{system}|")
    return texts or ["none"]


def _references(draw: Any, values: list[dict[str, Any]]) -> tuple[str, list[str]]:
    texts = [str(v.get("reference", "Patient/none")) for v in values]
    if any("," in t or t.startswith(("#", "http", "urn")) or t.count("/") != 1 for t in texts):
        return "", ["Patient/none"]
    form = draw(st.sampled_from(["whole", "id", "typed"]))
    if form == "id":
        return "", [t.partition("/")[2] for t in texts]
    if form == "typed" and len({t.partition("/")[0] for t in texts}) == 1:
        return f":{texts[0].partition('/')[0]}", [t.partition("/")[2] for t in texts]
    return "", texts


def _moment(draw: Any, value: Any) -> str:
    text = draw(st.sampled_from(sorted(value.values()))) if isinstance(value, dict) else str(value)
    lengths = [n for n in (4, 7, 10) if n <= len(text)] + ([len(text)] if len(text) > 10 else [])
    return text[: draw(st.sampled_from(lengths))]


def _one(value: Any) -> Any:
    """A number of a range, or the number itself."""
    return next((end["value"] for end in value.values()), 1) if isinstance(value, dict) else value


def _digits(draw: Any, value: Any) -> str:
    text = str(value)
    shorter = [text, text + ("0" if "." in text else ".0")]
    if "e" in text.lower():
        return text
    if "." in text:
        shorter.append(text[:-1].rstrip("."))
    return str(draw(st.sampled_from(shorter))) or "0"


def measured(draw: Any, value: dict[str, Any]) -> str:
    """A number with a unit: none, the one stored, its words, or another of the same dimension with the number brought to it."""
    system, code = value.get("system", ""), value.get("code", "")
    here = oracle.scaled(code) if system == oracle.UCUM else None
    number, words = value.get("value", 1), str(value.get("unit", code)).partition(",")[0]
    units = [
        "",
        f"|{system}|{code}" if code else "",
        f"||{code or words}",
        f"||{words}" if words else "",
        "|urn:none|mg",
    ]
    if here is None or not draw(st.booleans()):
        return _digits(draw, number) + str(draw(st.sampled_from(units)))
    other = draw(st.sampled_from(_FELLOWS[here[0]]))
    return f"{_digits(draw, _converted(number, here[1], other))}|{draw(st.sampled_from([oracle.UCUM, '']))}|{other}"


#: units of each dimension
_FELLOWS: dict[str, list[str]] = {}
for _unit in (*oracle.UNITS, *oracle.DEGREES):
    _FELLOWS.setdefault(oracle.meaning(_unit)[0], []).append(_unit)


def _converted(number: Any, to_base: oracle.Scale, other: str) -> str:
    """The same amount in another unit, with at most eight decimals."""
    _, scale = oracle.meaning(other)
    zero, one = scale(Fraction(0)), scale(Fraction(1))
    exact = (to_base(Fraction(str(number))) - zero) / (one - zero)
    return f"{float(exact):.8f}".rstrip("0").rstrip(".")


def _currencies(value: dict[str, Any]) -> list[str]:
    code = value.get("currency", "VND")
    return ["", f"|{oracle.CURRENCY}|{code}", f"||{code}", "||XXX", f"|urn:none|{code}"]

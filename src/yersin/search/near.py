"""`near` of Location: places within a distance, as the crow flies. Source: https://hl7.org/fhir/R4/location.html#near"""

from __future__ import annotations

from math import isfinite

from .page import Criterion
from .where import Where, either, refuse_modifier, refuse_value

#: metres of the units that people use
_UNITS = {"km": 1000.0, "m": 1.0, "[mi_i]": 1609.344, "[mi_us]": 1609.347219, "[nmi_i]": 1852.0, "[ft_i]": 0.3048}
#: where none is given
DISTANCE = 10_000.0
_EARTH = 6_371_008.8
_DEGREE = 111_000.0  # metres of a degree of latitude, rounded down


def where(criterion: Criterion, clause: Where) -> None:
    """Add a criterion `latitude|longitude|distance|units`; 10 km and km where the last two are left out."""
    if criterion.modifier:
        raise refuse_modifier(criterion, ("missing",))
    conditions = [f"({_within(criterion, value, clause)})" for value in criterion.values]
    clause.in_ranges((criterion.parameter.number,), either(conditions))


def _within(criterion: Criterion, value: str, clause: Where) -> str:
    parts = [*value.replace("\\|", "|").split("|"), "", "", ""]
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
        distance = float(parts[2]) * _UNITS[parts[3] or "km"] if parts[2] else DISTANCE
    except (ValueError, KeyError):
        latitude = longitude = distance = float("nan")
    if not (isfinite(distance) and distance >= 0 and abs(latitude) <= 90 and abs(longitude) <= 180):
        text = f"write latitude|longitude|distance|units, in units of {', '.join(_UNITS)}."
        raise refuse_value(criterion, value, text)
    arg = clause.sql.arg
    band = distance / _DEGREE
    here = f"radians({arg(latitude, 'float8')})", f"radians({arg(longitude, 'float8')})"
    half = (
        f"sin((radians(x.lo) - {here[0]}) / 2) ^ 2 "
        f"+ cos(radians(x.lo)) * cos({here[0]}) * sin((radians(x.hi) - {here[1]}) / 2) ^ 2"
    )
    return (
        f"x.lo BETWEEN {arg(latitude - band, 'float8')} AND {arg(latitude + band, 'float8')} "
        f"AND {2 * _EARTH} * asin(sqrt(least(1, {half}))) <= {arg(distance, 'float8')}"
    )

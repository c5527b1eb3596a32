"""Quantities in UCUM units, brought to base units so that 7 mmol/L and 0.007 mol/L compare.

A unit means a factor over base units; an annotation counts as 1; Celsius and Fahrenheit shift as well. The mole is kept
as a base unit, and so are arbitrary units ([iU]), which convert to nothing else. Source: https://ucum.org/ucum
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

SYSTEM = "http://unitsofmeasure.org"
_FORMED = re.compile(r"""(?:[A-Za-z0-9().\/*^%'"_+\-\[\]]|\{[\x21-\x7a|~]*\})+\Z""").match

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_BASES = {
    "m", "s", "g", "K", "rad", "C", "cd", "mol", "[pH]", "[iU]", "[IU]", "[arb'U]", "[USP'U]", "[CFU]", "[PFU]",
    "[Amb'a'1'U]", "[knk'U]", "[ELU]", "[EU]", "[CCID_50]", "[TCID_50]", "[FFU]", "[GPL'U]", "[MPL'U]", "[APL'U]",
    "[bdsk'U]", "[dye'U]", "[hnsf'U]", "[hp_X]", "[mclg'U]", "[smgy'U]", "[tb'U]", "[todd'U]", "[BAU]", "[LPF]",
    "[HPF]", "bit", "[S]", "B",
}  # fmt: skip
_METRIC_BASES = {
    "m", "s", "g", "K", "rad", "C", "cd", "mol", "[iU]", "[IU]", "bit", "B",
}  # fmt: skip
# unit: (amount, in units above it or in base units); a leading "*" marks a metric one, which takes prefixes.
_DERIVED = {
    "10*": "10 1", "10^": "10 1", "[pi]": "3.1415926535897932384626433832795 1", "%": "0.01 1", "[ppth]": "0.001 1",
    "[ppm]": "1e-6 1", "[ppb]": "1e-9 1", "[pptr]": "1e-12 1", "*eq": "1 mol", "*osm": "1 mol", "*kat": "1 mol/s",
    "*U": "1e-6 mol/min", "*L": "0.001 m3", "*l": "0.001 m3", "*ar": "100 m2", "har": "1e4 m2", "st": "1 m3",
    "min": "60 s", "h": "3600 s", "d": "86400 s", "wk": "7 d", "a": "365.25 d", "a_j": "365.25 d",
    "a_g": "365.2425 d", "a_t": "365.24219 d", "mo": "30.4375 d", "mo_j": "30.4375 d", "mo_g": "30.436875 d",
    "mo_s": "29.53059 d", "*t": "1e6 g", "*u": "1.6605390666e-24 g", "*N": "1 kg.m/s2", "*Pa": "1 N/m2",
    "*J": "1 N.m", "*W": "1 J/s", "*A": "1 C/s", "*V": "1 J/C", "*F": "1 C/V", "*Ohm": "1 V/A", "*S": "1 A/V",
    "*Wb": "1 V.s", "*T": "1 Wb/m2", "*H": "1 Wb/A", "*Hz": "1 /s", "*Bq": "1 /s", "*Ci": "3.7e10 Bq",
    "*Gy": "1 J/kg", "*Sv": "1 J/kg", "*RAD": "0.01 J/kg", "*REM": "0.01 Sv", "*R": "2.58e-4 C/kg",
    "*lm": "1 cd.sr", "*lx": "1 lm/m2", "*sr": "1 rad2", "*bar": "1e5 Pa", "atm": "101325 Pa",
    "*m[Hg]": "133322 Pa", "*m[H2O]": "9806.65 Pa", "[psi]": "6894.757293168 Pa", "*cal": "4.184 J",
    "cal_[15]": "4.18580 J", "cal_[20]": "4.18190 J", "*cal_th": "4.184 J", "[Cal]": "4184 J",
    "*eV": "1.602176634e-19 J", "*dyn": "1e-5 N", "*erg": "1e-7 J", "*gf": "0.00980665 N",
    "[lbf_av]": "4.4482216152605 N", "*P": "0.1 Pa.s", "*St": "1e-4 m2/s", "*Lmb": "3183.098861837907 cd/m2",
    "[diop]": "1 /m", "*Np": "1 1", "deg": "0.017453292519943295769 rad", "'": "0.00029088820866572159615 rad",
    "''": "4.8481368110953599359e-6 rad", "gon": "0.015707963267948966192 rad", "[g]": "9.80665 m/s2",
    "[c]": "299792458 m/s", "[in_i]": "0.0254 m", "[ft_i]": "0.3048 m", "[yd_i]": "0.9144 m",
    "[mi_i]": "1609.344 m", "[nmi_i]": "1852 m", "[in_us]": "0.025400050800101600 m",
    "[ft_us]": "0.30480060960121920 m", "[sin_i]": "0.00064516 m2", "[sft_i]": "0.09290304 m2",
    "[cin_i]": "1.6387064e-5 m3", "[cft_i]": "0.028316846592 m3", "[kn_i]": "1852 m/h", "[gr]": "0.06479891 g",
    "[lb_av]": "453.59237 g", "[oz_av]": "28.349523125 g", "[dr_av]": "1.7718451953125 g",
    "[ston_av]": "907184.74 g", "[stone_av]": "6350.29318 g", "[lb_tr]": "373.2417216 g", "[oz_tr]": "31.1034768 g",
    "[lb_ap]": "373.2417216 g", "[oz_ap]": "31.1034768 g", "[car_m]": "0.2 g", "[gal_us]": "3.785411784e-3 m3",
    "[qt_us]": "9.46352946e-4 m3", "[pt_us]": "4.73176473e-4 m3", "[cup_us]": "2.365882365e-4 m3",
    "[cup_m]": "0.00024 m3", "[foz_us]": "2.95735295625e-5 m3", "[foz_m]": "3e-5 m3",
    "[tbs_us]": "1.478676478125e-5 m3", "[tbs_m]": "1.5e-5 m3", "[tsp_us]": "4.92892159375e-6 m3",
    "[tsp_m]": "5e-6 m3", "[gal_br]": "4.54609e-3 m3", "[foz_br]": "2.84130625e-5 m3", "[drp]": "5e-8 m3",
    "[degRe]": "1.25 K", "[Ch]": "0.00033333333333333333333 m", "[hd_i]": "0.1016 m", "Ao": "1e-10 m",
    "[in_i'Hg]": "3386.3788 Pa", "[in_i'H2O]": "249.088910 Pa", "m[H2O]": "9806.65 Pa",
    "[wood'U]": "7999320 Pa.s/m3", "[PRU]": "133322000 Pa.s/m3", "[MET]": "5.8333333333333333333e-8 m3/g/s",
    "*g%": "10000 g/m3", "[p'diop]": "0.01 rad", "*By": "8 bit", "*Bd": "1 /s", "B[V]": "1 V",
}  # fmt: skip
_SHIFTED = {"Cel": (Decimal(1), Decimal("273.15")), "[degF]": (Decimal(5) / 9, Decimal("459.67") * 5 / 9)}
_ATOM = re.compile(r"(10[*^]|(?:\[[^\]]*\]|[^\s/.(){}\[\]\d+-])+)([+-]?\d+)?|(\d+)")
_ANNOTATION = re.compile(r"\{[^}]*\}")
#: metric units that end in a bracket: they take one prefix, and no other unit ends as they do
_ENDS = tuple(name for name in (*_METRIC_BASES, *(each[1:] for each in _DERIVED if each[0] == "*")) if name[-1] == "]")
_PARTS = re.compile(r"[./()]").split
_DEPTH = 12
_LENGTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a unit means: value * factor + offset, in `base`, whose text is the same for all units of one dimension."""

    factor: Decimal
    base: str
    offset: Decimal = Decimal(0)

    def canonical(self, value: Decimal) -> Decimal:
        """Bring a value to base units."""
        return value * self.factor + self.offset


class _Unknown(Exception):  # noqa: N818 - it stays in this file
    """A unit the table lacks, or text that is no unit."""


Meaning = tuple[Decimal, dict[str, int]]


@lru_cache(maxsize=4096)
def flaw(text: str) -> str:
    """Tell why a text is surely no unit of UCUM; empty where it is one, or may be one that the table lacks."""
    if not _FORMED(text):
        return "has characters that no unit of UCUM has"
    for part in _PARTS(_ANNOTATION.sub("", text)) if "]" in text else ():
        name = part.rstrip("+-0123456789")
        for end in _ENDS:
            before = name.removesuffix(end)
            if before != name and before.isalpha() and before not in _PREFIXES and before not in _BINARY:
                return f"has {before} before {end}; UCUM knows no such prefix"
    return ""


def unit(text: str) -> Unit | None:
    """Read a UCUM unit; None when it is not UCUM or not in the table: such a quantity is compared as it stands."""
    shifted = _SHIFTED.get(_ANNOTATION.sub("", text))
    if shifted:
        return Unit(factor=shifted[0], offset=shifted[1], base="K")
    try:
        factor, powers = _Reader(text).whole()
    except (_Unknown, ArithmeticError):
        return None
    return Unit(
        factor=factor, base=".".join(f"{n}{p if p != 1 else ''}" for n, p in sorted(powers.items()) if p) or "1"
    )


def _times(left: Meaning, right: Meaning, sign: int) -> Meaning:
    powers = dict(left[1])
    for name, power in right[1].items():
        powers[name] = powers.get(name, 0) + sign * power
    return (left[0] * right[0] if sign > 0 else left[0] / right[0]), powers


class _Reader:
    """Reads `term := ['/'] component (('/' | '.') component)*` from left to right."""

    def __init__(self, text: str) -> None:
        self.text = _ANNOTATION.sub("", text)
        self.annotated = self.text != text
        self.at = 0
        self.depth = 0
        if len(text) > _LENGTH or (not self.text and not self.annotated):
            raise _Unknown(text)

    def whole(self) -> Meaning:
        found = self.term()
        if self.at != len(self.text):
            raise _Unknown(self.text)
        return found

    def term(self) -> Meaning:
        found: Meaning = (Decimal(1), {})
        sign = 1
        if self.text[self.at : self.at + 1] == "/":
            sign, self.at = -1, self.at + 1
        while True:
            found = _times(found, self.component(), sign)
            operator = self.text[self.at : self.at + 1]
            if operator not in {"/", "."}:
                return found
            sign, self.at = (-1 if operator == "/" else 1), self.at + 1

    def component(self) -> Meaning:
        if self.text[self.at : self.at + 1] == "(":
            return self.bracketed()
        match = _ATOM.match(self.text, self.at)
        if match is None:
            if self.annotated:
                return Decimal(1), {}
            raise _Unknown(self.text)
        self.at = match.end()
        name, power, number = match.groups()
        if number:
            return Decimal(number), {}
        factor, powers = _symbol(name)
        times = int(power or 1)
        if abs(times) > _DEPTH * 2:
            raise _Unknown(self.text)
        return factor**times, {n: p * times for n, p in powers.items()}

    def bracketed(self) -> Meaning:
        self.depth += 1
        if self.depth > _DEPTH:
            raise _Unknown(self.text)
        self.at += 1
        found = self.term()
        if self.text[self.at : self.at + 1] != ")":
            raise _Unknown(self.text)
        self.at += 1
        return found


@lru_cache(maxsize=1024)
def _symbol(name: str) -> Meaning:
    """Give a unit symbol's meaning, with its prefix if it has one."""
    if (found := _atom(name, prefixed=False)) is not None:
        return found
    for length in (1, 2):
        prefix, rest = name[:length], name[length:]
        scale = Decimal(10) ** _PREFIXES[prefix] if prefix in _PREFIXES else Decimal(_BINARY.get(prefix, 0))
        if scale and rest and (found := _atom(rest, prefixed=True)) is not None:
            return scale * found[0], found[1]
    raise _Unknown(name)


def _atom(name: str, *, prefixed: bool) -> Meaning | None:
    if name in (_METRIC_BASES if prefixed else _BASES):
        return Decimal(1), {"[iU]" if name == "[IU]" else name: 1}
    definition = _DERIVED.get("*" + name) or (None if prefixed else _DERIVED.get(name))
    if definition is None:
        return None
    amount, _, of = definition.partition(" ")
    factor, powers = _Reader(of).whole()
    return Decimal(amount) * factor, powers

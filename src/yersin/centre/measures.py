"""Indicators as Measures: what programs read of a figure's definition. They are stored like any other resource.

Vietnamese is the language of a Measure; English stands beside it as a translation.
Sources: https://hl7.org/fhir/R4/measure.html, https://hl7.org/fhir/R4/extension-translation.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from yersin.fhir import encode, r4
from yersin.guard.access import Access, Ground
from yersin.guard.who import system
from yersin.guard.writing import Update, Writing
from yersin.search.page import Query
from yersin.store.versions import Version
from yersin.views.indicators import Indicator, Words

from .indicators import INDICATORS

URL = "urn:yersin:measure:"
VERSION = "1"
#: a named query of this room, and which column of its answer is counted
_QUERY = "urn:yersin:query:centre:"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
POPULATION = f"{_TERMINOLOGY}measure-population"
STRATIFIER = "urn:yersin:code-system:figure-stratifier"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_COUNTRY = r4.CodeableConcept(coding=[r4.Coding(system="urn:iso:std:iso:3166", code="VN", display="Việt Nam")])
_HIDDEN = Words(
    "Số người từ 1 đến 4 không hiển thị (data-absent-reason: masked), và thêm một số nữa nếu tổng làm lộ số đó.",
    "Counts of people from 1 to 4 are hidden (data-absent-reason: masked), and one more where the total would give one away.",
)

STRATIFIERS: Mapping[str, Words] = {
    "day": Words("Ngày", "Day"),
    "province": Words("Tỉnh, thành phố của cơ sở hỏi", "Province of the asking facility"),
    "facility": Words("Cơ sở hỏi", "Asking facility"),
    "answering-facility": Words("Cơ sở trả lời", "Answering facility"),
    "specialty": Words("Chuyên khoa", "Specialty"),
    "urgency": Words("Mức khẩn", "Urgency"),
    "residence": Words("Tỉnh, thành phố", "Province"),
    "age": Words("Nhóm tuổi", "Age group"),
    "sex": Words("Giới", "Sex"),
}
_ALL = ("day", "province", "facility", "answering-facility", "specialty", "urgency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a Measure says beyond the words of its indicator. `counted` names for each population the column counted."""

    scoring: str
    counted: Mapping[str, str]
    better: str = ""
    subject: str = "ServiceRequest"
    stratifiers: tuple[str, ...] = ()
    #: stratifiers that stand together in one table
    components: tuple[str, ...] = ()
    #: what a report may be narrowed to
    narrowed_to: tuple[str, ...] = ("Location", "Organization")


SHAPES: Mapping[str, Shape] = {
    "asked": Shape(scoring="cohort", counted={"initial-population": "cuts.asked"}, stratifiers=_ALL),
    "answered": Shape(
        scoring="proportion",
        counted={"initial-population": "cuts.asked", "denominator": "cuts.asked", "numerator": "cuts.answered"},
        better="increase",
        stratifiers=_ALL,
    ),
    "median": Shape(
        scoring="continuous-variable",
        counted={
            "initial-population": "cuts.asked",
            "measure-population": "cuts.answered",
            "measure-observation": "cuts.median",
        },
        better="decrease",
        stratifiers=_ALL,
    ),
    "slow": Shape(
        scoring="continuous-variable",
        counted={
            "initial-population": "cuts.asked",
            "measure-population": "cuts.answered",
            "measure-observation": "cuts.slow",
        },
        better="decrease",
        stratifiers=_ALL,
    ),
    "facilities": Shape(
        scoring="ratio",
        counted={"denominator": "connected.count", "numerator": "cuts.facilities"},
        better="increase",
        subject="Organization",
        stratifiers=("province",),
        narrowed_to=("Location",),
    ),
    "records": Shape(
        scoring="ratio",
        counted={"initial-population": "records.registered", "denominator": "population", "numerator": "records.held"},
        better="increase",
        subject="Patient",
        stratifiers=("residence",),
        narrowed_to=("Location",),
    ),
    "people": Shape(scoring="cohort", counted={"initial-population": "cuts.asked"}, components=("age", "sex")),
}

#: what each column counts, in words
_COLUMNS: Mapping[str, Words] = {
    **{f"cuts.{code}": INDICATORS[code].numerator for code in ("asked", "answered", "median", "slow", "facilities")},
    "connected.count": INDICATORS["facilities"].denominator or INDICATORS["facilities"].numerator,
    "records.held": INDICATORS["records"].numerator,
    "records.registered": Words("Người đang sống đã đăng ký (Patient).", "Living registered people (Patient)."),
    "population": Words(
        "Dân số của tỉnh theo nguồn ghi trong báo cáo; không cộng các tỉnh vì hai nguồn đo khác nhau.",
        "Population of the province by the source named in the report; provinces are not added up, for two measures differ.",
    ),
}


@asynccontextmanager
async def living(_kept: dict[str, Any], ground: Ground, _folder: Path) -> AsyncIterator[None]:
    """Store the Measures when a process starts."""
    await put(ground.access(system("HSYSADMIN")))
    yield


async def put(access: Access) -> int:
    """Write the Measures that are not stored as they are defined here; returns how many were written."""
    return await access.atomically(_put)


async def _put(writing: Writing) -> int:
    made = [measure(indicator) for indicator in INDICATORS.values()]
    stored = await writing.find(Query.of("Measure", [("url", ",".join(str(each.url) for each in made))]))
    told = {version.id: _content(version) for version in stored}
    changed = [each for each in made if told.get(str(each.id)) != msgspec.json.decode(encode(each))]
    if changed:
        await writing.write([Update(resource=each) for each in changed])
    return len(changed)


def _content(version: Version) -> dict[str, Any]:
    """What a stored Measure says, without what the server adds."""
    content: dict[str, Any] = msgspec.json.decode(version.json())
    return {name: value for name, value in content.items() if name != "meta"}


def measure(indicator: Indicator) -> r4.Measure:
    """Make the Measure of an indicator."""
    shape = SHAPES[indicator.id]
    described = _described(indicator)
    return r4.Measure(
        id=indicator.id,
        language="vi",
        url=f"{URL}{indicator.id}",
        version=VERSION,
        name=indicator.id.capitalize(),
        title=indicator.name.vi,
        title_ext=_english(indicator.name),
        status="active",
        subjectCodeableConcept=_concept("http://hl7.org/fhir/resource-types", shape.subject),
        publisher=indicator.owner.vi,
        publisher_ext=_english(indicator.owner),
        description=described.vi,
        description_ext=_english(described),
        jurisdiction=[_COUNTRY],
        usage=f"Tính từ các khung nhìn (views): {', '.join(indicator.views)}",
        effectivePeriod=_effective(indicator),
        relatedArtifact=[r4.RelatedArtifact(type="justification", display=indicator.basis.vi, display_ext=_english(indicator.basis))],
        scoring=_concept(f"{_TERMINOLOGY}measure-scoring", shape.scoring),
        improvementNotation=improvement(indicator),
        guidance=_HIDDEN.vi if indicator.suppressed else None,
        guidance_ext=_english(_HIDDEN) if indicator.suppressed else None,
        group=[_group(shape)],
    )  # fmt: skip


def canonical(indicator: Indicator) -> str:
    """Canonical address of the Measure, with its version."""
    return f"{URL}{indicator.id}|{VERSION}"


def improvement(indicator: Indicator) -> r4.CodeableConcept | None:
    """Whether more or less of it is better; None where neither is."""
    better = SHAPES[indicator.id].better
    return _concept(f"{_TERMINOLOGY}measure-improvement-notation", better) if better else None


def stratifier(code: str) -> r4.CodeableConcept:
    """What a table is cut by."""
    return r4.CodeableConcept(coding=[r4.Coding(system=STRATIFIER, code=code)], text=STRATIFIERS[code].vi)


def population(code: str) -> r4.CodeableConcept:
    """A population of a group."""
    return _concept(POPULATION, code)


def _concept(system_: str, code: str) -> r4.CodeableConcept:
    return r4.CodeableConcept(coding=[r4.Coding(system=system_, code=code)])


def _english(words: Words) -> r4.Element:
    parts = [r4.Extension(url="lang", valueCode="en"), r4.Extension(url="content", valueString=words.en)]
    return r4.Element(extension=[r4.Extension(url=_TRANSLATION, extension=parts)])


def _described(indicator: Indicator) -> Words:
    against, unit = indicator.denominator, indicator.unit
    vi = f"{indicator.numerator.vi}\n\nĐơn vị: {unit.vi}."
    en = f"{indicator.numerator.en}\n\nUnit: {unit.en}."
    return Words(f"{vi}\n\nSo với: {against.vi}", f"{en}\n\nAgainst: {against.en}") if against else Words(vi, en)


def _effective(indicator: Indicator) -> r4.Period:
    end = indicator.valid_to.isoformat() if indicator.valid_to else None
    return r4.Period(start=indicator.valid_from.isoformat(), end=end)


def _group(shape: Shape) -> r4.MeasureGroup:
    counted = [
        r4.MeasureGroupPopulation(code=population(code), criteria=_criteria(column, _COLUMNS[column]))
        for code, column in shape.counted.items()
    ]
    cut = [_stratifier(code) for code in shape.stratifiers]
    if shape.components:
        cut.append(r4.MeasureGroupStratifier(component=[_component(code) for code in shape.components]))
    return r4.MeasureGroup(population=counted, stratifier=cut)


def _stratifier(code: str) -> r4.MeasureGroupStratifier:
    words = STRATIFIERS[code]
    return r4.MeasureGroupStratifier(code=stratifier(code), description=words.vi, description_ext=_english(words))


def _component(code: str) -> r4.MeasureGroupStratifierComponent:
    criteria = _criteria(f"cuts.{code}", STRATIFIERS[code])
    return r4.MeasureGroupStratifierComponent(code=stratifier(code), criteria=criteria)


def _criteria(column: str, words: Words) -> r4.Expression:
    query, _, name = column.partition(".")
    return r4.Expression(
        description=words.vi,
        description_ext=_english(words),
        name=name or query,
        language="application/sql",
        reference=f"{_QUERY}{query}",
    )

"""Laboratory panels: values that fit the diseases, limits by sex, one DiagnosticReport a panel."""

from __future__ import annotations

from math import exp

from yersin.app.demo.chance import clamp
from yersin.app.demo.chart import Chart, Measure, Visit
from yersin.app.demo.codes import JSON, LOINC, concept
from yersin.app.demo.people import Person

LAB = ("LAB", "Laboratory")
GLUCOSE = Measure(
    "14771-0",
    "Fasting glucose [Moles/volume] in Serum or Plasma",
    "Glucose máu lúc đói",
    "mmol/L",
    (3.9, 6.4, 3.9, 6.4),
    1,
)
HBA1C = Measure("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "HbA1c", "%", (4.0, 6.0, 4.0, 6.0), 1)
CREATININE = Measure(
    "14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "Creatinin", "µmol/L|umol/L", (44, 80, 62, 106)
)
EGFR = Measure(
    "98979-8",
    "Glomerular filtration rate/1.73 sq M.predicted by CKD-EPI 2021",
    "Mức lọc cầu thận (eGFR)",
    "mL/min/1,73m²|mL/min/{1.73_m2}",
    (60, None, 60, None),
)
UREA = Measure("22664-7", "Urea [Moles/volume] in Serum or Plasma", "Ure", "mmol/L", (2.5, 7.5, 2.5, 7.5), 1)
POTASSIUM = Measure("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "Kali", "mmol/L", (3.5, 5.0, 3.5, 5.0), 1)
CHOLESTEROL = Measure(
    "14647-2",
    "Cholesterol [Moles/volume] in Serum or Plasma",
    "Cholesterol toàn phần",
    "mmol/L",
    (None, 5.2, None, 5.2),
    1,
)
TRIGLYCERIDE = Measure(
    "14927-8", "Triglyceride [Moles/volume] in Serum or Plasma", "Triglycerid", "mmol/L", (None, 1.7, None, 1.7), 1
)
HDL = Measure(
    "14646-4",
    "Cholesterol in HDL [Moles/volume] in Serum or Plasma",
    "HDL-cholesterol",
    "mmol/L",
    (1.3, None, 1.0, None),
    1,
)
LDL = Measure(
    "22748-8",
    "Cholesterol in LDL [Moles/volume] in Serum or Plasma",
    "LDL-cholesterol",
    "mmol/L",
    (None, 3.4, None, 3.4),
    1,
)
HAEMOGLOBIN = Measure("718-7", "Hemoglobin [Mass/volume] in Blood", "Huyết sắc tố", "g/L", (120, 155, 135, 170))
WHITE = Measure(
    "6690-2", "Leukocytes [#/volume] in Blood by Automated count", "Bạch cầu", "G/L|10*9/L", (4.0, 10.0, 4.0, 10.0), 1
)
PLATELETS = Measure(
    "777-3", "Platelets [#/volume] in Blood by Automated count", "Tiểu cầu", "G/L|10*9/L", (150, 400, 150, 400)
)
HAEMATOCRIT = Measure(
    "4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "Hematocrit", "%", (36, 46, 40, 52)
)
CRP = Measure("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "CRP", "mg/L", (None, 5, None, 5), 1)
ALT = Measure(
    "1742-6",
    "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
    "ALT (GPT)",
    "U/L",
    (None, 35, None, 45),
)
URIC = Measure("14933-6", "Urate [Moles/volume] in Serum or Plasma", "Acid uric", "µmol/L|umol/L", (150, 360, 200, 420))
NS1 = Measure("75377-2", "Dengue virus NS1 Ag [Presence] in Serum or Plasma by Immunoassay", "Dengue NS1 Ag", "")
HBSAG = Measure("5195-3", "Hepatitis B virus surface Ag [Presence] in Serum", "HBsAg", "")
PROTEINURIA = Measure("20454-5", "Protein [Presence] in Urine by Test strip", "Protein niệu", "")

COUNT_PANEL = concept(LOINC, "58410-2", "CBC panel - Blood by Automated count", "Tổng phân tích tế bào máu")
LIPID_PANEL = concept(LOINC, "24331-1", "Lipid 1996 panel - Serum or Plasma", "Bộ mỡ máu")
KIDNEY_PANEL = concept(LOINC, "24362-6", "Renal function 2000 panel - Serum or Plasma", "Chức năng thận")
SUGAR_PANEL = concept(LOINC, "55399-0", "Diabetes tracking panel", "Theo dõi đường huyết")


def filtration(person: Person, years: int, creatinine: float) -> float:
    """Estimate the glomerular filtration rate: CKD-EPI 2021, creatinine in µmol/L. https://doi.org/10.1056/NEJMoa2102953"""
    female = person.sex == "female"
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = creatinine / 88.4 / kappa
    rate = 142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**years * (1.012 if female else 1)
    return clamp(rate, 8, 125)


def kidney(chart: Chart, visit: Visit, *, worse: float = 0) -> None:
    """Creatinine, eGFR, urea and potassium; `worse` 1 is moderate kidney disease."""
    rng, person = chart.rng, chart.person
    years = person.age(visit.day)
    normal = 62 if person.sex == "female" else 80
    creatinine = (normal + max(0, years - 40) * 0.22) * exp(0.55 * worse) * rng.uniform(0.93, 1.07)
    results = [
        chart.test(visit, CREATININE, creatinine),
        chart.test(visit, EGFR, filtration(person, years, creatinine)),
        chart.test(visit, UREA, 5.0 * exp(0.5 * worse) * rng.uniform(0.85, 1.15)),
        chart.test(visit, POTASSIUM, 4.2 + 0.25 * worse + rng.gauss(0, 0.2)),
    ]
    chart.report(visit, KIDNEY_PANEL, LAB, results)


def lipids(chart: Chart, visit: Visit, *, raised: float = 0) -> None:
    """Cholesterol and triglyceride."""
    rng = chart.rng
    ldl = clamp(2.9 + 0.9 * raised + rng.gauss(0, 0.35), 1.2, 7)
    hdl = clamp((1.4 if chart.person.sex == "female" else 1.2) - 0.15 * raised + rng.gauss(0, 0.12), 0.6, 2.4)
    fat = clamp(1.4 + 0.9 * raised + rng.gauss(0, 0.35), 0.5, 8)
    values = ((CHOLESTEROL, ldl + hdl + fat * 0.45), (TRIGLYCERIDE, fat), (HDL, hdl), (LDL, ldl))
    chart.report(visit, LIPID_PANEL, LAB, [chart.test(visit, measure, value) for measure, value in values])


def sugar(chart: Chart, visit: Visit, haemoglobin: float | None = None) -> None:
    """Fasting glucose, with HbA1c where it is given: the glucose then follows from it."""
    rng = chart.rng
    if haemoglobin is None:
        chart.test(visit, GLUCOSE, clamp(5.2 + rng.gauss(0, 0.4), 4.1, 6.6))
        return
    fasting = clamp((1.59 * haemoglobin - 2.59) * 0.9 + rng.gauss(0, 0.5), 4.2, 22)
    results = [chart.test(visit, GLUCOSE, fasting), chart.test(visit, HBA1C, haemoglobin)]
    chart.report(visit, SUGAR_PANEL, LAB, results)


def count(chart: Chart, visit: Visit, *, white: float = 7, platelets: float = 250, anaemia: float = 0) -> list[JSON]:
    """Blood count."""
    rng = chart.rng
    adult = chart.person.age(visit.day) > 14
    haemoglobin = (150 if chart.person.sex == "male" and adult else 131) * (1 - anaemia) + rng.gauss(0, 4)
    values = (
        (WHITE, clamp(white + rng.gauss(0, 0.9), 1.5, 28)), (HAEMOGLOBIN, haemoglobin),
        (HAEMATOCRIT, haemoglobin * 0.3 + rng.gauss(0, 0.7)), (PLATELETS, clamp(platelets + rng.gauss(0, 22), 14, 620)),
    )  # fmt: skip
    results = [chart.test(visit, measure, value) for measure, value in values]
    return [*results, chart.report(visit, COUNT_PANEL, LAB, results)]

"""Invented records in the shapes that systems abroad send (US Core, IPS, Blue Button): what a dictionary learns besides our own.

Codes are a few of the commonest of each system; people, places and amounts are chance.
Sources: https://hl7.org/fhir/us/core, https://hl7.org/fhir/uv/ips, https://bluebutton.cms.gov
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

JSON = dict[str, Any]
TERMS = "http://terminology.hl7.org/CodeSystem/"
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
RXNORM, CVX = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/cvx"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
BLUE_BUTTON = "https://bluebutton.cms.gov/resources/"

VITALS = (
    ("8302-2", "Body Height", "cm"),
    ("29463-7", "Body Weight", "kg"),
    ("39156-5", "Body Mass Index", "kg/m2"),
    ("8867-4", "Heart rate", "/min"),
    ("9279-1", "Respiratory rate", "/min"),
    ("8310-5", "Body temperature", "Cel"),
    ("2708-6", "Oxygen saturation in Arterial blood", "%"),
    ("9843-4", "Head Occipital-frontal circumference", "cm"),
    ("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported", "{score}"),
)
LABS = (
    ("2339-0", "Glucose", "mg/dL"),
    ("2345-7", "Glucose", "mg/dL"),
    ("38483-4", "Creatinine", "mg/dL"),
    ("6299-2", "Urea Nitrogen", "mg/dL"),
    ("49765-1", "Calcium", "mg/dL"),
    ("2947-0", "Sodium", "mmol/L"),
    ("6298-4", "Potassium", "mmol/L"),
    ("2069-3", "Chloride", "mmol/L"),
    ("20565-8", "Carbon Dioxide", "mmol/L"),
    ("2093-3", "Total Cholesterol", "mg/dL"),
    ("2571-8", "Triglycerides", "mg/dL"),
    ("2085-9", "High Density Lipoprotein Cholesterol", "mg/dL"),
    ("18262-6", "Low Density Lipoprotein Cholesterol", "mg/dL"),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%"),
    ("33914-3", "Estimated Glomerular Filtration Rate", "mL/min/{1.73_m2}"),
    ("1920-8", "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "U/L"),
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "U/L"),
    ("1751-7", "Albumin [Mass/volume] in Serum or Plasma", "g/dL"),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL"),
    ("789-8", "Erythrocytes [#/volume] in Blood by Automated count", "10*6/uL"),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
    ("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "%"),
    ("787-2", "MCV [Entitic volume] by Automated count", "fL"),
    ("785-6", "MCH [Entitic mass] by Automated count", "pg"),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL"),
    ("14959-1", "Microalbumin Creatinine Ratio", "mg/g"),
)
PANELS = (
    ("51990-0", "Basic Metabolic Panel"),
    ("57698-3", "Lipid Panel"),
    ("58410-2", "Complete blood count (hemogram) panel - Blood by Automated count"),
    ("24323-8", "Comprehensive metabolic panel"),
)
ANSWERS = (
    ("72166-2", "Tobacco smoking status NHIS", "266919005", "Never smoker"),
    ("72166-2", "Tobacco smoking status NHIS", "8517006", "Former smoker"),
    ("63513-6", "Are you covered by health insurance or some other kind of health care plan", "LA33-6", "Yes"),
)
VACCINES = (
    ("140", "Influenza, seasonal, injectable, preservative free"),
    ("08", "Hep B, adolescent or pediatric"),
    ("20", "DTaP"),
    ("10", "IPV"),
    ("133", "Pneumococcal conjugate PCV 13"),
    ("03", "MMR"),
    ("21", "varicella"),
    ("113", "Td (adult) preservative free"),
    ("62", "HPV, quadrivalent"),
    ("114", "meningococcal MCV4P"),
    ("115", "Tdap"),
    ("119", "rotavirus, monovalent"),
    ("121", "zoster"),
    ("49", "Hib (PRP-OMP)"),
)
DRUGS = (
    ("860975", "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet"),
    ("314076", "Lisinopril 10 MG Oral Tablet"),
    ("310798", "Hydrochlorothiazide 25 MG Oral Tablet"),
    ("197361", "Amlodipine 5 MG Oral Tablet"),
    ("314231", "Simvastatin 10 MG Oral Tablet"),
    ("313782", "Acetaminophen 325 MG Oral Tablet"),
    ("310965", "Ibuprofen 200 MG Oral Tablet"),
    ("308182", "Amoxicillin 250 MG Oral Capsule"),
    ("834060", "Penicillin V Potassium 250 MG Oral Tablet"),
    ("849574", "Naproxen sodium 220 MG Oral Tablet"),
)
#: things as notes call them; SNOMED's own words are under its licence, so that codes go with plain ones
PROBLEMS = (
    ("59621000", "Hypertension"),
    ("44054006", "Diabetes"),
    ("195662009", "Viral pharyngitis"),
    ("444814009", "Viral sinusitis"),
    ("10509002", "Acute bronchitis"),
    ("15777000", "Prediabetes"),
    ("55822004", "Hyperlipidemia"),
    ("271737000", "Anemia"),
    ("72892002", "Normal pregnancy"),
    ("162864005", "Body mass index 30+ - obesity"),
    ("65363002", "Otitis media"),
    ("40055000", "Chronic sinusitis"),
    ("53741008", "Coronary Heart Disease"),
)
PROCEDURES = (
    ("430193006", "Medication Reconciliation"),
    ("76601001", "Intramuscular injection"),
    ("117015009", "Throat culture"),
    ("399208008", "Chest X-ray"),
    ("269911007", "Sputum examination"),
    ("23426006", "Measurement of respiratory function"),
    ("252160004", "Standard pregnancy test"),
    ("73761001", "Colonoscopy"),
)
VISITS = (
    ("AMB", "185349003", "Encounter for check up"),
    ("AMB", "185345009", "Encounter for symptom"),
    ("AMB", "162673000", "General examination of patient"),
    ("AMB", "410620009", "Well child visit"),
    ("AMB", "390906007", "Follow-up encounter"),
    ("EMER", "50849002", "Emergency room admission"),
    ("IMP", "183452005", "Encounter Inpatient"),
    ("AMB", "185347001", "Encounter for problem"),
    ("AMB", "424441002", "Prenatal initial visit"),
)
#: classes of charges that claims name, by their number
CHARGES = (
    ("2", "Blue Cross/Blue Shield"),
    ("12", "Home"),
    ("19", "Off campus-Outpatient Hospital"),
    ("20", "Urgent care facility"),
    ("21", "Inpatient Hospital"),
)
VARIABLES = (
    "line_bene_ptb_ddctbl_amt",
    "line_coinsrnc_amt",
    "line_prvdr_pmt_amt",
    "line_sbmtd_chrg_amt",
    "line_alowd_chrg_amt",
    "line_prcsg_ind_cd",
)
WORDS = ("primary", "secondary", "hospital", "clinic", "medical", "center", "general", "health", "group", "practice")


class Records:
    """Makes records by one source of chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same every time
        self.patient = self.visit = ""
        self.moment = datetime(2019, 1, 1, tzinfo=UTC)

    def __call__(self, count: int) -> Iterator[JSON]:
        """Yield charts of invented people until about so many resources are made."""
        made = 0
        while made < count:
            self.patient = self.reference("Patient")
            for one in (self.person(), *self.chart()):
                made += 1
                yield one

    def chart(self) -> Iterator[JSON]:
        """Yield what visits leave behind."""
        for _ in range(6):
            self.moment = datetime(1980, 1, 1, tzinfo=UTC) + timedelta(seconds=self.random.randrange(1_300_000_000))
            self.visit = self.reference("Encounter")
            yield self.encounter()
            yield from (self.measured(*one, "vital-signs") for one in self.random.sample(VITALS, 4))
            yield self.pressure()
            yield from (self.measured(*one, "laboratory") for one in self.random.sample(LABS, 7))
            yield from (self.answered(), self.report(), self.condition(), self.procedure(), self.immunization())
            yield from (self.prescription(), self.claim(), self.benefit(), self.immunization(), self.claim())
            yield from (
                self.plan(),
                self.goal(),
                self.team(),
                self.allergy(),
                self.imaging(),
                self.document(),
                self.device(),
            )

    def reference(self, kind: str) -> str:
        """Make a reference to something new."""
        return f"{kind}/{UUID(int=self.random.getrandbits(128))}"

    def at(self, hours: int = 0) -> str:
        """Give the moment of the visit, some hours later."""
        return (self.moment + timedelta(hours=hours)).isoformat()

    def money(self) -> JSON:
        """Make an amount."""
        return {"value": self.random.randrange(500, 99_999) / 100, "currency": "USD"}

    def made(self, kind: str, **elements: Any) -> JSON:
        """Make a resource; half of them name their profile."""
        meta = {"meta": {"profile": [f"{US_CORE}us-core-{kind.lower()}"]}} if self.random.random() < 0.5 else {}
        return {"resourceType": kind, **meta, **{name.rstrip("_"): value for name, value in elements.items()}}

    def ref(self, kind: str, name: str = "") -> JSON:
        """Refer to something new, or to the patient or visit there is."""
        known = {"Patient": self.patient, "Encounter": self.visit}
        return {"reference": known.get(kind) or self.reference(kind), **({"display": name} if name else {})}

    def name(self) -> str:
        """Make a word that looks like a name."""
        return "".join(self.random.choice("bcdfglmnrst") + self.random.choice("aeiou") for _ in range(3)).title()

    def person(self) -> JSON:
        """Patient with the extensions of US Core."""
        r, name = self.random, self.name
        race = r.choice([("2106-3", "White"), ("2054-5", "Black or African American"), ("2028-9", "Asian")])
        types = [
            ("MR", "Medical Record Number"),
            ("SS", "Social Security Number"),
            ("DL", "Driver's License"),
            ("PPN", "Passport Number"),
        ]
        return self.made(
            "Patient",
            text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{name()} {name()}</div>'},
            extension=[
                {
                    "url": f"{US_CORE}us-core-race",
                    "extension": [
                        {
                            "url": "ombCategory",
                            "valueCoding": {
                                "system": "urn:oid:2.16.840.1.113883.6.238",
                                "code": race[0],
                                "display": race[1],
                            },
                        },
                        {"url": "text", "valueString": race[1]},
                    ],
                },
                {
                    "url": f"{US_CORE}us-core-ethnicity",
                    "extension": [
                        {
                            "url": "ombCategory",
                            "valueCoding": {
                                "system": "urn:oid:2.16.840.1.113883.6.238",
                                "code": "2186-5",
                                "display": "Not Hispanic or Latino",
                            },
                        },
                        {"url": "text", "valueString": "Not Hispanic or Latino"},
                    ],
                },
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName",
                    "valueString": f"{name()} {name()}",
                },
                {"url": f"{US_CORE}us-core-birthsex", "valueCode": r.choice("MF")},
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                    "valueAddress": {"city": name(), "state": name(), "country": "US"},
                },
            ],
            identifier=[
                {
                    "type": {"coding": [{"system": TERMS + "v2-0203", "code": code, "display": words}], "text": words},
                    "system": f"http://{name().lower()}.org",
                    "value": str(r.getrandbits(40)),
                }
                for code, words in types
            ],
            name=[
                {"use": "official", "family": name(), "given": [name()], "prefix": [r.choice(["Mr.", "Mrs.", "Ms."])]}
            ],
            telecom=[
                {"system": "phone", "value": f"555-{r.randrange(100, 999)}-{r.randrange(1000, 9999)}", "use": "home"}
            ],
            gender=r.choice(["male", "female"]),
            birthDate=self.at()[:10],
            address=[
                {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/geolocation",
                            "extension": [
                                {"url": "latitude", "valueDecimal": r.random() * 50},
                                {"url": "longitude", "valueDecimal": -r.random() * 50},
                            ],
                        }
                    ],
                    "line": [f"{r.randrange(1000)} {name()} Street"],
                    "city": name(),
                    "state": name(),
                    "postalCode": "00000",
                    "country": "US",
                }
            ],
            maritalStatus={
                "coding": [{"system": TERMS + "v3-MaritalStatus", "code": "M", "display": "M"}],
                "text": "M",
            },
            multipleBirthBoolean=False,
            communication=[
                {
                    "language": {
                        "coding": [{"system": "urn:ietf:bcp:47", "code": "en-US", "display": "English"}],
                        "text": "English",
                    }
                }
            ],
        )

    def concept(self, system: str, code: str, display: str) -> JSON:
        """CodeableConcept with its text."""
        return {"coding": [{"system": system, "code": code, "display": display}], "text": display}

    def encounter(self) -> JSON:
        """Visit."""
        kind, code, words = self.random.choice(VISITS)
        doctor = self.ref("Practitioner", f"Dr. {self.name()} {self.name()}")
        reason = self.concept(SNOMED, *self.random.choice(PROBLEMS))
        return self.made(
            "Encounter",
            status="finished",
            class_={"system": TERMS + "v3-ActCode", "code": kind},
            type=[self.concept(SNOMED, code, words)],
            subject=self.ref("Patient"),
            participant=[{"individual": doctor}],
            period={"start": self.at(), "end": self.at(1)},
            **({"reasonCode": [reason]} if self.random.random() < 0.5 else {}),
            serviceProvider=self.ref("Organization"),
        )

    def observation(self, kind: str, code: JSON, **value: Any) -> JSON:
        """Observation of a category."""
        shown = kind if self.random.random() < 0.7 else kind.replace("-", " ").title()
        return self.made(
            "Observation",
            status="final",
            category=[{"coding": [{"system": TERMS + "observation-category", "code": kind, "display": shown}]}],
            code=code,
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            effectiveDateTime=self.at(),
            issued=self.at().replace("+", f".{self.random.randrange(1000):03}+"),
            **value,
        )

    def amount(self, unit: str) -> JSON:
        """Make a quantity, as computed or as read."""
        value = self.random.random() * 200
        return {
            "value": value if self.random.random() < 0.6 else round(value, 1),
            "unit": unit,
            "system": UCUM,
            "code": unit,
        }

    def measured(self, code: str, words: str, unit: str, kind: str) -> JSON:
        """Observation with a quantity."""
        return self.observation(kind, self.concept(LOINC, code, words), valueQuantity=self.amount(unit))

    def pressure(self) -> JSON:
        """Blood pressure."""
        parts = (("8462-4", "Diastolic Blood Pressure"), ("8480-6", "Systolic Blood Pressure"))
        return self.observation(
            "vital-signs",
            self.concept(LOINC, "55284-4", "Blood Pressure"),
            component=[{"code": self.concept(LOINC, *p), "valueQuantity": self.amount("mm[Hg]")} for p in parts],
        )

    def answered(self) -> JSON:
        """Observation with a code."""
        code, words, answer, said = self.random.choice(ANSWERS)
        found = self.concept(SNOMED, answer, said)
        return self.observation("survey", self.concept(LOINC, code, words), valueCodeableConcept=found)

    def report(self) -> JSON:
        """Report of a panel."""
        results = [self.ref("Observation", words) for _, words, _ in self.random.sample(LABS, 6)]
        return self.made(
            "DiagnosticReport",
            status="final",
            category=[{"coding": [{"system": TERMS + "v2-0074", "code": "LAB", "display": "Laboratory"}]}],
            code=self.concept(LOINC, *self.random.choice(PANELS)),
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            effectiveDateTime=self.at(),
            issued=self.at().replace("+", ".511+"),
            performer=[self.ref("Organization", self.name())],
            result=results,
        )

    def state(self, kind: str, code: str) -> JSON:
        """Make a status that is a concept."""
        return {"coding": [{"system": TERMS + kind, "code": code}]}

    def condition(self) -> JSON:
        """Problem."""
        return self.made(
            "Condition",
            clinicalStatus=self.state("condition-clinical", self.random.choice(["active", "resolved"])),
            verificationStatus=self.state("condition-ver-status", "confirmed"),
            category=[
                {
                    "coding": [
                        {
                            "system": TERMS + "condition-category",
                            "code": "encounter-diagnosis",
                            "display": "Encounter Diagnosis",
                        }
                    ]
                }
            ],
            code=self.concept(SNOMED, *self.random.choice(PROBLEMS)),
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            onsetDateTime=self.at(),
            abatementDateTime=self.at(400),
            recordedDate=self.at(),
        )

    def procedure(self) -> JSON:
        """Procedure."""
        return self.made(
            "Procedure",
            status="completed",
            code=self.concept(SNOMED, *self.random.choice(PROCEDURES)),
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            performedPeriod={"start": self.at(), "end": self.at(1)},
            reasonReference=[self.ref("Condition", self.random.choice(PROBLEMS)[1])],
        )

    def immunization(self) -> JSON:
        """Vaccination."""
        return self.made(
            "Immunization",
            status="completed",
            vaccineCode=self.concept(CVX, *self.random.choice(VACCINES)),
            patient=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            occurrenceDateTime=self.at(),
            primarySource=True,
        )

    def prescription(self) -> JSON:
        """Prescription."""
        dosage = {
            "sequence": 1,
            "timing": {"repeat": {"frequency": 1, "period": 1.0, "periodUnit": "d"}},
            "asNeededBoolean": False,
            "doseAndRate": [{"type": self.state("dose-rate-type", "ordered"), "doseQuantity": {"value": 1.0}}],
        }
        return self.made(
            "MedicationRequest",
            status=self.random.choice(["active", "stopped", "completed"]),
            intent="order",
            medicationCodeableConcept=self.concept(RXNORM, *self.random.choice(DRUGS)),
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            authoredOn=self.at(),
            requester=self.ref("Practitioner", f"Dr. {self.name()} {self.name()}"),
            reasonReference=[self.ref("Condition")],
            dosageInstruction=[dosage],
        )

    def item(self, number: int) -> JSON:
        """Line of a claim."""
        what = self.random.choice([(code, words) for _, code, words in VISITS] + list(PROCEDURES))
        return {"sequence": number, "productOrService": self.concept(SNOMED, *what)}

    def claim(self) -> JSON:
        """Claim."""
        first = {**self.item(1), "encounter": [self.ref("Encounter")]}
        others = [{**self.item(n), "procedureSequence": [n - 1], "net": self.money()} for n in (2, 3)]
        ill = [{**self.item(4), "diagnosisSequence": [1]}]
        return self.made(
            "Claim",
            status="active",
            type=self.state("claim-type", self.random.choice(["institutional", "professional", "pharmacy"])),
            use="claim",
            patient=self.ref("Patient"),
            billablePeriod={"start": self.at(), "end": self.at(1)},
            created=self.at(1),
            provider=self.ref("Organization", self.name()),
            priority=self.state("processpriority", "normal"),
            facility=self.ref("Location", self.name()),
            prescription=self.ref("MedicationRequest"),
            diagnosis=[{"sequence": 1, "diagnosisReference": self.ref("Condition")}],
            procedure=[{"sequence": n, "procedureReference": self.ref("Procedure")} for n in (1, 2)],
            supportingInfo=[
                {
                    "sequence": 1,
                    "category": self.state("claiminformationcategory", "info"),
                    "valueReference": self.ref("Immunization"),
                }
            ],
            insurance=[
                {
                    "sequence": 1,
                    "focal": True,
                    "coverage": {"display": self.random.choice(["private", "Medicare", "Medicaid"])},
                }
            ],
            item=[first, *self.random.choice([[], others, ill])],
            total=self.money(),
        )

    def charge(self, name: str) -> JSON:
        """Adjudication of a line."""
        found = (
            {"system": TERMS + "adjudication", "code": name}
            if "_" not in name
            else {
                "system": "https://bluebutton.cms.gov/resources/codesystem/adjudication",
                "code": f"{BLUE_BUTTON}variables/{name}",
                "display": name,
            }
        )
        if name.endswith("_cd"):
            reason = {"coding": [{"system": f"{BLUE_BUTTON}variables/{name}", "code": "A", "display": "Allowed"}]}
            return {"category": {"coding": [found]}, "reason": reason}
        return {"category": {"coding": [found]}, "amount": self.money()}

    def benefit(self) -> JSON:
        """Explanation of what was paid."""
        place, where = self.random.choice(CHARGES)
        located = {"coding": [{"system": TERMS + "ex-serviceplace", "code": place, "display": where}]}
        kind = {
            "coding": [
                {"system": f"{BLUE_BUTTON}variables/line_cms_type_srvc_cd", "code": "1", "display": "Medical care"}
            ]
        }
        period = {"start": self.at(), "end": self.at(1)}
        lines = [
            {
                **self.item(n),
                "category": kind,
                "diagnosisSequence": [1],
                "servicedPeriod": period,
                "locationCodeableConcept": located,
                "encounter": [self.ref("Encounter")],
                "net": self.money(),
                "adjudication": [self.charge(v) for v in VARIABLES],
            }
            for n in range(1, self.random.choice([2, 3, 4]))
        ]
        number = self.reference("x")[2:]
        return self.made(
            "ExplanationOfBenefit",
            contained=[
                {
                    "resourceType": "ServiceRequest",
                    "id": "referral",
                    "status": "completed",
                    "intent": "order",
                    "subject": self.ref("Patient"),
                    "requester": self.ref("Practitioner"),
                    "performer": [self.ref("Practitioner")],
                },
                {
                    "resourceType": "Coverage",
                    "id": "coverage",
                    "status": "active",
                    "type": {"text": "private"},
                    "beneficiary": self.ref("Patient"),
                    "payor": [{"display": "private"}],
                },
            ],
            identifier=[
                {"system": f"{BLUE_BUTTON}variables/clm_id", "value": number},
                {"system": f"{BLUE_BUTTON}identifier/claim-group", "value": str(self.random.getrandbits(36))},
            ],
            status="active",
            type=self.state("claim-type", self.random.choice(["institutional", "professional"])),
            use="claim",
            patient=self.ref("Patient"),
            billablePeriod={"start": self.at(), "end": self.at(8760)},
            created=self.at(),
            insurer={"display": "private"},
            provider=self.ref("Practitioner"),
            referral={"reference": "#referral"},
            claim=self.ref("Claim"),
            outcome="complete",
            careTeam=[
                {
                    "sequence": 1,
                    "provider": self.ref("Practitioner"),
                    "role": {
                        "coding": [
                            {
                                "system": TERMS + "claimcareteamrole",
                                "code": "primary",
                                "display": "Primary Care Practitioner",
                            }
                        ]
                    },
                }
            ],
            diagnosis=[
                {
                    "sequence": 1,
                    "diagnosisReference": self.ref("Condition"),
                    "type": [self.state("ex-diagnosistype", "principal")],
                }
            ],
            insurance=[{"focal": True, "coverage": {"reference": "#coverage", "display": "private"}}],
            item=lines,
            total=[
                {
                    "category": {
                        "coding": [
                            {"system": TERMS + "adjudication", "code": "submitted", "display": "Submitted Amount"}
                        ],
                        "text": "Submitted Amount",
                    },
                    "amount": self.money(),
                }
            ],
            payment={"amount": self.money()},
        )

    def plan(self) -> JSON:
        """Plan of care."""
        steps = [
            {
                "detail": {
                    "code": self.concept(SNOMED, *self.random.choice(PROCEDURES)),
                    "status": "in-progress",
                    "location": {"display": self.name()},
                }
            }
            for _ in range(2)
        ]
        return self.made(
            "CarePlan",
            text={
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml">Care Plan for follow-up.<br/>Activities: <ul><li></li></ul></div>',
            },
            status="active",
            intent="order",
            category=[
                self.concept(SNOMED, "734163000", "Care Plan"),
                {
                    "coding": [
                        {
                            "system": f"{US_CORE.replace('StructureDefinition', 'CodeSystem')}careplan-category",
                            "code": "assess-plan",
                        }
                    ]
                },
            ],
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            period={"start": self.at()},
            careTeam=[{"reference": self.reference("CareTeam")}],
            addresses=[self.ref("Condition")],
            goal=[self.ref("Goal")],
            activity=steps,
        )

    def goal(self) -> JSON:
        """Goal."""
        return self.made(
            "Goal",
            lifecycleStatus="accepted",
            achievementStatus=self.state("goal-achievement", "in-progress"),
            description={
                "text": f"Hemoglobin A1c below {self.random.randrange(5, 9)}.0 %, blood pressure below 140/90 mm[Hg]"
            },
            subject=self.ref("Patient"),
            addresses=[self.ref("Condition")],
        )

    def team(self) -> JSON:
        """Those who care."""
        return self.made(
            "CareTeam",
            status="active",
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            period={"start": self.at()},
            participant=[
                {
                    "role": [self.concept(SNOMED, "223366009", "Healthcare professional")],
                    "member": self.ref("Practitioner", f"Dr. {self.name()}"),
                }
            ],
            managingOrganization=[
                self.ref("Organization", f"{self.name()} {' '.join(self.random.sample(WORDS, 2)).upper()}")
            ],
        )

    def allergy(self) -> JSON:
        """Allergy."""
        return self.made(
            "AllergyIntolerance",
            clinicalStatus=self.state("allergyintolerance-clinical", "active"),
            verificationStatus=self.state("allergyintolerance-verification", "confirmed"),
            type="allergy",
            category=[self.random.choice(["food", "environment", "medication"])],
            criticality="low",
            code=self.concept(
                SNOMED,
                "91936005",
                f"Allergy to {self.random.choice(['penicillin', 'peanuts', 'mould', 'fish', 'dander', 'grass pollen'])}",
            ),
            patient=self.ref("Patient"),
            recordedDate=self.at(),
        )

    def imaging(self) -> JSON:
        """Study of images."""
        uid = f"urn:oid:1.2.840.99999999.{self.random.getrandbits(26)}"
        series = {
            "uid": uid[8:],
            "number": 1,
            "numberOfInstances": 1,
            "started": self.at(),
            "modality": {
                "system": "http://dicom.nema.org/resources/ontology/DCM",
                "code": "DX",
                "display": "Digital Radiography",
            },
            "bodySite": {"system": SNOMED, "code": "51185008", "display": "Thorax"},
            "instance": [
                {
                    "uid": f"{uid[8:]}.1.1",
                    "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1.1"},
                    "number": 1,
                    "title": "Image of chest",
                }
            ],
        }
        return self.made(
            "ImagingStudy",
            identifier=[{"use": "official", "system": "urn:dicom:uid", "value": uid}],
            status="available",
            subject=self.ref("Patient"),
            encounter=self.ref("Encounter"),
            started=self.at(),
            numberOfSeries=1,
            numberOfInstances=1,
            series=[series],
        )

    def document(self) -> JSON:
        """Document."""
        return self.made(
            "DocumentReference",
            identifier=[{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{self.reference('x')[2:]}"}],
            status="current",
            type=self.concept(LOINC, "34117-2", "History and physical note"),
            category=[
                {
                    "coding": [
                        {
                            "system": f"{US_CORE.replace('StructureDefinition', 'CodeSystem')}us-core-documentreference-category",
                            "code": "clinical-note",
                            "display": "Clinical Note",
                        }
                    ]
                }
            ],
            subject=self.ref("Patient"),
            date=self.at(),
            author=[self.ref("Practitioner", f"Dr. {self.name()} {self.name()}")],
            custodian=self.ref("Organization", self.name()),
            content=[
                {
                    "attachment": {"contentType": "text/plain; charset=utf-8"},
                    "format": {
                        "system": "http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem",
                        "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
                        "display": "mimeType Sufficient",
                    },
                }
            ],
            context={"encounter": [self.ref("Encounter")], "period": {"start": self.at(), "end": self.at(1)}},
        )

    def device(self) -> JSON:
        """Implanted device."""
        number = str(self.random.getrandbits(44))
        return self.made(
            "Device",
            udiCarrier=[{"deviceIdentifier": number, "carrierHRF": f"(01){number}(11)210101(17)260101(10)1(21)1"}],
            status="active",
            manufactureDate=self.at(),
            expirationDate=self.at(200_000),
            lotNumber=number[:6],
            serialNumber=number,
            deviceName=[{"name": "Implantable defibrillator", "type": "user-friendly-name"}],
            type=self.concept(SNOMED, "72506001", "Implantable defibrillator"),
            patient=self.ref("Patient"),
        )

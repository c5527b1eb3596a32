"""Names of other FHIR versions that senders meet most, so that a refusal can say where a name comes from.

Source: https://hl7.org/fhir/R5/resourcelist.html, https://hl7.org/fhir/R4B/resourcelist.html, https://hl7.org/fhir/diff.html
"""

from __future__ import annotations

SPEAKS = "Yersin speaks FHIR R4 (4.0.1)"
_LATER = {
    "R4B": "AdministrableProductDefinition Citation ClinicalUseDefinition EvidenceReport Ingredient "
    "ManufacturedItemDefinition MedicinalProductDefinition NutritionProduct PackagedProductDefinition "
    "RegulatedAuthorization SubscriptionStatus SubscriptionTopic SubstanceDefinition",
    "R5": "ActorDefinition ArtifactAssessment BiologicallyDerivedProductDispense ConditionDefinition DeviceAssociation "
    "DeviceDispense DeviceUsage EncounterHistory FormularyItem GenomicStudy ImagingSelection InventoryItem "
    "InventoryReport NutritionIntake Permission RequestOrchestration Requirements TestPlan Transport",
    "R6": "ClinicalAssessment DeviceAlert InsuranceProduct MolecularDefinition PersonalRelationship",
}
_EARLIER = {
    "STU3": "BodySite DataElement DeviceComponent EligibilityRequest EligibilityResponse ExpansionProfile "
    "ImagingManifest ProcedureRequest ProcessRequest ProcessResponse ReferralRequest Sequence ServiceDefinition",
    "DSTU2": "Conformance DeviceUseRequest DiagnosticOrder ImagingObjectSelection MedicationOrder Order OrderResponse",
}
_ELEMENTS = {
    "AllergyIntolerance": "participant",
    "Appointment": "cancellationDate class note occurrenceChanged originatingAppointment previousAppointment "
    "recurrenceId recurrenceTemplate replaces subject virtualService",
    "Attachment": "duration frames height pages width",
    "AuditEvent": "authorization basedOn code encounter occurredDateTime occurredPeriod patient severity",
    "Bundle": "issues",
    "CarePlan": "addresses",
    "Composition": "note url useContext version",
    "Condition": "participant",
    "Coverage": "insurer kind paymentBy",
    "Device": "biologicalSourceEvent category conformsTo displayName endpoint gateway mode operation",
    "DiagnosticReport": "composition note supportingInfo",
    "DocumentReference": "attester basedOn bodySite event facilityType modality period practiceSetting version",
    "Encounter": "actualPeriod admission careTeam dietPreference plannedEndDate plannedStartDate specialArrangement "
    "specialCourtesy subjectStatus virtualService",
    "Goal": "acceptance continuous",
    "HealthcareService": "contact offeredIn",
    "ImagingStudy": "basedOn partOf",
    "Immunization": "administeredProduct basedOn informationSource supportingInformation",
    "Location": "contact form virtualService",
    "Medication": "definition marketingAuthorizationHolder totalVolume",
    "MedicationRequest": "device effectiveDosePeriod medication renderedDosageInstruction",
    "MedicationStatement": "adherence medication relatedClinicalInformation renderedDosageInstruction",
    "Observation": "bodyStructure instantiatesCanonical instantiatesReference organizer triggeredBy",
    "Organization": "contact description qualification",
    "Practitioner": "deceasedBoolean deceasedDateTime",
    "PractitionerRole": "characteristic communication contact display",
    "Procedure": "focus occurrenceDateTime occurrencePeriod occurrenceString recorded supportingInfo",
    "Provenance": "authorization basedOn encounter patient why",
    "Questionnaire": "copyrightLabel versionAlgorithmString",
    "ServiceRequest": "focus",
    "Specimen": "combined feature role",
    "Task": "performer requestedPerformer requestedPeriod statusReason",
}


def origin_of_type(name: str) -> str:
    """Name the version a resource type belongs to when it is not R4, for example 'R5'; empty when unknown."""
    found = (version for version, names in (_LATER | _EARLIER).items() if name in names.split())
    return next(found, "")


def is_later_element(type_name: str, element: str) -> bool:
    """Whether R5 knows this element of a type; asked only for elements that R4 does not know."""
    return element in _ELEMENTS.get(type_name, "").split()

"""What illnesses, medicines and tests mean, in the plain words of a health worker speaking to a patient.

By the beginning of the ICD-10 code, the ATC code, and the LOINC code: the longest that fits is used. General words only,
nothing about what to do beyond taking medicines as told and asking the station.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yersin.web.language import mark as N_  # noqa: N812 - gettext's customary name

ILLNESSES: Mapping[str, str] = {
    "I10": N_(
        "High blood pressure: the blood presses too hard on the vessels. It is often not felt, but can be controlled."
    ),
    "I11": N_("High blood pressure that has strained the heart."),
    "I20": N_("The heart muscle sometimes gets too little blood; this can be felt as pressure in the chest."),
    "I25": N_("The vessels of the heart have become narrow over the years."),
    "I48": N_("The heart beats out of rhythm."),
    "I50": N_("The heart pumps more weakly than it should; water may gather in legs or lungs."),
    "I63": N_("A stroke: part of the brain was without blood."),
    "E11": N_("Diabetes: there is too much sugar in the blood. Food, movement and medicines keep it down."),
    "E10": N_("Diabetes in which the body makes no insulin of its own."),
    "E66": N_("More weight than is good for heart and joints."),
    "E78": N_("Too much fat in the blood, which can narrow the vessels."),
    "E03": N_("The thyroid works too slowly."),
    "E05": N_("The thyroid works too fast."),
    "N18": N_("The kidneys clean the blood less well than they should."),
    "J44": N_("A lasting narrowing of the airways, most often from smoke."),
    "J45": N_("Asthma: the airways become narrow at times."),
    "J18": N_("An inflammation of the lungs."),
    "J20": N_("An inflammation of the airways, mostly from a cold."),
    "J0": N_("A cold, or an inflammation of throat, nose or ears."),
    "A90": N_("Dengue fever, carried by mosquitoes."),
    "A09": N_("Diarrhoea from an infection; drinking enough matters most."),
    "A15": N_("Tuberculosis of the lungs. It can be cured when the medicines are taken to the end."),
    "B18": N_("A lasting inflammation of the liver from a virus."),
    "K21": N_("Acid from the stomach rises into the gullet."),
    "K29": N_("An inflammation of the stomach's lining."),
    "M1": N_("Wear or inflammation of joints."),
    "M54": N_("Pain in the back."),
    "D50": N_("Too little iron in the blood, which makes tired."),
    "O": N_("About pregnancy or birth."),
    "Z34": N_("Care during a pregnancy that goes well."),
    "S": N_("An injury."),
}
MEDICINES: Mapping[str, str] = {
    "C03": N_("helps the body pass water, and lowers blood pressure"),
    "C07": N_("slows the heart and lowers blood pressure"),
    "C08": N_("widens the vessels and lowers blood pressure"),
    "C09": N_("lowers blood pressure and protects heart and kidneys"),
    "C10": N_("lowers fat in the blood"),
    "C01": N_("supports the heart"),
    "A10A": N_("insulin: lowers sugar in the blood"),
    "A10": N_("lowers sugar in the blood"),
    "B01": N_("keeps the blood from clotting"),
    "B03": N_("iron and vitamins for the blood"),
    "A02": N_("protects the stomach from acid"),
    "A07": N_("against diarrhoea"),
    "J01": N_("against bacteria; take it to the end"),
    "J04": N_("against tuberculosis; take it to the end"),
    "J05": N_("against a virus"),
    "N02": N_("against pain and fever"),
    "M01": N_("against pain and inflammation"),
    "R03": N_("opens the airways"),
    "R05": N_("against cough"),
    "R06": N_("against allergy"),
    "H02": N_("calms inflammation"),
    "H03": N_("for the thyroid"),
    "A11": N_("vitamins"),
    "A12": N_("minerals such as calcium"),
}
TESTS: Mapping[str, str] = {
    "14771-0": N_("sugar in the blood before eating"),
    "4548-4": N_("sugar in the blood over the last three months"),
    "14682-9": N_("tells how well the kidneys work"),
    "98979-8": N_("tells how well the kidneys work; higher is better"),
    "22664-7": N_("tells how well the kidneys work"),
    "2823-3": N_("a salt that matters to the heart"),
    "14647-2": N_("all fat in the blood"),
    "22748-8": N_("the fat that narrows vessels; lower is better"),
    "14646-4": N_("the fat that protects vessels; higher is better"),
    "14927-8": N_("fat in the blood from food"),
    "718-7": N_("carries oxygen in the blood"),
    "6690-2": N_("cells that fight infection"),
    "777-3": N_("cells that stop bleeding"),
    "1742-6": N_("tells how the liver does"),
    "1920-8": N_("tells how the liver does"),
}


def meaning(table: Mapping[str, str], codes: Sequence[str]) -> str:
    """Give the English words for the longest beginning of any of the codes; empty when none fits."""
    fitting = [start for start in table for code in codes if code == start or code.startswith(start)]
    return table[max(fitting, key=len)] if fitting else ""

"""Every code that the documents use, with its display, in one table.

SNOMED CT displays were compared with PS3.16 where it lists the concept, and else with what several
independent public value sets agree on: single ones are often wrong (86049000 is named "Meningioma"
in places, and is "Malignant neoplasm, primary").
"""

from __future__ import annotations

from pydicom.sr.coding import Code

PRIVATE_SCHEME = "99TUMORVIEWER"

BRAIN = Code("12738006", "SCT", "Brain")
BRAIN_NEOPLASM = Code("126952004", "SCT", "Neoplasm of brain")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
PRESENCE = Code("705057003", "SCT", "Presence")
PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("2667000", "SCT", "Absent")
INDETERMINATE = Code("82334004", "SCT", "Indeterminate")
PRESENCES = {"present": PRESENT, "absent": ABSENT, "indeterminate": INDETERMINATE}
AREA = Code("42798000", "SCT", "Area")
FINDING = Code("121071", "DCM", "Finding")
DEVICE = Code("121007", "DCM", "Device")
PERSON = Code("121006", "DCM", "Person")
PROBABILITY = Code("122157", "DCM", "Probability")
OF_INTEREST = Code("113000", "DCM", "Of Interest")
MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
PERCENT = Code("%", "UCUM", "Percent")
SQUARE_MILLIMETRE = Code("mm2", "UCUM", "square millimeter")
NO_UNIT = Code("1", "UCUM", "no units")

_CLASSES = {
    "glioma": Code("393564001", "SCT", "Glioma"),
    "meningioma": Code("302820008", "SCT", "Intracranial meningioma"),
    "pituitary": Code("127024001", "SCT", "Neoplasm of pituitary gland"),
    "tumour": BRAIN_NEOPLASM,
    "tumor": BRAIN_NEOPLASM,
}
_PROCEDURES = {
    "MR": Code("24590-2", "LN", "Brain MRI"),
    "CT": Code("24725-4", "LN", "Head CT"),
}


def find_class_code(name: str, label: str) -> Code:
    """Of a class of a model; of our own scheme where SNOMED CT has none that we know."""
    known = _CLASSES.get(name.casefold())
    return known or Code(name[:16], PRIVATE_SCHEME, label[:64])


def find_procedure_code(modality: str) -> Code:
    """Of the examination that a report is on."""
    return _PROCEDURES.get(modality, Code("25056-3", "LN", "MRI unspecified body region"))

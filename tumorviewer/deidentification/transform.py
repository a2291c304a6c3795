"""One DICOM data set without its patient: a new data set, and what differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

from tumorviewer.deidentification.profile import Action, Options, choose_action, look_up_vr
from tumorviewer.deidentification.substitutes import Substitutes, clean_description, shift_date
from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_text

METHOD = "TumorViewer, PS3.15 Annex E"
_TEXT = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
_DUMMIES: dict[str, Any] = {
    "AS": "000Y", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "DS": "0", "IS": "0",
    "FD": 0.0, "FL": 0.0, "SL": 0, "SS": 0, "UL": 0, "US": 0, "SV": 0, "UV": 0,
}  # fmt: skip
_SHORTEST_NAME = 3
"""Letters of a part of a name that is looked for in what stays; shorter ones are in every text."""


@dataclass(frozen=True)
class ElementChange:
    """One difference between a data set and the de-identified one."""

    element: str
    """Keywords from the outermost sequence inwards."""
    before: str
    after: str | None
    """None if the element is removed."""


@dataclass(frozen=True)
class _Patient:
    """What is known of whom a data set is of, while it is worked on."""

    name: str
    days: int
    words: re.Pattern[str] | None
    """Finds any part of the name, id or accession number."""


def deidentify_dataset(dataset: Dataset, substitutes: Substitutes, options: Options) -> Dataset:
    """A copy of a data set that PS3.15 Annex E allows to be given away.

    References stay closed: a UID becomes the same new UID wherever it stands. The pixels are the
    same object; what is burned into them stays.

    Parameters
    ----------
    dataset
        With its file meta information; is not changed.

    Returns
    -------
    Dataset
        With a file meta information and a preamble that hold nothing of the original but the
        transfer syntax.
    """
    identity = read_text(dataset, "PatientID") or read_text(dataset, "PatientName")
    identity = identity or read_text(dataset, "StudyInstanceUID")
    patient = _Patient(
        substitutes.patient(identity), substitutes.days(identity), _identifying_words(dataset)
    )
    changed = _Transform(substitutes, options, patient).apply(dataset)
    changed.PatientName = changed.PatientID = patient.name
    changed.PatientIdentityRemoved = "YES"
    changed.LongitudinalTemporalInformationModified = "MODIFIED" if options.dates else "REMOVED"
    changed.DeidentificationMethod = METHOD
    changed.DeidentificationMethodCodeSequence = [_code(*code) for code in options.codes()]
    changed.file_meta = _file_meta(dataset, changed)
    changed.preamble = bytes(128)
    is_implicit, is_little = dataset.original_encoding
    changed.set_original_encoding(is_implicit, is_little, dataset.original_character_set)
    return changed


class _Transform:
    def __init__(self, substitutes: Substitutes, options: Options, patient: _Patient) -> None:
        self._substitutes = substitutes
        self._options = options
        self._patient = patient

    def apply(self, dataset: Dataset) -> Dataset:
        """A de-identified copy of a data set or of an item of a sequence."""
        answer = Dataset()
        for tag in dataset.keys():  # noqa: SIM118 - iterating would decode each element
            try:
                element = dataset[tag]
            except PARSER_ERRORS:
                continue  # what cannot be read cannot be vouched for
            changed = self._element(element)
            if changed is not None:
                answer[tag] = changed
        return answer

    def _element(self, element: DataElement) -> DataElement | None:
        tag, vr = element.tag, element.VR
        action = choose_action(tag, vr, element.keyword, self._options)
        if action is Action.REMOVE:
            return None
        if vr == "SQ":
            items = [] if action is Action.EMPTY else [self.apply(one) for one in element.value]
            return DataElement(tag, "SQ", Sequence(items))
        if action is Action.KEEP:
            return None if self._names_patient(element) else element
        return DataElement(tag, vr, self._value(action, tag, vr, element.value))

    def _value(self, action: Action, tag: BaseTag, vr: str, value: Any) -> Any:
        if action is Action.MAP_UID:
            return _each(value, self._substitutes.uid)
        if action is Action.SHIFT_DATE:
            days = self._patient.days
            return value if vr == "TM" else _each(value, lambda one: shift_date(one, days))
        if action is Action.CLEAN:
            return _each(value, self._cleaned)
        if action is Action.EMPTY or not value:
            return None
        return self._dummy(tag, vr)

    def _cleaned(self, description: str) -> str:
        words = self._patient.words
        return clean_description(words.sub(" ", description) if words else description)

    def _dummy(self, tag: BaseTag, vr: str) -> Any:
        if vr == "UI":
            return self._substitutes.uid(str(tag))
        if vr == "PN":
            return self._patient.name
        if vr in _TEXT:
            return "REMOVED"
        return _DUMMIES.get(vr if vr != "UN" else look_up_vr(tag))

    def _names_patient(self, element: DataElement) -> bool:
        """Whether a text that the table would keep holds a part of the patient's name or id."""
        words = self._patient.words
        if words is None or element.VR not in _TEXT or not element.value:
            return False
        return bool(words.search(str(element.value)))


def _identifying_words(dataset: Dataset) -> re.Pattern[str] | None:
    keywords = ("PatientName", "PatientID", "AccessionNumber", "OtherPatientNames")
    stated = " ".join(read_text(dataset, keyword) for keyword in keywords)
    parts = {part for part in re.split(r"[\W_]+", stated) if len(part) >= _SHORTEST_NAME}
    if not parts:
        return None
    either = "|".join(sorted(map(re.escape, parts), key=len, reverse=True))
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, MultiValue | list):
        return [change(str(one)) for one in value]
    return change(str(value)) if value else value


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _file_meta(dataset: Dataset, changed: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(read_text(changed, "SOPClassUID"))
    meta.MediaStorageSOPInstanceUID = UID(read_text(changed, "SOPInstanceUID"))
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta


def list_changes(before: Dataset, after: Dataset, path: str = "") -> Iterator[ElementChange]:
    """Everything that differs, by tag: what a preview shows is what is written."""
    for tag in sorted(set(before.keys()) | set(after.keys())):
        name = path + _name(after if tag in after else before, tag)
        if tag not in after:
            yield ElementChange(name, _shown(before, tag), None)
        elif tag not in before:
            yield ElementChange(name, "", _shown(after, tag))
        elif after[tag].VR == "SQ":
            yield from _item_changes(before[tag].value, after[tag].value, name)
        elif (was := _shown(before, tag)) != (now := _shown(after, tag)):
            yield ElementChange(name, was, now)


def _item_changes(before: Any, after: Any, name: str) -> Iterator[ElementChange]:
    if len(before) != len(after):
        yield ElementChange(name, f"{len(before)} items", f"{len(after)} items")
        return
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        yield from list_changes(old, new, f"{name}[{index + 1}].")


def _name(dataset: Dataset, tag: BaseTag) -> str:
    try:
        return dataset[tag].keyword or str(BaseTag(tag))
    except PARSER_ERRORS:
        return str(BaseTag(tag))


def _shown(dataset: Dataset, tag: BaseTag) -> str:
    try:
        element = dataset[tag]
    except PARSER_ERRORS:
        return "?"
    if isinstance(element.value, bytes):
        return f"{len(element.value)} bytes"
    if element.VR == "SQ":
        return f"{len(element.value)} items"
    return "" if element.value is None else str(element.value)

"""What all objects share: the source's patient and study, equipment, and UIDs from the content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian

from tumorviewer import __version__
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.content import RESEARCH_USE, ReportContent, SourceSeries
from tumorviewer.study.dicom.elements import read_first_item

MANUFACTURER = "TumorViewer"
_SERIES_NUMBERS = {
    "sc": 9901, "sr": 9902, "seg": 9903, "pm": 9904, "pr": 9905, "ko": 9906, "pdf": 9907,
}  # fmt: skip
_TITLES = {
    "sc": "key images", "sr": "report", "seg": "outline", "pm": "saliency map",
    "pr": "presentation", "ko": "deciding slices", "pdf": "report (PDF)",
}  # fmt: skip
_PATIENT = """
PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID
PatientBirthDate PatientBirthTime PatientSex ReferencedPatientSequence OtherPatientIDsSequence
OtherPatientNames EthnicGroup PatientComments QualityControlSubject PatientIdentityRemoved
DeidentificationMethod DeidentificationMethodCodeSequence ResponsiblePerson
ResponsiblePersonRole ResponsibleOrganization PatientSpeciesDescription
ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID
ClinicalTrialSiteName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID
"""
"""PS3.3 C.7.1.1 and C.7.1.3."""
_STUDY = """
StudyInstanceUID StudyDate StudyTime ReferringPhysicianName
ReferringPhysicianIdentificationSequence StudyID AccessionNumber
IssuerOfAccessionNumberSequence StudyDescription PhysiciansOfRecord
PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
RequestingServiceCodeSequence ReferencedStudySequence ProcedureCodeSequence
ReasonForPerformedProcedureCodeSequence LongitudinalTemporalInformationModified
AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize
PatientWeight MedicalAlerts Allergies SmokingStatus AdditionalPatientHistory PregnancyStatus
Occupation PatientState ClinicalTrialTimePointID ClinicalTrialTimePointDescription
"""
"""PS3.3 C.7.2.1 to C.7.2.3."""
_UNHASHED = ("SOPInstanceUID", "InstanceCreationDate", "InstanceCreationTime")
_HIGHDICOM_ROOT = "1.2.826.0.1.3680043.10.511.3."


def make_series_values(kind: str, source: SourceSeries) -> dict[str, Any]:
    """Series and instance in highdicom's parameters; the SOP Instance UID is set at the end."""
    return {
        "series_instance_uid": derive_uid("series", kind, str(source.first.SeriesInstanceUID)),
        "series_number": _SERIES_NUMBERS[kind],
        "sop_instance_uid": "2.25.1",
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
    }


def make_equipment_values(content: ReportContent) -> dict[str, Any]:
    """The equipment in highdicom's parameters."""
    model = content.answer.model
    return {
        "manufacturer_model_name": "TumorViewer",
        "software_versions": __version__,
        "device_serial_number": model.sha256[:16] or "0",
    }


def derive_uid(*parts: str) -> str:
    """A UID of the form 2.25 (PS3.5 B.2) that depends on some texts only."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def derive_instance_uid(dataset: Dataset, kind: str) -> str:
    """The SOP Instance UID that follows from everything else in an object."""
    return derive_uid("instance", kind, _digest(dataset))


def format_person(name: str) -> str | None:
    """A name as PN (PS3.5 6.2.1.2): a single word is a family name."""
    return (name if "^" in name else f"{name}^") if name else None


def create_object(kind: str, sop_class: str, modality: str, source: SourceSeries) -> Dataset:
    """An object that is written element by element, with SOP Common, series and equipment."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = sop_class, modality
    values = make_series_values(kind, source)
    dataset.SeriesInstanceUID = values["series_instance_uid"]
    dataset.SeriesNumber, dataset.InstanceNumber = values["series_number"], 1
    dataset.Manufacturer, dataset.ManufacturerModelName = MANUFACTURER, "TumorViewer"
    dataset.SoftwareVersions = __version__
    return dataset


def finish_object(dataset: Dataset, kind: str, content: ReportContent) -> Dataset:
    """Give an object its patient, study, description and the UID that follows from its content.

    The same result is the same object, whenever it is written; a changed one is another object.
    """
    assert content.source is not None
    source = content.source.first
    for keyword in (_PATIENT + _STUDY).split():
        if keyword in source:
            dataset[keyword] = source[keyword]
        elif keyword in dataset and keyword not in ("PatientSex", "StudyDate"):
            del dataset[keyword]
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SeriesDescription = f"TumorViewer {_TITLES[kind]}: {RESEARCH_USE.lower()}"
    _set_times(dataset, content.answer.time)
    _replace_random_uids(dataset, str(dataset.SeriesInstanceUID))
    dataset.SOPInstanceUID = derive_instance_uid(dataset, kind)
    dataset.file_meta = _file_meta(dataset)
    return dataset


def _set_times(dataset: Dataset, time: datetime) -> None:
    """The time of the answer, not of the writing: the same result is the same object."""
    dataset.ContentDate, dataset.ContentTime = f"{time:%Y%m%d}", f"{time:%H%M%S}"
    dataset.SeriesDate, dataset.SeriesTime = dataset.ContentDate, dataset.ContentTime
    dataset.InstanceCreationDate = dataset.ContentDate
    dataset.InstanceCreationTime = dataset.ContentTime
    for equipment in dataset.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = f"{time:%Y%m%d%H%M%S}"
    if "PresentationCreationDate" in dataset:
        dataset.PresentationCreationDate = dataset.ContentDate
        dataset.PresentationCreationTime = dataset.ContentTime


def find_header(source: SourceSeries, index: int) -> tuple[Dataset, int | None]:
    """The header of a slice, and its frame's number if there are several in its instance."""
    reference = source.frames[index]
    frame = reference.frame if source.is_multi_frame else None
    return source.headers[reference.header], frame


def make_image_reference(source: SourceSeries, index: int) -> Dataset:
    """An item that refers to the image of a slice (PS3.3 Table 10-3)."""
    header, frame = find_header(source, index)
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def make_code_item(code: Code) -> Dataset:
    """A code as an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def make_series_reference(source: SourceSeries) -> Dataset:
    """The series that an object was made from, with all of its instances (PS3.3 C.12.2)."""
    item = Dataset()
    item.SeriesInstanceUID = source.first.SeriesInstanceUID
    item.ReferencedInstanceSequence = []
    for header in source.headers:
        instance = Dataset()
        instance.ReferencedSOPClassUID = header.SOPClassUID
        instance.ReferencedSOPInstanceUID = header.SOPInstanceUID
        item.ReferencedInstanceSequence.append(instance)
    return item


def check_placed(source: SourceSeries, name: str) -> None:
    """Refuse what has no place in the patient.

    Raises
    ------
    InputError
        If the source has no frame of reference, position or orientation.
    """
    wanted = ("ImagePositionPatient", "ImageOrientationPatient")
    is_placed = source.is_multi_frame or all(
        header.get(keyword) for header in source.headers for keyword in wanted
    )
    remedy = tr("It can be written as a secondary capture.")
    if not source.first.get("FrameOfReferenceUID") or not is_placed:
        reason = tr("The images do not say where in the patient they lie.")
        raise InputError(name, reason, remedy)
    if not source.is_multi_frame and not source.first.get("SliceThickness"):
        raise InputError(name, tr("The images do not say how thick their slices are."), remedy)
    if source.is_multi_frame and not _has_one_orientation(source.first):
        raise InputError(name, tr("The frames of the images have several orientations."), remedy)


def _has_one_orientation(header: Dataset) -> bool:
    shared = read_first_item(header, "SharedFunctionalGroupsSequence")
    return shared is not None and "PlaneOrientationSequence" in shared


def encode_dataset(dataset: Dataset) -> bytes:
    """The data set as Explicit VR Little Endian, without file meta information."""
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    pydicom.filewriter.write_dataset(buffer, dataset)
    content: bytes = buffer.getvalue()
    return content


def encode_file(dataset: Dataset) -> bytes:
    """The object as a DICOM file."""
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def _digest(dataset: Dataset) -> str:
    hashed = Dataset()
    for tag in dataset.keys():  # noqa: SIM118 - iterating would decode each element
        if dataset[tag].keyword not in _UNHASHED:
            hashed[tag] = dataset[tag]
    hashed.set_original_encoding(False, True, "utf8")
    return hashlib.sha256(encode_dataset(hashed)).hexdigest()


def _replace_random_uids(dataset: Dataset, seed: str) -> None:
    """Make UIDs that highdicom drew by lot follow from the series and their place in it."""
    known: dict[str, str] = {}
    for element in _uids(dataset):
        if str(element.value).startswith(_HIGHDICOM_ROOT):
            new = derive_uid("inner", seed, str(len(known)))
            element.value = UID(known.setdefault(str(element.value), new))


def _uids(dataset: Dataset) -> Iterator[Any]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _uids(item)
        elif element.VR == "UI" and element.value:
            yield element


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(dataset.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta

"""Nothing of the patient is left, references stay closed, and the preview is what is written."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, generate_uid

from tests.study.dicom_files import instance, item, save
from tumorviewer.deidentification.burned_in import find_burned_in_text
from tumorviewer.deidentification.deidentify_files import deidentify_file, deidentify_paths
from tumorviewer.deidentification.profile import Options
from tumorviewer.deidentification.substitutes import Substitutes, clean_description
from tumorviewer.errors import InputError
from tumorviewer.study import open_paths

SUBSTITUTES = Substitutes(b"a secret of the tests")
SECRETS = (
    "Öztürk", "Ayşe", "PID4711", "ACC0815", "Dr^Who", "Bahnhofstrasse", "Charité", "SER-77",
    "geheim", "19630503", "20240229",
)  # fmt: skip
NO_OPTIONS = Options()
ALL_OPTIONS = Options(dates=True, descriptions=True)


def secret_instance(**changes) -> Dataset:
    """A slice with identities wherever real ones have them."""
    dataset = instance(
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Öztürk^Ayşe", PatientID="PID4711", AccessionNumber="ACC0815",
        PatientBirthDate="19630503", PatientSex="F", ReferringPhysicianName="Dr^Who",
        PatientAddress="Bahnhofstrasse 1", InstitutionName="Charité", DeviceSerialNumber="SER-77",
        StudyDescription="MR Brain of Ayşe with contrast", SeriesDescription="T1 AX Öztürk",
        ProtocolName="geheim", ImageComments="geheim", SequenceName="Öztürk",
        AcquisitionDate="20240229", AcquisitionTime="101500", StudyTime="101000",
        ContentDate="20240229", AcquisitionDateTime="20240229101500.000",
        StorageMediaFileSetUID=generate_uid(),
        RequestAttributesSequence=item(RequestedProcedureDescription="geheim Charité"),
        ReferencedImageSequence=item(
            ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4", ReferencedSOPInstanceUID="1.2.3.9",
            PatientName="Öztürk^Ayşe",
        ),
        **changes,
    )  # fmt: skip
    dataset.add_new(0x00091001, "LO", "geheim")
    dataset.add_new(0x00090010, "LO", "PRIVATE geheim")
    dataset.add_new(0x60003000, "OW", b"geheim")
    dataset.add_new(0x60000022, "LO", "geheim")
    dataset.add_new(0x50000022, "LO", "geheim")
    dataset.add_new(0x00324000, "LT", "geheim")
    dataset.preamble = b"geheim".ljust(128, b" ")
    dataset.file_meta.SourceApplicationEntityTitle = "geheim"
    return dataset


@pytest.mark.parametrize("options", [NO_OPTIONS, ALL_OPTIONS])
def test_no_identity_is_left_in_any_byte(tmp_path, options) -> None:
    path = save(secret_instance(), tmp_path / "in" / "a.dcm")
    for secret in SECRETS:
        assert secret.encode() in path.read_bytes(), secret
    results = list(
        deidentify_paths([tmp_path / "in"], tmp_path / "out", SUBSTITUTES, options, pytest.fail)
    )
    (result,) = results
    written = (tmp_path / "out" / result.name).read_bytes()
    left = [secret for secret in SECRETS if secret.encode() in written]
    assert not left
    assert written.startswith(bytes(128))
    assert not any(secret in str(result.name) for secret in SECRETS)


def test_pixels_geometry_and_equipment_stay_and_the_method_is_told(tmp_path) -> None:
    before = secret_instance()
    after = deidentify_file(save(before, tmp_path / "a.dcm"), SUBSTITUTES, ALL_OPTIONS).dataset
    for keyword in ("PixelData", "ImagePositionPatient", "PixelSpacing", "Modality", "Rows"):
        assert after[keyword].value == before[keyword].value
    assert after.PatientIdentityRemoved == "YES"
    assert after.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [code.CodeValue for code in after.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107"]
    assert after.StudyDescription == "MR Brain with contrast"
    assert after.SeriesDescription == "T1 AX"
    basic = deidentify_file(tmp_path / "a.dcm", SUBSTITUTES, NO_OPTIONS).dataset
    assert "SeriesDescription" not in basic
    assert basic.StudyDate in ("", None)
    assert basic.LongitudinalTemporalInformationModified == "REMOVED"


def test_references_stay_closed_and_intervals_are_kept(tmp_path) -> None:
    uids = [generate_uid(), generate_uid()]
    first = secret_instance(SOPInstanceUID=uids[0])
    second = secret_instance(SOPInstanceUID=uids[1])
    second.StudyDate = "20240310"
    second.ReferencedImageSequence[0].ReferencedSOPInstanceUID = uids[0]
    one, two = (
        deidentify_file(save(each, tmp_path / f"{name}.dcm"), SUBSTITUTES, ALL_OPTIONS).dataset
        for name, each in (("1", first), ("2", second))
    )
    assert two.ReferencedImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert one.SOPInstanceUID != first.SOPInstanceUID
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert one.SOPClassUID == first.SOPClassUID
    assert one.FrameOfReferenceUID != first.FrameOfReferenceUID
    assert one.PatientID == two.PatientID
    days = [np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in (one.StudyDate, two.StudyDate)]
    assert (days[1] - days[0]).astype(int) == 10
    other = Substitutes(b"another secret")
    assert (
        deidentify_file(tmp_path / "1.dcm", other, ALL_OPTIONS).dataset.PatientID != one.PatientID
    )


def test_the_preview_lists_every_difference(tmp_path) -> None:
    before = secret_instance()
    result = deidentify_file(save(before, tmp_path / "a.dcm"), SUBSTITUTES, NO_OPTIONS)
    told = {change.element: change.after for change in result.changes}
    assert told["PatientName"] == result.dataset.PatientID
    assert told["InstitutionName"] == "REMOVED"
    assert told["PatientAddress"] is None
    assert told["ReferencedImageSequence[1].PatientName"] == ""
    for element in before:
        same = element.tag in result.dataset and result.dataset[element.tag] == element
        listed = any(name.split("[")[0] == (element.keyword or str(element.tag)) for name in told)
        assert same != listed, element.tag


def test_the_result_opens_and_a_compressed_file_stays_compressed(tmp_path) -> None:
    dataset = secret_instance()
    dataset.compress(RLELossless)
    path = save(dataset, tmp_path / "in" / "a.dcm")
    (result,) = deidentify_paths([path], tmp_path / "out", SUBSTITUTES, NO_OPTIONS, pytest.fail)
    written = pydicom.dcmread(tmp_path / "out" / result.name)
    assert written.file_meta.TransferSyntaxUID == RLELossless
    assert np.array_equal(written.pixel_array, dataset.pixel_array)
    opened = open_paths([tmp_path / "out"])
    assert not opened.refused
    assert opened.studies[0].patient_id == result.dataset.PatientID


def test_what_cannot_be_vouched_for_is_left_out_with_a_reason(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("Ayşe")
    document = secret_instance(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")
    save(document, tmp_path / "in" / "report.dcm")
    refused: list[InputError] = []
    results = deidentify_paths(
        [tmp_path / "in"], tmp_path / "out", SUBSTITUTES, NO_OPTIONS, refused.append
    )
    assert not list(results)
    assert [error.reason.split(":")[0] for error in refused] == [
        "It is not DICOM; nothing is known of what it says of a patient.",
        "Encapsulated PDF",
    ]
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="not there"):
        list(deidentify_paths([tmp_path / "none"], None, SUBSTITUTES, NO_OPTIONS, refused.append))


def test_two_files_of_one_uid_are_not_written_over_each_other(tmp_path) -> None:
    for name, value in (("1", 1), ("2", 2)):
        dataset = secret_instance(SOPInstanceUID="1.2.3.7", InstanceNumber=value)
        save(dataset, tmp_path / "in" / f"{name}.dcm")
    refused: list[InputError] = []
    results = list(
        deidentify_paths(
            [tmp_path / "in"], tmp_path / "out", SUBSTITUTES, NO_OPTIONS, refused.append
        )
    )
    assert len(results) == len(refused) == 1
    assert "SOP Instance UID" in refused[0].reason


def written_on(image: np.ndarray, at: tuple[int, int], value: int) -> np.ndarray:
    sheet = Image.new("1", image.shape[::-1])
    ImageDraw.Draw(sheet).text(at, "AYSE OZTURK 03.05.1963", 1, ImageFont.load_default(14))
    return np.where(np.asarray(sheet), value, image).astype(image.dtype)


@pytest.mark.parametrize("at", [(4, 4), (60, 230)])
def test_text_in_the_pixels_is_warned_of(tmp_path, at) -> None:
    y, x = np.indices((256, 256)) - 128
    generator = np.random.default_rng(0)
    head = (np.hypot(y, x) < 100) * 400 + generator.integers(0, 60, (256, 256))
    assert not find_burned_in_text(head)
    assert find_burned_in_text(written_on(head, at, 4095))
    assert find_burned_in_text(np.repeat(written_on(head, at, 4095)[..., None], 3, axis=2))
    dataset = instance(pixels=written_on(head, at, 4095).astype(np.int16))
    result = deidentify_file(save(dataset, tmp_path / "a.dcm"), SUBSTITUTES, NO_OPTIONS)
    assert "text in the pixels" in result.warnings[0]


def test_only_words_of_imaging_stay_in_a_description() -> None:
    assert (
        clean_description("t1_mprage sag Müller 1963 post-contrast")
        == "t1 mprage sag post contrast"
    )
    assert clean_description("12.03.2024") == ""


@pytest.mark.shared
def test_real_files(shared_data, tmp_path) -> None:
    refused: list[InputError] = []
    results = list(
        deidentify_paths(
            [shared_data / "studies"], tmp_path, SUBSTITUTES, ALL_OPTIONS, refused.append
        )
    )
    assert len(results) > 30
    for result in results:
        before = pydicom.dcmread(result.source)
        after = pydicom.dcmread(tmp_path / result.name)
        if "PixelData" in before:
            assert after.PixelData == before.PixelData
        words = [w for w in str(before.get("PatientName", "")).split("^") if len(w) > 3]
        raw = (tmp_path / result.name).read_bytes()
        assert not any(word.encode("utf8") in raw for word in words)

"""A DICOM folder dropped on the window, answered by the real worker process."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from PySide6.QtGui import QImage

from tests.desktop.parts import head
from tests.desktop.shell.test_window import drop, mime
from tumorviewer.analysis.client import WorkerClient
from tumorviewer.desktop.services.inference import InferenceController, InferencePhase
from tumorviewer.desktop.shell.window import MainWindow
from tumorviewer.desktop.widgets import theme

SLICES = 5


def instance(pixels, index: int, study: str, series: str) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MRImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = study, series
    data.PatientName, data.PatientID = "Made^Up", "none"
    data.Modality, data.SeriesDescription, data.InstanceNumber = "MR", "Made series", index + 1
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [0, 0, 3.0 * index]
    data.PixelSpacing, data.SliceThickness = [1, 1], 3
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelData = pixels.astype(np.uint16).tobytes()
    return data


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "study"
    made.mkdir()
    study, series = generate_uid(), generate_uid()
    for index, pixels in enumerate(head(SLICES, 96).array):
        pydicom.dcmwrite(
            made / f"{index}.dcm", instance(pixels, index, study, series), enforce_file_format=True
        )
    return made


@pytest.mark.slow
def test_a_drop_becomes_a_class_with_its_map_beside_it(
    qtbot, folder, random_bundle, settings, tmp_path
):
    theme.apply_theme(settings.scheme)
    inference = InferenceController(WorkerClient, lambda: random_bundle)
    window = MainWindow(inference, settings)
    qtbot.addWidget(window)
    window.painted.connect(inference.start)
    window.resize(1366, 768)
    window.show()
    drop(window, mime(folder))
    qtbot.waitUntil(lambda: inference.state.phase is InferencePhase.ANSWERED)
    finding = inference.state.finding
    assert finding.slices == tuple(range(SLICES))
    assert finding.probabilities.sum() == pytest.approx(1)
    assert window.assessment.has_answer
    assert finding.saliency.on_slice(SLICES // 2).shape == (96, 96)
    assert window.viewer.map.message == ""
    inference.explain("eigencam", "")
    qtbot.waitUntil(lambda: inference.state.phase is InferencePhase.ANSWERED)
    assert inference.state.finding.saliency.method == "eigencam"
    assert window.grab().save(str(tmp_path / "window.png"))
    assert not QImage(str(tmp_path / "window.png")).isNull()
    window.close()
    assert window.ended_cleanly

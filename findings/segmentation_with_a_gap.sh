#!/usr/bin/env bash
# A lesion with a gap, written by highdicom as it does by default and read by SimpleITK, lies on
# other slices than it was drawn on, and nothing warns.
#
# Versions: highdicom 0.28.2, pydicom 3.0.2, SimpleITK 2.5.7, numpy 2.x, Python 3.11. Seen 2026-12-01:
#   drawn at z = [2.0, 4.0, 10.0] mm, read at z = [10.0, 11.0, 12.0] mm
#   with omit_empty_frames=False: read at z = [2.0, 4.0, 10.0] mm
# highdicom leaves empty frames out of a segmentation unless omit_empty_frames=False is given. That is
# valid (PS3.3 A.51): each frame states its own position. SimpleITK (GDCM) takes the frames for a
# regular stack, here even with another spacing. Neither says anything. What to do: write all frames.
#
# Run as `bash findings/segmentation_with_a_gap.sh`; exit code 0 while the behaviour is as told.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    highdicom==0.28.2 pydicom==3.0.2 SimpleITK==2.5.7
cat >"$folder/seen.py" <<'PYTHON'
import sys

import highdicom as hd
import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

STUDY, SERIES, FRAME_OF_REFERENCE = generate_uid(), generate_uid(), generate_uid()
DRAWN = [1, 2, 5]


def header(index):
    """A valid MR slice at z = 2 mm times its index."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, SERIES
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = FRAME_OF_REFERENCE, ""
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "A^B", "1", "", ""
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "", "", "", ""
    image.ReferringPhysicianName, image.Modality, image.Manufacturer = "", "MR", ""
    image.SeriesNumber, image.InstanceNumber = 1, index + 1
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, 2 * index], [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [1, 1], 2
    image.Rows, image.Columns = 8, 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    return image


def read_positions(**options):
    """Where SimpleITK finds the lesion, in mm."""
    mask = np.zeros((7, 8, 8), bool)
    mask[DRAWN, 3:5, 3:5] = True
    segment = hd.seg.SegmentDescription(
        1, "lesion", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, "MANUAL"
    )
    written = hd.seg.Segmentation(
        [header(index) for index in range(7)], mask, "BINARY", [segment],
        series_instance_uid=generate_uid(), series_number=2, sop_instance_uid=generate_uid(),
        instance_number=1, manufacturer="M", manufacturer_model_name="N",
        software_versions="1", device_serial_number="1", **options,
    )
    written.save_as(sys.argv[1])
    image = sitk.ReadImage(sys.argv[1])
    voxels = np.argwhere(sitk.GetArrayFromImage(image))
    points = {image.TransformIndexToPhysicalPoint([int(i) for i in v[::-1]])[2] for v in voxels}
    return sorted(round(point, 3) for point in points)


drawn = [2.0 * index for index in DRAWN]
by_default, with_all_frames = read_positions(), read_positions(omit_empty_frames=False)
print(f"drawn at z = {drawn} mm, read at z = {by_default} mm")
print(f"with omit_empty_frames=False: read at z = {with_all_frames} mm")
if by_default == drawn or with_all_frames != drawn:
    sys.exit("The behaviour has changed.")
print("As told: the lesion lies on other slices than it was drawn on.")
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" "$folder/seg.dcm"

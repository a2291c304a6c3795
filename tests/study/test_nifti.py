"""NIfTI and Analyze against nibabel and SimpleITK, and what each refusal says."""

from __future__ import annotations

import gzip
import math
import re
import struct
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine

from tumorviewer.errors import Cancelled, InputError
from tumorviewer.study import Placement, Study, Volume, nifti, nifti_pixels

NIBABEL_DATA = Path(nib.__file__).parent / "tests" / "data"
RAS_LPS = np.array([-1, -1, 1])


def volumes(path: Path) -> list[Volume]:
    return [source.load() for source in nifti.read_nifti(path, "shown").series[0].volumes]


def only(path: Path) -> Volume:
    (volume,) = volumes(path)
    return volume


def voxels(shape: tuple[int, ...], dtype: str = "<i2", seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, 200, shape)
    return values.astype(dtype)


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None, kind=nib.Nifti1Image):
    image = kind(array, np.eye(4) if affine is None else affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm", "sec" if array.ndim > 3 else None)
    nib.save(image, path)
    return path


def patched(path: Path, offset: int, form: str, *values) -> Path:
    """The file with some bytes of its header changed."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, offset, *values)
    path.write_bytes(content)
    return path


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        volumes(path)
    assert caught.value.source == "shown"
    return caught.value


def oblique(rng: np.random.Generator) -> np.ndarray:
    """A rotation with its axes exchanged and reversed, times a spacing, plus a shift."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * rng.uniform(0.3, 6, 3)
    affine[:3, 3] = rng.normal(0, 100, 3)
    return affine


def assert_same_places(volume: Volume, image: nib.spatialimages.SpatialImage, index: int = 0):
    """Every voxel has the value and patient coordinate that nibabel gives it."""
    data = np.asanyarray(image.dataobj)
    data = data.reshape(*data.shape[:3], *(1,) * (3 - data.ndim), -1, order="F")[..., index]
    shown = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), -1)
    patient = apply_affine(volume.affine, shown.reshape(-1, 3)) * RAS_LPS
    stored = np.rint(apply_affine(np.linalg.inv(image.affine), patient)).astype(int)
    np.testing.assert_allclose(apply_affine(image.affine, stored), patient, atol=1e-3)
    values = data[tuple(stored.T)].reshape(volume.array.shape)
    np.testing.assert_allclose(volume.array, values, rtol=1e-7)
    assert len(np.unique(stored, axis=0)) == data.size


# Geometry


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_oblique_voxels_are_where_nibabel_has_them(tmp_path: Path, seed: int, suffix: str) -> None:
    rng = np.random.default_rng(seed)
    path = save(tmp_path / f"a{suffix}", voxels((5, 6, 7)), oblique(rng))
    volume = only(path)
    assert volume.placement is Placement.PATIENT
    assert_same_places(volume, nib.load(path))


@pytest.mark.parametrize("seed", range(10))
def test_oblique_voxels_are_where_simpleitk_has_them(tmp_path: Path, seed: int) -> None:
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(seed)
    path = save(tmp_path / "a.nii", voxels((5, 6, 7)), oblique(rng))
    volume, image = only(path), sitk.ReadImage(str(path))
    for index in np.ndindex(volume.array.shape):
        patient = (volume.affine @ [*index, 1])[:3]
        stored = image.TransformPhysicalPointToIndex(patient.tolist())
        assert image[stored] == volume.array[index]
        there = image.TransformIndexToPhysicalPoint(stored)
        np.testing.assert_allclose(there, patient, atol=1e-3)


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "ASL", "SRP", "IPL", "LAI"])
@pytest.mark.parametrize("thick", [0, 1, 2])
def test_slices_are_shown_as_in_radiology(tmp_path: Path, code: str, thick: int) -> None:
    spacing = np.ones(3)
    spacing[thick] = 5
    orientation = nib.orientations.axcodes2ornt(code)
    affine = nib.orientations.inv_ornt_aff(orientation, (4, 5, 6)) @ np.diag([*spacing, 1])
    volume = only(save(tmp_path / "a.nii", voxels((4, 5, 6)), affine))
    seen = "".join(
        nib.orientations.aff2axcodes(volume.affine, (("R", "L"), ("A", "P"), ("I", "S")))
    )
    assert seen in {"SPL", "PIL", "RIP"}  # axial, coronal, sagittal
    assert volume.spacing()[0] == 5
    rows, columns = volume.affine[:3, 1], volume.affine[:3, 2]
    assert np.cross(columns, rows) @ volume.affine[:3, 0] > 0


def test_equal_spacing_is_shown_axial(tmp_path: Path) -> None:
    affine = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt("PIR"), (4, 5, 6))
    volume = only(save(tmp_path / "a.nii", voxels((4, 5, 6)), affine))
    assert volume.affine[2, 0] == 1


def test_one_slice_is_one_slice_whatever_its_thickness(tmp_path: Path) -> None:
    volume = only(save(tmp_path / "a.nii", voxels((4, 5, 1)), np.diag([3, 3, 1, 1])))
    assert volume.array.shape == (1, 5, 4)


def test_two_dimensions_are_one_slice(tmp_path: Path) -> None:
    volume = only(save(tmp_path / "a.nii", voxels((4, 5)), np.diag([2, 3, 1, 1.0])))
    assert volume.array.shape == (1, 5, 4)
    assert volume.spacing() == (1, 3, 2)


def test_without_sform_and_qform_only_the_spacing_is_claimed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)), np.diag([1, 2, 3, 1.0]))
    patched(path, 252, "<hh", 0, 0)
    volume = only(path)
    assert volume.placement is Placement.SCALED
    assert volume.spacing() == (3, 2, 1)
    assert volume.notes == ("Its orientation in the patient is not stated.",)
    assert_same_places(volume, nib.load(path))


def test_qform_alone_is_used(tmp_path: Path) -> None:
    image = nib.Nifti1Image(voxels((4, 5, 6)), oblique(np.random.default_rng(3)))
    image.set_qform(image.affine, 1)
    image.set_sform(None, 0)
    nib.save(image, tmp_path / "a.nii")
    volume = only(tmp_path / "a.nii")
    assert volume.placement is Placement.PATIENT
    assert_same_places(volume, nib.load(tmp_path / "a.nii"))


def test_disagreeing_forms_are_said_in_millimetres(tmp_path: Path) -> None:
    image = nib.Nifti1Image(voxels((4, 5, 6)), np.eye(4))
    moved = np.eye(4)
    moved[:3, 3] = 3, 4, 0
    image.set_sform(moved, 1)
    image.set_qform(np.eye(4), 1)
    nib.save(image, tmp_path / "a.nii")
    volume = only(tmp_path / "a.nii")
    assert "differ by up to 5.0 mm" in volume.notes[0]
    assert_same_places(volume, nib.load(tmp_path / "a.nii"))


@pytest.mark.parametrize("row", [(0.0,) * 4, (math.nan,) * 4, (1e9,) * 4, (math.inf,) * 4])
def test_an_unusable_sform_is_said_and_the_qform_used(tmp_path: Path, row) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)), np.diag([2, 2, 2, 1.0]))
    patched(path, 252, "<h", 1)
    patched(path, 280, "<4f", *row)
    volume = only(path)
    assert volume.placement is Placement.PATIENT
    assert volume.notes == ("Its sform is not a usable position and was ignored.",)
    assert volume.spacing() == (2, 2, 2)


@pytest.mark.parametrize("spacing", [0.0, math.nan, math.inf, 1e30])
def test_no_spacing_at_all_is_said(tmp_path: Path, spacing: float) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)))
    patched(path, 252, "<hh", 0, 0)
    patched(path, 80, "<f", spacing)
    volume = only(path)
    assert volume.placement is Placement.NONE
    assert volume.spacing() == (1, 1, 1)
    assert "Neither its orientation nor its spacing" in volume.notes[0]


def test_an_invalid_quaternion_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)))
    patched(path, 252, "<hh", 1, 0)
    patched(path, 256, "<3f", 3, 3, 3)
    volume = only(path)
    assert volume.placement is Placement.SCALED
    assert "qform is not a usable position" in volume.notes[0]


@pytest.mark.parametrize(
    ("unit", "factor", "said"), [("meter", 1000.0, "metres"), ("micron", 0.001, "microns")]
)
def test_other_units_become_millimetres_as_in_itk(
    tmp_path: Path, unit: str, factor: float, said: str
) -> None:
    image = nib.Nifti1Image(voxels((4, 5, 6)), np.diag([2, 2, 4, 1.0]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    volume = only(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.spacing(), np.array([4, 2, 2]) * factor)
    assert said in volume.notes[0]


def test_a_sheared_affine_is_kept_and_said(tmp_path: Path) -> None:
    affine = np.diag([1, 1, 4, 1.0])
    affine[1, 2] = 4 * math.tan(math.radians(12))
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)), affine)
    patched(path, 252, "<h", 0)
    volume = only(path)
    assert "12.0° from perpendicular" in volume.notes[0]
    assert_same_places(volume, nib.load(path))


# Values


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", "<i4", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_values_of_every_kind(tmp_path: Path, dtype: str, kind) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6), dtype), kind=kind)
    assert nib.load(path).header["sizeof_hdr"] == (540 if kind is nib.Nifti2Image else 348)
    volume = only(path)
    assert volume.array.dtype.isnative
    assert_same_places(volume, nib.load(path))


@pytest.mark.parametrize("dtype", ["<i8", "<u8", "<i4", "<f8"])
def test_wide_masks_become_narrow(tmp_path: Path, dtype: str) -> None:
    volume = only(save(tmp_path / "a.nii", voxels((4, 5, 6), dtype)))
    assert volume.array.dtype.itemsize == (4 if dtype == "<f8" else 2)


def test_wide_values_that_are_needed_stay(tmp_path: Path) -> None:
    wide = voxels((4, 5, 6), "<i8")
    wide[0, 0, 0] = 2**40
    assert only(save(tmp_path / "a.nii", wide)).array.dtype == np.int64
    exact = voxels((4, 5, 6), "<f8") + 1e-12
    assert only(save(tmp_path / "b.nii", exact)).array.dtype == np.float64


@pytest.mark.parametrize(
    ("slope", "inter", "dtype"),
    [
        (0, 5, np.int16),
        (math.nan, 5, np.int16),
        (1, 0, np.int16),
        (1, -1024, np.int16),
        (3, 0, np.int16),
        (-1, 0, np.int16),
        (500, 0, np.int32),
        (0.5, 0, np.float32),
        (1e-3, 7.25, np.float32),
    ],
)
def test_slope_and_intercept(tmp_path: Path, slope: float, inter: float, dtype) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)))
    patched(path, 112, "<ff", slope, inter)
    volume = only(path)
    assert volume.array.dtype == dtype
    assert_same_places(volume, nib.load(path))


@given(
    stored=st.sampled_from(["u1", "i1", "<i2", ">u2", "<i4", "<u4", "<i8", "<f4", ">f8"]),
    slope=st.one_of(st.integers(-300, 300).map(float), st.floats(-1e6, 1e6, width=32)),
    inter=st.one_of(st.integers(-70000, 70000).map(float), st.floats(-1e6, 1e6, width=32)),
    seed=st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_rescaled_values_are_exact_or_rounded_once(stored, slope, inter, seed) -> None:
    dtype = np.dtype(stored)
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (8, dtype.itemsize), np.uint8).view(dtype)[:, 0]
    rescale = nifti_pixels.NiftiRescale(dtype, slope, inter)
    with np.errstate(all="ignore"):
        wanted = raw.astype(np.float64) * slope + inter
        if slope == 1 and inter == 0:
            wanted = raw.astype(dtype.newbyteorder("="))
        np.testing.assert_allclose(rescale(raw), wanted.astype(rescale.dtype), rtol=1e-12)
    if rescale.dtype.kind in "iu" and (slope, inter) != (1, 0):
        np.testing.assert_array_equal(rescale(raw).astype(np.float64), wanted)


def test_an_infinite_intercept_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)))
    patched(path, 112, "<ff", 1, math.inf)
    assert "header is not valid" in refusal(path).reason


def test_nan_and_infinities_survive_and_are_said(tmp_path: Path) -> None:
    array = voxels((4, 5, 6), "<f4")
    array[0, 0, :3] = math.nan
    array[1, 1, :2] = math.inf, -math.inf
    volume = only(save(tmp_path / "a.nii", array))
    assert np.isnan(volume.array).sum() == 3
    assert np.isinf(volume.array).sum() == 2
    assert volume.notes == ("3 voxels are not a number (NaN).", "2 voxels are infinite.")


@pytest.mark.parametrize(("dtype", "shown"), [("<c8", np.float32), (">c16", np.float64)])
def test_complex_values_are_magnitudes(tmp_path: Path, dtype: str, shown) -> None:
    array = (np.random.default_rng(0).normal(size=(4, 5, 6)) * (1 + 2j)).astype(dtype)
    volume = only(save(tmp_path / "a.nii", array))
    assert volume.array.dtype == shown
    np.testing.assert_allclose(np.sort(volume.array.ravel()), np.sort(abs(array).ravel()))
    assert "magnitudes" in volume.notes[0]


@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
def test_colours(tmp_path: Path, channels: str) -> None:
    dtype = np.dtype([(name, "u1") for name in channels])
    array = voxels((4, 5, 6, len(channels)), "u1").view(dtype)[..., 0]
    affine = np.diag([-1, -1, 1, 1])
    volume = only(save(tmp_path / "a.nii", array, affine))
    assert volume.is_colour
    for channel, name in enumerate("RGB"):
        np.testing.assert_array_equal(volume.array[..., channel], array[name].T)
    assert bool(volume.notes) == (channels == "RGBA")


def test_the_file_may_state_a_window(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)))
    patched(path, 124, "<ff", 200, 50)  # cal_max, cal_min
    (window,) = only(path).windows
    assert (window.centre, window.width) == (125, 150)


# Several volumes


def test_time_points_are_volumes_that_repeat(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", voxels((4, 5, 6, 3)))
    sources = nifti.read_nifti(path, "shown").series[0].volumes
    assert [source.label for source in sources] == [f"volume {n} of 3" for n in (1, 2, 3)]
    assert [source.repeats for source in sources] == [False, True, True]
    for index, volume in enumerate(volumes(path)):
        assert_same_places(volume, nib.load(path), index)


def test_contrasts_along_the_fourth_dimension_do_not_repeat(tmp_path: Path) -> None:
    """nifti1.h: pixdim[4] is a step in time only where xyzt_units says that it is one."""
    path = save(tmp_path / "a.nii.gz", voxels((4, 5, 6, 4)))
    for unit, step in ((0, 1.0), (8, 0.0), (32, 1.0)):
        unit_at, step_at = 123, 76 + 4 * 4
        image = nib.load(path)
        nib.save(image, tmp_path / "b.nii")
        patched(tmp_path / "b.nii", unit_at, "<b", 2 | unit)
        patched(tmp_path / "b.nii", step_at, "<f", step)
        sources = nifti.read_nifti(tmp_path / "b.nii", "shown").series[0].volumes
        assert not any(source.repeats for source in sources), (unit, step)


def test_many_volumes_without_a_time_step_repeat(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6, 9)))
    patched(path, 76 + 4 * 4, "<f", 0.0)
    sources = nifti.read_nifti(path, "shown").series[0].volumes
    assert [source.repeats for source in sources] == [False] + [True] * 8


def test_components_are_volumes_that_do_not_repeat(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6, 2, 3)))
    sources = nifti.read_nifti(path, "shown").series[0].volumes
    assert sources[3].label == "volume 2 of 2, component 2 of 3"
    assert [source.repeats for source in sources] == [False, True] * 3
    for index, volume in enumerate(volumes(path)):
        assert_same_places(volume, nib.load(path), index)


def test_an_empty_fourth_dimension_is_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6, 1)))
    assert only(path).label == ""


# Pairs and Analyze


@pytest.mark.parametrize("named", ["a.hdr", "a.img"])
@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
def test_either_file_of_a_pair_opens_it(tmp_path: Path, named: str, kind) -> None:
    save(tmp_path / "a.img", voxels((4, 5, 6)), np.diag([2, 3, 4, 1.0]), kind)
    assert nifti.find_header_path(tmp_path / named) == tmp_path / "a.hdr"
    assert_same_places(only(tmp_path / named), nib.load(tmp_path / "a.img"))


def test_pairs_may_be_compressed_and_in_capitals(tmp_path: Path) -> None:
    save(tmp_path / "a.img.gz", voxels((4, 5, 6)), kind=nib.Nifti1Pair)
    wanted = only(tmp_path / "a.img.gz").array
    (tmp_path / "B.HDR").write_bytes(gzip.decompress((tmp_path / "a.hdr.gz").read_bytes()))
    (tmp_path / "B.IMG").write_bytes(gzip.decompress((tmp_path / "a.img.gz").read_bytes()))
    for name in ("B.HDR", "B.IMG"):
        np.testing.assert_array_equal(only(tmp_path / name).array, wanted)


def test_a_missing_partner_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.img", voxels((4, 5, 6)), kind=nib.Nifti1Pair)
    (tmp_path / "a.img").rename(tmp_path / "b.img")
    assert ".img file" in refusal(tmp_path / "a.hdr").reason
    assert ".hdr file" in refusal(tmp_path / "b.img").reason
    assert refusal(tmp_path / "b.img").remedy


def test_a_single_file_may_be_called_img(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 6)))
    path.rename(tmp_path / "a.img")
    assert only(tmp_path / "a.img").array.shape == (6, 5, 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_analyze_claims_no_orientation(tmp_path: Path, order: str) -> None:
    header = nib.AnalyzeHeader(endianness=order)
    image = nib.AnalyzeImage(voxels((4, 5, 6), f"{order}i2"), None, header)
    image.header.set_zooms((1, 2, 3))
    nib.save(image, tmp_path / "a.img")
    volume = only(tmp_path / "a.img")
    assert volume.placement is Placement.SCALED
    assert volume.spacing() == (3, 2, 1)
    assert_same_places(volume, nib.load(tmp_path / "a.img"))


# Files that are not as they should be


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return save(tmp_path / "a.nii", voxels((4, 5, 6)))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", voxels((4, 5, 6)))
    content = path.read_bytes()
    for length in range(0, len(content), 7 if suffix == ".nii" else 1):
        path.write_bytes(content[:length])
        assert refusal(path).reason


def test_any_flipped_bit_of_a_compressed_file_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", voxels((4, 5, 6)))
    content, wanted = path.read_bytes(), only(path).array
    for position in range(10, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(only(path).array, wanted)
        except InputError as error:
            assert error.reason  # noqa: PT017


@pytest.mark.parametrize(
    ("offset", "form", "values", "reason"),
    [
        (40, "<4h", (3, 4, 5, 0), "without any voxels"),
        (40, "<4h", (3, -4, 5, 6), "without any voxels"),
        (40, "<4h", (1, 4, 5, 6), "fewer than two"),
        (40, "<8h", (7, *(32767,) * 7), "more voxels than any image"),
        (40, "<4h", (3, 32767, 32767, 32767), "declares 70.4 TB"),
        (40, "<4h", (3, 4, 5, 7), "declares"),
        (108, "<f", (1e6,), "declares"),
        (108, "<f", (100,), "too low"),
        (108, "<f", (math.nan,), "do not|does not say where|not valid"),
        (108, "<f", (-5000,), "not|too low"),
        (70, "<h", (1,), "not supported|kind"),
        (70, "<h", (9999,), "not recognized|not supported"),
    ],
)
def test_headers_that_lie(plain: Path, offset: int, form: str, values, reason: str) -> None:
    patched(plain, offset, form, *values)
    assert re.search(reason, refusal(plain).reason)


@pytest.mark.parametrize(("offset", "form", "value"), [(0, "<i", 0), (344, "<4s", b"abcd")])
def test_a_header_that_is_half_recognised(plain: Path, offset: int, form: str, value) -> None:
    patched(plain, offset, form, value)
    try:
        assert only(plain).array.shape == (6, 5, 4)
    except InputError as error:
        assert error.reason  # noqa: PT017


def test_eight_gigabytes_from_272_bytes_are_refused_at_once(tmp_path: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 1000))
    header.set_data_dtype(np.int16)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(20_000)))
    assert path.stat().st_size < 400
    tracemalloc.start()
    error = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "declares 8.0 GB" in error.reason
    assert peak < 1 << 20


def test_an_extension_that_reaches_into_the_voxels_is_refused(plain: Path) -> None:
    content = plain.read_bytes()
    room = b"\1\0\0\0" + struct.pack("<ii", 32, 6) + bytes(24)
    plain.write_bytes(content[:348] + room + content[352:])
    patched(plain, 108, "<f", 384)
    assert only(plain).array.shape == (6, 5, 4)
    for lie in (10_000, 0, -8, 48):
        patched(plain, 352, "<i", lie)
        assert "extension" in refusal(plain).reason


def test_gzip_in_several_members_is_one_file(tmp_path: Path, plain: Path) -> None:
    content = plain.read_bytes()
    path = tmp_path / "b.nii.gz"
    path.write_bytes(b"".join(gzip.compress(content[at : at + 100]) for at in range(0, 600, 100)))
    np.testing.assert_array_equal(only(path).array, only(plain).array)


def test_gzip_followed_by_garbage_is_refused(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()) + b"garbage")
    assert "damaged" in refusal(path).reason


def test_gzip_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(b"not an image" * 100))
    assert "not a NIfTI" in refusal(path).reason


def test_the_name_does_not_matter(tmp_path: Path, plain: Path) -> None:
    wanted = only(plain).array
    packed = tmp_path / "packed.nii"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    unpacked = tmp_path / "unpacked.nii.gz"
    unpacked.write_bytes(plain.read_bytes())
    for path in (packed, unpacked):
        np.testing.assert_array_equal(only(path).array, wanted)


def test_a_file_that_changes_after_it_was_opened(plain: Path) -> None:
    (source,) = nifti.read_nifti(plain, "shown").series[0].volumes
    plain.write_bytes(plain.read_bytes()[:400])
    with pytest.raises(InputError, match="changed since"):
        source.load()
    plain.unlink()
    with pytest.raises(InputError, match="gone since"):
        source.load()


def test_nothing_is_written_to_the_terminal(plain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    patched(plain, 76, "<f", 7)  # qfac, which nibabel mends and reports
    patched(plain, 72, "<h", 3)  # bitpix
    only(plain)
    assert capfd.readouterr() == ("", "")


# Loading


def progress_of(path: Path) -> list[int]:
    seen: list[int] = []
    (source,) = nifti.read_nifti(path, "shown").series[0].volumes
    source.load(lambda volume, index: seen.append(index))
    return seen


def test_the_middle_slice_comes_first_from_a_plain_file(tmp_path: Path) -> None:
    affine = np.diag([1, 1, 4, 1.0])
    seen = progress_of(save(tmp_path / "a.nii", voxels((4, 5, 7)), affine))
    assert seen[0] == 3
    assert sorted(seen) == list(range(7))


def test_a_compressed_file_fills_in_its_own_order(tmp_path: Path) -> None:
    affine = np.diag([1, 1, -4, 1.0])
    seen = progress_of(save(tmp_path / "a.nii.gz", voxels((4, 5, 7)), affine))
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_what_was_reported_is_filled(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", voxels((4, 5, 7)) + 1, np.diag([1, 1, 4, 1.0]))

    def check(volume: Volume, index: int) -> None:
        assert (volume.array[index] > 0).all()

    nifti.read_nifti(path, "shown").series[0].volumes[0].load(check)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("thick", [0, 2])
def test_loading_can_be_cancelled(tmp_path: Path, suffix: str, thick: int) -> None:
    spacing = np.ones(4)
    spacing[thick] = 4
    path = save(tmp_path / f"a{suffix}", voxels((4, 5, 7, 2)), np.diag(spacing))
    calls = 0

    def cancel(volume: Volume, index: int) -> None:
        nonlocal calls
        calls += 1
        raise Cancelled

    for source in nifti.read_nifti(path, "shown").series[0].volumes:
        with pytest.raises(Cancelled):
            source.load(cancel)
    assert calls == 2


def test_unpacking_what_lies_before_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nifti_pixels, "_CHUNK", 100)
    path = save(tmp_path / "a.nii.gz", voxels((4, 5, 7, 2)))
    seen = []

    def cancel(volume: Volume, index: int) -> None:
        seen.append(volume.array.any())
        raise Cancelled

    with pytest.raises(Cancelled):
        nifti.read_nifti(path, "shown").series[0].volumes[1].load(cancel)
    assert seen == [False]


@pytest.mark.parametrize("thick", [0, 1, 2])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_peak_memory_is_near_the_pixels(tmp_path: Path, suffix: str, thick: int) -> None:
    spacing = np.ones(4)
    spacing[thick] = 4
    path = save(tmp_path / f"a{suffix}", voxels((192, 192, 64)), np.diag(spacing))
    (source,) = nifti.read_nifti(path, "shown").series[0].volumes
    tracemalloc.start()
    volume = source.load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * volume.array.nbytes


# Files that others made


@pytest.mark.parametrize(
    "name",
    [
        "anatomical.nii",
        "functional.nii",
        "example4d.nii.gz",
        "example_nifti2.nii.gz",
        "standard.nii.gz",
        "reoriented_anat_moved.nii",
    ],
)
def test_nibabels_own_files(name: str) -> None:
    path = NIBABEL_DATA / name
    for index, volume in enumerate(volumes(path)[:2]):
        assert_same_places(volume, nib.load(path), index)


@pytest.mark.shared
def test_real_files_are_where_nibabel_and_simpleitk_have_them(shared_data: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(0)
    paths = sorted(shared_data.glob("studies/n*/*.nii*"))
    assert paths
    for path in paths:
        image, volume = nib.load(path), volumes(path)[0]
        shown = np.stack([rng.integers(0, extent, 200) for extent in volume.array.shape], 1)
        patient = apply_affine(volume.affine, shown)
        stored = np.rint(apply_affine(np.linalg.inv(image.affine), patient * RAS_LPS)).astype(int)
        np.testing.assert_allclose(apply_affine(image.affine, stored), patient * RAS_LPS, atol=1e-3)
        data = np.asanyarray(image.dataobj)
        data = data.reshape(*data.shape[:3], -1)[..., 0]
        data = abs(data) if data.dtype.kind == "c" else data
        np.testing.assert_array_equal(data[tuple(stored.T)], volume.array[tuple(shown.T)])
        itk = sitk.ImageFileReader()
        itk.SetFileName(str(path))
        itk.ReadImageInformation()
        axes = np.reshape(itk.GetDirection(), (itk.GetDimension(),) * 2)[:3, :3]
        there = stored * itk.GetSpacing()[:3] @ axes.T + itk.GetOrigin()[:3]
        np.testing.assert_allclose(there, patient, atol=1e-3)


def test_a_study_names_its_file(plain: Path) -> None:
    study = nifti.read_nifti(plain, "shown")
    assert isinstance(study, Study)
    assert (study.title, study.patient_name, study.series[0].source) == ("a.nii", "", "shown")


@pytest.mark.parametrize("packed", [False, True])
def test_recognising_by_content(plain: Path, packed: bool) -> None:
    content = plain.read_bytes()
    content = gzip.compress(content) if packed else content
    assert nifti.is_nifti(content[:1024])
    assert not nifti.is_nifti(b"\x1f\x8b" + bytes(600))
    assert not nifti.is_nifti(bytes(600))
    assert not nifti.is_nifti(b"")

"""NIfTI-1, NIfTI-2 and Analyze files: headers to a study whose volumes can be loaded."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
from nibabel.spatialimages import HeaderDataError
from nibabel.spm2analyze import Spm2AnalyzeHeader
from numpy.typing import NDArray

from tumorviewer.errors import InputError, NoImageError
from tumorviewer.language import later, tr
from tumorviewer.study import limits
from tumorviewer.study.display_range import note_ignored_range
from tumorviewer.study.layout import VoxelLayout, choose_display_layout
from tumorviewer.study.nifti_geometry import has_spacing, locate_voxels
from tumorviewer.study.nifti_pixels import (
    INFLATE_ERRORS,
    NiftiRescale,
    StoredVoxels,
    count_not_finite,
    describe_read_error,
    inflate_head,
    narrow_dtype,
    open_maybe_gzip,
    order_from_middle,
)
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.stamps import Stamp
from tumorviewer.study.types import (
    LoadingProgress,
    Placement,
    Series,
    SourceFile,
    Study,
    Volume,
    VolumeReader,
    Window,
)

_HEAD_BYTES = 560
_MAX_EXTENT = 65_535
_CIFTI = range(3000, 3100)
_NO_IMAGE = {
    1004: later("a matrix in each voxel"),
    1005: later("a matrix in each voxel"),
    1006: later("a field of displacements"),
    1008: later("points of a surface"),
    1009: later("triangles of a surface"),
    1010: later("a rotation in each voxel"),
    2002: later("points of a surface"),
    **dict.fromkeys(range(2006, 2019), later("a field of displacements")),
}
"""By intent code (nifti1.h; those from 2006 are FSL's)."""
_TIME_UNITS = (8, 16, 24)
"""Seconds, milliseconds and microseconds in ``xyzt_units``."""
_MOST_CONTRASTS = 8
"""More volumes along the fourth dimension are a series in time, or of directions."""
_COPY_AGAIN = later("Copy it again from where it came from.")
_NOT_NIFTI = later("It is not a NIfTI or Analyze file, or its header is damaged.")

_SILENT = logging.Logger("nibabel", logging.CRITICAL + 1)
"""nibabel's own logger writes to the terminal."""


def is_nifti(head: bytes) -> bool:
    """Whether a file that begins like this, 560 bytes or more, is NIfTI or Analyze; gzip or not."""
    return _header_class(inflate_head(head, _HEAD_BYTES)) is not None


def find_header_path(path: Path) -> Path:
    """The file that speaks for this one: the ``.hdr`` of an ``.img`` that has one, else itself."""
    return _partner(path, ".img", ".hdr") or path


def read_nifti(path: Path, source: str) -> Study:
    """Read the header of a NIfTI or Analyze file, or of a pair of which either is named.

    Parameters
    ----------
    path
        The file.
    source
        What the user knows it as.

    Returns
    -------
    Study
        One series with a volume for each time point and component; no pixels are read yet.

    Raises
    ------
    InputError
        If it is not such a file, is damaged, or declares what it cannot hold.
    """
    limits.check_regular_file(path, source)
    header_file = find_header_path(path)
    head, compressed = _read_head(header_file, source)
    header = _parse(head, source, path)
    if _is_single(header):
        data = header_file
    else:
        data = _partner(header_file, ".hdr", ".img") or _missing(source, ".img", later("voxels"))
        compressed = _read_head(data, source)[1]
    image = _image(header, data, compressed, source)
    _check_extension(header, head, image)
    return Study(path.name, (Series(path.name, _volumes(image, header), source),))


def _missing(source: str, suffix: str, content: str) -> Path:
    raise InputError(
        source,
        tr(
            "Its {suffix} file, which holds the {content}, is not beside it.",
            suffix=suffix,
            content=tr(content),
        ),
        tr("Put the .hdr and the .img file into one folder and open either."),
    )


def _partner(path: Path, ours: str, theirs: str) -> Path | None:
    """The other file of a pair, whatever the case of its suffix, compressed or not."""
    lower = path.name.lower()
    suffix = next((ours + gz for gz in ("", ".gz") if lower.endswith(ours + gz)), None)
    if suffix is None:
        return None
    stem = path.name[: -len(suffix)]
    names = (stem + form(theirs + gz) for gz in ("", ".gz") for form in (str.lower, str.upper))
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def _read_head(path: Path, source: str) -> tuple[bytes, bool]:
    limits.check_regular_file(path, source)
    try:
        stream, compressed = open_maybe_gzip(path)
        with stream:
            return stream.read(_HEAD_BYTES), compressed
    except INFLATE_ERRORS as error:
        raise describe_read_error(path, source, error) from error


def _header_class(head: bytes) -> type[Any] | None:
    by_magic: dict[bytes, type[Any]] = {
        b"n+1": Nifti1Header,
        b"ni1": Nifti1PairHeader,
        b"n+2": Nifti2Header,
        b"ni2": Nifti2PairHeader,
    }
    for magic in (head[344:347], head[4:7]):
        if magic in by_magic:
            return by_magic[magic]
    is_analyze = len(head) >= 348 and 348 in (
        int.from_bytes(head[:4], "little"),
        int.from_bytes(head[:4], "big"),
    )
    return Spm2AnalyzeHeader if is_analyze else None


def _is_single(header: Any) -> bool:
    return type(header) in (Nifti1Header, Nifti2Header)


def _parse(head: bytes, source: str, path: Path) -> Any:
    """A header that nibabel has checked, with what it mends by itself mended."""
    kind = _header_class(head)
    if kind is None or len(head) < kind.sizeof_hdr:
        if path.name.lower().endswith((".img", ".img.gz")):
            _missing(source, ".hdr", later("size and orientation"))
        raise InputError(source, tr(_NOT_NIFTI), tr(_COPY_AGAIN))
    try:
        header = kind(head[: kind.sizeof_hdr], check=False)
        unknown_spacing = not has_spacing(header)
        header.check_fix(logger=_SILENT, error_level=40)
    except (HeaderDataError, ValueError, KeyError) as error:
        raise InputError(
            source, tr("Its header is not valid: {error}.", error=error), tr(_COPY_AGAIN)
        ) from error
    if unknown_spacing:
        header["pixdim"][1:4] = math.nan
    return header


@dataclass(frozen=True, eq=False)
class _Image:
    """What a header says, once for all the volumes of a file."""

    voxels: StoredVoxels
    rescale: NiftiRescale
    layout: VoxelLayout
    affine: NDArray[np.float64]
    """Of the array in display layout, to LPS+ mm."""
    placement: Placement
    windows: tuple[Window, ...]
    notes: tuple[Note, ...]


def _image(header: Any, data: Path, compressed: bool, source: str) -> _Image:
    shape = [int(extent) for extent in header.get_data_shape()]
    if len(shape) < 2:
        raise InputError(source, tr("It holds no image: fewer than two dimensions."))
    space = (shape[0], shape[1], shape[2] if len(shape) > 2 else 1)
    _check_intent(header, source)
    stored = _stored_dtype(header, source)
    volumes = math.prod(shape[3:])
    offset, stamp = _offset(header, source), Stamp.of(data)
    voxels = StoredVoxels(source, data, offset, stored, space, volumes, compressed, stamp)
    _check_size(voxels, shape)
    rescale = NiftiRescale(stored, *_slope(header, source))
    placed = locate_voxels(header, space)
    layout = choose_display_layout(placed.affine, space)
    return _Image(
        voxels,
        rescale,
        layout,
        layout.affine(placed.affine, space),
        placed.placement,
        _windows(header),
        placed.notes + _dtype_notes(stored),
    )


def _check_intent(header: Any, source: str) -> None:
    """Refuse what is stored in a NIfTI file and is no image."""
    code = int(header["intent_code"]) if "intent_code" in header else 0
    kind = "CIFTI" if code in _CIFTI else _NO_IMAGE.get(code)
    if kind:
        raise NoImageError(source, tr("It is no image: {kind}.", kind=tr(kind)))


def _stored_dtype(header: Any, source: str) -> np.dtype[Any]:
    dtype: np.dtype[Any] = header.get_data_dtype()
    if dtype.itemsize == 0 or dtype.kind not in "iufcV":
        raise InputError(source, tr("Its voxels are of a kind that is not supported."))
    return dtype


def _dtype_notes(stored: np.dtype[Any]) -> tuple[Note, ...]:
    if stored.kind == "c":
        text = later("Complex values are shown as their magnitudes.")
        return (make_note("magnitudes", text),)
    if len(stored.names or ()) == 4:
        text = later("Colours are shown without their transparency.")
        return (make_note("no_transparency", text),)
    if stored.kind == "f" and stored.itemsize > 8:
        text = later("Extended-precision values are shown in double precision.")
        return (make_note("double_precision", text),)
    return ()


def _offset(header: Any, source: str) -> int:
    offset = float(header["vox_offset"])
    if not math.isfinite(offset) or offset < 0:
        raise InputError(
            source, tr("Its header does not say where the voxels begin."), tr(_COPY_AGAIN)
        )
    return max(int(offset), header.single_vox_offset if _is_single(header) else 0)


def _check_size(voxels: StoredVoxels, shape: list[int]) -> None:
    if min(shape) < 1:
        raise InputError(voxels.source, tr("It declares an image without any voxels."))
    if max(voxels.shape) > _MAX_EXTENT or voxels.volumes > limits.MAX_VOLUMES:
        sizes = " × ".join(map(str, shape))
        raise InputError(
            voxels.source, tr("It declares more voxels than any image has: {sizes}.", sizes=sizes)
        )
    stored = voxels.path.stat().st_size
    ratio = limits.DEFLATE_RATIO if voxels.compressed else 1
    needed = voxels.offset + math.prod(shape) * voxels.dtype.itemsize
    limits.check_expansion(voxels.source, needed, stored, ratio)


def _slope(header: Any, source: str) -> tuple[float, float]:
    if header.get_data_dtype().names:
        return 1.0, 0.0
    try:
        slope, inter = header.get_slope_inter()
    except HeaderDataError as error:
        raise InputError(
            source, tr("Its header is not valid: {error}.", error=error), tr(_COPY_AGAIN)
        ) from error
    return (1.0, 0.0) if slope is None else (float(slope), float(inter or 0.0))


def _windows(header: Any) -> tuple[Window, ...]:
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return ()
    return (Window((low + high) / 2, high - low, tr("From the file"), "LINEAR_EXACT"),)


def _check_extension(header: Any, head: bytes, image: _Image) -> None:
    """Refuse a header extension that would reach into the voxels: one of the two is not true."""
    if not _is_single(header):
        return
    size = header.sizeof_hdr
    room = image.voxels.offset - size - 4
    if room < 16 or head[size : size + 1] in (b"", b"\0"):
        return
    length = int.from_bytes(
        head[size + 4 : size + 8], "big" if header.endianness == ">" else "little", signed=True
    )
    if not 8 <= length <= room:
        raise InputError(
            image.voxels.source,
            tr("Its header extension does not fit between the header and the voxels."),
            tr(_COPY_AGAIN),
        )


def _volumes(image: _Image, header: Any) -> tuple[VolumeReader, ...]:
    extents = [int(extent) for extent in header.get_data_shape()[3:]]
    times = extents[0] if extents else 1
    repeats = _are_repeats(header, times)
    components = math.prod(extents[1:])
    return tuple(
        NiftiVolume(
            image,
            component * times + time,
            _label(time, times, component, components),
            repeats and time > 0,
        )
        for component in range(components)
        for time in range(times)
    )


def _are_repeats(header: Any, times: int) -> bool:
    """Whether volumes along the fourth dimension show one thing at several times.

    A few volumes without a time step are other contrasts.
    """
    if "xyzt_units" not in header or times > _MOST_CONTRASTS:
        return True
    has_step = math.isfinite(step := float(header["pixdim"][4])) and step > 0
    return has_step and int(header["xyzt_units"]) & 0x38 in _TIME_UNITS


def _label(time: int, times: int, component: int, components: int) -> str:
    parts = []
    if times > 1:
        parts.append(f"volume {time + 1} of {times}")
    if components > 1:
        parts.append(f"component {component + 1} of {components}")
    return ", ".join(parts)


@dataclass(frozen=True, eq=False)
class NiftiVolume:
    """One volume of a file; a :class:`~tumorviewer.study.types.VolumeReader`."""

    image: _Image
    index: int
    label: str
    repeats: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.image.layout.shape(self.image.voxels.shape)

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """To LPS+ mm, where the file's place is known."""
        return self.image.affine if self.image.placement is Placement.PATIENT else None

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The file, after its header if that is another one."""
        voxels = self.image.voxels
        paths = dict.fromkeys((find_header_path(voxels.path), voxels.path))
        return tuple(SourceFile(path, voxels.source, voxels.stamp) for path in paths)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is known before loading."""
        return self.image.notes

    def load(self, progress: LoadingProgress | None = None) -> Volume:
        """Read the voxels: the middle slice first, or in the file's order if it is compressed."""
        image = self.image
        colours = (3,) if image.voxels.dtype.names else ()
        array = limits.allocate_pixels(
            image.voxels.source, self.shape + colours, image.rescale.dtype
        )
        volume = Volume(
            array,
            image.affine,
            image.placement,
            image.voxels.source,
            label=self.label,
            windows=image.windows,
            notes=image.notes,
        )
        notes = self._fill(volume, progress or (lambda _volume, _index: None))
        filled = replace(volume, array=narrow_dtype(array), notes=image.notes + notes)
        return note_ignored_range(filled)

    def _fill(self, volume: Volume, progress: LoadingProgress) -> tuple[Note, ...]:
        image, slices = self.image, len(volume.array)
        extent = image.voxels.shape[2]
        stored_IJK = image.layout.stored(volume.array)
        along_slices = image.layout.axes[0] == 2
        nan = infinite = 0
        waiting = lambda: progress(volume, slices // 2)  # noqa: E731
        for k, plane_JI in image.voxels.planes(self.index, order_from_middle(extent), waiting):
            values = image.rescale(plane_JI)
            stored_IJK[:, :, k] = values.swapaxes(0, 1)
            odd = count_not_finite(values)
            nan, infinite = nan + odd[0], infinite + odd[1]
            backwards = image.layout.reversed[0]
            shown = (extent - 1 - k if backwards else k) if along_slices else slices // 2
            progress(volume, shown)
        return _not_finite_notes(nan, infinite)


def _not_finite_notes(nan: int, infinite: int) -> tuple[Note, ...]:
    notes = []
    if nan:
        notes.append(make_note("not_a_number", later("{n} voxels are not a number (NaN)."), n=nan))
    if infinite:
        notes.append(make_note("infinite", later("{n} voxels are infinite."), n=infinite))
    return tuple(notes)

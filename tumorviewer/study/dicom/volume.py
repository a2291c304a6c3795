"""A stack of frames as a volume that can be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorviewer.errors import InputError
from tumorviewer.language import later
from tumorviewer.study import limits
from tumorviewer.study.dicom.elements import silence_pydicom
from tumorviewer.study.dicom.frames import Frame
from tumorviewer.study.dicom.pixels import PixelReader
from tumorviewer.study.dicom.placement import Geometry
from tumorviewer.study.dicom.values import choose_dtype
from tumorviewer.study.display_range import note_ignored_range
from tumorviewer.study.nifti_pixels import order_from_middle
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.types import LoadingProgress, Placement, SourceFile, Volume


@dataclass(frozen=True, eq=False)
class DicomVolume:
    """A :class:`~tumorviewer.study.types.VolumeReader` over the frames of one stack."""

    frames: tuple[Frame, ...]
    """In slice order."""
    geometry: Geometry
    source: str
    series_instance_uid: str | None
    label: str
    repeats: bool
    notes: tuple[Note, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.frames), self.frames[0].rows, self.frames[0].columns

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """To LPS+ mm, where the slices' place is known."""
        return self.geometry.affine if self.geometry.placement is Placement.PATIENT else None

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The instances, in the order of the slices."""
        images = (frame.image for frame in self.frames)
        return tuple(dict.fromkeys(SourceFile(one.path, one.source, one.stamp) for one in images))

    def load(self, progress: LoadingProgress | None = None) -> Volume:
        """Decode the slices, from the middle outwards.

        Slices that cannot be decoded stay blank, and are listed in the volume's notes.

        Raises
        ------
        InputError
            If none can be decoded, or there is not enough memory.
        """
        silence_pydicom()
        volume = self._blank()
        failures: dict[int, InputError] = {}
        with PixelReader() as reader:
            for index in order_from_middle(len(self.frames)):
                try:
                    values = self._values(reader, index)
                except InputError as error:
                    failures[index] = error
                    continue
                volume = self._widened(volume, values)
                volume.array[index] = values
                if progress is not None:
                    progress(volume, index)
        return note_ignored_range(self._without(volume, failures))

    def _values(self, reader: PixelReader, index: int) -> NDArray[Any]:
        frame = self.frames[index]
        stored = reader.read(frame)
        return stored if frame.image.format.is_colour else frame.rescale(stored)

    def _blank(self) -> Volume:
        middle = self.frames[len(self.frames) // 2]
        pixels = middle.image.format
        shape = (*self.shape, 3) if pixels.is_colour else self.shape
        dtype = _dtype(self.frames)
        if dtype.kind in "iu" and dtype.itemsize == 4 and pixels.bits_allocated <= 16:
            dtype = np.dtype(np.int16)
        return Volume(
            limits.allocate_pixels(self.source, shape, dtype),
            self.geometry.affine,
            self.geometry.placement,
            self.source,
            self.series_instance_uid,
            self.label,
            windows=middle.windows,
            voi_lut=middle.voi_lut,
            inverted=pixels.photometric == "MONOCHROME1",
            units=middle.rescale.units,
            notes=self.notes,
            positions=self.geometry.positions,
            padding=_padding(middle),
            frame_of_reference=_frame_of_reference(middle),
            tags=self.tags,
        )

    def _widened(self, volume: Volume, values: NDArray[Any]) -> Volume:
        """The volume with room for `values`: 16-bit data seldom use all of their range."""
        info = np.iinfo(np.int16)
        if volume.array.dtype != np.int16 or values.dtype == np.int16:
            return volume
        if info.min <= values.min() and values.max() <= info.max:
            return volume
        wide = _dtype(self.frames)
        limits.check_memory(volume.source, volume.array.size * wide.itemsize)
        return replace(volume, array=volume.array.astype(wide))

    def _without(self, volume: Volume, failures: dict[int, InputError]) -> Volume:
        """The volume with its unreadable slices blanked and named."""
        if not failures:
            return volume
        missing = sorted(failures)
        first = failures[missing[0]]
        if len(missing) == len(self.frames):
            raise first
        good = [index for index in range(len(self.frames)) if index not in failures]
        volume.array[missing] = min(volume.array[index].min() for index in good)
        where = ", ".join(str(index + 1) for index in missing[:10])
        note = make_note(
            "blank_slices",
            later("{good} of {frames} slices are shown. Left blank: slice {where}. {reason}"),
            good=len(good),
            frames=len(self.frames),
            where=where,
            reason=first.reason,
        )
        return replace(volume, notes=(*volume.notes, note), missing=tuple(missing))


def _dtype(frames: Sequence[Frame]) -> np.dtype[Any]:
    """The narrowest that holds exactly whatever the frames can hold."""
    formats = {frame.image.format for frame in frames}
    first = frames[0].image.format
    if first.is_colour:
        return np.dtype(np.uint8)
    if first.is_float:
        return np.dtype(f"f{first.bits_allocated // 8}")
    low = min(pixels.span[0] for pixels in formats)
    high = max(pixels.span[1] for pixels in formats)
    return choose_dtype([frame.rescale for frame in frames], low, high)


def _frame_of_reference(frame: Frame) -> str | None:
    uid = frame.attributes.get("frame_of_reference")
    return str(uid) if uid and frame.is_placed else None


def _padding(frame: Frame) -> tuple[float, float] | None:
    if frame.image.padding is None or frame.image.format.is_colour:
        return None
    low, high = sorted(float(end) for end in frame.rescale(np.array(frame.image.padding)))
    return low, high

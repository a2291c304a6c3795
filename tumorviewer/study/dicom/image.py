"""One image object: how its pixels are stored, checked against what the file holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    ExplicitVRLittleEndian,
    JPEGExtended12Bit,
    MPEGTransferSyntaxes,
    RLELossless,
)

from tumorviewer.errors import InputError
from tumorviewer.files import format_size
from tumorviewer.language import later, tr
from tumorviewer.study import limits
from tumorviewer.study.dicom import codestream
from tumorviewer.study.dicom.elements import (
    read_integer,
    read_private,
    read_text,
    read_value,
)
from tumorviewer.study.dicom.header import COPY_AGAIN, UNDEFINED_LENGTH, Header, PixelElement
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.stamps import Stamp

GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
_OVERLAYS, _OVERLAY_ROWS = range(0x6000, 0x6020, 2), 0x0010
"""Groups of overlay planes, and the element that each of them has (PS3.3 C.9.2)."""
_RETIRED = {
    UID("1.2.840.10008.1.2.4.53"): JPEGExtended12Bit,
    UID("1.2.840.10008.1.2.4.55"): JPEGExtended12Bit,
}
"""Progressive JPEG of 8 or 12 bits, which decoders of JPEG Extended read (PS3.5 2001, A.4.1)."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_GE = "GEMS_ACQU_01"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_422")
Spans = tuple[tuple[int, int], ...]
"""Offsets and lengths of the pieces of one encoded frame in its file."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel module (PS3.3 C.7.6.3) without the pixels."""

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int
    keyword: str
    vr: str
    low_bit: int = 0
    """Of the stored bits in those that are allocated (PS3.5 8.1.1): High Bit + 1 - Bits Stored."""

    @property
    def is_colour(self) -> bool:
        """Whether it is shown as RGB."""
        return self.samples == 3 or self.photometric == PALETTE

    @property
    def is_float(self) -> bool:
        """Whether pixels are stored as floating point numbers."""
        return self.keyword != "PixelData"

    @property
    def span(self) -> tuple[int, int]:
        """Least and greatest integer that may be stored."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1

    def frame_bits(self) -> int:
        """Bits that one uncompressed frame takes in the file."""
        bits = self.rows * self.columns * self.samples * self.bits_allocated
        return bits * 2 // 3 if self.photometric == "YBR_FULL_422" else bits

    def options(self) -> dict[str, Any]:
        """The format of one frame in pydicom's terms."""
        return {
            "number_of_frames": 1,
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples,
            "photometric_interpretation": self.photometric,
            "bits_allocated": self.bits_allocated,
            "bits_stored": self.bits_stored + self.low_bit,
            "pixel_representation": int(self.signed),
            "planar_configuration": self.planar,
            "pixel_keyword": self.keyword,
            "pixel_vr": self.vr,
        }


@dataclass(frozen=True, eq=False, slots=True)
class Image:
    """An instance with pixels: all that is needed to decode any frame of it."""

    path: Path
    source: str
    stamp: Stamp
    uid: str
    """SOP Instance UID."""
    number: int
    """Instance Number; 0 if there is none."""
    format: PixelFormat
    syntax: UID
    offset: int
    """Of the pixel data's value in the file, or in the inflated data set."""
    frames: int
    encoded: tuple[Spans, ...]
    """The pieces of each frame if the pixel data are encapsulated, else empty."""
    padding: tuple[int, int] | None
    """Stored values that stand for no pixel (PS3.3 C.7.5.1.1.2)."""
    notes: tuple[Note, ...]


def read_image(header: Header) -> Image:
    """Describe the pixels that a header leads to.

    Raises
    ------
    InputError
        If they cannot be what the header declares, or are stored in a way that is not supported.
    """
    dataset, source, element = header.dataset, header.source, header.pixels
    if element is None:
        raise InputError(source, tr("It ends before its pixels."), tr(COPY_AGAIN))
    pixels, notes = _pixel_format(dataset, source, element)
    frames = _frame_count(dataset, source)
    syntax, encoded, found = _encoding(header, element, pixels, frames)
    return Image(
        path=header.path,
        source=source,
        stamp=Stamp.of(header.path),
        uid=read_text(dataset, "SOPInstanceUID"),
        number=read_integer(dataset, "InstanceNumber") or 0,
        format=pixels,
        syntax=syntax,
        offset=element.offset,
        frames=frames,
        encoded=encoded,
        padding=_padding(dataset, pixels),
        notes=header.notes + notes + found + tuple(_content_notes(dataset)),
    )


def _pixel_format(
    dataset: Dataset, source: str, element: PixelElement
) -> tuple[PixelFormat, tuple[Note, ...]]:
    notes = []
    rows, columns = _required(dataset, source, "Rows"), _required(dataset, source, "Columns")
    allocated = _required(dataset, source, "BitsAllocated")
    photometric = read_text(dataset, "PhotometricInterpretation").upper()
    samples = read_integer(dataset, "SamplesPerPixel") or (3 if photometric in COLOUR else 1)
    if not photometric:
        if samples != 1:
            raise InputError(source, tr("It does not say how its colours are stored."))
        photometric = "MONOCHROME2"
        text = later("The file does not say whether high values are bright; it is assumed.")
        notes.append(make_note("photometric_assumed", text))
    signed = read_integer(dataset, "PixelRepresentation")
    if signed is None and element.keyword == "PixelData" and samples == 1:
        text = later("The file does not say whether its values are signed; unsigned is assumed.")
        notes.append(make_note("unsigned_assumed", text))
    stored = read_integer(dataset, "BitsStored") or allocated
    high_bit = read_integer(dataset, "HighBit")
    found = PixelFormat(
        rows,
        columns,
        samples,
        photometric,
        allocated,
        stored,
        signed == 1,
        read_integer(dataset, "PlanarConfiguration") or 0,
        element.keyword,
        element.vr,
        0 if high_bit is None or element.keyword != "PixelData" else high_bit + 1 - stored,
    )
    _check_format(found, source)
    return found, tuple(notes)


def _required(dataset: Dataset, source: str, keyword: str) -> int:
    found = read_integer(dataset, keyword)
    if found is None or found < 1:
        raise InputError(
            source,
            tr("It does not state a valid value for {keyword}.", keyword=keyword),
            tr(COPY_AGAIN),
        )
    return found


def _check_format(pixels: PixelFormat, source: str) -> None:
    kinds = {1: (*GREY, PALETTE), 3: COLOUR}.get(pixels.samples, ())
    if pixels.photometric not in kinds:
        what = tr(
            "{photometric} with {samples} samples per pixel",
            photometric=pixels.photometric,
            samples=pixels.samples,
        )
        raise InputError(
            source, tr("Its colours ({what}) are stored in a way that is not supported.", what=what)
        )
    allowed = {"FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
    widths = allowed.get(pixels.keyword, (1, 8, 16, 32, 64))
    if pixels.bits_allocated not in widths or not pixels.bits_stored <= pixels.bits_allocated:
        reason = tr(
            "It states pixels of {stored} of {allocated} bits, which is not possible.",
            stored=pixels.bits_stored,
            allocated=pixels.bits_allocated,
        )
        raise InputError(source, reason)
    if not 0 <= pixels.low_bit <= pixels.bits_allocated - pixels.bits_stored:
        reason = tr(
            "It states {stored} bits up to bit {high} of {allocated}, which is not possible.",
            stored=pixels.bits_stored,
            high=pixels.low_bit + pixels.bits_stored - 1,
            allocated=pixels.bits_allocated,
        )
        raise InputError(source, reason)
    if pixels.rows * pixels.columns > limits.MAX_PICTURE_PIXELS:
        size = f"{pixels.columns} × {pixels.rows}"
        raise InputError(
            source, tr("Its slices are larger than can be shown: {size} pixels.", size=size)
        )


def _frame_count(dataset: Dataset, source: str) -> int:
    if read_value(dataset, "NumberOfFrames") is None:
        return 1
    frames = read_integer(dataset, "NumberOfFrames")
    if frames is None or frames < 0:
        raise InputError(source, tr("It does not state a valid number of frames."), tr(COPY_AGAIN))
    return max(1, frames)


def _content_notes(dataset: Dataset) -> Iterator[Note]:
    """What else than an image as it was measured is in the pixels, or beside them."""
    known = dataset.keys()
    if any(group << 16 | _OVERLAY_ROWS in known for group in _OVERLAYS):
        text = later("The file holds marks (overlay planes), which are not shown.")
        yield make_note("overlays_not_shown", text)
    if read_text(dataset, "BurnedInAnnotation").upper() == "YES":
        text = later("The file says that writing or drawings are burned into its pixels.")
        yield make_note("burned_in_annotation", text)
    if read_text(dataset, "SOPClassUID").startswith(_SECONDARY_CAPTURE):
        text = later("It is a secondary capture: a picture of a screen or of a program's result.")
        yield make_note("secondary_capture", text)
    protocol = str(read_private(dataset, _GE, 0x0019009C) or "")
    polarity = str(read_private(dataset, _GE, 0x001900B3) or "")
    if "pepolar" in protocol.lower() and polarity.split(".")[0] in ("1", "2", "3"):
        text = later(
            "Some or all of its volumes were acquired with reversed phase encoding: they are "
            "distorted the other way."
        )
        yield make_note("reversed_phase_encoding", text)


def _padding(dataset: Dataset, pixels: PixelFormat) -> tuple[int, int] | None:
    """Ends of the padding's range, with the sign of the pixels whatever the VR (US or SS) says."""
    ends = [
        read_integer(dataset, keyword)
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ]
    span = 1 << pixels.bits_allocated
    top = span >> 1 if pixels.signed else span
    stated = [end - span if end >= top else end for end in ends if end is not None]
    return (min(stated), max(stated)) if ends[0] is not None else None


def _encoding(
    header: Header, element: PixelElement, pixels: PixelFormat, frames: int
) -> tuple[UID, tuple[Spans, ...], tuple[Note, ...]]:
    """The transfer syntax that holds, where the encoded frames are, and what had to be mended."""
    syntax, source = _RETIRED.get(header.syntax, header.syntax), header.source
    if syntax in MPEGTransferSyntaxes:
        raise InputError(source, tr("It is a video, which cannot be shown."))
    native_bytes = math.ceil(pixels.frame_bits() * frames / 8)
    if element.length != UNDEFINED_LENGTH and not _holds_items(header, element, syntax):
        _check_native(source, native_bytes, element)
        if syntax.is_private or not _is_encapsulated(syntax):
            return syntax, (), ()
        text = later("It claims to be compressed but is not; it is read as uncompressed.")
        return ExplicitVRLittleEndian, (), (make_note("not_compressed", text),)
    spans = codestream.find_frame_spans(header.path, source, header.dataset, element, frames)
    ratio = limits.RLE_RATIO if syntax == RLELossless else math.inf
    stored = sum(length for frame in spans for _, length in frame)
    limits.check_expansion(source, native_bytes, stored, ratio)
    if _is_encapsulated(syntax):
        return syntax, spans, ()
    found = codestream.recognise_syntax(header.path, spans[0])
    if found is None:
        raise InputError(source, tr("It does not say how its pixels are compressed."))
    text = later("How its pixels are compressed was recognised: {name}.")
    return found, spans, (make_note("compression_recognised", text, name=found.name),)


def _holds_items(header: Header, element: PixelElement, syntax: UID) -> bool:
    """Whether pixel data of a wrongly stated length are encapsulated all the same."""
    if not _is_encapsulated(syntax):
        return False
    with header.path.open("rb") as file:
        file.seek(element.offset)
        return file.read(4) == b"\xfe\xff\x00\xe0"


def _is_encapsulated(syntax: UID) -> bool:
    return syntax in AllTransferSyntaxes and syntax.is_encapsulated


def _check_native(source: str, needed: int, element: PixelElement) -> None:
    held = min(element.length, element.available)
    if held < needed:
        raise InputError(
            source,
            tr(
                "It holds {held} of the {needed} of pixels that it declares.",
                held=format_size(held),
                needed=format_size(needed),
            ),
            tr("It is cut short or damaged: copy it again from where it came from."),
        )

"""What is known of a picture's page before its pixels are read."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.study import limits
from tumorviewer.study.notes import Note, make_note

_DECODER_BYTES = 4
"""What Pillow holds for a pixel at most, while it decodes."""
_PROGRESSIVE_BYTES = 6
"""What libjpeg holds beside it for a pixel of a progressive JPEG: coefficients."""

_UNQUESTIONED_BYTES = 256 << 20
"""That decoding a page may take on the file's word alone."""
_JPEG_RATIO = 512
"""Pixels in a byte of a JPEG: at least one bit for the 64 of a block (Huffman coding)."""

_COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
_GREY_DTYPES = {
    "1": np.uint8,
    "L": np.uint8,
    "LA": np.uint8,
    "La": np.uint8,
    "I;16": np.uint16,
    "I;16B": np.uint16,
    "I;16L": np.uint16,
    "I;16N": np.uint16,
    "I": np.int32,
    "F": np.float32,
}
_RAW_DTYPES = {"I;16S": np.int16, "I;16BS": np.int16, "I;32N": np.uint32}

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TIFF_RATIOS = {
    "raw": 1.0,
    "packbits": limits.RLE_RATIO,
    "tiff_adobe_deflate": limits.DEFLATE_RATIO,
    "tiff_deflate": limits.DEFLATE_RATIO,
}


@dataclass(frozen=True)
class PicturePage:
    """One picture of a file, as it is shown."""

    index: int
    rows: int
    columns: int
    dtype: np.dtype[Any]
    """Of one value of the volume."""
    is_colour: bool
    inverted: bool
    """Low values are white, and Pillow leaves that to us."""
    orientation: int
    """EXIF's, 1 to 8, where it is left to us."""
    least_bytes: int
    """That its file must have for it."""
    notes: tuple[Note, ...]

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the pages of one volume have in common."""
        return self.rows, self.columns, self.dtype, self.is_colour, self.inverted

    @property
    def bytes(self) -> int:
        """Of its pixels in a volume."""
        return self.rows * self.columns * (3 if self.is_colour else self.dtype.itemsize)


class _Raster(NamedTuple):
    """What a page's pixels take without compression, the file has, and its coding can do."""

    size: int
    stored: int
    ratio: float

    @property
    def least_bytes(self) -> int:
        """That the file must have."""
        return math.ceil(self.size / self.ratio)


def describe_page(image: Image.Image, index: int, stream: IO[bytes], source: str) -> PicturePage:
    """Say what a page is, and refuse it if its file cannot hold it.

    Parameters
    ----------
    image
        Opened by Pillow, at the page; its pixels are not read.
    index
        Of the page.
    stream
        The file, left where it was.
    source
        What the user knows the file as.

    Raises
    ------
    InputError
        If it is too large, cannot be in the file, or is of a kind that is not supported.
    """
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    columns, rows = image.size
    dtype, is_colour = _pixels(image, source)
    raster = _raster(image, stream)
    _check(image, raster, source, 3 if is_colour else dtype.itemsize)
    orientation = _orientation(image, stream)
    turned_by_us = 1 if is_tiff or orientation is None else orientation
    if turned_by_us >= 5:
        rows, columns = columns, rows
    return PicturePage(
        index,
        rows,
        columns,
        dtype,
        is_colour,
        inverted=image.mode not in ("1", "L")
        and _tag(image, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) == 0,
        orientation=turned_by_us,
        least_bytes=raster.least_bytes,
        notes=tuple(_notes(image, orientation, is_colour)),
    )


def _pixels(image: Image.Image, source: str) -> tuple[np.dtype[Any], bool]:
    """The dtype of the volume, and whether it is one of colours."""
    if image.mode in _COLOUR_MODES:
        return np.dtype(np.uint8), True
    if image.mode not in _GREY_DTYPES:
        raise InputError(source, tr("Its colour space ({mode}) is not supported.", mode=image.mode))
    if image.mode == "L" and _tag(image, TiffImagePlugin.SAMPLEFORMAT, 1) == 2:
        return np.dtype(np.int8), False
    return np.dtype(_RAW_DTYPES.get(_raw_mode(image), _GREY_DTYPES[image.mode])), False


def _check(image: Image.Image, raster: _Raster, source: str, bytes_per_pixel: int) -> None:
    pixels = math.prod(image.size)
    if pixels > limits.MAX_PICTURE_PIXELS:
        raise describe_too_large(source)
    limits.check_expansion(source, raster.size, raster.stored, raster.ratio)
    decoder = _DECODER_BYTES + (_PROGRESSIVE_BYTES if image.info.get("progressive") else 0)
    needed = pixels * (bytes_per_pixel + decoder)
    limits.check_expansion(source, needed, raster.stored, math.inf, _UNQUESTIONED_BYTES)
    limits.check_memory(source, needed)


def describe_too_large(source: str) -> InputError:
    """What to tell the user of a picture beyond `limits.MAX_PICTURE_PIXELS`."""
    limit = limits.MAX_PICTURE_PIXELS // 1_000_000
    return InputError(
        source, tr("It declares a picture of more than {limit} million pixels.", limit=limit)
    )


def _raster(image: Image.Image, stream: IO[bytes]) -> _Raster:
    position = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    try:
        if image.format == "PNG":
            return _png_raster(stream)
        if image.format == "BMP" and image.info.get("compression") == 0:
            return _bmp_raster(image, stream, size)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return _tiff_raster(image, size)
        return _Raster(math.prod(image.size), size, _ratio_of(image))
    finally:
        stream.seek(position)


def _ratio_of(image: Image.Image) -> float:
    """Pixels in a byte, where no more is known."""
    is_huffman = image.format in ("JPEG", "MPO")
    return _JPEG_RATIO if is_huffman else math.inf


def _png_chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Type and length of each chunk, the stream standing at its data (PNG 3rd edition, 5.3)."""
    position = 8
    stream.seek(position)
    while len(start := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        yield kind, length
        position += 12 + length
        stream.seek(position)


def _png_raster(stream: IO[bytes]) -> _Raster:
    size = stored = 0
    for kind, length in _png_chunks(stream):
        if kind == b"IHDR":
            columns, rows, depth, colour = struct.unpack(">IIBB", stream.read(10))
            size = rows * math.ceil(columns * depth * _PNG_CHANNELS.get(colour, 1) / 8)
        elif kind == b"IDAT":
            stored += length
    return _Raster(size, stored, limits.DEFLATE_RATIO)


def _bmp_raster(image: Image.Image, stream: IO[bytes], size: int) -> _Raster:
    stream.seek(14)
    is_core = stream.read(4) == (12).to_bytes(4, "little")
    stream.seek(24 if is_core else 28)
    bits = int.from_bytes(stream.read(2), "little")
    columns, rows = image.size
    return _Raster(rows * math.ceil(columns * bits / 8), size, 1)


def _tiff_raster(image: TiffImagePlugin.TiffImageFile, size: int) -> _Raster:
    bits = _tag(image, TiffImagePlugin.BITSPERSAMPLE, 1) * _tag(
        image, TiffImagePlugin.SAMPLESPERPIXEL, 1
    )
    ratio = _TIFF_RATIOS.get(str(image.info.get("compression")), math.inf)
    columns, rows = image.size
    return _Raster(rows * math.ceil(columns * bits / 8), size, ratio)


def _orientation(image: Image.Image, stream: IO[bytes]) -> int | None:
    """EXIF's orientation, 1 (as stored) to 8; 1 if it is absent, None if EXIF is damaged."""
    late = _late_exif(stream) if image.format == "PNG" and "exif" not in image.info else b""
    try:
        exif = Image.Image.getexif(image)
        if late:
            exif.load(late)
        value = exif.get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _late_exif(stream: IO[bytes]) -> bytes:
    """The eXIf chunk after the pixels, which Pillow does not read before them."""
    position = stream.tell()
    try:
        for kind, length in _png_chunks(stream):
            if kind == b"eXIf":
                return b"Exif\0\0" + stream.read(min(length, 1 << 16))
        return b""
    finally:
        stream.seek(position)


def _notes(image: Image.Image, orientation: int | None, is_colour: bool) -> Iterator[Note]:
    if orientation is None:
        yield make_note(
            "damaged_exif", later("Its EXIF data are damaged: it is shown as it is stored.")
        )
    elif orientation != 1:
        yield make_note("turned", later("It is turned as its EXIF orientation says."))
    if getattr(image, "n_frames", 1) > 1 and not isinstance(image, TiffImagePlugin.TiffImageFile):
        yield make_note("first_picture_only", later("Only the first picture of the file is shown."))
    if "16" in _raw_mode(image) and (is_colour or image.mode == "LA"):
        yield make_note("colours_of_16_bits", later("Colours of 16 bits are shown with 8."))


def _raw_mode(image: Image.Image) -> str:
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return ""
    arguments = image.tile[0].args
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _tag(image: Image.Image, tag: int, default: int) -> int:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return default
    value = image.tag_v2.get(tag, default)
    return int(value[0] if isinstance(value, tuple) and value else value)

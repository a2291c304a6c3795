"""Stored pixels of single frames, decoded by pydicom and its plug-ins."""

from __future__ import annotations

import filecmp
import io
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.dicom import codestream, jpeg
from tumorviewer.study.dicom.elements import PARSER_ERRORS
from tumorviewer.study.dicom.frames import Frame
from tumorviewer.study.dicom.header import COPY_AGAIN, open_data_set, read_header
from tumorviewer.study.dicom.image import PALETTE, Image

_PLUGINS = {
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    RLELossless: "pylibjpeg",
    **dict.fromkeys(JPEG2000TransferSyntaxes, "pylibjpeg"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
}
"""The quickest and strictest for each; one only, as the others would guess at damaged data."""


class PixelReader:
    """Decodes frames one after the other; keeps the file of the last one open."""

    def __init__(self) -> None:
        self._image: Image | None = None
        self._stream: BinaryIO = io.BytesIO()
        self._last: tuple[tuple[Image, int], NDArray[Any]] | None = None
        """The frame that was decoded last: a mosaic is many slices."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    def read(self, frame: Frame) -> NDArray[Any]:
        """Decode one frame.

        Returns
        -------
        ndarray
            ``(rows, columns)`` as stored, or ``(rows, columns, 3)`` uint8 RGB.

        Raises
        ------
        InputError
            If it cannot be decoded.
        """
        image = frame.image
        if self._last is None or self._last[0] != (image, frame.index):
            self._last = (image, frame.index), self.read_stored(image, frame.index)
        whole = self._last[1]
        if frame.tile is None:
            return whole
        row, column, rows, columns = frame.tile
        return whole[row : row + rows, column : column + columns]

    def read_stored(self, image: Image, index: int) -> NDArray[Any]:
        """As :meth:`read`, of a whole frame of an image, which may be a mosaic."""
        try:
            stored = self._decode(image, index)
            if image.format.photometric == PALETTE:
                stored = _through_palette(image, stored)
        except PARSER_ERRORS as error:
            raise _refusal(image, error) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Rust, which is no Exception
                raise
            raise _refusal(image, error) from error
        return _to_8_bit(stored, image) if image.format.is_colour else stored

    def _decode(self, image: Image, index: int) -> NDArray[Any]:
        stream = self._open(image)
        decoder = get_decoder(_decoder_syntax(image))
        options = image.format.options()
        if not image.encoded:
            stream.seek(image.offset)
            options["number_of_frames"] = image.frames
            return _shift_down(decoder.as_array(stream, index=index, **options)[0], image)
        encoded = codestream.read_spans(stream, image.encoded[index])
        if encoded.startswith(codestream.JPEG_START):
            encoded = jpeg.repair_stream(encoded)
        is_shifted = _check_stream(encoded, image)
        if not is_shifted:
            options["bits_stored"] = image.format.bits_stored
        source = encapsulate([encoded], has_bot=False)
        plugin = _PLUGINS[decoder.UID]
        stored = decoder.as_array(source, index=0, decoding_plugin=plugin, **options)[0]
        return _shift_down(stored, image) if is_shifted else stored

    def _open(self, image: Image) -> BinaryIO:
        if image is not self._image:
            image.stamp.check(image.path, image.source)
            self._stream.close()
            self._image = None
            needed = image.offset + (image.format.frame_bits() * image.frames + 7) // 8
            self._stream = open_data_set(image.path, image.syntax, needed)
            self._image = image
        return self._stream


def is_same_image(one: Image, other: Image) -> bool:
    """Whether two files are equal, or their pixels decode to the same values."""
    try:
        if filecmp.cmp(one.path, other.path, shallow=False):
            return True
        with PixelReader() as first, PixelReader() as second:
            return all(
                np.array_equal(first.read_stored(one, at), second.read_stored(other, at))
                for at in range(one.frames)
            )
    except (InputError, OSError):
        return False


def _decoder_syntax(image: Image) -> UID:
    """The syntax to decode as: 12-bit JPEG, too, is for GDCM, where pydicom's decoder of JPEG
    Extended would not let it."""
    is_12_bit = image.syntax == JPEGExtended12Bit and image.format.bits_stored > 8
    return JPEGLossless if is_12_bit else image.syntax


def _shift_down(stored: NDArray[Any], image: Image) -> NDArray[Any]:
    """Values whose lowest bit is not the lowest that is allocated (PS3.5 8.1.1)."""
    low_bit = image.format.low_bit
    return stored >> low_bit if low_bit else stored


def _check_stream(encoded: bytes, image: Image) -> bool:
    """Refuse a stream that is not of the image's size and kind, before a decoder sees it.

    Returns
    -------
    bool
        Whether its samples hold the bits below the lowest that is stored, too.
    """
    if image.syntax == RLELossless:
        return True
    header, pixels = codestream.read_stream_header(encoded), image.format
    if (
        header is None
        or (header.rows, header.columns) != (pixels.rows, pixels.columns)
        or header.components != pixels.samples
        or not 2 <= header.precision <= pixels.bits_allocated
    ):
        raise ValueError("The compressed pixels are not what the image states.")
    if _PLUGINS[_decoder_syntax(image)] == "gdcm":
        jpeg.check_structure(encoded)
    return header.precision > pixels.bits_stored


def _through_palette(image: Image, stored: NDArray[Any]) -> NDArray[Any]:
    """Look up the colours of PALETTE COLOR (PS3.3 C.7.6.3.1.5)."""
    return apply_color_lut(stored, read_header(image.path, image.source).dataset)[..., :3]


def _to_8_bit(stored: NDArray[Any], image: Image) -> NDArray[np.uint8]:
    if stored.dtype == np.uint8:
        return stored
    bits = 16 if image.format.photometric == PALETTE else image.format.bits_stored
    return (stored >> max(0, bits - 8)).astype(np.uint8)


def _refusal(image: Image, error: BaseException) -> InputError:
    if isinstance(error, NotImplementedError):
        return InputError(
            image.source, tr("Its compression ({name}) is not supported.", name=image.syntax.name)
        )
    reason = tr("Its pixels cannot be decoded ({name}).", name=image.syntax.name)
    return InputError(image.source, reason, tr(COPY_AGAIN))

"""Stored pixels of single frames, decoded by pydicom and its plug-ins."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from tumorviewer.errors import InputError
from tumorviewer.study.dicom import codestream
from tumorviewer.study.dicom.elements import PARSER_ERRORS
from tumorviewer.study.dicom.frames import Frame
from tumorviewer.study.dicom.header import COPY_AGAIN, deflated_start, inflate, read_header
from tumorviewer.study.dicom.image import PALETTE, Image

_PLUGINS = {
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",
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
        try:
            stored = self._decode(image, frame.index)
            if image.format.photometric == PALETTE:
                stored = _through_palette(image, stored)
        except PARSER_ERRORS as error:
            raise InputError(image.source, _reason(image, error), COPY_AGAIN) from error
        return _to_8_bit(stored, image) if image.format.is_colour else stored

    def _decode(self, image: Image, index: int) -> NDArray[Any]:
        stream = self._open(image)
        decoder = get_decoder(image.syntax)
        options = image.format.options()
        if not image.encoded:
            stream.seek(image.offset)
            options["number_of_frames"] = image.frames
            return decoder.as_array(stream, index=index, **options)[0]
        encoded = codestream.read_spans(stream, image.encoded[index])
        _check_size(encoded, image)
        source = encapsulate([encoded], has_bot=False)
        plugin = _PLUGINS.get(image.syntax, "")
        return decoder.as_array(source, index=0, decoding_plugin=plugin, **options)[0]

    def _open(self, image: Image) -> BinaryIO:
        if image is not self._image:
            self._stream.close()
            self._image = None
            self._stream = _open(image)
            self._image = image
        return self._stream


def _open(image: Image) -> BinaryIO:
    if image.syntax != DeflatedExplicitVRLittleEndian:
        return image.path.open("rb")
    needed = image.offset + (image.format.frame_bits() * image.frames + 7) // 8
    with image.path.open("rb") as file:
        return io.BytesIO(inflate(file, deflated_start(image.path), needed))


def _check_size(encoded: bytes, image: Image) -> None:
    """Refuse a stream whose own size is not that of the image, before a decoder sees it."""
    if image.syntax == RLELossless:
        return
    size = codestream.declared_size(encoded)
    if size != (image.format.rows, image.format.columns):
        raise ValueError("The size in the compressed pixels is not the one that the image states.")


def _through_palette(image: Image, stored: NDArray[Any]) -> NDArray[Any]:
    """Look up the colours of PALETTE COLOR (PS3.3 C.7.6.3.1.5)."""
    return apply_color_lut(stored, read_header(image.path, image.source).dataset)[..., :3]


def _to_8_bit(stored: NDArray[Any], image: Image) -> NDArray[np.uint8]:
    if stored.dtype == np.uint8:
        return stored
    bits = 16 if image.format.photometric == PALETTE else image.format.bits_stored
    return (stored >> max(0, bits - 8)).astype(np.uint8)


def _reason(image: Image, error: Exception) -> str:
    if isinstance(error, NotImplementedError):
        return f"Its compression ({image.syntax.name}) is not supported."
    return f"Its pixels cannot be decoded ({image.syntax.name})."

"""PNG, JPEG, TIFF and BMP files: headers to a study whose pages can be loaded."""

from __future__ import annotations

import logging
import math
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from tumorviewer.errors import InputError
from tumorviewer.language import later, number, tr
from tumorviewer.study import limits
from tumorviewer.study.notes import Note, make_note
from tumorviewer.study.picture_headers import PicturePage, describe_page, describe_too_large
from tumorviewer.study.stamps import Stamp
from tumorviewer.study.types import LoadingProgress, Placement, Series, SourceFile, Study, Volume

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".dib")
"""In lower case; files by these names are worth trying even if `recognises` says no."""

_SUPPORTED = later("PNG, JPEG, TIFF and BMP pictures can be opened.")
_COPY_AGAIN = later("Copy it again from where it came from.")
_MAGIC = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}
_OTHER_MAGIC = {
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
}
_HEIF = (b"heic", b"heix", b"mif1", b"avif")
_CUT_TIFF = "Corrupt|Possibly corrupt|Truncated|Tag data larger|Tag offset"
"""Warnings of Pillow's after which it leaves pages out."""
_STRIP = 256
"""Rows that are converted at a time."""

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
    UserWarning,
)
"""What Pillow raises for files that are not as they should be."""

_Turn = Callable[[NDArray[Any]], NDArray[Any]]
_AS_STORED: dict[int, _Turn] = {
    1: lambda shown: shown,
    2: lambda shown: shown[:, ::-1],
    3: lambda shown: shown[::-1, ::-1],
    4: lambda shown: shown[::-1],
    5: lambda shown: shown.swapaxes(0, 1),
    6: lambda shown: np.rot90(shown),
    7: lambda shown: shown[::-1, ::-1].swapaxes(0, 1),
    8: lambda shown: np.rot90(shown, -1),
}
"""By EXIF orientation: a view of a picture as it is shown, laid out as it is stored."""

logging.getLogger("PIL").setLevel(logging.WARNING)  # its debug messages hold tags' values


def is_picture(head: bytes) -> bool:
    """Whether a file that begins like this (16 bytes or more) is a picture, supported or not."""
    return _format(head) is not None or _unsupported(head) is not None


def _format(head: bytes) -> str | None:
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _unsupported(head: bytes) -> str | None:
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF:
        return "HEIC and AVIF"
    return next((name for magic, name in _OTHER_MAGIC.items() if head.startswith(magic)), None)


def read_pictures(path: Path, source: str) -> Study:
    """Read the header of a picture; what it is, its content says and not its name.

    Pages of a TIFF that have one size and kind become the slices of one volume.

    Parameters
    ----------
    path
        The file.
    source
        What the user knows it as.

    Returns
    -------
    Study
        One series, which claims no physical size; no pixels are read yet.

    Raises
    ------
    InputError
        If it is not a picture of a supported kind, is damaged, or declares what it cannot hold.
    """
    size = limits.check_regular_file(path, source)
    with _opened(path, source) as (stream, image):
        pages = list(_pages(image, stream, source))
    stamp = Stamp.of(path)
    groups: dict[tuple[Any, ...], list[PicturePage]] = {}
    for page in pages:
        groups.setdefault(page.kind, []).append(page)
    volumes = tuple(
        PictureVolume(path, source, stamp, tuple(group), _label(group, len(groups)))
        for group in groups.values()
    )
    limits.check_expansion(source, sum(page.least_bytes for page in pages), size)
    limits.check_expansion(source, sum(page.bytes for page in pages), size, math.inf)
    return Study(path.name, (Series(path.name, volumes, source),))


@contextmanager
def _opened(path: Path, source: str) -> Iterator[tuple[IO[bytes], Image.Image]]:
    """A picture with its header read."""
    with _stream(path, source) as stream:
        head = stream.read(16)
        stream.seek(0)
        other = _unsupported(head)
        if other:
            raise InputError(
                source, tr("{other} files are not supported.", other=other), tr(_SUPPORTED)
            )
        try:
            with _decoding(source, _format(head) == "TIFF"):
                image = Image.open(stream, formats=("PNG", "JPEG", "TIFF", "BMP"))
        except UnidentifiedImageError as error:
            raise _unidentified(head, source) from error
        with image:
            yield stream, image


def _stream(path: Path, source: str) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise limits.describe_unreadable(source, error) from error


@contextmanager
def _decoding(source: str, is_tiff: bool) -> Iterator[None]:
    """Turn whatever Pillow raises for a damaged file into an InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_tiff:
                warnings.filterwarnings("error", _CUT_TIFF, UserWarning)
            yield
    except UnidentifiedImageError:
        raise
    except Image.DecompressionBombError as error:
        raise describe_too_large(source) from error
    except MemoryError as error:
        raise InputError(source, tr("There is not enough memory to decode it.")) from error
    except _DAMAGE as error:
        raise InputError(
            source, tr("The picture is damaged or cut short."), tr(_COPY_AGAIN)
        ) from error


def _unidentified(head: bytes, source: str) -> InputError:
    name = _format(head)
    if name is None:
        return InputError(source, tr("It is not a picture."), tr(_SUPPORTED))
    return InputError(
        source,
        tr("Its header is damaged, or it is a kind of {name} that is not supported.", name=name),
        tr("Save it as an 8- or 16-bit PNG."),
    )


def _pages(image: Image.Image, stream: IO[bytes], source: str) -> Iterator[PicturePage]:
    index = 0
    while True:
        with _decoding(source, _is_tiff(image)):
            page = describe_page(image, index, stream, source)
        yield page
        index += 1
        if index >= limits.MAX_VOLUMES:
            raise InputError(
                source,
                tr(
                    "It has more than {most} pages.",
                    most=number(limits.MAX_VOLUMES, ","),
                ),
            )
        if not _turn_to(image, index, source):
            return


def _is_tiff(image: Image.Image) -> bool:
    return isinstance(image, TiffImagePlugin.TiffImageFile)


def _turn_to(image: Image.Image, index: int, source: str) -> bool:
    """Go to a page of a TIFF; False if there is none."""
    if not _is_tiff(image):
        return index == 0
    with _decoding(source, is_tiff=True):
        try:
            image.seek(index)
        except EOFError:
            return False
    return True


def _label(group: list[PicturePage], groups: int) -> str:
    if groups == 1:
        return ""
    first, last = group[0].index + 1, group[-1].index + 1
    if len(group) == 1:
        return f"page {first}"
    return f"{len(group)} pages from {first} to {last}"


@dataclass(frozen=True)
class PictureVolume:
    """Pages of one size and kind; a :class:`~tumorviewer.study.types.VolumeReader`."""

    path: Path
    source: str
    stamp: Stamp
    pages: tuple[PicturePage, ...]
    label: str
    repeats: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.pages), self.pages[0].rows, self.pages[0].columns

    @property
    def affine(self) -> None:
        """A picture has no place."""

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The one file."""
        return (SourceFile(self.path, self.source, self.stamp),)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is known before loading."""
        return tuple(dict.fromkeys(note for page in self.pages for note in page.notes))

    def load(self, progress: LoadingProgress | None = None) -> Volume:
        """Decode the pages, the middle one first; colours that are all grey become one channel."""
        page = self.pages[0]
        array = limits.allocate_pixels(self.source, self.shape + (3,) * page.is_colour, page.dtype)
        volume = Volume(
            array,
            np.eye(4)[[2, 1, 0, 3]],
            Placement.NONE,
            self.source,
            label=self.label,
            inverted=page.inverted,
            notes=self.notes,
        )
        notes = self._fill(volume, progress or (lambda _volume, _index: None))
        return replace(volume, array=_without_colour(array), notes=self.notes + notes)

    def _fill(self, volume: Volume, progress: LoadingProgress) -> tuple[Note, ...]:
        self.stamp.check(self.path, self.source)
        self._verify()
        transparent = False
        middle = len(self.pages) // 2
        with _opened(self.path, self.source) as (_, image):
            for index in sorted(range(len(self.pages)), key=lambda index: abs(index - middle)):
                page = self.pages[index]
                if not _turn_to(image, page.index, self.source):
                    raise InputError(self.source, tr("The file has changed."), tr("Open it again."))
                with _decoding(self.source, _is_tiff(image)):
                    stored = _AS_STORED[page.orientation](volume.array[index])
                    transparent |= _decode(image, stored)
                progress(volume, index)
        text = later("Transparent parts are shown on black.")
        return (make_note("transparent", text),) if transparent else ()

    def _verify(self) -> None:
        """Check what the format has of checksums: PNG's."""
        with _opened(self.path, self.source) as (_, image), _decoding(self.source, False):
            image.verify()


def _decode(image: Image.Image, out: NDArray[Any]) -> bool:
    """Decode the page that an image is at, strip by strip; say whether it has transparent parts."""
    image.load()
    columns, rows = image.size
    if (rows, columns) != out.shape[:2]:
        raise ValueError
    transparent = False
    for top in range(0, rows, _STRIP):
        bottom = min(rows, top + _STRIP)
        values, see_through = _values(image.crop((0, top, columns, bottom)))
        out[top:bottom] = values.view(out.dtype) if _same_bits(values, out) else values
        transparent |= see_through
    return transparent


def _same_bits(values: NDArray[Any], out: NDArray[Any]) -> bool:
    """Whether Pillow holds an unsigned value as a signed one of the same size, or the reverse."""
    return values.dtype.kind in "iu" and values.dtype.itemsize == out.dtype.itemsize


def _values(strip: Image.Image) -> tuple[NDArray[Any], bool]:
    """Grey values or RGB, and whether any of them had to be laid on black."""
    if strip.mode == "1" and "transparency" not in strip.info:
        strip = strip.convert("L")
    if "transparency" in strip.info and strip.mode in ("1", "L", "P", "RGB"):
        strip = strip.convert("LA" if strip.mode in ("1", "L") else "RGBA")
    if strip.mode in ("P", "RGBX", "CMYK", "YCbCr"):
        strip = strip.convert("RGB")
    if strip.mode in ("PA", "La"):
        strip = strip.convert("RGBA" if strip.mode == "PA" else "LA")
    values = np.asarray(strip)
    if values.dtype.byteorder == ">":
        values = values.astype(values.dtype.newbyteorder("="))
    if strip.mode not in ("LA", "RGBA"):
        return values, False
    alpha = values[..., -1:].astype(np.uint16)
    on_black = ((values[..., :-1] * alpha + 127) // 255).astype(np.uint8)
    return on_black[..., 0] if strip.mode == "LA" else on_black, bool(alpha.min() < 255)


def _without_colour(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One channel of colours that are all grey; anything else as it is."""
    if array.ndim < 4:
        return array
    for picture in array:
        red = picture[..., :1]
        if not np.array_equal(np.broadcast_to(red, picture.shape), picture):
            return array
    return np.ascontiguousarray(array[..., 0])

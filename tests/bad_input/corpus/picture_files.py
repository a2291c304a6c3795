"""Pictures that lie, and odd ones that are legal."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from corpus.bases import COLOUR, DEEP, GREY, bmp, picture, png, tiff
from corpus.case import Case, Check, answered, one_file, opens, refused

Row = tuple[str, bytes | Callable[[], bytes], Check]
RASTER = b"".join(b"\0" + row.tobytes() for row in GREY)


def cases() -> Iterator[Case]:
    """All of them."""
    for name, content, check in (*_odd(), *_turned(), *_pngs(), *_jpegs(), *_tiffs(), *_bmps()):
        yield Case(f"picture/{name}", one_file(name, content), check)


def _odd() -> Iterator[Row]:
    yield "deep.png", picture("PNG", DEEP), opens(array=DEEP, dtype="uint16", placement="NONE")
    yield (
        "bits.png",
        picture("PNG", GREY > 99),
        opens(array=np.where(GREY > 99, 255, 0).astype("u1")),
    )
    palette = Image.fromarray(COLOUR).quantize(9)
    yield "palette.png", picture("PNG", palette), opens(array=np.asarray(palette.convert("RGB")))
    half = Image.fromarray(np.dstack([COLOUR, np.full_like(GREY, 128)]))
    yield "half-transparent.png", picture("PNG", half), opens(note="black")
    yield "grey-alpha.png", picture("PNG", half.convert("LA")), opens(dtype="uint8", note="black")
    yield "opaque.png", picture("PNG", Image.fromarray(COLOUR).convert("RGBA")), opens(array=COLOUR)
    grey_colour = GREY[..., None].repeat(3, 2)
    yield "grey-as-colour.png", picture("PNG", grey_colour), opens(array=GREY)
    for shape in ((1, 1), (1, 999), (999, 1), (3, 5), (2, 2)):
        pixels = np.full(shape, 7, np.uint8)
        for form in ("PNG", "BMP", "TIFF"):
            name = f"{shape[0]}x{shape[1]}.{form.lower()}"
            yield name, picture(form, pixels), opens(array=pixels)
    blank = np.zeros((30, 30), np.uint8)
    yield "blank.png", picture("PNG", blank), opens(array=blank)


def _turned() -> Iterator[Row]:
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rows, columns = GREY.shape if orientation < 5 else GREY.shape[::-1]
        check = opens(shape=(1, rows, columns), note="EXIF")
        yield f"turned-{orientation}.jpg", picture("JPEG", exif=exif), check
    exif = Image.Exif()
    exif[0x0112] = 99
    yield "turned-99.jpg", picture("JPEG", exif=exif), opens(shape=(1, 15, 17))
    yield "bad-exif.jpg", picture("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), opens()


def _pngs() -> Iterator[Row]:
    yield "ok.png", png(17, 15, 8, 0, RASTER), opens(array=GREY)
    for columns, rows in ((0, 15), (17, 0), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (9000, 9000)):
        yield f"promises-{columns}x{rows}.png", png(columns, rows, 8, 0, RASTER), refused()
    yield "bomb.png", _bomb, refused("no real image")
    yield "too-few-rows.png", png(17, 15, 8, 0, RASTER[:-40]), refused("cut short|declares")
    yield "too-many-rows.png", png(17, 15, 8, 0, RASTER + RASTER), answered
    yield "bad-filter.png", png(17, 15, 8, 0, b"\x77" + RASTER[1:]), answered
    yield "bad-depth.png", png(17, 15, 7, 0, RASTER), refused()
    yield "bad-colour.png", png(17, 15, 8, 5, RASTER), refused()
    no_palette = png(17, 15, 8, 3, RASTER)
    yield "no-palette.png", no_palette, answered
    text = b"Comment\0\0" + zlib.compress(bytes(50 << 20), 9)
    yield "text-bomb.png", png(17, 15, 8, 0, RASTER, (b"zTXt", text)), refused("damaged")
    profile = b"icc\0\0" + zlib.compress(bytes(50 << 20), 9)
    yield "profile-bomb.png", png(17, 15, 8, 0, RASTER, (b"iCCP", profile)), answered
    whole = png(17, 15, 8, 0, RASTER)
    yield "no-end.png", whole[:-12], answered
    yield "no-pixels.png", whole[:33] + whole[-12:], refused()
    yield "then-garbage.png", whole + b"garbage" * 99, opens(array=GREY)
    yield "long-chunk.png", whole[:33] + struct.pack(">I4s", 2**31 - 1, b"tEXt"), refused()
    moving = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    animated = picture("PNG", moving[0], save_all=True, append_images=moving[1:])
    yield "animated.png", animated, opens(array=GREY, note="Only the first")


def _bomb() -> bytes:
    return png(9400, 9400, 8, 2, bytes((1 + 9400 * 3) * 9400))


def _jpegs() -> Iterator[Row]:
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            image = Image.fromarray(COLOUR).convert(mode)
            name = f"{mode}-{'progressive' if progressive else 'baseline'}.jpg"
            yield name, picture("JPEG", image, progressive=progressive), opens()
    whole = picture("JPEG", COLOUR)
    frame = whole.index(b"\xff\xc0")
    for rows, columns in ((0, 17), (15, 0), (65_500, 65_500), (9000, 9000)):
        lying = bytearray(whole)
        struct.pack_into(">HH", lying, frame + 5, rows, columns)
        yield f"promises-{rows}x{columns}.jpg", bytes(lying), refused()
    for bits in (0, 12, 16):
        yield f"{bits}-bits.jpg", whole[: frame + 4] + bytes([bits]) + whole[frame + 5 :], refused()
    yield "no-end.jpg", whole[:-2], answered
    yield "then-garbage.jpg", whole + b"garbage" * 99, opens(shape=(1, 15, 17))
    yield "twice.jpg", whole + whole, opens(shape=(1, 15, 17))
    yield "no-scan.jpg", whole[: whole.index(b"\xff\xda")] + b"\xff\xd9", refused()


def _tiffs() -> Iterator[Row]:
    yield "ok.tif", tiff({}), opens(array=GREY)
    yield "big-endian.tif", picture("TIFF", DEEP.astype(">u2").astype("=u2")), opens(array=DEEP)
    yield "real.tif", picture("TIFF", DEEP.astype("f4")), opens(array=DEEP.astype("f4"))
    hole = DEEP.astype("f4")
    hole[3, 3] = np.nan
    yield "nan.tif", picture("TIFF", hole), opens(dtype="float32")
    yield "integer.tif", picture("TIFF", DEEP.astype("i4")), opens(dtype="int32")
    pages = [Image.fromarray(DEEP + n) for n in range(4)]
    stack = picture("TIFF", pages[0], save_all=True, append_images=pages[1:])
    yield "pages.tif", stack, opens(shape=(4, 15, 17))
    yield "pages-cut.tif", stack[:-70], refused("cut short")
    mixed = picture("TIFF", pages[0], save_all=True, append_images=[Image.fromarray(COLOUR)])
    yield "mixed-pages.tif", mixed, opens(2)
    for method in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_ccitt"):
        pixels = GREY > 99 if method == "tiff_ccitt" else GREY
        yield f"{method}.tif", picture("TIFF", pixels, compression=method), opens(shape=(1, 15, 17))
    yield "circle.tif", tiff({}, following=8), opens(array=GREY)
    yield "circle-of-nothing.tif", b"II*\0" + struct.pack("<I", 4), refused()
    yield "next-page-outside.tif", tiff({}, following=10**6), refused()
    for tag, value in (
        (256, 0),
        (257, 0),
        (256, 2**31),
        (257, 60_000),
        (258, 0),
        (258, 3),
        (258, 4096),
        (259, 999),
        (259, 5),
        (262, 77),
        (273, 10**9),
        (278, 0),
        (279, 10),
        (279, 10**9),
        (277, 1000),
        (339, 9),
    ):
        yield f"tag-{tag}-is-{value}.tif", tiff({tag: value}), answered
    for method in (5, 7, 8, 50000):
        yield f"coded-{method}-with-garbage.tif", tiff({259: method}), refused()
    promised = tiff({256: 9000, 257: 9000, 278: 9000, 259: 8})
    yield "deflate-promises.tif", promised, refused("declares")


def _bmps() -> Iterator[Row]:
    rows = b"".join(row.tobytes().ljust(20, b"\0") for row in GREY)
    yield "colour.bmp", picture("BMP", COLOUR), opens(array=COLOUR)
    yield "bits.bmp", picture("BMP", GREY > 99), opens(shape=(1, 15, 17))
    yield "top-down.bmp", bmp(5, -3, 24, bytes(16 * 3)), opens(shape=(1, 3, 5))
    yield "32-bits.bmp", bmp(5, 3, 32, bytes(60)), opens(shape=(1, 3, 5))
    yield "16-bits.bmp", bmp(4, 3, 16, bytes(24)), opens(shape=(1, 3, 4))
    for columns, height in ((0, 5), (5, 0), (-5, 5), (9000, 9000), (2**31 - 1, 2**31 - 1)):
        yield f"promises-{columns}x{height}.bmp", bmp(columns, height, 24, rows), refused()
    yield "7-bits.bmp", bmp(5, 3, 7, bytes(99)), refused()
    yield "coded-77.bmp", bmp(5, 3, 24, bytes(99), 77), refused()
    yield "rle-of-nothing.bmp", bmp(9000, 9000, 8, bytes(1024) + b"\0\1", 1), answered

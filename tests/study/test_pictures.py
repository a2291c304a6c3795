"""Pictures as Pillow sees them, exactly; and what each refusal says."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tumorviewer.errors import Cancelled, InputError
from tumorviewer.study import Placement, Volume, limits, picture_headers, pictures

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (13, 7), np.uint8)
COLOUR = RNG.integers(0, 256, (13, 7, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (13, 7), np.uint16)


def volumes(path: Path) -> list[Volume]:
    return [source.load() for source in pictures.read_pictures(path, "shown").series[0].volumes]


def only(path: Path) -> Volume:
    (volume,) = volumes(path)
    return volume


def save(path: Path, picture: np.ndarray | Image.Image, form: str = "PNG", **options) -> Path:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, form, **options)
    return path


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        volumes(path)
    assert caught.value.source == "shown"
    assert caught.value.reason
    return caught.value


def test_a_picture_claims_no_size(tmp_path: Path) -> None:
    volume = only(save(tmp_path / "a.png", GREY, dpi=(300, 300)))
    assert volume.placement is Placement.NONE
    assert volume.spacing() == (1, 1, 1)
    np.testing.assert_array_equal(volume.affine @ [3, 5, 7, 1], [7, 5, 3, 1])
    np.testing.assert_array_equal(volume.array, GREY[None])


# Kinds


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_stay(tmp_path: Path, form: str) -> None:
    volume = only(save(tmp_path / "a", DEEP, form))
    assert volume.array.dtype == np.uint16
    np.testing.assert_array_equal(volume.array[0], DEEP)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_formats_are_exact(tmp_path: Path, form: str, picture: np.ndarray) -> None:
    np.testing.assert_array_equal(only(save(tmp_path / "a", picture, form)).array[0], picture)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpegs(tmp_path: Path, mode: str, progressive: bool) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    path = save(tmp_path / "a", image, "JPEG", progressive=progressive)
    with Image.open(path) as reference:
        wanted = np.asarray(reference if mode == "L" else reference.convert("RGB"))
    np.testing.assert_array_equal(only(path).array[0], wanted)


def test_colours_that_are_all_grey_become_one_channel(tmp_path: Path) -> None:
    three = np.repeat(GREY[..., None], 3, axis=2)
    for form in ("PNG", "BMP", "TIFF"):
        volume = only(save(tmp_path / "a", three, form))
        assert not volume.is_colour
        np.testing.assert_array_equal(volume.array[0], GREY)
    nearly = three.copy()
    nearly[3, 3, 2] ^= 1
    assert only(save(tmp_path / "b", nearly)).is_colour


def test_palettes(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).quantize(17)
    for form in ("PNG", "TIFF", "BMP"):
        wanted = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(only(save(tmp_path / "a", image, form)).array[0], wanted)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_one_bit(tmp_path: Path, form: str) -> None:
    image = Image.fromarray(GREY > 127)
    volume = only(save(tmp_path / "a", image, form))
    np.testing.assert_array_equal(volume.array[0], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_parts_are_black_and_said(tmp_path: Path, mode: str) -> None:
    values = GREY if mode == "LA" else COLOUR
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[0, :3] = 0, 128, 254
    channels = [values] if mode == "LA" else np.moveaxis(values, 2, 0)
    image = Image.merge(mode, [Image.fromarray(part) for part in (*channels, alpha)])
    volume = only(save(tmp_path / "a.png", image))
    weight = alpha if mode == "LA" else alpha[..., None]
    np.testing.assert_allclose(volume.array[0], values * (weight / 255), atol=0.5)
    np.testing.assert_array_equal(volume.array[0, 1:], values[1:])
    assert volume.notes == ("Transparent parts are shown on black.",)


def test_an_opaque_alpha_channel_is_nothing_to_mention(tmp_path: Path) -> None:
    volume = only(save(tmp_path / "a.png", Image.fromarray(COLOUR).convert("RGBA")))
    np.testing.assert_array_equal(volume.array[0], COLOUR)
    assert volume.notes == ()


@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_transparent_colour(tmp_path: Path, picture: np.ndarray) -> None:
    key = int(picture[0, 0]) if picture.ndim == 2 else tuple(map(int, picture[0, 0]))
    volume = only(save(tmp_path / "a.png", picture, transparency=key))
    gone = picture == picture[0, 0]
    gone = gone if picture.ndim == 2 else gone.all(2, keepdims=True)
    np.testing.assert_array_equal(volume.array[0], np.where(gone, 0, picture))


@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<i2", "<u4", ">u2", ">f4", ">i4", "i1"])
def test_tiff_numbers(tmp_path: Path, dtype: str) -> None:
    values = RNG.integers(0, 256, GREY.size * np.dtype(dtype).itemsize, np.uint8).view(dtype)
    values = np.nan_to_num(values).reshape(GREY.shape)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([values]))
    volume = only(path)
    assert volume.array.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(volume.array[0], values)


def test_white_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([GREY], photometric=0))
    np.testing.assert_array_equal(only(path).array[0], 255 - GREY)
    assert not only(path).inverted
    path.write_bytes(tiff([DEEP], photometric=0))
    np.testing.assert_array_equal(only(path).array[0], DEEP)
    assert only(path).inverted


def test_deep_colours_are_said_to_be_reduced(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    rows = RNG.integers(0, 65536, (5, 4, 3)).astype(">u2")
    path.write_bytes(png(4, 5, 16, 2, b"".join(b"\0" + row.tobytes() for row in rows)))
    volume = only(path)
    np.testing.assert_array_equal(volume.array[0], rows >> 8)
    assert volume.notes == ("Colours of 16 bits are shown with 8.",)


def tiff(pages: list[np.ndarray], photometric: int = 1, same_data: bool = False) -> bytes:
    """An uncompressed grey TIFF of our own, for the kinds that Pillow does not write."""
    order = ">" if pages[0].dtype.byteorder == ">" else "<"
    out = bytearray(struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8))
    kind = {"u": 1, "i": 2, "f": 3, "b": 1}[pages[0].dtype.kind]
    for number, page in enumerate(pages):
        start = len(out)
        size = 2 + 9 * 12 + 4
        where = start + size if number == 0 or not same_data else 8 + size
        bits = page.dtype.itemsize * 8
        tags = {
            256: page.shape[1],
            257: page.shape[0],
            258: bits,
            259: 1,
            262: photometric,
            273: where,
            278: page.shape[0],
            279: page.nbytes,
            339: kind,
        }
        out += struct.pack(f"{order}H", len(tags))
        for tag, value in tags.items():
            is_short = tag not in (256, 257, 273, 278, 279)
            form = f"{order}HHIHxx" if is_short else f"{order}HHII"
            out += struct.pack(form, tag, 3 if is_short else 4, 1, value)
        data = b"" if same_data and number else page.tobytes()
        following = start + size + len(data)
        out += struct.pack(f"{order}I", following if number + 1 < len(pages) else 0) + data
    return bytes(out)


def png(columns: int, rows: int, depth: int, colour: int, raster: bytes, *more: tuple) -> bytes:
    """A PNG of our own; `more` are chunks after the pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(raster, 9)), *more, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


# Orientation


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_exif_orientation_is_applied_and_said(
    tmp_path: Path, form: str, orientation: int, picture: np.ndarray
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a", picture, form, exif=exif)
    (source,) = pictures.read_pictures(path, "shown").series[0].volumes
    volume = source.load()
    with Image.open(io.BytesIO(path.read_bytes())) as reference:
        wanted = np.asarray(ImageOps.exif_transpose(reference))
    np.testing.assert_array_equal(volume.array[0], wanted)
    assert source.shape == volume.array.shape[:3]
    assert bool(volume.notes) == (orientation > 1)


def test_an_orientation_that_follows_the_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    raster = b"".join(b"\0" + row.tobytes() for row in GREY)
    path = tmp_path / "a.png"
    path.write_bytes(png(7, 13, 8, 0, raster, (b"eXIf", exif.tobytes()[6:])))
    np.testing.assert_array_equal(only(path).array[0], np.rot90(GREY, -1))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_is_none(tmp_path: Path, orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    volume = only(save(tmp_path / "a.jpg", GREY, "JPEG", exif=exif))
    assert volume.array.shape == (1, 13, 7)
    assert volume.notes == ()


# Pages


def stack(path: Path, pages: list[np.ndarray], **options) -> Path:
    first, *rest = (Image.fromarray(page) for page in pages)
    first.save(path, "TIFF", save_all=True, append_images=rest, **options)
    return path


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_pages_of_one_kind_are_slices(tmp_path: Path, compression: str) -> None:
    pages = list(RNG.integers(0, 65536, (5, 13, 7), np.uint16))
    path = stack(tmp_path / "a.tif", pages, compression=compression)
    np.testing.assert_array_equal(only(path).array, pages)


def test_pages_of_other_sizes_and_kinds_are_volumes(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.tif", [GREY, COLOUR, GREY.T, GREY])
    (series,) = pictures.read_pictures(path, "shown").series
    assert [volume.label for volume in series.volumes] == [
        "2 pages from 1 to 4",
        "page 2",
        "page 3",
    ]
    grey, colour, turned = volumes(path)
    np.testing.assert_array_equal(grey.array, [GREY, GREY])
    np.testing.assert_array_equal(colour.array, [COLOUR])
    np.testing.assert_array_equal(turned.array, [GREY.T])


def test_the_middle_page_comes_first(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.tif", [GREY | 1] * 5)
    seen = []

    def progress(volume: Volume, index: int) -> None:
        assert volume.array[index].all()
        seen.append(index)

    pictures.read_pictures(path, "shown").series[0].volumes[0].load(progress)
    assert seen[0] == 2
    assert sorted(seen) == list(range(5))


def test_loading_can_be_cancelled(tmp_path: Path) -> None:
    def cancel(volume: Volume, index: int) -> None:
        raise Cancelled

    (source,) = pictures.read_pictures(save(tmp_path / "a.png", GREY), "shown").series[0].volumes
    with pytest.raises(Cancelled):
        source.load(cancel)


def test_pages_in_a_circle_end(tmp_path: Path) -> None:
    content = bytearray(tiff([GREY, GREY]))
    (second,) = struct.unpack_from("<I", content, 8 + 2 + 9 * 12)
    struct.pack_into("<I", content, second + 2 + 9 * 12, 8)
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert only(path).array.shape == (2, 13, 7)


def test_pages_that_share_their_pixels_are_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([np.zeros((1500, 1500), np.uint8)] * 400, same_data=True))
    assert "declares 900.0 MB of pixels but holds" in refusal(path).reason


# What is not as it should be


@pytest.mark.parametrize("name", ["a.jpg", "a.dcm", "a.nii.gz", "a"])
def test_content_decides_and_not_the_name(tmp_path: Path, name: str) -> None:
    np.testing.assert_array_equal(only(save(tmp_path / name, GREY)).array[0], GREY)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"GIF89a", "GIF"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
    ],
)
def test_other_pictures_are_named_with_what_is_supported(
    tmp_path: Path, head: bytes, name: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(head + bytes(100))
    error = refusal(path)
    assert name in error.reason
    assert "PNG, JPEG, TIFF and BMP" in error.remedy
    assert pictures.is_picture(head.ljust(16, b"\0"))


def test_what_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"just some text")
    assert refusal(path).reason == "It is not a picture."
    assert not pictures.is_picture(b"just some text..")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("picture", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_picture_cut_anywhere_is_whole_or_refused(
    tmp_path: Path, form: str, picture: np.ndarray
) -> None:
    path = save(tmp_path / "a", picture, form)
    content, wanted = path.read_bytes(), only(path).array
    for length in range(0, len(content), 1 if len(content) < 900 else 5):
        path.write_bytes(content[:length])
        try:
            np.testing.assert_array_equal(only(path).array, wanted)
        except InputError as error:
            assert error.reason  # noqa: PT017


def test_any_flipped_bit_of_a_png_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOUR)
    content = path.read_bytes()
    for position in range(len(content) - 12):
        damaged = bytearray(content)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        refusal(path)


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "BMP"])
def test_flipped_bits_never_break_more_than_the_file(tmp_path: Path, form: str) -> None:
    path = save(tmp_path / "a", COLOUR, form)
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            volumes(path)
        except InputError as error:
            assert error.reason  # noqa: PT017


def declared(form: str, columns: int, rows: int) -> bytes:
    """A small picture of which the header says that it is a large one."""
    if form == "PNG":
        return png(columns, rows, 8, 0, bytes(1000))
    stream = io.BytesIO()
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(stream, form)
    content = bytearray(stream.getvalue())
    if form == "BMP":
        struct.pack_into("<ii", content, 18, columns, rows)
    elif form == "JPEG":
        start = content.index(b"\xff\xc0")
        struct.pack_into(">HH", content, start + 5, rows, columns)
    else:
        return (
            tiff([np.zeros((1, 1), np.uint8)])
            .replace(struct.pack("<HHII", 256, 4, 1, 1), struct.pack("<HHII", 256, 4, 1, columns))
            .replace(struct.pack("<HHII", 257, 4, 1, 1), struct.pack("<HHII", 257, 4, 1, rows))
        )
    return bytes(content)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("size", [(9000, 9000), (60000, 60000), (65535, 1300)])
def test_a_picture_that_cannot_be_so_large_costs_nothing(
    tmp_path: Path, form: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(declared(form, *size))
    tracemalloc.start()
    refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (100 << 20 if form == "JPEG" else 1 << 20)


def test_an_honest_png_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(940, 940, 8, 2, bytes((940 * 3 + 1) * 940)))
    assert only(path).array.shape == (1, 940, 940)
    monkeypatch.setattr(picture_headers, "_UNQUESTIONED_BYTES", 1 << 20)
    assert "no real image" in refusal(path).reason


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    good = Image.Exif()
    good[0x0112] = 6
    for exif in (good.tobytes()[:-9], b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        path = save(tmp_path / "a.jpg", GREY, "JPEG", exif=exif)
        assert only(path).array.size == GREY.size


def test_pictures_beyond_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", GREY)
    monkeypatch.setattr(limits, "MAX_PICTURE_PIXELS", GREY.size - 1)
    assert "more than" in refusal(path).reason


def test_too_many_pages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_VOLUMES", 3)
    path = stack(tmp_path / "a.tif", [GREY] * 4)
    assert "more than 3 pages" in refusal(path).reason


def test_a_file_that_changes_after_it_was_opened(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    (source,) = pictures.read_pictures(path, "shown").series[0].volumes
    save(path, GREY[:5])
    with pytest.raises(InputError):
        source.load()
    path.unlink()
    with pytest.raises(InputError, match="gone since"):
        source.load()


def test_no_path_is_written_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = stack(tmp_path / "a.tif", [GREY] * 3, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:-60])
    refusal(path)
    out, err = capfd.readouterr()
    assert out == ""
    assert str(tmp_path) not in err
    assert "a.tif" not in err


@pytest.mark.shared
def test_awkward_real_pictures(shared_data: Path) -> None:
    paths = [path for path in shared_data.glob("awkward_images/*") if path.is_file()]
    assert paths
    for path in paths:
        with Image.open(path) as reference:
            opaque = reference.convert("RGBA")
            wanted = Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque)
        shown = only(path).array[0]
        shown = shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, 2)
        np.testing.assert_allclose(shown, np.asarray(wanted)[..., :3], atol=1)

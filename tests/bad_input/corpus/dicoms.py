"""DICOM files that lie, and odd ones that are legal."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    BasicTextSRStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from corpus.bases import (
    COLOUR,
    DEEP,
    GREY,
    ROOT,
    dataset,
    dicom,
    dicom_deflated,
    dicom_rle,
    dicom_series,
    encapsulated,
    saved,
)
from corpus.case import (
    PATIENT_MARK,
    Case,
    Check,
    Make,
    answered,
    files,
    one_file,
    opens,
    refused,
    study,
    whole_or_refused,
)

Row = tuple[str, Make, Check]


def cases() -> Iterator[Case]:
    """All of them."""
    for family in (_sizes, _compressed, _structure, _values, _geometry, _text, _series, _folders):
        for name, make, check in family():
            yield Case(f"dicom/{name}", make, check)


def _dcm(content: bytes) -> Make:
    return one_file("mr.dcm", content)


def replaced(content: bytes, tag: str, vr: str, value: bytes) -> bytes:
    """The file with the value of a short explicit little-endian element of top level changed."""
    value += b"\0" * (len(value) % 2) if vr == "UI" else b" " * (len(value) % 2)
    group, element = (int(part, 16) for part in tag.split(","))
    head = struct.pack("<HH2s", group, element, vr.encode())
    at = content.index(head)
    (length,) = struct.unpack_from("<H", content, at + 6)
    return content[: at + 6] + struct.pack("<H", len(value)) + value + content[at + 8 + length :]


def _sizes() -> Iterator[Row]:
    huge = dicom(Rows=65535, Columns=65535, PixelData=bytes(100))
    yield "rows-65535-of-100-bytes", _dcm(huge), refused()
    tall = dicom(Rows=65535, PixelData=bytes(100))
    yield "tall-of-100-bytes", _dcm(tall), refused("holds|cut short", remedy=True)
    for rows in (0, None):
        yield f"rows-{rows}", _dcm(dicom(Rows=rows)), refused("Rows")
    yield "columns-0", _dcm(dicom(Columns=0)), refused("Columns")
    yield "one-row-too-many", _dcm(dicom(Rows=16)), refused("holds|cut short")
    yield "one-row-too-few", _dcm(dicom(Rows=14)), answered
    for frames in ("2147483647", "-5", "many", "1e9", "99999999999999999999", "1.5"):
        content = replaced(dicom(NumberOfFrames=1), "0028,0008", "IS", frames.ljust(20).encode())
        yield f"frames-{frames}", _dcm(content), refused()
    for frames in (b"0 ", b"", b"1 "):
        content = replaced(dicom(NumberOfFrames=1), "0028,0008", "IS", frames)
        yield f"frames-{frames.decode().strip() or 'empty'}", _dcm(content), opens(array=DEEP)
    for bits in ((16, 17), (12, 12), (7, 7), (0, 0), (16, 0), (128, 128), (16, 65535)):
        content = dicom(BitsAllocated=bits[0], BitsStored=bits[1])
        yield f"bits-{bits[0]}-{bits[1]}", _dcm(content), answered
    for samples in (0, 2, 3, 4, 65535):
        yield f"samples-{samples}", _dcm(dicom(SamplesPerPixel=samples)), answered
    for photometric in ("", "HSV", "CMYK", "RGB", "PALETTE COLOR", "YBR_FULL_422", "monochrome2"):
        content = dicom(PhotometricInterpretation=photometric)
        yield f"photometric-{photometric or 'empty'}", _dcm(content), answered
    yield "empty-pixels", _dcm(dicom(PixelData=b"")), refused()
    yield "no-pixels", _dcm(dicom(PixelData=None)), refused(quietly=True)
    odd = np.arange(15 * 17, dtype=np.uint8).reshape(15, 17)
    yield "odd-length", _dcm(dicom(0, odd)), opens(array=odd)
    unpadded = dicom(0, odd)[:-1]
    at = unpadded.rindex(struct.pack("<I", 256))
    unpadded = unpadded[:at] + struct.pack("<I", 255) + unpadded[at + 4 :]
    yield "odd-length-unpadded", _dcm(unpadded), opens(array=odd)
    yield "colour", _dcm(dicom(0, COLOUR)), opens(array=COLOUR)
    yield "colour-by-plane-lies", _dcm(dicom(0, COLOUR, PlanarConfiguration=7)), answered
    yield (
        "longer-than-needed",
        _dcm(dicom(PixelData=DEEP.tobytes() + bytes(1000))),
        opens(array=DEEP),
    )
    yield "one-voxel", _dcm(dicom(0, DEEP[:1, :1])), opens(shape=(1, 1, 1))


def _compressed() -> Iterator[Row]:
    rle = dicom_rle()
    yield "rle", _dcm(rle), opens(array=DEEP)
    yield "deflated", _dcm(dicom_deflated()), opens(array=DEEP)
    jpeg = io.BytesIO()
    Image.fromarray(GREY).save(jpeg, "JPEG")
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    frame = jpeg.getvalue() + b"\0" * (len(jpeg.getvalue()) % 2)
    yield "jpeg", _dcm(encapsulated([frame], JPEGBaseline8Bit, **eight)), opens(shape=(1, 15, 17))
    for name, kind in (
        ("rle", RLELossless),
        ("jpeg", JPEGBaseline8Bit),
        ("jpeg-2000", JPEG2000Lossless),
        ("jpeg-ls", JPEGLSLossless),
        ("unknown", ROOT + ".99"),
        ("video", MPEG2MPML),
    ):
        for what, data in (
            ("zeros", bytes(200)),
            ("noise", bytes(range(256))),
            ("nothing", bytes(2)),
        ):
            yield f"{name}-of-{what}", _dcm(encapsulated([data], kind)), refused()
    run = struct.pack("<16I", 2, 64, 72, *(0,) * 13) + b"\x81\0" * 8
    yield "rle-bomb", _dcm(encapsulated([run], RLELossless, Rows=30_000, Columns=2_900)), refused()
    for size in ((15, 16), (14, 17), (9000, 9000)):
        content = encapsulated([frame], JPEGBaseline8Bit, **eight, Rows=size[0], Columns=size[1])
        yield f"jpeg-of-other-size-{size[0]}", _dcm(content), refused()
    lying = frame.replace(b"\xff\xc0\0\x0b\x08\0\x0f\0\x11", b"\xff\xc0\0\x0b\x08\xfd\xe8\xfd\xe8")
    content = encapsulated([lying], JPEGBaseline8Bit, **eight, Rows=65000, Columns=65000)
    yield "jpeg-bomb", _dcm(content), refused()
    yield (
        "more-fragments",
        _dcm(encapsulated([frame, b"\0" * 10], JPEGBaseline8Bit, **eight)),
        answered,
    )
    content = encapsulated([frame], JPEGBaseline8Bit, **eight, NumberOfFrames=5)
    yield "fewer-fragments", _dcm(content), refused("1 of the 5 frames")
    whole = encapsulated([frame], JPEGBaseline8Bit, **eight)
    yield "no-end-of-fragments", _dcm(whole[:-8]), answered
    at = whole.index(frame)
    for length in (0, 2**31, 2**32 - 2):
        lie = whole[: at - 4] + struct.pack("<I", length) + whole[at:]
        yield f"fragment-of-{length}", _dcm(lie), refused()
    claims = dicom().replace(
        ExplicitVRLittleEndian.encode() + b"\0", JPEG2000Lossless.encode()[:20]
    )
    yield "claims-to-be-compressed", _dcm(claims), answered
    yield "deflated-bomb", one_file("mr.dcm", _deflated_bomb), refused()
    yield "deflated-noise", _dcm(dicom_deflated()[:-300] + bytes(300)), answered


def _deflated_bomb() -> bytes:
    """Two gigabytes of pixels in two megabytes."""
    made = dicom_deflated(Rows=40_000, Columns=30_000)
    start = 144 + int.from_bytes(made[140:144], "little")
    body = zlib.decompress(made[start:], -15)
    pixels = body.index(b"\xe0\x7f\x10\x00")
    size = 40_000 * 30_000 * 2
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = deflate.compress(body[: pixels + 8] + struct.pack("<I", size))
    block = bytes(1 << 20)
    packed = [deflate.compress(block) for _ in range(100)]
    return made[:start] + out + b"".join(packed) + deflate.flush()


def _structure() -> Iterator[Row]:
    whole = dicom()
    yield "no-preamble", _dcm(saved(dataset(), preamble=False)), answered
    bare = whole[132 + 12 + int.from_bytes(whole[140:144], "little") :]
    yield "no-meta", _dcm(bare), opens(array=DEEP)
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian):
        made = dataset()
        if syntax == ExplicitVRBigEndian:
            made.PixelData = DEEP.byteswap().tobytes()
        yield (
            f"{syntax.name.lower().replace(' ', '-')}",
            _dcm(saved(made, syntax)),
            opens(array=DEEP),
        )
    for length in (0xFFFFFFFE, 0xFFFFFFFF, 0x80000000, 0):
        at = whole.rindex(struct.pack("<I", DEEP.nbytes))
        lie = whole[:at] + struct.pack("<I", length) + whole[at + 4 :]
        yield f"pixels-of-length-{length:x}", _dcm(lie), whole_or_refused(DEEP)
    at = whole.index(b"\x10\0\x10\0PN")
    for length in (0xFFFF, 0x7FFE, 5):
        lie = whole[: at + 6] + struct.pack("<H", length) + whole[at + 8 :]
        yield f"name-of-length-{length:x}", _dcm(lie), answered
    yield "unknown-vr", _dcm(whole[: at + 4] + b"ZZ" + whole[at + 6 :]), answered
    yield "vr-of-nulls", _dcm(whole[: at + 4] + b"\0\0" + whole[at + 6 :]), answered
    for depth in (1000, 50_000):
        nested = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * depth
        start = whole.index(b"\x10\0\x10\0PN")
        yield f"sequences-{depth}-deep", _dcm(whole[:start] + nested + whole[start:]), answered
        closed = nested + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth
        check = whole_or_refused(DEEP)
        yield f"sequences-{depth}-deep-closed", _dcm(whole[:start] + closed + whole[start:]), check
    open_sequence = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff"
    yield "sequence-never-closed", _dcm(whole[:at] + open_sequence), refused(quietly=True)
    item = open_sequence + b"\xfe\xff\0\xe0" + struct.pack("<I", 2**31)
    yield "item-too-long", _dcm(whole[:at] + item + whole[at:]), answered
    private = b"\x09\0\x10\x10OB\0\0" + struct.pack("<I", 2**31 - 2)
    yield "private-element-too-long", _dcm(whole[:at] + private + whole[at:]), answered
    yield "elements-out-of-order", _dcm(whole[:at] + b"\x08\0\x60\0CS\2\0MR" + whole[at:]), answered
    yield "then-garbage", _dcm(whole + b"garbage" * 999), opens(array=DEEP)
    yield "cut-in-meta", _dcm(whole[:200]), refused()
    group = whole[:140] + struct.pack("<I", 2**31) + whole[144:]
    yield "meta-length-lies", _dcm(group), answered
    missing = whole.replace(b"\x02\0\x10\0UI", b"\x02\0\x11\0UI", 1)
    yield "no-transfer-syntax", _dcm(missing), opens(array=DEEP, note="transfer syntax")
    report = dataset(PixelData=None, SOPClassUID=BasicTextSRStorage, Modality="SR")
    yield "structured-report", _dcm(saved(report)), refused(quietly=True)


def _values() -> Iterator[Row]:
    for value in (b"0", b"nan", b"inf", b"1e400", b"text", b"", b"2\\3", b"-1"):
        content = replaced(
            dicom(RescaleSlope=1, RescaleIntercept=0),
            "0028,1053",
            "DS",
            value,
        )
        yield f"slope-{value.decode() or 'empty'}", _dcm(content), answered
    for value in (b"nan", b"inf", b"text", b"-1e300"):
        content = replaced(
            dicom(RescaleSlope=1, RescaleIntercept=0),
            "0028,1052",
            "DS",
            value,
        )
        yield f"intercept-{value.decode()}", _dcm(content), answered
    for centre, width in (
        (b"nan", b"100 "),
        (b"40", b"0 "),
        (b"40", b"-5"),
        (b"a ", b"b "),
        (b"", b""),
        (b"1\\2 ", b"3 "),
    ):
        content = dicom(WindowCenter=1, WindowWidth=2)
        content = replaced(content, "0028,1050", "DS", centre)
        content = replaced(content, "0028,1051", "DS", width)
        yield f"window-{centre.decode()}-{width.decode()}", _dcm(content), opens(array=DEEP)
    yield "monochrome-1", _dcm(dicom(PhotometricInterpretation="MONOCHROME1")), opens(array=DEEP)
    signed = (DEEP.astype(np.int32) - 2000).astype("<i2")
    content = dicom(PixelRepresentation=1, PixelData=signed.tobytes())
    yield "signed", _dcm(content), opens(array=signed)
    yield "representation-7", _dcm(dicom(PixelRepresentation=7)), answered
    made = dataset(PixelData=None, BitsAllocated=32)
    real = DEEP.astype("<f4")
    real[2, 2] = np.nan
    made.FloatPixelData = real.tobytes()
    yield "float-nan", _dcm(saved(made)), answered
    palette = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 16]), ("Data", bytes(512)))
    }
    content = dicom(0, GREY, PhotometricInterpretation="PALETTE COLOR", **palette)
    yield "palette", _dcm(content), opens(shape=(1, 15, 17))
    short = palette | {"RedPaletteColorLookupTableData": bytes(10)}
    content = dicom(0, GREY, PhotometricInterpretation="PALETTE COLOR", **short)
    yield "palette-short", _dcm(content), refused()
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [0, 0, 16], bytes(10)
    lut["LUTDescriptor"].VR = "US"
    lut["LUTData"].VR = "OW"
    yield "voi-lut-short", _dcm(dicom(VOILUTSequence=Sequence([lut]))), answered
    yield "voi-lut-empty", _dcm(dicom(VOILUTSequence=Sequence([]))), opens(array=DEEP)
    yield "constant", _dcm(dicom(0, np.zeros_like(DEEP))), opens(shape=(1, 15, 17))


def _geometry() -> Iterator[Row]:
    for name, elements in {
        "no-orientation": {"ImageOrientationPatient": None},
        "no-position": {"ImagePositionPatient": None},
        "no-place-at-all": {"ImageOrientationPatient": None, "ImagePositionPatient": None},
    }.items():
        yield name, _dcm(dicom(**elements)), opens(array=DEEP, placement="SCALED")
    nothing = dicom(ImageOrientationPatient=None, ImagePositionPatient=None, PixelSpacing=None)
    yield "no-geometry", _dcm(nothing), opens(array=DEEP, placement="NONE")
    for value in (
        b"0\\0\\0\\0\\0\\0 ",
        b"1\\0\\0\\1\\0\\0 ",
        b"1\\0\\0\\0\\1 ",
        b"nan\\0\\0\\0\\1\\0 ",
        b"a\\b\\c\\d\\e\\f ",
    ):
        content = replaced(dicom(), "0020,0037", "DS", value)
        yield f"orientation-{value.decode().strip()}", _dcm(content), answered
    for value in (b"nan\\0\\0 ", b"1e400\\0\\0", b"x\\y\\z ", b"1\\2 ", b""):
        content = replaced(dicom(), "0020,0032", "DS", value)
        yield f"position-{value.decode().strip() or 'empty'}", _dcm(content), opens(array=DEEP)
    for value in (b"0\\0 ", b"-1\\1", b"1 ", b"nan\\nan ", b"", b"1e-30\\1 ", b"1\\1\\1 "):
        content = replaced(dicom(), "0028,0030", "DS", value)
        yield f"spacing-{value.decode().strip() or 'empty'}", _dcm(content), opens(array=DEEP)


def _named(text: str, charset: str, raw: bytes | None = None) -> bytes:
    content = dicom(SpecificCharacterSet=charset) if charset else dicom()
    name = f"{PATIENT_MARK}^{text}".encode("utf-8", "replace") if raw is None else raw
    return replaced(content, "0010,0010", "PN", name)


def _text() -> Iterator[Row]:
    for name, text in {
        "markup": "<b>Bold</b><img src=x onerror=alert(1)>",
        "right-to-left": "שלום\u202etxet",
        "newline": "a\nb\r\nc",
        "null": "a\0b",
        "escape": "\x1b[31mred\x1b[0m",
        "long": "x" * 10_000,
        "emoji": "🧠",
        "turkish": "Şükrü İğdır",
        "carets": "^^^^^^====",
    }.items():
        yield f"name-{name}", _dcm(_named(text, "ISO_IR 192")), opens(array=DEEP)
    plain = study(opens(array=DEEP), patient_name="<b>Bold</b>")
    yield "name-markup-is-kept", _dcm(_named("", "ISO_IR 192", b"<b>Bold</b>")), plain
    for charset, codec, text in (
        ("ISO_IR 100", "latin-1", "Müller"),
        ("ISO_IR 144", "iso8859_5", "Люкceмбypг"),
        ("ISO_IR 148", "iso8859_9", "Çavuş"),
        ("ISO_IR 166", "tis_620", "สมชาย"),
        ("GB18030", "gb18030", "王"),
        ("ISO_IR 192", "utf-8", "山田"),
    ):
        raw = text.encode(codec)
        check = study(opens(array=DEEP), patient_name=text)
        yield f"charset-{charset.replace(' ', '-')}", _dcm(_named("", charset, raw)), check
    japanese = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
    content = _named("", "\\ISO 2022 IR 87", japanese)
    yield "charset-japanese", _dcm(content), opens(array=DEEP)
    for charset in ("NONSENSE", "ISO_IR 999", "ISO 2022 IR 87\\NONSENSE", "\\\\\\"):
        yield (
            f"charset-{charset}",
            _dcm(_named("", charset, b"\xff\xfe\x80\x81")),
            opens(array=DEEP),
        )
    yield (
        "charset-utf-8-invalid",
        _dcm(_named("", "ISO_IR 192", b"\xff\xfe\x80")),
        opens(array=DEEP),
    )
    yield "charset-not-stated", _dcm(_named("", "", "Müller".encode("latin-1"))), opens(array=DEEP)
    for keyword, tag, vr, value in (
        ("date", "0008,0020", "DA", b"99999999"),
        ("date-text", "0008,0020", "DA", b"tomorrow"),
        ("number-text", "0020,0011", "IS", b"first "),
        ("number-huge", "0020,0013", "IS", b"9" * 40),
        ("uid-invalid", "0020,000e", "UI", b"not a uid "),
        ("uid-empty", "0020,000e", "UI", b""),
        ("study-uid-empty", "0020,000d", "UI", b""),
        ("instance-uid-empty", "0008,0018", "UI", b""),
        ("class-unknown", "0008,0016", "UI", b"1.2.3.4 "),
        ("modality-empty", "0008,0060", "CS", b""),
        ("modality-markup", "0008,0060", "CS", b"<i>MR</i> "),
    ):
        yield keyword, _dcm(replaced(dicom(), tag, vr, value)), opens(array=DEEP)


def _series() -> Iterator[Row]:
    yield "series", files(dicom_series()), opens(shape=(4, 15, 17), placement="PATIENT")
    mixed = dicom_series(PatientID=lambda n: "4711" if n < 2 else "4712")
    yield "two-patients-share-a-series", files(mixed), opens(2, shape=(2, 15, 17))
    slopes = dicom_series(RescaleIntercept=0, RescaleSlope=lambda n: n + 1)
    yield "slopes-differ", files(slopes), opens(shape=(4, 15, 17))
    sizes = dicom_series()
    sizes["3.dcm"] = dicom(3, DEEP[:9, :9])
    yield "one-slice-of-another-size", files(sizes), opens(2)
    same = dicom_series(5)
    same["copy.dcm"] = same["2.dcm"]
    yield "one-file-twice", files(same), opens(shape=(5, 15, 17), left_out="same image")
    doubled = dicom_series(4) | {
        f"again-{n}.dcm": dicom(n, SOPInstanceUID=f"{ROOT}.4.{n + 1}") for n in range(4)
    }
    yield "slices-doubled", files(doubled), answered
    same_uid = dicom_series(SOPInstanceUID=f"{ROOT}.5")
    yield "all-of-one-instance-uid", files(same_uid), opens(shape=(4, 15, 17))
    gap = dicom_series(7)
    del gap["3.dcm"]
    yield "slice-missing", files(gap), answered
    uneven = dicom_series(5, ImagePositionPatient=lambda n: [0, 0, n**2])
    yield "uneven", files(uneven), opens(note=".")
    one_place = dicom_series(ImagePositionPatient=[0, 0, 0])
    yield "all-in-one-place", files(one_place), answered
    tilted = dicom_series(ImagePositionPatient=lambda n: [0, n, 3 * n])
    yield "gantry-tilt", files(tilted), opens(shape=(4, 15, 17), note="tilt|shear")
    damaged = dicom_series(6)
    damaged["3.dcm"] = damaged["3.dcm"][:-50]
    yield "one-slice-cut", files(damaged), opens(left_out=".")
    text = dicom_series() | {"README": b"text", "viewer.exe": b"MZ", "a.pdf": b"%PDF-1.4"}
    yield "series-among-other-files", files(text), opens(shape=(4, 15, 17), left_out=".")
    unplaced = dicom_series(ImagePositionPatient=None, ImageOrientationPatient=None)
    yield "series-not-placed", files(unplaced), answered
    kinds = dicom_series(BitsStored=lambda n: 12 if n % 2 else 16)
    yield "depths-differ", files(kinds), answered


def _folders() -> Iterator[Row]:
    yield "dicomdir", _dicomdir({}), opens(shape=(3, 15, 17), left_out="directory")
    yield "dicomdir-missing-file", _dicomdir({b"IM000001": None}), opens(left_out=".")
    outside = _dicomdir({b"IM000001": b"..\\..\\..\\etc\\x "[:8]})
    yield "dicomdir-outside", outside, answered
    yield "dicomdir-alone", one_file("DICOMDIR", _dicomdir_bytes), refused(quietly=True)
    yield "dicomdir-cut", one_file("DICOMDIR", lambda: _dicomdir_bytes()[:900]), answered


def _fileset() -> FileSet:
    made = FileSet()
    for index in range(3):
        item = dataset(index, StudyTime="120000", StudyID="1")
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID
        item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID
        made.add(item)
    return made


def _dicomdir(changes: dict[bytes, bytes | None]) -> Make:
    """A file-set; parts of file names in its DICOMDIR are changed, None deletes the file."""

    def make(folder: Path) -> list[Path]:
        _fileset().write(folder / "disc")
        directory = folder / "disc" / "DICOMDIR"
        directory_bytes = directory.read_bytes()
        for name, other in changes.items():
            if other is None:
                next(folder.rglob(name.decode())).unlink()
            else:
                directory_bytes = directory_bytes.replace(name, other)
        directory.write_bytes(directory_bytes)
        return [directory]

    return make


def _dicomdir_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        _fileset().write(made / "disc")
        return (made / "disc" / "DICOMDIR").read_bytes()

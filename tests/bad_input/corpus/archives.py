"""Zip archives that are locked, damaged, or mean harm."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator

from corpus.bases import DEEP, GREY, VOXELS, archive, dicom, gzipped, nifti, picture
from corpus.case import Case, Check, answered, one_file, opens, refused

Row = tuple[str, bytes | Callable[[], bytes], Check]


def cases() -> Iterator[Case]:
    """All of them."""
    for name, content, check in (*_ordinary(), *_hostile(), *_broken()):
        yield Case(f"zip/{name}", one_file("study.zip", content), check)


def _ordinary() -> Iterator[Row]:
    picture_file = picture("PNG")
    yield "picture", archive({"a/b/head.png": picture_file}), opens(array=GREY)
    yield "stored", archive({"mr.dcm": dicom()}, zipfile.ZIP_STORED), opens(array=DEEP)
    yield "bzip2", archive({"mr.dcm": dicom()}, zipfile.ZIP_BZIP2), opens(array=DEEP)
    yield "lzma", archive({"mr.dcm": dicom()}, zipfile.ZIP_LZMA), opens(array=DEEP)
    series = {f"{n}.dcm": dicom(n) for n in range(4)}
    yield "series", archive(series), opens(shape=(4, 15, 17))
    packed = archive({"head.nii.gz": gzipped(nifti())})
    yield "compressed-twice", packed, opens(shape=(5, *VOXELS.shape[1::-1]))
    junk = {"__MACOSX/._a.png": b"junk", ".DS_Store": b"junk", "a.png": picture_file}
    yield "junk-of-a-mac", archive(junk), opens(array=GREY)
    yield (
        "with-text",
        archive({"read.me": b"x", "a.png": picture_file}),
        opens(left_out="not a kind"),
    )
    for name in ("ünïcödé/é.png", "日本語.png", "<b>.png", "a\nb.png", "שלום.png", "C.png "):
        content = archive({name: picture_file})
        yield f"member-{name.encode().hex()}", content, opens(array=GREY)
    yield (
        "one-bad-member",
        archive({"a.png": picture_file, "b.png": b"\x89PNG"}),
        opens(left_out="."),
    )


def _hostile() -> Iterator[Row]:
    good = picture("PNG")
    for name in ("../../outside.png", "/tmp/outside.png", "a/../../outside.png", "..\\outside.png"):
        hostile = archive({name: good, "inside.png": good})
        yield f"outside-{name.encode().hex()}", hostile, opens(array=GREY, left_out="outside")
    drive = archive({"C:/outside.png": good, "inside.png": good})
    yield "drive-letter", drive, opens(array=GREY, left_out="outside")
    yield "link", _special(stat.S_IFLNK, b"/etc/passwd"), opens(array=GREY, left_out="link")
    yield "pipe", _special(stat.S_IFIFO, b""), opens(array=GREY, left_out="link or a device")
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as made:
        for name in ("a.png", "b.png"):
            made.writestr(name, good)
    doubled = twice.getvalue().replace(b"b.png", b"a.png")
    yield "same-name-twice", doubled, opens(array=GREY, left_out="same name")
    yield "64-megabytes-of-zeros", lambda: archive({"zeros.dcm": bytes(64 << 20)}), refused()
    yield "bomb", _bomb(zipfile.ZIP_DEFLATED), refused("no real image|declares")
    yield "bomb-bzip2", _bomb(zipfile.ZIP_BZIP2), refused("no real image|declares")
    inner = archive({"a.png": good})
    yield "nested", archive({"inner.zip": inner}), refused("archive inside")
    yield "nested-beside", archive({"inner.zip": inner, "a.png": good}), opens(left_out="inside")
    yield "5000-members", _many, refused("nothing in it", remedy=True)
    deep = archive({"d/" * 300 + "a.png": good})
    yield "deep", deep, answered
    yield "long-name", archive({"x" * 2000 + ".png": good, "a.png": good}), answered


def _many() -> bytes:
    return archive({f"{number}.txt": b"x" for number in range(5000)}, zipfile.ZIP_STORED)


def _special(kind: int, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        member = zipfile.ZipInfo("special.png")
        member.external_attr = (kind | 0o777) << 16
        member.create_system = 3
        made.writestr(member, content)
        made.writestr("a.png", picture("PNG"))
    return stream.getvalue()


def _bomb(method: int) -> bytes:
    """Some gigabytes of zeros, said truly in the directory, of which a megabyte is there."""
    content = archive({"bomb.dcm": bytes(1 << 20)}, method)
    size = struct.pack("<I", 1 << 20)
    return content.replace(size, struct.pack("<I", 0xF000_0000))


def _broken() -> Iterator[Row]:
    good = archive({"a.png": picture("PNG"), "b.png": picture("PNG", GREY.T)}, zipfile.ZIP_STORED)
    yield "empty", archive({}), refused("empty")
    folders = io.BytesIO()
    with zipfile.ZipFile(folders, "w") as made:
        made.writestr("folder/", b"")
    yield "folders-only", folders.getvalue(), refused("empty")
    locked = good.replace(b"PK\3\4\x14\0\0", b"PK\3\4\x14\0\1").replace(
        b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"
    )
    yield "encrypted", locked, refused("encrypted", remedy=True)
    spoiled = bytearray(good)
    spoiled[60] ^= 255
    yield "wrong-checksum", bytes(spoiled), opens(array=GREY.T, left_out="damaged")
    method = good.replace(b"PK\1\2\x14\3\x14\0\0\0\0\0", b"PK\1\2\x14\3\x14\0\0\0\x63\0")
    yield "unknown-method", method, refused("damaged|unpacked")
    yield "no-directory", good[: good.index(b"PK\1\2")], refused("damaged")
    yield "comment-lies", good[:-2] + b"\xff\xff", answered
    yield "before-it-garbage", b"MZ" + bytes(200) + good, answered
    shifted = bytearray(good)
    end = good.index(b"PK\5\6")
    struct.pack_into("<I", shifted, end + 16, 0)
    yield "directory-elsewhere", bytes(shifted), refused("damaged")
    struct.pack_into("<HH", shifted := bytearray(good), end + 8, 65535, 65535)
    yield "member-count-lies", bytes(shifted), answered
    bad_name = good.replace(b"a.png", b"\xff\xfe.pn")
    yield "name-in-no-charset", bad_name, opens(2)
    null = good.replace(b"a.png", b"a\0png")
    yield "name-with-null", null, answered

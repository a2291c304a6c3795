"""Files that are not images, or not of a kind that is shown."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

from PIL import Image

from corpus.bases import GREY, archive, gzipped, picture
from corpus.case import Case, files, one_file, opens, refused


def cases() -> Iterator[Case]:
    """All of them."""
    for name, content in _not_images().items():
        yield Case(f"strange/{name}", one_file(name, content), refused())
    for name, content in _other_pictures().items():
        check = refused("not supported", remedy=True)
        yield Case(f"strange/{name}", one_file(name, content), check)
    for name, content in _other_archives().items():
        yield Case(f"strange/{name}", one_file(name, content), refused("nothing in it"))
    many = {f"{number // 100}/{number}.txt": b"unrelated" for number in range(10_000)}
    many["50/head.png"] = picture("PNG")
    yield Case(
        "strange/ten-thousand-unrelated-files",
        files(many),
        opens(array=GREY, left_out="not a kind"),
    )


def _not_images() -> dict[str, bytes]:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as packed:
        packed.add(__file__, "a.py")
    return {
        "letter.txt": b"Dear colleague,\n",
        "bom.txt": b"\xff\xfeD\0e\0a\0r\0",
        "table.csv": b"path,label\na.png,glioma\n",
        "page.html": b"<html><img src=x onerror=alert(1)></html>",
        "data.json": b"{}",
        "program.exe": b"MZ" + bytes(500),
        "program": b"\x7fELF" + bytes(500),
        "base.sqlite": b"SQLite format 3\0" + bytes(500),
        "random.dcm": bytes(range(256)) * 8,
        "zeros.dcm": bytes(5000),
        "ones.nii": b"\xff" * 5000,
        "zeros.nii": bytes(5000),
        "zeros.img": bytes(5000),
        "zeros.png": bytes(5000),
        "text.nii": b"not an image " * 100,
        "text.nii.gz": gzipped(b"not an image " * 100),
        "twice.nii.gz": gzipped(gzipped(b"not an image " * 100)),
        "text.png": b"not an image " * 100,
        "text.zip": b"not an archive " * 100,
        "pickled.pkl": b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94.",
        "files.tar": tar.getvalue(),
        "files.7z": b"7z\xbc\xaf\x27\x1c" + bytes(200),
        "files.rar": b"Rar!\x1a\x07\x01\0" + bytes(200),
        "preamble.dcm": bytes(128) + b"DICM",
        "only-magic.png": b"\x89PNG\r\n\x1a\n",
        "only-magic.jpg": b"\xff\xd8\xff\xe0",
        "only-magic.tif": b"II*\0",
        "only-magic.bmp": b"BM",
        "only-magic.nii.gz": b"\x1f\x8b\x08",
        "only-magic.zip": b"PK\x03\x04",
        "DICOMDIR": b"nothing of the kind",
    }


def _other_archives() -> dict[str, bytes]:
    return {
        "model.pt": archive({"archive/data.pkl": b"\x80\x02}q\0."}),
        "report.docx": archive({"word/document.xml": b"<w/>", "[Content_Types].xml": b"<t/>"}),
    }


def _other_pictures() -> dict[str, bytes]:
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    return {
        "moving.gif": picture("GIF", frames[0], save_all=True, append_images=frames[1:]),
        "named.png": picture("GIF"),
        "photo.webp": b"RIFF\x24\0\0\0WEBPVP8 " + bytes(100),
        "photo.heic": b"\0\0\0\x18ftypheic" + bytes(100),
        "photo.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
        "paper.pdf": b"%PDF-1.7\n" + bytes(100),
        "layers.psd": b"8BPS\0\1" + bytes(100),
    }

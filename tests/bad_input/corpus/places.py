"""Names in any character set, and things in a file system that are not files."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from corpus.bases import DEEP, GREY, dicom, dicom_series, picture
from corpus.case import Case, answered, one_file, opens, refused

NAMES = {
    "invalid-utf-8": b"\xff\xfe\x80.png",
    "latin-1": "für.png".encode("latin-1"),
    "newline": b"a\nb.png",
    "tab-and-bell": b"a\t\x07b.png",
    "escape-sequence": b"\x1b[31mred.png",
    "right-to-left": "שלום‮gnp.png".encode(),
    "turkish": "İıŞşĞğ.PNG".encode(),
    "japanese": "患者.png".encode(),
    "decomposed": "é.png".encode(),
    "emoji": "🧠.png".encode(),
    "bold": b"<b>bold<b>.png",
    "picture-tag": b"<img src=x onerror=alert(1)>.png",
    "quotes": b"'\"`$(x)`;&.png",
    "percent": b"%s%n%d{0}.png",
    "dash": b"-rf.png",
    "space": b" .png",
    "trailing-dot": b"a.png.",
    "dots": b"....png",
    "long": b"x" * 251 + b".png",
    "no-suffix": b"x" * 255,
    "hidden": b".png",
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, spelled in NAMES.items():
        yield Case(
            f"name/{name}", one_file(os.fsdecode(spelled), picture("PNG")), opens(array=GREY)
        )
        yield Case(f"name/{name}-in-folder", _in_folder(spelled), opens(array=DEEP))
    for name, make in _OBJECTS.items():
        check = refused(quietly=True) if name.endswith("beside") else refused()
        yield Case(f"place/{name}", make, check)
    yield Case("place/beside-good-files", _crowd, opens(shape=(4, 15, 17), left_out="."))
    yield Case("place/link-to-file", _link_to_file, opens(array=GREY))
    yield Case("place/same-file-twice", _twice, opens(array=GREY))
    yield Case("place/file-and-its-folder", _file_and_folder, opens(array=GREY))
    yield Case("place/folder-in-circle", _circle, opens(array=GREY, left_out="link"))
    yield Case("place/folders-200-deep", _deep, opens(array=GREY))
    yield Case("place/empty-folder", lambda folder: [folder], refused("nothing in it"))
    if os.geteuid():
        yield Case("place/not-permitted", _not_permitted, refused("permission", remedy=True))
        yield Case("place/folder-not-permitted", _closed_folder, answered)


def _in_folder(spelled: bytes):
    def make(folder: Path) -> list[Path]:
        inner = folder / os.fsdecode(spelled)
        inner.mkdir()
        (inner / "mr.dcm").write_bytes(dicom())
        return [folder]

    return make


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.dcm")


def _socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # socket names are at most 107 bytes long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
    os.chdir(here)


def _link(target: str):
    def make(folder: Path) -> None:
        (folder / "link.dcm").symlink_to(target)

    return make


def _named(path: str):
    return lambda folder: [folder / path]


_OBJECTS = {
    "pipe": _pipe,
    "socket": _socket,
    "link-to-nothing": _link("nothing"),
    "link-to-itself": _link("link.dcm"),
    "link-to-null": _link("/dev/null"),
    "link-to-zero": _link("/dev/zero"),
    "link-to-memory": _link("/proc/self/mem"),
    "null": _named("/dev/null"),
    "zero": _named("/dev/zero"),
    "terminal": _named("/dev/tty"),
    "nothing": _named("nothing.dcm"),
    "name-with-null": _named("a\0b.dcm"),
    "name-too-long": _named("x" * 5000),
}


def _crowd(folder: Path) -> list[Path]:
    for name, content in dicom_series().items():
        (folder / name).write_bytes(content)
    for make in (_pipe, _socket, _link("nothing")):
        make(folder)
    (folder / "loop").symlink_to("loop")
    return [folder]


def _link_to_file(folder: Path) -> list[Path]:
    (folder / "a.png").write_bytes(picture("PNG"))
    (folder / "b.png").symlink_to("a.png")
    return [folder]


def _twice(folder: Path) -> list[Path]:
    (folder / "a.png").write_bytes(picture("PNG"))
    return [folder / "a.png", folder / "." / "a.png"]


def _file_and_folder(folder: Path) -> list[Path]:
    (folder / "a.png").write_bytes(picture("PNG"))
    return [folder / "a.png", folder]


def _circle(folder: Path) -> list[Path]:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "a.png").write_bytes(picture("PNG"))
    (folder / "a" / "b" / "up").symlink_to(folder / "a")
    (folder / "a" / "root").symlink_to(folder)
    return [folder]


def _deep(folder: Path) -> list[Path]:
    inner = folder.joinpath(*["d"] * 200)
    inner.mkdir(parents=True)
    (inner / "a.png").write_bytes(picture("PNG"))
    return [folder]


def _not_permitted(folder: Path) -> None:
    (folder / "a.png").write_bytes(picture("PNG"))
    (folder / "a.png").chmod(0)


def _closed_folder(folder: Path) -> list[Path]:
    (folder / "closed").mkdir(mode=0)
    (folder / "a.png").write_bytes(picture("PNG"))
    return [folder]

"""Good files cut at many places, with bits flipped, and under wrong names."""

from __future__ import annotations

import random
from collections.abc import Iterator

from corpus.bases import good_files
from corpus.case import Case, answered, one_file, opens, refused, whole_or_refused

_WRONG_NAMES = {
    "grey.png": ("photo.jpg", "scan.dcm", "head.nii.gz", "noname"),
    "grey.jpg": ("photo.png", "scan.dcm"),
    "grey.tif": ("photo.bmp",),
    "grey.bmp": ("notes.txt",),
    "mr.dcm": ("photo.png", "IM0001", "study.zip", "head.nii"),
    "head.nii": ("head.nii.gz", "scan.dcm"),
    "head.nii.gz": ("head.nii", "archive.gz"),
    "study.zip": ("scan.dcm", "study"),
}


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _cut()
    yield from _flipped()
    yield from _renamed()
    for name in good_files():
        yield Case(f"empty/{name}", one_file(name, b""), refused("empty", remedy=True))


def _cut() -> Iterator[Case]:
    for name, (content, array) in good_files().items():
        size = len(content)
        places = {1, 4, 16, 100, 133, 350, size // 2, size * 9 // 10, size - 20, size - 2, size - 1}
        for length in sorted(place for place in places if 0 < place < size):
            cut = one_file(name, content[:length])
            yield Case(f"cut/{name}-{length}", cut, whole_or_refused(array))


def _flipped() -> Iterator[Case]:
    for name, (content, _) in good_files().items():
        chance = random.Random(name)
        for number in range(9):
            damaged = bytearray(content)
            for _ in range(1 + number):
                damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            yield Case(f"flipped/{name}-{number}", one_file(name, bytes(damaged)), answered)


def _renamed() -> Iterator[Case]:
    for name, names in _WRONG_NAMES.items():
        content, array = good_files()[name]
        for other in names:
            check = opens(array=array)
            yield Case(f"renamed/{name}-as-{other}", one_file(other, content), check)

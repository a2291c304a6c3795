"""Files, folders, DICOMDIRs and archives: what is found in them, and what is said of the rest."""

from __future__ import annotations

import gc
import os
import stat
import warnings
import zipfile
from pathlib import Path

import dicom_files as files
import numpy as np
import pytest
from PIL import Image
from pydicom.fileset import FileSet

from tumorviewer.errors import Cancelled
from tumorviewer.study import Opened, open_paths
from tumorviewer.study.dicom import studies
from tumorviewer.study.dicom.header import Header
from tumorviewer.study.sniffing import FileKind, recognise_kind


def slices(opened: Opened) -> int:
    """How many slices all volumes have together."""
    return sum(
        source.shape[0]
        for study in opened.studies
        for series in study.series
        for source in series.volumes
    )


def picture(path: Path) -> Path:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)
    return path


def zipped(path: Path, members: dict[str, bytes], **kwargs: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = kwargs.get(name, 0) << 16
            archive.writestr(info, content)
    return path


def dicom_bytes(tmp_path: Path, index: int = 0) -> bytes:
    return files.save(files.instance(index), tmp_path / "made" / "x.dcm").read_bytes()


def test_folder_of_several_patients_at_any_depth(tmp_path: Path) -> None:
    files.series(tmp_path / "a" / "b" / "c", 3)
    files.series(tmp_path / "d", 2, lambda _index: {"PatientID": "J9", "StudyInstanceUID": "1.9"})
    picture(tmp_path / "p.png")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / ".DS_Store").write_bytes(b"junk")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"junk")
    opened = open_paths([tmp_path])
    assert len(opened.studies) == 3
    assert slices(opened) == 6
    (refused,) = opened.refused
    assert refused.source.endswith("notes.txt")
    assert not refused.is_error


def test_a_file_brought_twice_is_opened_once(tmp_path: Path) -> None:
    folder = files.series(tmp_path, 2)
    opened = open_paths([folder, folder / "00.dcm", folder, str(folder / "07.dcm")])
    assert slices(opened) == 2
    assert not opened.refused


def test_what_the_user_named_is_an_error_if_it_cannot_be_shown(tmp_path: Path) -> None:
    unrelated = tmp_path / "notes.txt"
    unrelated.write_text("nothing")
    opened = open_paths([unrelated, tmp_path / "missing.dcm"])
    assert [refused.is_error for refused in opened.refused] == [True, True]
    assert any("no such file" in refused.reason for refused in opened.refused)


def test_names_are_believed_only_where_content_says_nothing(tmp_path: Path) -> None:
    dicom = files.save(files.instance(), tmp_path / "scan.png")
    assert slices(open_paths([dicom])) == 1
    fake = tmp_path / "folder" / "fake.dcm"
    fake.parent.mkdir()
    fake.write_text("this is no DICOM file at all")
    (refused,) = open_paths([fake.parent]).refused
    assert refused.is_error
    assert "DICOM" in refused.reason


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (bytes(128) + b"DICM", FileKind.DICOM),
        (b"II*\0" + bytes(124) + b"DICM", FileKind.DICOM),  # whole-slide files are both
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", FileKind.DICOM),
        (b"\x08\0\0\0\x04\0\0\0\x40\1\0\0", FileKind.DICOM),
        (b"\0\x08\0\x05CS\0\x0aISO_IR 100", FileKind.DICOM),
        (b"\x89PNG\r\n\x1a\n", FileKind.PICTURE),
        (b"BM" + bytes(12) + b"\x28\0\0\0", FileKind.PICTURE),
        (b"BMW is a car", None),
        (b"PK\3\4", FileKind.ARCHIVE),
        (b"%PDF-1.7", FileKind.OTHER_PICTURE),
        (b"\x08\0", None),
        (b"", None),
        (bytes(1024), None),
    ],
)
def test_content_is_recognised(head: bytes, kind: FileKind | None) -> None:
    assert recognise_kind(head, Path("nameless")) is kind


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A folder with a DICOMDIR and the three images that it names."""
    complete = {"StudyTime": "101010", "StudyID": "1", "AccessionNumber": ""}
    source = files.series(tmp_path / "source", 3, lambda _index: complete)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pydicom leaves its folder to the end
        medium = FileSet()
        for path in sorted(source.iterdir()):
            medium.add(path)
        medium.write(tmp_path / "medium")
        del medium
        gc.collect()
    return tmp_path / "medium"


def test_dicomdir_opens_what_it_names(medium: Path) -> None:
    opened = open_paths([medium / "DICOMDIR"])
    assert slices(opened) == 3
    (refused,) = opened.refused
    assert not refused.is_error
    assert "directory of 3" in refused.reason
    assert slices(open_paths([medium])) == 3


def test_dicomdir_names_what_is_missing(medium: Path) -> None:
    images = [path for path in medium.rglob("*") if path.is_file() and path.name != "DICOMDIR"]
    images[0].unlink()
    images[1].rename(images[1].with_name(images[1].name.lower() + ";1"))
    opened = open_paths([medium / "DICOMDIR"])
    assert slices(opened) == 2
    assert any("not there" in refused.reason and refused.is_error for refused in opened.refused)


def test_zip_is_unpacked_for_as_long_as_its_studies_live(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "study.zip",
        {f"a/{index}.dcm": dicom_bytes(tmp_path, index) for index in range(3)}
        | {"__MACOSX/a/._0.dcm": b"junk", "read.me": b"text"},
    )
    opened = open_paths([archive])
    (refused,) = opened.refused
    assert refused.source == f"{archive} › read.me"
    (study,) = opened.studies
    series = study.series[0]
    assert series.source == f"{archive} › a"
    np.testing.assert_array_equal(series.volumes[0].load().array[2], files.pixels(2))
    (folder,) = study.keep  # type: ignore[misc]
    path = folder.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    del opened, study, series, folder
    gc.collect()
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["../x.dcm", "/tmp/x.dcm", "a/../../x.dcm", "a\\..\\x.dcm", "C:/x.dcm"]
)
def test_archives_do_not_write_outside(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "s.zip", {name: b"bad", "good.dcm": dicom_bytes(tmp_path)})
    opened = open_paths([archive])
    assert slices(opened) == 1
    (refused,) = opened.refused
    assert "outside" in refused.reason


def test_backslashes_in_archives_stand_between_folders(tmp_path: Path) -> None:
    """As .NET Framework up to 4.6 writes them; APPNOTE 4.4.17.1 wants slashes."""
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for index in range(3):
            path = files.save(files.instance(index), tmp_path / "t.dcm")
            member = zipfile.ZipInfo("x")
            member.filename = f"DICOM\\PAT0\\IM{index}"
            archive.writestr(member, path.read_bytes())
    opened = open_paths([tmp_path / "study.zip"])
    assert not opened.refused
    assert slices(opened) == 3


@pytest.mark.parametrize("name", ["..\\x.dcm", "a\\..\\..\\x.dcm", "\\x.dcm", "C:\\x.dcm"])
def test_backslashes_do_not_lead_outside(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        member = zipfile.ZipInfo("x")
        member.filename = name
        archive.writestr(member, b"x")
    (refused,) = open_paths([tmp_path / "study.zip"]).refused
    assert "outside" in refused.reason


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "s.zip",
        {"link.dcm": b"/etc/passwd", "good.dcm": dicom_bytes(tmp_path)},
        **{"link.dcm": stat.S_IFLNK | 0o777},
    )
    opened = open_paths([archive])
    assert slices(opened) == 1
    assert "link" in opened.refused[0].reason


def test_archive_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb,
        bomb.open("zeros.dcm", "w", force_zip64=True) as member,
    ):
        for _ in range(80):
            member.write(bytes(1 << 20))
    (refused,) = open_paths([archive]).refused
    assert "would unpack" in refused.reason


def test_encrypted_damaged_empty_and_nested_archives(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "e.zip", {"x.dcm": b"secret"}).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.find(signature) + offset] |= 1
    (tmp_path / "e.zip").write_bytes(content)
    (tmp_path / "cut.zip").write_bytes(
        zipped(tmp_path / "c.zip", {"x": b"1" * 99}).read_bytes()[:60]
    )
    (tmp_path / "c.zip").unlink()
    zipped(tmp_path / "none.zip", {})
    inner = zipped(tmp_path / "inner.bin", {"x.dcm": dicom_bytes(tmp_path)})
    zipped(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()})
    opened = open_paths([tmp_path / name for name in ("e.zip", "cut.zip", "none.zip", "outer.zip")])
    assert not opened.studies
    for word, refused in zip(
        ("encrypted", "damaged", "empty", "inside"), opened.refused, strict=True
    ):
        assert word in refused.reason


def test_links_that_loop_end(tmp_path: Path) -> None:
    folder = files.series(tmp_path / "s", 2)
    (folder / "self").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "root").symlink_to("/")
    (folder / "nowhere").symlink_to(folder / "gone")
    (folder / "circle").symlink_to(folder / "circle")
    opened = open_paths([folder])
    assert slices(opened) == 2
    assert len(opened.refused) == 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    opened = open_paths([tmp_path, "/dev/zero"])
    assert ["pipe" in refused.reason for refused in opened.refused] == [True, True]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user without rights")
def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    path = files.save(files.instance(), tmp_path / "x.dcm")
    path.chmod(0)
    (refused,) = open_paths([path]).refused
    assert "permission" in refused.reason


def test_empty_files_and_very_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(400):
        deep /= "d"
    deep.mkdir(parents=True)
    files.save(files.instance(), deep / "x.dcm")
    (tmp_path / "__init__.py").touch()
    (tmp_path / "empty.dcm").touch()
    opened = open_paths([tmp_path])
    assert slices(opened) == 1
    errors = {Path(refused.source).name: refused.is_error for refused in opened.refused}
    assert errors == {"__init__.py": False, "empty.dcm": True}


def test_unrelated_files_are_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    read_header = studies.read_header

    def counted(path: Path, source: str) -> Header:
        parsed.append(path.name)
        return read_header(path, source)

    monkeypatch.setattr(studies, "read_header", counted)
    for number in range(300):
        (tmp_path / f"{number}.txt").write_bytes(b"text")
    files.save(files.instance(), tmp_path / "x.dcm")
    opened = open_paths([tmp_path])
    assert parsed == ["x.dcm"]
    assert slices(opened) == 1
    assert len(opened.refused) == 300
    assert not any(refused.is_error for refused in opened.refused)


def test_opening_tells_how_far_it_is_and_can_be_cancelled(tmp_path: Path) -> None:
    folder = files.series(tmp_path, 4)
    told: list[tuple[int, int]] = []
    open_paths([folder], lambda done, found: told.append((done, found)))
    assert told == [(at, 4) for at in range(4)]

    def cancel(_done: int, _found: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        open_paths([folder], cancel)


def test_a_parser_that_fails_costs_one_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    picture(tmp_path / "Doe.png")
    files.save(files.instance(), tmp_path / "x.dcm")

    def fail(*_args: object) -> None:
        raise ZeroDivisionError("Doe")

    monkeypatch.setattr("tumorviewer.study.pictures.read_pictures", fail)
    opened = open_paths([tmp_path])
    assert slices(opened) == 1
    assert "ZeroDivisionError" in opened.refused[0].reason
    assert "Doe" not in caplog.text


def test_a_volume_names_its_files_in_the_order_of_its_slices(tmp_path: Path) -> None:
    for index, name in enumerate(("c.dcm", "a.dcm", "b.dcm")):
        files.save(files.instance(index), tmp_path / name)
    (study,) = open_paths([tmp_path]).studies
    found = study.series[0].volumes[0].files
    assert [file.path.name for file in found] == ["c.dcm", "a.dcm", "b.dcm"]
    assert [file.source for file in found] == [str(file.path) for file in found]

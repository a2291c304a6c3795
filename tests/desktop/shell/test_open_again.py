"""What is open and is opened again, after its files have changed; the worker is played."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.parts import pump
from tests.desktop.shell import test_reading_room
from tests.desktop.shell.test_reading_room import open_and_wait, rows
from tests.desktop.shell.test_window import drop, mime, visible_text
from tests.desktop.viewer.test_hanging import nifti
from tests.records.made import slice_file
from tumorviewer.desktop.services.library import Library
from tumorviewer.desktop.worklist.study_list import _DETAIL, _TITLE
from tumorviewer.imaging.measurement import AnnotationKind
from tumorviewer.records import Annotation
from tumorviewer.study import open_paths
from tumorviewer.study.types import Opened, Refused

room, study = test_reading_room.room, test_reading_room.study


def further(folder: Path, count: int = 3, series: int = 5) -> Path:
    """A further series of the study of `folder`, as a scanner puts it there."""
    for index in range(count):
        slice_file(folder / f"more{series}" / f"{index}.dcm", index, PatientName="Doe^1",
                   PatientID="P1", StudyInstanceUID="1.2.1", SeriesDescription="FLAIR",
                   SeriesInstanceUID=f"1.2.1.{series}", SeriesNumber=series)  # fmt: skip
    return folder / f"more{series}"


@pytest.fixture
def read(qtbot, window, room, client, study):
    """The folder of a study that is being read: on its second slice, marked, a verdict begun."""
    folder = study(1, count=5)
    open_and_wait(qtbot, window, folder)
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    pump(qtbot, room)
    window.viewer.set_slice(1)
    key = window.annotations.current.key_of(window.viewer.state.volume)
    mark = Annotation("m", AnnotationKind.POINT, key, ((0.0, 0.0, 5.0),))
    window.annotations.current.add(mark, "point")
    QTest.keyClicks(window.assessment.verdict.form.comment, "Dural tail")
    return folder


def open_again(qtbot, window, *paths: Path) -> str:
    """Answers what is said of it."""
    with qtbot.waitSignal(window.reading.updated) as said:
        window.open(list(paths))
    pump(qtbot, window.room)
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    assert window.status.currentMessage() == said.args[0]
    return said.args[0]


def listed(window) -> list[tuple[str, str]]:
    """Title and detail of each series in the list."""
    studies = window.study_panel.studies
    items = (studies._items[id(one)] for one in window.reading.library.series())
    return [(item.data(_TITLE), item.data(_DETAIL)) for item in items]


def stays(window) -> bool:
    """Whether slice, mark and verdict are as they were."""
    return (
        window.viewer.slice() == 1
        and [mark.id for mark in window.annotations.current.all()] == ["m"]
        and window.assessment.verdict.form.comment.toPlainText() == "Dural tail"
    )


def test_a_further_series_appears_and_the_reader_stays_where_he_was(
    qtbot, window, room, client, read
):
    shown = window.reading.shown.series
    further(read)
    QTest.keyClick(window, Qt.Key.Key_4)
    layout = window.viewer.shown_layout
    assert open_again(qtbot, window, read) == "Opened again: 1 series new."
    assert listed(window) == [("T1", "MR · 5 slices"), ("FLAIR", "MR · 3 slices")]
    assert window.reading.shown.series is shown
    assert window.reading.shown.study is window.reading.library.studies[0]
    assert (window.viewer.shown_layout, len(client.requests)) == (layout, 1)
    assert stays(window)
    assert len(rows(room)) == 1
    window.reading.step_series(1)
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    assert window.reading.shown.series.title == "FLAIR"


def test_a_series_that_has_grown_is_read_anew_in_its_place(qtbot, window, room, client, read):
    for index in (5, 6):
        slice_file(read / f"{index}.dcm", index, PatientName="Doe^1", PatientID="P1",
                   StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.1.4")  # fmt: skip
    assert open_again(qtbot, window, read) == "Opened again: 1 series changed."
    assert listed(window) == [("T1", "MR · 7 slices")]
    qtbot.waitUntil(lambda: len(client.requests) == 2)
    assert len(client.last.volume.array) == 7
    assert stays(window)
    assert rows(room)[0][0] == "Analysed"


def test_a_series_that_is_gone_says_so_until_it_comes_back(qtbot, window, room, read, tmp_path):
    away = shutil.move(further(read), tmp_path / "away")
    shutil.copytree(away, read / "more5", copy_function=shutil.copy2)
    open_again(qtbot, window, read)
    shutil.rmtree(read / "more5")
    assert open_again(qtbot, window, read) == "Opened again: 1 series gone."
    assert listed(window) == [("T1", "MR · 5 slices"), ("FLAIR", "MR · 3 slices · gone")]
    assert rows(room)[0][0] == "Analysed · files gone"
    assert stays(window)
    shutil.copytree(away, read / "more5", copy_function=shutil.copy2)
    assert open_again(qtbot, window, read) == "Opened again: 1 series back again."
    assert listed(window)[1] == ("FLAIR", "MR · 3 slices")
    assert rows(room)[0][0] == "Analysed"


def test_the_shown_series_goes_and_its_verdict_can_be_given(qtbot, window, room, read):
    for path in read.iterdir():
        path.unlink()
    further(read)
    said = open_again(qtbot, window, read)
    assert said == "Opened again: 1 series new, 1 series gone."
    assert window.reading.shown.series.title == "FLAIR"
    panel = window.assessment.verdict
    QTest.keyClicks(panel.form.classes, "M")
    QTest.mouseClick(panel.form.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.said.isVisible)
    assert "Dural tail" in visible_text(panel)
    assert [mark.id for mark in window.annotations.current.all()] == ["m"]
    shutil.rmtree(read / "more5")
    assert open_again(qtbot, window, read) == "Opened again: 1 series gone."
    assert rows(room)[0][0] == "Disagrees · files gone"


def test_another_open_study_is_turned_to_where_one_was(qtbot, window, room, read, study):
    further(read)
    open_again(qtbot, window, read)
    window.reading.step_series(1)
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    pump(qtbot, room)
    open_and_wait(qtbot, window, study(2))
    room.show_worklist()
    assert open_again(qtbot, window, read) == "Opened again: nothing has changed."
    assert window.reading.shown.series.title == "FLAIR"
    assert not room.shows_worklist


def test_a_part_opened_alone_changes_nothing(qtbot, window, read):
    assert open_again(qtbot, window, read / "3.dcm") == "Opened again: nothing has changed."
    assert listed(window) == [("T1", "MR · 5 slices")]
    assert stays(window)


def test_files_that_are_new_others_and_gone(qtbot, window, room, tmp_path, client):
    folder = nifti(tmp_path / "files", "x_t1", "x_t2", "x_flair")
    window.open([folder])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    (folder / "x_t2.nii.gz").unlink()
    shutil.copy(folder / "x_t1.nii.gz", folder / "x_t1ce.nii.gz")
    nifti(folder, "x_flair")
    drop(window, mime(folder))
    qtbot.waitUntil(lambda: "Opened again" in window.status.currentMessage())
    said = window.status.currentMessage()
    assert said == "Opened again: 1 series new, 1 series changed, 1 series gone."
    assert [(title, detail.split(" · ")[1:]) for title, detail in listed(window)] == [
        ("x_t1.nii.gz", []), ("x_flair.nii.gz", []), ("x_t2.nii.gz", ["gone"]),
        ("x_t1ce.nii.gz", []),
    ]  # fmt: skip
    assert window.reading.shown.series.title == "x_t1.nii.gz"


def test_marks_on_a_file_are_not_on_another_content(qtbot, window, room, tmp_path, client):
    folder = nifti(tmp_path, "x_t1")
    open_and_wait(qtbot, window, folder / "x_t1.nii.gz")
    book = window.annotations.current
    book.add(
        Annotation(
            "m", AnnotationKind.POINT, book.key_of(window.viewer.state.volume), ((0, 0, 0),)
        ),
        "point",
    )
    pump(qtbot, room)
    (folder / "x_t1.nii.gz").rename(tmp_path / "before.nii.gz")
    nifti(folder, "x_t1", spacing=3.0)
    assert open_again(qtbot, window, folder / "x_t1.nii.gz") == "Opened again: 1 series changed."
    assert window.annotations.current.all() == []
    (tmp_path / "before.nii.gz").replace(folder / "x_t1.nii.gz")
    open_again(qtbot, window, folder / "x_t1.nii.gz")
    assert [mark.id for mark in window.annotations.current.all()] == ["m"]


def test_an_archive_opened_twice_is_the_same(tmp_path):
    for index in range(2):
        slice_file(tmp_path / "s" / f"{index}.dcm", index)
    path = Path(shutil.make_archive(str(tmp_path / "s"), "zip", tmp_path / "s"))
    library = Library()
    library.add(open_paths([path]), [path])
    before = library.series()
    again = library.add(open_paths([path]), [path])
    assert (again.words, library.series()) == ("Opened again: nothing has changed.", before)


def test_a_copy_elsewhere_stands_beside(tmp_path):
    for at in ("a", "b"):
        slice_file(tmp_path / at / "0.dcm", 0)
    library = Library()
    for at in ("a", "b"):
        library.add(open_paths([tmp_path / at]), [tmp_path / at])
    assert len(library.series()) == 2
    assert len(library.studies) == 1
    assert library.add(open_paths([tmp_path]), [tmp_path]).gone == []


def test_a_file_that_was_mended_is_not_refused_any_more():
    library = Library()
    library.add(Opened((), (Refused("/a/x.png", "It is damaged."), Refused("/b", "It is."))), [])
    library.add(Opened((), ()), [Path("/a")])
    assert [one.source for one in library.refused] == ["/b"]

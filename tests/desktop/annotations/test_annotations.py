"""Marks as their user meets them: drawn with the mouse, dragged, undone, listed, copied, kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest

from tests.desktop.parts import Source, pump, series, study
from tests.desktop.shell import test_reading_room
from tests.desktop.shell.test_reading_room import open_and_wait
from tests.records.made import slice_file
from tumorviewer.desktop.annotations import canvas
from tumorviewer.desktop.annotations.annotation_writer import AnnotationWriter
from tumorviewer.errors import InputError
from tumorviewer.imaging.reslice import Plane
from tumorviewer.records import Annotation, Records
from tumorviewer.study.types import Opened, Placement, Volume

room = test_reading_room.room
SCAN = Path("/scans/one")
LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def phantom() -> Volume:
    """64 × 64 pixels of 0.5 × 2 mm (columns, rows), 9 slices 3 mm apart; values are 100 × row."""
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([(0, 0, 3), (0, 2, 0), (0.5, 0, 0)])
    array = np.broadcast_to(np.arange(64, dtype=np.int16)[:, None] * 100, (9, 64, 64)).copy()
    return Volume(array, affine, Placement.PATIENT, "phantom", "1.2.3")


def is_shown(window, uid: str = "") -> bool:
    state = window.viewer.state
    return (
        state.volume is not None
        and state.is_complete
        and (not uid or state.volume.series_instance_uid == uid)
    )


class Scan(Source):
    """Loads the very volume that it was given."""

    def load(self, progress=None):
        if progress is not None:
            for index in range(len(self.volume.array)):
                progress(self.volume, index)
        return self.volume


@pytest.fixture
def opened(qtbot, window, client, on_disk):
    on_disk[SCAN] = Opened((study(series(Scan(phantom()))),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: is_shown(window))
    return window


def at(viewport, row: float, column: float) -> QPoint:
    """Where the centre of a pixel is on the screen."""
    return viewport.transform().map(QPointF(column + 0.5, row + 0.5)).toPoint()


def drag(viewport, *places: QPoint) -> None:
    QTest.mouseMove(viewport, places[0])
    QTest.mousePress(viewport, LEFT, NO_KEY, places[0])
    for place in places[1:]:
        QTest.mouseMove(viewport, place)
    QTest.mouseRelease(viewport, LEFT, NO_KEY, places[-1])


def marks(window):
    return window.annotations.current.all()


def test_a_distance_is_measured_listed_and_undone(opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_D)
    drag(image, at(image, 10, 10), at(image, 25, 50))
    (mark,) = marks(opened)
    assert mark.values["length"] == pytest.approx(np.hypot(30, 20), abs=0.5)
    item = opened.annotations.panel.list.item(0).text()
    assert item == f"Distance\n{mark.values['length']:.1f}\N{NO-BREAK SPACE}mm"
    assert opened.viewer.slice() == 4  # the drag did not scroll
    QTest.keyClick(opened, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert marks(opened) == []
    assert opened.annotations.panel.list.count() == 0
    QTest.keyClick(opened, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert marks(opened) == [mark]


def draw(window, key: Qt.Key, *places: tuple[float, float], viewport=None):
    """Choose a tool by its key and drag it; the mark that came of it."""
    viewport = viewport or window.viewer.image
    QTest.keyClick(viewport, key)
    drag(viewport, *(at(viewport, *place) for place in places))
    return marks(window)[-1]


def undo(window):
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def test_an_ellipse_knows_the_values_under_it(opened):
    mark = draw(opened, Qt.Key.Key_O, (20, 20), (40, 60))
    assert mark.values["area"] == pytest.approx(np.pi * 20 * 10, rel=0.03)
    assert mark.values["mean"] == pytest.approx(3000, abs=60)
    assert (mark.values["minimum"], mark.values["maximum"]) == pytest.approx((2100, 3900), abs=100)
    shown = opened.annotations.panel.list.item(0).text()
    assert "Area" in shown
    assert "mm²" in shown
    assert "Mean" in shown


def test_a_rectangle_and_a_freehand_outline(opened):
    square = draw(opened, Qt.Key.Key_Q, (20, 20), (40, 60))
    assert square.values["area"] == pytest.approx(800, rel=0.03)
    outline = draw(opened, Qt.Key.Key_G, (20, 20), (20, 40), (20, 60), (40, 60), (40, 20))
    assert outline.values["area"] == pytest.approx(800, rel=0.03)
    assert outline.values["mean"] == pytest.approx(square.values["mean"], abs=60)


def test_an_angle_by_a_drag_and_a_click_or_by_clicks(opened):
    image = opened.viewer.image
    places = [at(image, 20, 20), at(image, 20, 40), at(image, 25, 40)]
    QTest.keyClick(image, Qt.Key.Key_A)
    drag(image, *places[:2])
    QTest.mouseClick(image, LEFT, NO_KEY, places[2])
    QTest.keyClick(image, Qt.Key.Key_A)
    for place in places:
        QTest.mouseClick(image, LEFT, NO_KEY, place)
    assert [mark.values["angle"] for mark in marks(opened)] == pytest.approx([90, 90], abs=1.5)


def test_diameters_stay_perpendicular_whatever_is_dragged(opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_B)
    drag(image, at(image, 30, 10), at(image, 32, 54))
    drag(image, at(image, 28, 30), at(image, 36, 40))
    (mark,) = marks(opened)
    assert mark.values["longest"] == pytest.approx(np.hypot(22, 4), abs=0.6)
    assert mark.values["product"] == mark.values["longest"] * mark.values["perpendicular"]
    for handle, place in ((0, (26, 8)), (3, (40, 30))):
        ends = np.array(mark.points_mm)
        here = image.transform().map(image.state.from_patient(ends[handle])).toPoint()
        drag(image, here, at(image, *place))
        (changed,) = marks(opened)
        assert changed != mark
        mark = changed
        first, second = np.diff(np.array(mark.points_mm).reshape(2, 2, 3), axis=1)[:, 0]
        assert first @ second == pytest.approx(0, abs=1e-6)
    for _ in range(2):
        undo(opened)
    assert len(marks(opened)) == 1
    undo(opened)
    assert marks(opened) == []


def test_a_mark_is_dragged_by_its_line_and_measured_anew(opened):
    image = opened.viewer.image
    mark = draw(opened, Qt.Key.Key_Q, (10, 10), (20, 30))
    drag(image, at(image, 10, 20), at(image, 30, 20))
    (moved,) = marks(opened)
    assert moved.values["area"] == pytest.approx(mark.values["area"])
    assert moved.values["mean"] == pytest.approx(mark.values["mean"] + 2000, abs=120)
    undo(opened)
    assert marks(opened) == [mark]


def test_without_a_tool_a_drag_beside_a_mark_scrolls(opened):
    draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    drag(opened.viewer.image, at(opened.viewer.image, 30, 30), at(opened.viewer.image, 55, 30))
    assert opened.viewer.slice() != 4
    assert len(marks(opened)) == 1
    assert opened.annotations.current.selected is None


def test_escape_ends_what_is_drawn_and_nothing_else(opened, client):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_A)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 10, 10))
    QTest.keyClick(image, Qt.Key.Key_Escape)
    assert not client.cancelled
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 20, 10))
    assert marks(opened) == []
    QTest.keyClick(image, Qt.Key.Key_Escape)
    assert client.cancelled


def test_a_slice_turned_away_from_gives_up_what_is_drawn(opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_D)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 10, 10))
    QTest.keyClick(image, Qt.Key.Key_Comma)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 20, 10))
    assert marks(opened) == []


def test_marks_are_seen_on_their_plane_only_and_jumped_to(opened):
    image = opened.viewer.image
    opened.viewer.set_slice(7)
    without = _ink(image)
    opened.viewer.set_slice(4)
    draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    draw(opened, Qt.Key.Key_X, (30, 30))
    assert _ink(image) > without + 100
    opened.viewer.set_slice(7)
    assert _ink(image) == without
    rows = opened.annotations.panel.list
    QTest.mouseClick(rows.viewport(), LEFT, NO_KEY, rows.visualItemRect(rows.item(0)).center())
    assert opened.viewer.slice() == 4
    assert opened.annotations.current.selected == marks(opened)[0].id
    QTest.keyClick(opened, Qt.Key.Key_N)
    assert opened.annotations.current.selected == marks(opened)[1].id
    QTest.keyClick(opened, Qt.Key.Key_Delete)
    assert [mark.type for mark in marks(opened)] == ["distance"]


def _ink(viewport) -> int:
    """Pixels in the colours of marks."""
    shot = viewport.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rgb = np.array(shot.constBits()).reshape(shot.height(), -1)[:, : 3 * shot.width()]
    rgb = rgb.reshape(shot.height(), shot.width(), 3).astype(int)
    return int(((rgb.max(axis=2) - rgb.min(axis=2) > 90) & (rgb[..., 1] > 150)).sum())


def key(window, *keys: Qt.Key, held=NO_KEY) -> None:
    for each in keys:
        QTest.keyClick(window.viewer.panes.active, each, held)


def test_a_distance_is_drawn_by_keys_alone(opened):
    opened.viewer.image.setFocus()
    key(opened, Qt.Key.Key_D, Qt.Key.Key_Return)
    key(opened, Qt.Key.Key_Right, Qt.Key.Key_Right, held=Qt.KeyboardModifier.ShiftModifier)
    key(opened, Qt.Key.Key_Left, Qt.Key.Key_Space)
    assert marks(opened)[0].values["length"] == pytest.approx(19 * 0.5)
    assert opened.viewer.slice() == 4
    key(opened, Qt.Key.Key_Up)  # the arrows scroll again
    assert opened.viewer.slice() == 3


def test_a_mark_and_its_points_are_moved_by_keys_and_undone_in_one(opened):
    drawn = draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    key(opened, Qt.Key.Key_Y, Qt.Key.Key_Right)
    key(opened, Qt.Key.Key_Down, held=Qt.KeyboardModifier.ShiftModifier)
    first, last = np.subtract(marks(opened)[0].points_mm, drawn.points_mm)
    assert first == pytest.approx((0.5, 5, 0))  # a column, and ten of its width downwards
    assert last == pytest.approx(first)
    key(opened, Qt.Key.Key_Return, Qt.Key.Key_Return, Qt.Key.Key_Left)
    assert marks(opened)[0].values["length"] == pytest.approx(drawn.values["length"] - 0.5)
    undo(opened)
    assert marks(opened)[0].values["length"] == pytest.approx(drawn.values["length"])
    assert opened.viewer.slice() == 4
    key(opened, Qt.Key.Key_Escape, Qt.Key.Key_Up)  # the arrows scroll again
    assert opened.viewer.slice() == 3
    key(opened, Qt.Key.Key_Y, Qt.Key.Key_Up)  # the mark is on another slice
    assert opened.viewer.slice() == 2


def test_the_middle_of_a_mark_stays_in_the_image(opened):
    drawn = draw(opened, Qt.Key.Key_D, (10, 2), (20, 6))
    key(opened, Qt.Key.Key_Y)
    key(opened, Qt.Key.Key_Left, held=Qt.KeyboardModifier.ShiftModifier)
    assert np.mean(marks(opened)[0].points_mm, axis=0)[0] == pytest.approx(-0.25)
    assert marks(opened)[0].values["length"] == pytest.approx(drawn.values["length"])


def test_a_drag_changes_the_line_of_its_mark_only(opened, monkeypatch):
    kept = draw(opened, Qt.Key.Key_X, (50, 50), (50, 50))
    draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    panel, image = opened.annotations.panel, opened.viewer.image
    filled = []
    monkeypatch.setattr(panel, "show_annotations", lambda *_: filled.append(1))
    QTest.mousePress(image, LEFT, NO_KEY, at(image, 10, 50))
    before = panel.list.item(1).text()
    filled.clear()
    QTest.mouseMove(image, at(image, 30, 20))
    assert panel.list.item(1).text() != before
    assert panel.list.item(0).text().startswith(f"Point\n{kept.values['value']:.0f}")
    assert not filled
    QTest.mouseRelease(image, LEFT, NO_KEY, at(image, 30, 20))
    assert filled


def test_intensities_over_a_slab_say_so(opened):
    key(opened, Qt.Key.Key_J)
    mark = draw(opened, Qt.Key.Key_Q, (10, 10), (20, 30))
    assert mark.values["slab"] == 5
    assert "maximum over a slab of 5 mm" in opened.annotations.panel.warning.text()
    draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))  # a length is what it is
    assert not opened.annotations.panel.warning.text()
    opened.annotations.copy_text()
    assert "maximum over a slab of 5 mm" in QGuiApplication.clipboard().text()


def test_a_freehand_outline_by_keys_is_closed_by_a_second_enter(opened):
    opened.viewer.image.setFocus()
    large = Qt.KeyboardModifier.ShiftModifier
    key(opened, Qt.Key.Key_G, Qt.Key.Key_Return)
    key(opened, Qt.Key.Key_Right, held=large)
    key(opened, Qt.Key.Key_Return)
    key(opened, Qt.Key.Key_Down, held=large)
    key(opened, Qt.Key.Key_Return, Qt.Key.Key_Return)
    assert marks(opened)[0].values["area"] == pytest.approx(0.5 * 5 * 5)


def test_a_text_is_typed_on_the_image_changed_and_undone(qtbot, opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_T)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 20, 20))
    field = opened.focusWidget()
    assert field.accessibleName() == "Text of the mark"
    QTest.keyClicks(field, "mdq1")  # keys of tools and layouts are letters here
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert [mark.text for mark in marks(opened)] == ["mdq1"]
    QTest.keyClick(image, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(opened.focusWidget(), "!")
    QTest.keyClick(opened.focusWidget(), Qt.Key.Key_Return)
    assert [mark.text for mark in marks(opened)] == ["mdq1!"]
    QTest.keyClick(image, Qt.Key.Key_T)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 30, 30))
    QTest.keyClick(opened.focusWidget(), Qt.Key.Key_Escape)
    assert len(marks(opened)) == 1
    undo(opened)
    assert [mark.text for mark in marks(opened)] == ["mdq1"]


def test_marks_are_copied_as_text_and_as_a_picture(opened):
    mark = draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    control = Qt.KeyboardModifier.ControlModifier
    QTest.keyClick(opened, Qt.Key.Key_C, control)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[1] == f"Distance\t\t{mark.values['length']:.1f} mm\tT1 post contrast"
    QTest.keyClick(opened, Qt.Key.Key_C, control | Qt.KeyboardModifier.ShiftModifier)
    picture = QGuiApplication.clipboard().image()
    assert picture.size() == opened.viewer.image.size()
    ink = picture.pixelColor(at(opened.viewer.image, 10, 30))
    assert ink.red() - ink.blue() > 60


def test_a_point_is_seen_in_every_plane_and_a_line_across_the_slices_too(qtbot, opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_X)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 20, 30))
    (point,) = marks(opened)
    assert point.values["value"] == pytest.approx(2000, abs=100)
    QTest.keyClick(image, Qt.Key.Key_4)
    opened.annotations.jump(point.id)
    panes = [one for one in opened.viewer.panes.viewports() if one.isVisible()]
    seen = [one for one in panes if point in canvas.list_shown(one, opened.annotations.current)]
    assert {one.state.plane for one in seen} == {Plane.OWN, Plane.SECOND, Plane.THIRD}
    coronal = next(one for one in panes if one.state.plane is Plane.SECOND)
    coronal.setFocus()
    line = draw(opened, Qt.Key.Key_D, (2, 10), (6, 10), viewport=coronal)
    assert line.values["length"] == pytest.approx(12, abs=0.6)
    QTest.keyClick(image, Qt.Key.Key_3)
    assert list(canvas.list_shown(image, opened.annotations.current)) == [point]
    opened.annotations.jump(line.id)  # to a layout that has its plane
    assert coronal.isVisible()
    assert line in canvas.list_shown(coronal, opened.annotations.current)


def test_a_picture_is_measured_in_pixels_and_warned_of(qtbot, window, client, on_disk):
    array = np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64)
    picture = Volume(array, np.eye(4)[[2, 1, 0, 3]], Placement.NONE, "p.png")
    on_disk[SCAN] = Opened((study(series(Scan(picture), title="p.png", uid=None), uid=None),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: is_shown(window))
    mark = draw(window, Qt.Key.Key_D, (10, 10), (10, 50))
    assert mark.values["length"] == pytest.approx(40, abs=0.5)
    assert np.allclose(mark.points_mm, [(10, 10, 0), (50, 10, 0)], atol=0.5)  # column, row, slice
    assert window.annotations.panel.list.item(0).text().endswith("px")
    assert "not in mm" in window.annotations.panel.warning.text()
    assert window.annotations.panel.warning.isVisible()


@pytest.fixture
def two_series(qtbot, window, client, on_disk):
    """A phantom and another one whose rows are turned by a frame of reference that they share."""
    first = replace(phantom(), frame_of_reference="1.9")
    second = replace(first, array=first.array[:, ::-1].copy(), series_instance_uid="1.2.4")
    on_disk[SCAN] = Opened(
        (study(series(Scan(first)), series(Scan(second), title="T2", uid="1.2.4")),), ()
    )
    window.open([SCAN])
    qtbot.waitUntil(lambda: is_shown(window))
    return window


def test_a_mark_of_another_series_is_seen_but_not_changed_and_jumped_to(qtbot, two_series):
    window, image = two_series, two_series.viewer.image
    mark = draw(window, Qt.Key.Key_Q, (10, 10), (20, 30))
    QTest.keyClick(window, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: is_shown(window, "1.2.4"))
    assert list(canvas.list_shown(image, window.annotations.current)) == [mark]
    drag(image, at(image, 10, 20), at(image, 30, 20))
    assert marks(window) == [mark]
    window.viewer.set_slice(1)
    window.annotations.jump(mark.id)
    qtbot.waitUntil(lambda: is_shown(window, "1.2.3"))
    qtbot.waitUntil(lambda: window.viewer.slice() == 4)


def test_marks_on_series_that_are_gone_are_listed_and_say_so(opened):
    book = opened.annotations.current
    gone = Annotation("7", "distance", "9.9#", ((0, 0, 0), (3, 4, 0)), values={"length": 5.0})
    book.load([gone])
    assert "Its series is not open." in opened.annotations.panel.list.item(0).text()
    opened.annotations.jump("7")
    QTest.keyClick(opened, Qt.Key.Key_Delete)
    assert marks(opened) == []


def test_marks_come_back_from_the_records_without_the_window_having_closed(
    qtbot, window, room, study_folder, inference, settings
):
    open_and_wait(qtbot, window, study_folder)
    draw(window, Qt.Key.Key_D, (2, 2), (2, 12))
    draw(window, Qt.Key.Key_X, (5, 5))
    kept = draw(window, Qt.Key.Key_Q, (3, 3), (9, 9))
    key(window, Qt.Key.Key_N, Qt.Key.Key_N, Qt.Key.Key_Delete)
    left = marks(window)
    assert [mark.type for mark in left] == ["distance", "rectangle"]
    pump(qtbot, room)
    with Records() as records:
        entry = room.register.entries()[0]
        assert sorted(records.annotations.on_study(entry.id), key=lambda mark: mark.type) == left
    window.annotations.copy_text()
    window.annotations.copy_picture()
    pump(qtbot, room)
    noted = [
        one for one in room.executor._records.trail.entries(entry.id) if one.action == "exported"
    ]
    assert [one.details["what"] for one in noted] == ["view as picture", "marks as text"]
    window.reading.close_all()
    window.open([study_folder])
    qtbot.waitUntil(lambda: window.annotations.current is not None and marks(window) == left)
    assert window.annotations.panel.list.count() == 2
    assert kept in marks(window)


def test_what_cannot_be_kept_is_said_and_tried_again(
    qtbot, window, room, study_folder, monkeypatch
):
    open_and_wait(qtbot, window, study_folder)
    pump(qtbot, room)
    store = room.executor._records.annotations
    full = InputError("the records", "The disk is full.", "Make room.")
    monkeypatch.setattr(store, "save", lambda *_: (_ for _ in ()).throw(full))
    mark = draw(window, Qt.Key.Key_D, (2, 2), (2, 12))
    qtbot.waitUntil(lambda: "The disk is full." in window.annotations.panel.trouble.text())
    monkeypatch.undo()
    keeper = window.annotations.current.findChild(AnnotationWriter)
    keeper._retry.setInterval(0)
    keeper._retry.start()
    qtbot.waitUntil(lambda: not window.annotations.panel.trouble.isVisible())
    assert store.on_study(room.register.entries()[0].id) == [mark]


@pytest.fixture
def study_folder(tmp_path):
    for index in range(3):
        slice_file(tmp_path / "study" / f"{index}.dcm", index)
    return tmp_path / "study"

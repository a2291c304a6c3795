"""Several views of volumes: planes linked by position, and what keys do to the active one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.desktop.viewer.test_viewport import drag, levels, wheel
from tumorviewer.desktop.viewer.layouts import IMAGE, LAYOUTS, PLANES, SIDE_BY_SIDE, STRAIGHT, Pane
from tumorviewer.desktop.viewer.link import Link, share_frame_of_reference
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.imaging.display import choose_default_window
from tumorviewer.imaging.reslice import Plane
from tumorviewer.study import Placement, Volume, Window

SPACING = np.diag([5.0, 1.0, 1.0, 1.0])


def axial(slices=12, rows=40, columns=30, origin=(0.0, 0.0, 0.0), **fields) -> Volume:
    array = np.zeros((slices, rows, columns), np.int16)
    array += np.arange(slices, dtype=np.int16)[:, None, None] * 50
    affine = SPACING[[2, 1, 0, 3]].copy()
    affine[:3, 3] = origin
    fields.setdefault("windows", (Window(300, 600),))
    return Volume(array, affine, Placement.PATIENT, "made", **fields)


def sagittal(**fields) -> Volume:
    """1 mm voxels, 20 slices from right to left."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]]).T[:, [0, 1, 2]]
    affine[:3, 3] = (0, 0, 60)
    array = np.arange(20 * 60 * 40, dtype=np.int32).reshape(20, 60, 40)
    return Volume(array, affine, Placement.PATIENT, "other", **fields)


@pytest.fixture
def viewer(qtbot) -> Viewer:
    made = Viewer()
    qtbot.addWidget(made)
    made.resize(900, 800)
    made.show()
    return made


@pytest.fixture
def planes(viewer) -> Viewer:
    viewer.show_volume(axial())
    viewer.show_layout(PLANES)
    QApplication.processEvents()
    return viewer


def view(viewer: Viewer, plane: Plane):
    return viewer.panes.viewport(Pane(0, plane))


# Layouts


@pytest.mark.parametrize("layout", LAYOUTS.values())
def test_every_layout_shows_its_panes_in_one_size(viewer, layout) -> None:
    viewer.show_volume(axial())
    viewer.show_layout(layout)
    QApplication.processEvents()
    shown = [viewer.panes.viewport(pane) for pane in layout.panes]
    assert all(viewport.isVisible() for viewport in shown)
    widths, heights = ({getattr(v, side)() for v in shown} for side in ("width", "height"))
    assert max(widths) - min(widths) <= 1
    assert max(heights) - min(heights) <= 1
    hidden = set(viewer.panes.viewports()) - set(shown)
    assert not any(viewport.isVisible() for viewport in hidden)


def test_three_planes_are_named_and_lettered(planes) -> None:
    second, third = view(planes, Plane.SECOND), view(planes, Plane.THIRD)
    assert "Axial" in planes.image.series_lines
    assert "Coronal" in second.series_lines
    assert "Sagittal" in third.series_lines
    assert second.edges() == ("R", "L", "H", "F")
    assert third.edges() == ("A", "P", "H", "F")


def test_planes_of_one_volume_have_one_scale(planes) -> None:
    shown = [planes.image, view(planes, Plane.SECOND), view(planes, Plane.THIRD)]
    scales = [v.scale() / v.state.stack.spacing[1] for v in shown]
    assert max(scales) == pytest.approx(min(scales), rel=0.01)


def test_planes_that_cannot_be_are_said_in_words(viewer) -> None:
    viewer.show_volume(axial(1))
    viewer.show_layout(PLANES)
    assert "whose place in the patient is known" in view(viewer, Plane.SECOND).state.absence()
    levels(view(viewer, Plane.SECOND))


def test_loading_fills_the_other_planes_row_by_row(viewer) -> None:
    made = axial()
    viewer.show_layout(PLANES)
    viewer.show_volume(made, complete=False)
    state = view(viewer, Plane.SECOND).state
    assert state.absence() == "Loading…"
    viewer.slice_filled(5)
    assert state.absence() == ""
    absent = state.section().absent
    assert not absent[12 - 1 - 5].any()
    assert absent.sum() == 11 * 30
    viewer.show_volume(made)
    assert state.section().absent is None


def test_the_window_of_the_first_slice_does_not_stay(planes) -> None:
    made = axial()
    brighter = np.linspace(1, 50, len(made.array))[:, None, None] * (made.array % 7 + 1)
    loading = replace(made, array=brighter, windows=())
    planes.show_volume(None)
    planes.show_volume(loading, complete=False)
    planes.slice_filled(6)
    first = planes.state.window
    planes.show_volume(loading)
    assert planes.state.window == choose_default_window(loading) != first
    assert {state.window for state in planes.panes.states()} == {choose_default_window(loading)}


def test_the_map_goes_and_comes_back_with_its_layout(planes) -> None:
    planes.toggle_map()
    assert planes.shown_layout is IMAGE
    planes.toggle_map()
    assert planes.shown_layout is PLANES


# One point of the patient


def test_scrolling_moves_the_crosshair_of_the_others_and_nothing_else(planes) -> None:
    second = view(planes, Plane.SECOND).state
    before = second.index, second.crosshair.copy()
    wheel(planes.image, -120)
    assert planes.slice() == 7
    assert second.index == before[0]
    np.testing.assert_allclose(second.crosshair - before[1], (0, 0, 5))


def test_the_crosshair_is_set_by_mouse_and_key(planes) -> None:
    image, second, third = planes.image, view(planes, Plane.SECOND), view(planes, Plane.THIRD)
    at = image.transform().map(QPointF(8.5, 31.5)).toPoint()
    drag(
        image,
        Qt.MouseButton.LeftButton,
        (5, 5),
        (at.x(), at.y()),
        Qt.KeyboardModifier.ControlModifier,
    )
    assert second.state.index == 31
    assert third.state.stack.firsts[third.state.index][0] == pytest.approx(8)
    assert planes.slice() == 6
    crosshair = third.transform().map(third.state.from_patient(third.state.crosshair))
    QTest.mousePress(third, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier,
                     QPoint(round(crosshair.x()), 40))  # fmt: skip
    assert planes.slice() > 6
    assert second.state.index == pytest.approx(31, abs=1)


def test_two_series_are_linked_by_position_not_by_index(qtbot) -> None:
    first, second, link = ViewState(), ViewState(), Link()
    link.join([first, second])
    first.show(axial(12, frame_of_reference="1.2"))
    second.show(axial(40, origin=(0, 0, -20), frame_of_reference="1.2"))
    first.set_slice(3)
    assert second.index == 3 + 4
    second.set_slice(10)
    assert first.index == 6
    second.set_slice(39)  # beyond the end of the first
    assert first.index == 11
    second.set_slice(5)
    assert first.index == 1


def test_across_planes_of_another_acquisition_follow_too(qtbot) -> None:
    first, second, link = ViewState(), ViewState(), Link()
    link.join([first, second])
    first.show(axial(frame_of_reference="1.2"))
    second.show(sagittal(frame_of_reference="1.2"))
    first.aim(QPointF(7.5, 20.5))
    assert second.index == 7
    first.set_slice(2)
    assert second.index == 7
    np.testing.assert_allclose(second.crosshair, (7, 20, 10))


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({"frame_of_reference": "1"}, {"frame_of_reference": "1"}, True),
        ({"frame_of_reference": "1"}, {"frame_of_reference": "2"}, False),
        ({"frame_of_reference": "1"}, {}, False),
        ({}, {}, True),
        ({}, {"slices": 13}, False),
        ({}, {"origin": (1, 0, 0)}, False),
    ],
)
def test_who_shares_a_frame(one, other, shared) -> None:
    assert share_frame_of_reference(axial(**one), axial(**other)) is shared


def test_views_of_another_frame_stay_where_they_are(qtbot) -> None:
    first, second, link = ViewState(), ViewState(), Link()
    link.join([first, second])
    first.show(axial(frame_of_reference="1.2"))
    second.show(axial(frame_of_reference="1.3"))
    first.set_slice(3)
    first.zoom_about(QPointF(3, 3), 2)
    assert (second.index, second.zoom) == (6, 1)


def test_link_can_be_switched_off_and_on(qtbot) -> None:
    first, second, link = ViewState(), ViewState(), Link()
    link.join([first, second])
    first.show(axial(frame_of_reference="1"))
    second.show(axial(frame_of_reference="1"))
    link.is_on = False
    first.set_slice(2)
    assert second.index == 6


def test_windows_of_linked_series_move_alike(qtbot) -> None:
    first, second, link = ViewState(), ViewState(), Link()
    link.join([first, second])
    first.show(axial(frame_of_reference="1"))
    bright = axial(frame_of_reference="1", windows=(Window(1000, 2000),))
    second.show(bright)
    first.set_window(Window(360, 300))
    assert (second.window.centre, second.window.width) == (1200, 1000)
    first.reset_window()
    assert second.window == choose_default_window(bright)


def test_zoom_and_pan_are_linked_in_millimetres(qtbot) -> None:
    first, second, link = ViewState(), ViewState(), Link()
    link.join([first, second])
    made = axial(frame_of_reference="1")
    first.show(made)
    finer = replace(
        made, array=np.zeros((12, 80, 60), np.int16), affine=made.affine * [1, 0.5, 0.5, 1]
    )
    second.show(finer)
    first.zoom_about(first.centre, 2)
    assert second.zoom == 2
    before = second.centre
    first.move_to(first.centre + QPointF(3, -4))
    assert second.centre - before == QPointF(6, -8)
    first.reset_place()
    assert (second.zoom, second.centre) == (1, before)


def test_the_cursor_is_marked_where_the_plane_is_the_same(qtbot) -> None:
    first, second, across, link = ViewState(), ViewState(), ViewState(None, Plane.SECOND), Link()
    link.join([first, second, across])
    first.show(made := axial(frame_of_reference="1"))
    across.show(made)
    second.show(axial(origin=(2, 0, 0), frame_of_reference="1"))
    first.point_at(QPointF(10, 11))
    assert second.cursor == QPointF(8, 11)
    assert across.cursor is None
    second.show_cursor(None)
    first.set_slice(3)
    second.set_slice(9)


# Turned


@pytest.mark.parametrize(
    ("act", "edges"),
    [
        (lambda s: s.turn(1), ("P", "A", "R", "L")),
        (lambda s: s.turn(-1), ("A", "P", "L", "R")),
        (lambda s: s.mirror(), ("L", "R", "A", "P")),
        (lambda s: s.mirror(vertically=True), ("R", "L", "P", "A")),
        (lambda s: (s.turn(1), s.mirror()), ("A", "P", "R", "L")),
        (lambda s: (s.turn(1), s.mirror(vertically=True)), ("P", "A", "L", "R")),
        (lambda s: (s.turn(1), s.mirror(), s.set_upright()), ("R", "L", "A", "P")),
    ],
)
def test_letters_follow_the_image(viewer, act, edges) -> None:
    viewer.show_volume(axial())
    act(viewer.state)
    assert viewer.image.edges() == edges
    state, image = viewer.state, viewer.image
    left = state.from_patient(state.middle() + np.array([10.0, 0, 0]))  # towards the left
    at = image.transform().map(left)
    side = {
        0: at.x() < image.width() / 2 - 5,
        1: at.x() > image.width() / 2 + 5,
        2: at.y() < image.height() / 2 - 5,
        3: at.y() > image.height() / 2 + 5,
    }
    assert side[edges.index("L")]


def test_panning_follows_the_pointer_on_a_turned_image(viewer) -> None:
    viewer.show_layout(IMAGE)
    viewer.show_volume(axial())
    viewer.state.turn(1)
    viewer.state.mirror()
    grabbed = viewer.image.to_image(QPointF(300, 300))
    drag(viewer.image, Qt.MouseButton.MiddleButton, (300, 300), (340, 280))
    assert viewer.image.to_image(QPointF(340, 280)) == grabbed


# Keys of the window


def press(window, *keys) -> None:
    for key in keys:
        QTest.keyClick(window, *key) if isinstance(key, tuple) else QTest.keyClick(window, key)


@pytest.fixture
def shown(window) -> Viewer:
    window.viewer.show_volume(axial())
    window._parts.middle.setCurrentWidget(window.viewer)
    window.viewer.image.setFocus()
    window.actions_.provide("series", True)
    return window.viewer


def test_layout_keys(window, shown) -> None:
    for key, layout in (
        (Qt.Key.Key_4, PLANES),
        (Qt.Key.Key_0, STRAIGHT),
        (Qt.Key.Key_1, SIDE_BY_SIDE),
    ):
        press(window, key)
        assert shown.shown_layout is layout
    assert window.actions_["side_by_side"].isChecked()


def test_the_focus_goes_to_a_view_of_the_new_layout(window, shown) -> None:
    press(window, Qt.Key.Key_0)
    first = shown.panes.viewport(STRAIGHT.panes[0])
    assert shown.panes.active is first
    assert window.focusWidget() is first


def test_keys_work_on_the_active_view(window, shown) -> None:
    press(window, Qt.Key.Key_4)
    second = view(shown, Plane.SECOND)
    second.setFocus()
    before = shown.state.quarter_turns, shown.slice(), second.state.index
    press(window, Qt.Key.Key_U, Qt.Key.Key_H, Qt.Key.Key_Period)
    assert (second.state.quarter_turns, second.state.is_mirrored) == (3, True)
    assert (shown.state.quarter_turns, shown.slice()) == before[:2]
    assert second.state.index == before[2] + 1
    press(window, Qt.Key.Key_R)
    assert (second.state.quarter_turns, second.state.is_mirrored) == (0, False)


def test_invert_turns_the_greys_of_all_planes(window, shown) -> None:
    press(window, Qt.Key.Key_4)
    at = shown.image.grab().toImage().pixelColor(150, 60).lightness()
    before = levels(view(shown, Plane.SECOND))
    press(window, Qt.Key.Key_I)
    assert shown.image.grab().toImage().pixelColor(150, 60).lightness() == pytest.approx(
        255 - at, abs=1
    )
    assert (levels(view(shown, Plane.SECOND)) != before).mean() > 0.2


def test_one_to_one_fit_and_interpolation(window, shown) -> None:
    press(window, Qt.Key.Key_Z)
    assert shown.image.scale() == pytest.approx(1)
    press(window, Qt.Key.Key_F)
    assert shown.state.zoom == 1
    press(window, (Qt.Key.Key_I, Qt.KeyboardModifier.ShiftModifier))
    assert not shown.state.smooth


def test_slabs_show_the_maximum_and_say_so(window, shown, monkeypatch) -> None:
    press(window, Qt.Key.Key_J, Qt.Key.Key_J)
    assert shown.state.slab == 10
    np.testing.assert_array_equal(shown.state.section().values, shown.state.volume.array[7])
    press(window, *[(Qt.Key.Key_J, Qt.KeyboardModifier.ShiftModifier)] * 3)
    assert shown.state.slab == 0


def test_cine_runs_round_and_stops(qtbot, window, shown) -> None:
    shown.cine.frames_per_second = 60
    shown.set_slice(10)
    press(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: shown.slice() in (1, 2, 3))
    press(window, Qt.Key.Key_Space)
    assert not shown.cine.is_running
    press(window, Qt.Key.Key_Space)
    assert shown.cine.is_running
    shown.show_volume(None)
    assert not window.actions_["cine"].isChecked()


def test_the_magnifier_enlarges_what_is_under_the_pointer(window, shown) -> None:
    array = shown.state.volume.array
    array[:, 20, 15] = 3000
    shown.state.fill(shown.slice())
    image = shown.image
    at = image.transform().map(QPointF(15.5, 20.5)).toPoint()
    before = (levels(image) > 250).sum()
    QTest.mouseMove(image, at)
    press(window, (Qt.Key.Key_Z, Qt.KeyboardModifier.ShiftModifier))
    assert (levels(image) > 250).sum() > 3 * before


def test_the_crosshair_is_drawn_only_where_it_links_something(window, shown) -> None:
    assert not shown.state.crosshair_shown
    press(window, Qt.Key.Key_4)
    assert shown.state.crosshair_shown
    press(window, (Qt.Key.Key_C, Qt.KeyboardModifier.ShiftModifier))
    assert not view(shown, Plane.SECOND).state.crosshair_shown

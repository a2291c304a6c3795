"""Image and saliency map side by side, linked; the slice bar and the colour bar."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QWidget

from tumorviewer.analysis.finding import Finding, ModelIdentity, Saliency
from tumorviewer.analysis.preprocess import Box
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.viewer.layouts import BLENDED, IMAGE, SIDE_BY_SIDE
from tumorviewer.desktop.viewer.overlays import NOT_EXPLAINED, NOT_JUDGED
from tumorviewer.desktop.viewer.slice_bar import SliceBar
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.imaging.colormap import COLOURS, choose_class_colour
from tumorviewer.study import Placement, Volume, Window

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
LABELS = {"glioma": "Glioma", "meningioma": "Meningioma", "notumor": "No tumour"}
SLICES, SIDE = 12, 64


def volume(slices=SLICES, **fields) -> Volume:
    array = np.random.default_rng(0).integers(0, 1000, (slices, SIDE, SIDE), np.int16)
    affine = np.diag([5.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]
    return Volume(array, affine, Placement.PATIENT, "made", **fields)


def finding(**fields) -> Finding:
    """Slices 2–9 judged, 5 not; a map everywhere but on 8, and no evidence on 4."""
    slices = (2, 3, 4, 6, 7, 8, 9)
    explained = (2, 3, 4, 6, 7, 9)
    maps = np.zeros((len(explained), 16, 16), np.float32)
    maps[:, 4:8, 8:12] = 1
    maps[2] = 0
    strength = np.array([1, 0.25, 1, 1, 1, 1], np.float32)
    saliency = Saliency(
        fields.pop("method", "gradcam"),
        fields.pop("target", "glioma"),
        fields.pop("class_agnostic", False),
        explained,
        maps,
        np.ones(len(explained), np.float32),
        strength,
        (Box(0, 0, SIDE),) * len(explained),
        (SIDE, SIDE),
    )
    tumour = np.linspace(0.2, 0.8, len(slices))
    table = np.column_stack([tumour, 0 * tumour, 1 - tumour, 0 * tumour])
    known = {
        "source": "made",
        "series_instance_uid": None,
        "volume": "",
        "model": ModelIdentity("made", "1", ""),
        "classes": CLASSES,
        "labels": LABELS,
        "no_tumour": "notumor",
        "probabilities": np.array([0.8, 0.1, 0.1, 0.0]),
        "slices": slices,
        "slice_probabilities": table,
        "pooling": "mean",
        "key_slices": (9, 8),
        "saliency": saliency,
        "flags": (),
        "device": "cpu",
    }
    return Finding(**(known | fields))


@pytest.fixture
def viewer(qtbot) -> Viewer:
    made = Viewer()
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    return made


def centre_colour(viewport, row: float, column: float) -> tuple[int, int, int]:
    at = viewport.transform().map(QPointF(column, row)).toPoint()
    return viewport.grab().toImage().pixelColor(at).getRgb()[:3]


# Linked


def test_slice_window_zoom_and_pan_are_linked(qtbot, viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    with qtbot.waitSignal(viewer.sliceChanged) as signal:
        QTest.keyClick(viewer.map, Qt.Key.Key_Down)
    assert signal.args == [7]
    assert (viewer.slice(), viewer.slice_bar.value()) == (7, 7)
    with qtbot.waitSignal(viewer.windowChanged):
        viewer.set_window(Window(100, 50))
    QTest.keyClick(viewer.map, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    assert viewer.image.transform() == viewer.map.transform()
    viewer.reset_view()
    assert viewer.state.zoom == 1
    assert viewer.state.window != Window(100, 50)


def test_slice_bar_drives_the_viewer(viewer) -> None:
    viewer.show_volume(volume())
    bar = viewer.slice_bar
    QTest.mouseClick(
        bar, Qt.MouseButton.LeftButton, pos=QPoint(round(bar.x_of(3.5)), bar.height() // 2)
    )
    assert viewer.slice() == 3


def test_steps_stop_at_the_ends(viewer) -> None:
    viewer.show_volume(volume())
    viewer.set_slice(99)
    viewer.next_slice()
    assert viewer.slice() == SLICES - 1
    viewer.set_slice(-5)
    viewer.previous_slice()
    assert viewer.slice() == 0


def test_another_volume_starts_afresh(viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    viewer.set_slice(11)
    viewer.state.zoom_about(QPointF(1, 1), 3)
    viewer.show_volume(volume(3))
    assert (viewer.slice(), viewer.slice_bar.maximum(), viewer.state.zoom) == (1, 2, 1)
    assert viewer.map.message


def test_text_of_one_patient_never_stands_on_another(viewer) -> None:
    viewer.show_volume(volume())
    viewer.set_patient_text(["DOE^JANE"])
    viewer.set_series_text(["T1"])
    viewer.show_volume(None)
    viewer.show_volume(volume())
    assert not viewer.image.patient_lines
    assert "T1" not in viewer.image.series_lines


def test_single_pictures_have_no_slice_bar(viewer) -> None:
    viewer.show_volume(volume(1))
    assert not viewer.slice_bar.isVisible()
    viewer.show_volume(volume(2))
    assert viewer.slice_bar.isVisible()


def test_filling_volume_keeps_what_the_reader_chose(viewer) -> None:
    made = volume()
    viewer.show_volume(made, complete=False)
    viewer.slice_filled(6)
    assert viewer.state.absence() == ""
    viewer.set_slice(2)
    assert "Loading" in viewer.state.absence()
    viewer.slice_filled(2)
    assert viewer.state.absence() == ""
    viewer.show_volume(made)
    assert viewer.slice() == 2
    assert viewer.windows()


def test_presets_are_offered_and_follow_the_window(qtbot, viewer) -> None:
    viewer.show_volume(volume())
    box = viewer.findChild(QComboBox)
    assert [box.itemText(at) for at in range(box.count())] == ["Default", "Full range", "Narrow"]
    assert box.currentText() == "Default"
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert viewer.state.window == viewer.windows()[1]
    viewer.set_window(Window(1, 2))
    assert box.currentIndex() == -1


# The map


def test_map_lies_where_the_evidence_is(viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    viewer.set_opacity(1.0)
    viewer.set_slice(2)
    assert centre_colour(viewer.map, 24, 40) == pytest.approx(tuple(COLOURS[-1]), abs=3)
    red, green, blue = centre_colour(viewer.map, 44, 20)
    assert red == green == blue
    red, green, blue = centre_colour(viewer.image, 24, 40)
    assert red == green == blue


def test_weak_evidence_is_not_stretched(viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    viewer.set_opacity(1.0)
    viewer.set_slice(3)
    assert "0.25" in viewer.colour_bar.accessibleDescription()
    assert sum(centre_colour(viewer.map, 24, 40)) < sum(COLOURS[-1].tolist()) - 60


@pytest.mark.parametrize(
    ("index", "remark", "note"),
    [
        (4, "No positive evidence for Glioma on this slice", "No positive evidence"),
        (5, NOT_JUDGED, "No map for this slice"),
        (8, NOT_EXPLAINED, "No map for this slice"),
    ],
)
def test_an_empty_map_is_put_in_words(viewer, index, remark, note) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    viewer.set_slice(index)
    assert viewer.map.remark(index) == remark
    assert note in viewer.colour_bar.accessibleDescription()


def test_key_names_the_class_or_says_that_there_is_none(viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    assert "evidence for Glioma" in viewer.colour_bar.accessibleDescription()
    viewer.show_snapshot(Snapshot(finding=finding(method="eigencam", class_agnostic=True)))
    assert "activation, of any class" in viewer.colour_bar.accessibleDescription()
    assert viewer.map.value_text(2, 24, 40).startswith("Saliency 1")


def test_empty_states_are_words(viewer) -> None:
    assert "Waiting" in viewer.image.message
    viewer.show_volume(volume())
    assert viewer.image.message == ""
    assert "No saliency map" in viewer.map.message
    viewer.set_map_message("Analysing…")
    assert viewer.map.message == "Analysing…"
    viewer.show_snapshot(Snapshot(finding=finding()))
    assert viewer.map.message == ""
    viewer.show_snapshot(Snapshot(finding=finding(saliency=None)))
    assert viewer.map.message == "Analysing…"


def test_layouts(qtbot, viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    viewer.set_opacity(1.0)
    viewer.set_slice(2)
    with qtbot.waitSignal(viewer.layoutChanged) as signal:
        viewer.show_layout(BLENDED)
    assert signal.args == [BLENDED]
    assert not viewer.map.isVisible()
    assert centre_colour(viewer.image, 24, 40) == pytest.approx(tuple(COLOURS[-1]), abs=3)
    viewer.toggle_map()
    assert viewer.shown_layout is IMAGE
    red, green, blue = centre_colour(viewer.image, 24, 40)
    assert red == green == blue
    viewer.toggle_map()
    assert viewer.shown_layout is BLENDED
    viewer.show_layout(SIDE_BY_SIDE)
    assert viewer.map.isVisible()
    assert viewer.map.size() == viewer.image.size()


def test_the_image_does_not_jump_when_the_answer_comes(viewer) -> None:
    viewer.show_volume(volume())
    QApplication.processEvents()
    before = viewer.image.geometry()
    viewer.show_snapshot(Snapshot(finding=finding()))
    QApplication.processEvents()
    assert viewer.image.geometry() == before


def test_findings_are_let_go(viewer) -> None:
    viewer.show_volume(volume())
    found = finding()
    viewer.show_snapshot(Snapshot(finding=found))
    viewer.grab()
    gone = weakref.ref(found.saliency)
    del found
    viewer.show_snapshot(Snapshot())
    gc.collect()
    assert gone() is None


# Slice bar


@pytest.fixture
def bar(qtbot) -> SliceBar:
    made = SliceBar()
    qtbot.addWidget(made)
    made.resize(500, 48)
    made.set_count(SLICES)
    made.show_snapshot(Snapshot(finding=finding()))
    made.show()
    return made


def test_bar_keys(bar) -> None:
    for key, expected in (
        (Qt.Key.Key_End, SLICES - 1),
        (Qt.Key.Key_Up, SLICES - 2),
        (Qt.Key.Key_Down, SLICES - 1),
        (Qt.Key.Key_PageUp, 1),
        (Qt.Key.Key_PageDown, 11),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_Left, 0),
    ):
        QTest.keyClick(bar, key)
        assert bar.value() == expected, key


def test_bar_dragging(bar) -> None:
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(round(bar.x_of(1.5)), 20))
    QTest.mouseMove(bar, QPoint(round(bar.x_of(6.5)), 20))
    assert bar.value() == 6
    QTest.mouseMove(bar, QPoint(9999, 20))
    assert bar.value() == SLICES - 1
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton)


def test_curve_has_its_height_colour_and_gap(bar) -> None:
    picture = bar.grab().toImage()
    base = bar.palette().color(QPalette.ColorRole.Base)

    def filled(index: int) -> int:
        x = round(bar.x_of(index + 0.3))
        return sum(picture.pixelColor(x, y) != base for y in range(10, 42))

    heights = [filled(index) for index in (2, 3, 4, 6, 7, 8, 9)]
    assert heights == sorted(heights)
    assert heights[-1] > 2 * heights[0]
    assert filled(5) < heights[0]
    orange = QColor(*choose_class_colour("glioma", CLASSES, "notumor"))
    pixel = picture.pixelColor(round(bar.x_of(9.5)), 36)
    assert abs(pixel.hue() - orange.hue()) < 12


def test_bar_speaks(bar) -> None:
    bar.setValue(9)
    spoken = QAccessible.queryAccessibleInterface(bar)
    assert spoken.text(QAccessible.Text.Name) == "Slice"
    assert "probability of a tumour 0.80, deciding slice" in bar.accessibleDescription()
    bar.setValue(5)
    assert "not judged" in bar.accessibleDescription()
    assert spoken.role() == QAccessible.Role.Slider


def test_bar_without_a_class_for_no_tumour(bar) -> None:
    table = np.array([[0.7, 0.3]] * 7)
    found = finding(
        classes=("glioma", "meningioma"),
        no_tumour=None,
        probabilities=np.array([0.6, 0.4]),
        slice_probabilities=table,
    )
    bar.show_snapshot(Snapshot(finding=found))
    bar.setValue(2)
    assert "0.70" in bar.accessibleDescription()


# Everybody's


def test_every_focusable_widget_has_a_name(viewer) -> None:
    viewer.show_volume(volume())
    viewer.show_snapshot(Snapshot(finding=finding()))
    for widget in viewer.findChildren(QWidget):
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            name = QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
            assert name, widget


@pytest.mark.parametrize("dark", [False, True])
def test_the_image_area_is_black_in_every_scheme(viewer, dark) -> None:
    viewer.setPalette(QPalette(QColor(30, 30, 30) if dark else QColor(240, 240, 240)))
    viewer.show_volume(volume())
    picture = viewer.image.grab().toImage()
    assert picture.pixelColor(100, picture.height() - 3) == QColor(0, 0, 0)

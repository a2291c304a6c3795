"""Dark, light and high contrast: one palette of names, one style sheet, icons that follow them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template

from PySide6.QtCore import QByteArray, QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap, QStyleHints
from PySide6.QtWidgets import QApplication, QWidget

from tumorviewer.desktop.services.preferences import Scheme
from tumorviewer.resources import resource_path


@dataclass(frozen=True)
class Colours:
    """Every colour of the window, by what it is for."""

    window: str
    panel: str
    raised: str
    field: str
    """What can be typed into."""
    hover: str
    border: str
    track: str
    """The colour of a bar behind the part that is filled."""
    text: str
    secondary: str
    disabled: str
    accent: str
    on_accent: str
    accent_soft: str
    warning: str
    warning_soft: str
    error: str
    error_soft: str


DARK = Colours(
    window="#151618",
    panel="#1c1e21",
    raised="#292c31",
    field="#151618",
    hover="#34383e",
    border="#33373d",
    track="#33373d",
    text="#eceef1",
    secondary="#a9afb8",
    disabled="#6c727b",
    accent="#5fb0f2",
    on_accent="#0b1824",
    accent_soft="#20364a",
    warning="#f0c05a",
    warning_soft="#352d1b",
    error="#ff9c92",
    error_soft="#3b2323",
)
LIGHT = Colours(
    window="#e9ebee",
    panel="#f7f8f9",
    raised="#ffffff",
    field="#ffffff",
    hover="#e6eaef",
    border="#cdd2d9",
    track="#cdd2d9",
    text="#17191c",
    secondary="#545b65",
    disabled="#969ca5",
    accent="#1667a8",
    on_accent="#ffffff",
    accent_soft="#d8e7f4",
    warning="#6e4800",
    warning_soft="#fbefd2",
    error="#a31b14",
    error_soft="#fbe3e1",
)
HIGH_CONTRAST = Colours(
    window="#000000",
    panel="#000000",
    raised="#000000",
    field="#000000",
    hover="#303030",
    border="#ffffff",
    track="#404040",
    text="#ffffff",
    secondary="#ffffff",
    disabled="#b0b0b0",
    accent="#ffe100",
    on_accent="#000000",
    accent_soft="#003a9e",
    warning="#ffe100",
    warning_soft="#000000",
    error="#ff9c92",
    error_soft="#000000",
)
_ALL = (DARK, LIGHT, HIGH_CONTRAST)


def apply_theme(scheme: Scheme) -> None:
    """Give the whole application the colours that the user chose."""
    colours = _colours(scheme)
    it = get_application()
    it.setPalette(_palette(colours))
    sheet = Template(resource_path("desktop", "style.qss").read_text("utf-8"))
    icons = resource_path("desktop", "icons").as_posix()
    focus = "2px" if colours is HIGH_CONTRAST else "1px"
    tick = "white" if colours is LIGHT else "black"
    text = sheet.substitute(asdict(colours), icons=icons, focus=focus, tick=tick)
    if it.styleSheet() != text:  # it would be worked out anew for every widget
        it.setStyleSheet(text)


def current_colours() -> Colours:
    """The colours that the application has now."""
    window = QGuiApplication.palette().color(QPalette.ColorRole.Window)
    return next((each for each in _ALL if window == QColor(each.window)), DARK)


def make_icon(name: str) -> QIcon:
    """One of our own line drawings, in the colours of the text around it."""
    colours = current_colours()
    drawn = QIcon()
    for mode, colour in (
        (QIcon.Mode.Normal, colours.text),
        (QIcon.Mode.Disabled, colours.disabled),
    ):
        drawn.addPixmap(draw_icon(name, colour), mode)
    return drawn


def set_role(widget: QWidget, role: str) -> None:
    """Say what a widget is for; the style sheet does the rest."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    QApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))  # else its margins stay


def draw_icon(name: str, colour: str, side: int = 20) -> QPixmap:
    """One of our own line drawings, `side` pixels wide."""
    from PySide6.QtSvg import QSvgRenderer

    lines = resource_path("desktop", "icons", f"{name}.svg").read_text("utf-8")
    renderer = QSvgRenderer(QByteArray(lines.replace("currentColor", colour).encode()))
    ratio = get_application().devicePixelRatio()
    pixmap = QPixmap(QSize(side, side) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, side, side))
    painter.end()
    return pixmap


def _colours(scheme: Scheme) -> Colours:
    """The colours of a scheme, whose brightness Qt is told too."""
    hints = QGuiApplication.styleHints()
    hints.setColorScheme(
        {Scheme.SYSTEM: Qt.ColorScheme.Unknown, Scheme.LIGHT: Qt.ColorScheme.Light}.get(
            scheme, Qt.ColorScheme.Dark
        )
    )
    if scheme is not Scheme.SYSTEM:
        return {
            Scheme.DARK: DARK, Scheme.LIGHT: LIGHT, Scheme.HIGH_CONTRAST: HIGH_CONTRAST,
        }[scheme]  # fmt: skip
    if _wants_contrast(hints):
        return HIGH_CONTRAST
    return LIGHT if hints.colorScheme() is Qt.ColorScheme.Light else DARK


def _wants_contrast(hints: QStyleHints) -> bool:
    """Whether the system asks for high contrast; Qt says so since 6.10."""
    accessibility = getattr(hints, "accessibility", None)
    if accessibility is None:
        return False
    return bool(accessibility().contrastPreference() is Qt.ContrastPreference.HighContrast)


def _palette(colours: Colours) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for which, colour in (
        (role.Window, colours.window),
        (role.WindowText, colours.text),
        (role.Base, colours.panel),
        (role.AlternateBase, colours.raised),
        (role.Text, colours.text),
        (role.PlaceholderText, colours.secondary),
        (role.Button, colours.raised),
        (role.ButtonText, colours.text),
        (role.BrightText, colours.error),
        (role.ToolTipBase, colours.raised),
        (role.ToolTipText, colours.text),
        (role.Highlight, colours.accent),
        (role.HighlightedText, colours.on_accent),
        (role.Accent, colours.accent),
        (role.Link, colours.accent),
        (role.Light, colours.hover),
        (role.Midlight, colours.hover),
        (role.Mid, colours.border),
        (role.Dark, colours.border),
        (role.Shadow, colours.window),
    ):
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(colours.disabled))
    return palette


def get_application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application

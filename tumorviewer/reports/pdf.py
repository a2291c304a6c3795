"""The report as PDF/A-1b, through Qt's rich text. Qt writes no tags: tables are read in order."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import matplotlib as mpl
from PySide6.QtCore import (
    QBuffer,
    QByteArray,
    QIODevice,
    QMarginsF,
    QRectF,
    QSizeF,
    Qt,
    QUrl,
    QUuid,
)
from PySide6.QtGui import (
    QFont,
    QFontDatabase,
    QGuiApplication,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QTextDocument,
)

from tumorviewer.language import moment, tr
from tumorviewer.reports.content import ReportContent
from tumorviewer.reports.report_html import encode_png, render_html, render_key_images

_DPI = 144
_MARGIN_MM = 18.0
_FOOTER_MM = 10.0
_FONT = "DejaVu Sans"


def write_pdf(content: ReportContent) -> bytes:
    """The report in the user's language, A4, fonts embedded; the same report is the same bytes.

    Needs a QGuiApplication; makes one without a window where there is none.
    """
    ensure_application()
    _load_font()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = _writer(buffer, content)
    document = _document(content, writer)
    _print(document, writer, content)
    data: QByteArray = buffer.data()
    return _without_the_hour(bytes(data.data()), content.answer.time)


def draw_pages(content: ReportContent) -> list[QImage]:
    """The pages of :func:`write_pdf` as pictures, laid out and numbered as there."""
    ensure_application()
    _load_font()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = _writer(buffer, content)
    document = _document(content, writer)
    paper = writer.pageLayout().fullRectPixels(_DPI).size()
    origin = writer.pageLayout().paintRectPixels(_DPI).topLeft()
    pages = []
    for number in range(document.pageCount()):
        page = QImage(paper, QImage.Format.Format_RGB32)
        page.setDotsPerMeterX(round(_DPI / 0.0254))
        page.setDotsPerMeterY(round(_DPI / 0.0254))
        page.fill(Qt.GlobalColor.white)
        painter = QPainter(page)
        painter.translate(origin)
        _draw_page(document, painter, number, content)
        painter.end()
        pages.append(page)
    return pages


def ensure_application() -> QGuiApplication:
    """The application that fonts need, offscreen where none is running."""
    running = QGuiApplication.instance()
    if isinstance(running, QGuiApplication):
        return running
    return QGuiApplication(["tumorviewer", "-platform", "offscreen"])


@cache
def _load_font() -> None:
    """A font that has Turkish letters and may be embedded; systems without any fonts exist."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
        QFontDatabase.addApplicationFont(str(folder / name))


def _writer(buffer: QBuffer, content: ReportContent) -> QPdfWriter:
    writer = QPdfWriter(buffer)
    writer.setPdfVersion(QPdfWriter.PdfVersion.PdfVersion_A1b)
    writer.setResolution(_DPI)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    margins = QMarginsF(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    writer.setTitle(tr("Report of TumorViewer"))
    writer.setCreator("TumorViewer")
    digest = uuid.uuid5(uuid.NAMESPACE_OID, f"{content.answer.model.sha256}{content.answer.time}")
    writer.setDocumentId(QUuid(str(digest)))
    return writer


def _document(content: ReportContent, writer: QPdfWriter) -> QTextDocument:
    document = QTextDocument()
    document.setDefaultFont(QFont(_FONT, 9))
    document.documentLayout().setPaintDevice(writer)
    addresses = []
    for image in render_key_images(content):
        address = f"image:{image.index}"
        picture = QImage.fromData(encode_png(image))
        document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(address), picture)
        addresses.append((image, address))
    document.setHtml(render_html(content, addresses))
    area = QRectF(writer.pageLayout().paintRectPixels(_DPI))
    document.setPageSize(QSizeF(area.width(), area.height() - _pixels(_FOOTER_MM)))
    return document


def _print(document: QTextDocument, writer: QPdfWriter, content: ReportContent) -> None:
    painter = QPainter(writer)
    for page in range(document.pageCount()):
        if page:
            writer.newPage()
        _draw_page(document, painter, page, content)
    painter.end()


def _draw_page(
    document: QTextDocument, painter: QPainter, page: int, content: ReportContent
) -> None:
    size = document.pageSize()
    painter.save()
    painter.translate(0, -page * size.height())
    document.drawContents(painter, QRectF(0, page * size.height(), size.width(), size.height()))
    painter.restore()
    _draw_footer(painter, size, _footer(content, page + 1, document.pageCount()))


def _footer(content: ReportContent, page: int, count: int) -> str:
    return tr(
        "Research use only: not for diagnosis. {patient}, {time}. Page {page} of {count}",
        patient=content.patient_id or content.patient_name,
        time=moment(content.answer.time),
        page=page,
        count=count,
    )


def _draw_footer(painter: QPainter, size: QSizeF, text: str) -> None:
    painter.setFont(QFont(_FONT, 7))
    place = QRectF(0, size.height(), size.width(), _pixels(_FOOTER_MM))
    painter.drawText(place, Qt.AlignmentFlag.AlignBottom, text)


def _pixels(millimetres: float) -> float:
    return millimetres / 25.4 * _DPI


def _without_the_hour(pdf: bytes, time: datetime) -> bytes:
    """Put the time of the answer where Qt wrote that of the writing; no byte moves."""
    stamp = time.astimezone(UTC)
    short = f"D:{stamp:%Y%m%d%H%M%S}".encode()
    pdf = re.sub(rb"D:\d{14}(?=[^)]*\))", short, pdf)
    pdf = re.sub(rb"(?<=/CreationDate \()(D:\d{14})[^)]*", lambda m: _padded(m, short), pdf)
    long = f"{stamp:%Y-%m-%dT%H:%M:%S}".encode()
    return re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", long, pdf)


def _padded(match: re.Match[bytes], short: bytes) -> bytes:
    return short + match[0][len(short) :]

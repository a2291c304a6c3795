"""The report as HTML that Qt's rich text, a browser and a FHIR presentedForm all show."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from html import escape

from PIL import Image

from tumorviewer.language import current_language, moment, percent, tr
from tumorviewer.language import date as written_date
from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.key_images import KeyImage, choose_key_slices, render_key_image

_STYLE = """
body { font-family: 'DejaVu Sans', sans-serif; font-size: 9pt; color: #000000; }
h1 { font-size: 15pt; } h2 { font-size: 11pt; }
td, th { padding: 2px 10px 2px 0px; text-align: left; vertical-align: top; }
"""


def render_html(content: ReportContent, images: Iterable[tuple[KeyImage, str]]) -> str:
    """The whole report, in the user's language.

    Parameters
    ----------
    images
        The key images and the address of each, as ``src`` of an ``img``.
    """
    body = "\n".join(_parts(content, images))
    language, title = current_language(), tr("Report of TumorViewer")
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def render_key_images(content: ReportContent) -> list[KeyImage]:
    """The pictures of the report."""
    return [render_key_image(content, index) for index in choose_key_slices(content)]


def render_standalone_html(content: ReportContent) -> str:
    """The report with its pictures inside, for a FHIR presentedForm."""
    images = render_key_images(content)
    return render_html(content, ((image, _data_address(image)) for image in images))


def encode_png(image: KeyImage) -> bytes:
    """The picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(image.pixels).save(stream, "PNG")
    return stream.getvalue()


def _data_address(image: KeyImage) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"


def _parts(content: ReportContent, images: Iterable[tuple[KeyImage, str]]) -> Iterator[str]:
    yield f"<h1>{escape(tr('Report of TumorViewer'))}</h1>"
    yield f"<p><b>{escape(tr('Research use only: not for diagnosis.'))}</b></p>"
    yield _table(tr("Patient and study"), _patient_rows(content))
    yield _table(tr("The model's answer"), _answer_rows(content))
    yield _classes(content)
    yield _table(tr("The reader's verdict"), _verdict_rows(content))
    if content.measurements:
        yield _table(tr("Measurements"), content.measurements)
    yield from _pictures(images)
    yield _list(tr("What a reader must know"), content.answer.notes)
    yield _table(tr("Model"), _model_rows(content))
    yield _list(tr("Limits of the model"), content.answer.model.limits)


def _patient_rows(content: ReportContent) -> Iterator[tuple[str, str]]:
    yield tr("Patient"), content.patient_name
    yield tr("Patient ID"), content.patient_id
    yield tr("Date of birth"), written_date(content.patient_birth_date)
    yield tr("Sex"), content.patient_sex
    yield tr("Study"), content.study_description
    yield tr("Study date"), written_date(content.study_date)
    yield tr("Series"), content.series_title
    count = len(content.volume.array)
    judged = content.answer.judged
    yield tr("Slices"), tr("{judged} of {count} judged", judged=judged, count=count)


def _answer_rows(content: ReportContent) -> Iterator[tuple[str, str]]:
    answer = content.answer
    yield tr("Answer"), _named(content)
    yield tr("In words"), answer.sentences
    yield tr("Time"), moment(answer.time)
    for coverage, names in answer.sets:
        title = tr("Prediction set, {coverage}", coverage=percent(coverage))
        yield title, ", ".join(tr(content.label(name)) for name in names) or "–"
    shown = ", ".join(str(index + 1) for index in answer.key_slices)
    yield tr("Deciding slices"), shown


def _named(content: ReportContent) -> str:
    answer = content.answer
    names = (answer.named,) if answer.named else answer.either
    if not names:
        return tr("No class is named.")
    return tr(" or ").join(tr(content.label(name)) for name in names)


def _classes(content: ReportContent) -> str:
    if not content.answer.classes:
        return ""
    rows = "".join(
        f"<tr><td>{escape(tr(each.label))}</td><td>{escape(percent(each.probability, 1))}</td></tr>"
        for each in content.answer.classes
    )
    head = f"<tr><th>{escape(tr('Class'))}</th><th>{escape(tr('Probability'))}</th></tr>"
    return f"<table><thead>{head}</thead>{rows}</table>"


def _verdict_rows(content: ReportContent) -> Iterator[tuple[str, str]]:
    verdict = content.verdict
    if verdict is None:
        yield tr("Verdict"), tr("No reader has given one.")
        return
    yield tr("Verdict"), tr(verdict.label)
    if verdict.confidence is not None:
        yield tr("Confidence"), percent(verdict.confidence)
    yield tr("Comment"), verdict.comment
    signed = tr("Signed by {reader}", reader=verdict.reader)
    draft = tr("Given by {reader}, not signed", reader=verdict.reader)
    yield tr("Reader"), signed if verdict.signed else draft
    yield tr("Time"), moment(verdict.time)


def _model_rows(content: ReportContent) -> Iterator[tuple[str, str]]:
    model = content.answer.model
    yield tr("Name"), model.name
    yield tr("Version"), model.version
    yield "SHA-256", model.sha256


def _pictures(images: Iterable[tuple[KeyImage, str]]) -> Iterator[str]:
    for image, address in images:
        told = escape(image.caption)
        notice = escape(tr(RESEARCH_USE))
        yield f'<p><img src="{address}" alt="{told}" width="480"><br>{told} {notice}.</p>'


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value) or '–'}</td></tr>" for name, value in rows
    )
    return f"<h2>{escape(title)}</h2><table>{lines}</table>"


def _list(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(tr(line))}</li>" for line in lines)
    return f"<h2>{escape(title)}</h2><ul>{items}</ul>" if items else ""

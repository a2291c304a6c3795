"""Pages are one file that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from trainer.reports import html


def _line(axes):
    axes.plot([0, 1], [0, 1], label="a < b & c")
    axes.set_xlabel("share")
    axes.legend()


def test_a_chart_is_well_formed_deterministic_and_follows_the_page():
    text = html.export_svg(html.draw_figure(_line))
    assert text == html.export_svg(html.draw_figure(_line))
    root = ElementTree.fromstring(text)  # the label is escaped, or this fails
    said = {
        "".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")
    }
    assert {"a < b & c", "share"} <= said
    assert "var(--text)" in text
    assert html.INK not in text


def test_two_charts_on_a_page_share_no_identifiers():
    first = html.export_svg(html.draw_figure(_line))
    second = html.export_svg(html.draw_figure(lambda axes: axes.plot([1, 0])))
    assert not _ids(first) & _ids(second)


def _ids(text):
    found: set[str] = set()

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.update(value for name, value in attributes if name == "id")

    Parser().feed(text)
    return found


def test_drawing_leaves_no_pyplot_figure_and_no_changed_settings():
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    html.export_svg(html.draw_figure(_line))
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before


def test_a_picture_is_inside_and_is_the_array():
    array = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    data = str(html.embed_image(array)).split("base64,")[1].split('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(data))) as read:
        assert np.array_equal(np.asarray(read), array)


def test_a_value_that_the_template_needs_must_be_given():
    with pytest.raises(UndefinedError):
        html._environment().from_string("{{ missing }}").render()


def test_values_are_escaped():
    shown = html._environment().from_string("{{ name }} {{ 0.5|percent }}").render(name="<script>")
    assert shown == "&lt;script&gt; 50.0 %"


@pytest.mark.parametrize(
    ("value", "interval", "said"),
    [
        (0.9781, (0.97, 0.985), "0.978 (0.970–0.985)"),
        (0.5, None, "0.500"),
        (0.5, (None, None), "0.500"),
        (None, (0.0, 1.0), "–"),
    ],
)
def test_an_estimate_stands_with_its_interval(value, interval, said):
    assert html.format_estimate(value, interval) == said

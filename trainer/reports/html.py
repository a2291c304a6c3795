"""Pages that are one file: jinja2 templates with matplotlib charts and pictures inside."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#17191c", "#545b65", "#cdd2d9"
"""Drawn so; on the page they follow the reader's light or dark style."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Distinct without colour vision, on white and on black (Okabe and Ito, 2008)."""

_ON_THE_PAGE = {INK: "var(--text)", FAINT: "var(--secondary)", GRID: "var(--border)"}
_MILLIMETRE = 1 / 25.4


def render_page(template: str, **values: Any) -> str:
    """Fill a template of ``trainer/reports/templates``; values are escaped unless they are Markup.

    Raises
    ------
    jinja2.UndefinedError
        If the template names a value that is not given.
    """
    return _environment().get_template(template).render(values)


def draw_figure(
    draw: Callable[[Axes], object], width_mm: float = 85, height_mm: float = 70
) -> Figure:
    """Let ``draw`` fill the axes of a new figure in the house style."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(_style()):
        figure = Figure((width_mm * _MILLIMETRE, height_mm * _MILLIMETRE), layout="constrained")
        draw(figure.add_subplot())
    return figure


def export_svg(figure: Figure) -> Markup:
    """A figure as an inline picture whose ink follows the page, the same bytes every time."""
    from matplotlib import style

    stream = io.StringIO()
    with style.context(_style()):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{mark}-", text)
    for colour, variable in _ON_THE_PAGE.items():
        text = text.replace(colour, variable)
    return Markup(text)  # noqa: S704  (matplotlib escapes what it draws)


def embed_image(array: NDArray[np.uint8]) -> Markup:
    """An image element of ``(H, W)`` grey levels or ``(H, W, 3)`` sRGB, as a PNG inside."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode()
    height, width = array.shape[:2]
    return Markup('<img alt="" width="{}" height="{}" src="data:image/png;base64,{}">').format(
        width, height, data
    )


def format_estimate(value: float | None, interval: Sequence[float | None] | None = None) -> str:
    """``0.978 (0.970–0.985)``; a dash where it cannot be computed."""
    if value is None:
        return "–"
    return f"{value:.3f} {format_interval(interval)}".rstrip() if interval else f"{value:.3f}"


def format_interval(interval: Sequence[float | None]) -> str:
    """``(0.970–0.985)``; nothing where it cannot be computed."""
    low, high = interval
    return "" if low is None or high is None else f"({low:.3f}–{high:.3f})"


def format_change(value: float | None, interval: Sequence[float | None]) -> str:
    """``−0.045 (−0.071 to −0.022)``; a dash where it cannot be computed."""
    low, high = interval
    if value is None or low is None or high is None:
        return "–"
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})".replace("-", "−")


def format_percent(value: float | None) -> str:
    """``97.8 %``; a dash where it cannot be computed."""
    return "–" if value is None else f"{100 * value:.1f} %"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trainer.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "between": format_interval,
        "change": format_change,
        "estimate": format_estimate,
        "percent": format_percent,
    }
    return environment


def _style() -> dict[str, Any]:
    from cycler import cycler

    return {
        "axes.edgecolor": FAINT,
        "axes.facecolor": "none",
        "axes.labelcolor": INK,
        "axes.linewidth": 0.6,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "figure.facecolor": "none",
        "font.size": 8,
        "grid.color": GRID,
        "grid.linewidth": 0.5,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "lines.linewidth": 1.2,
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "tumorviewer",
        "text.color": INK,
        "xtick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.color": FAINT,
        "ytick.labelcolor": INK,
    }

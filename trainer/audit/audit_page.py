"""An audit as a page: what was found in words and tables, and the worst pairs side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.dataset import LabelledItem
from trainer.data.material import PreparedData
from trainer.data.near_duplicates import SYMMETRIES
from trainer.data.volumes import read_grey
from trainer.reports import html

_PAIRS = 24
_SIDE = 200


def render_audit(result: dict[str, Any], material: PreparedData) -> str:
    """One self-contained HTML file; it holds pictures of the data."""
    return html.render_page(
        "audit.html", found=result, pairs=_pictures(material), balance=_chart(result)
    )


def choose_worst_pairs(material: PreparedData) -> NDArray[np.int64]:
    """The pairs worth showing: two labels first, then two parts of the split, one of a group."""
    items, pairs = material.dataset.items, material.pairs
    labels = material.dataset.labels()
    split = np.array([item.split for item in items])
    one, other = pairs[:, 0], pairs[:, 1]
    order = np.lexsort((pairs[:, 2] == 0, split[one] == split[other], labels[one] == labels[other]))
    _, first = np.unique(material.groups[one[order]], return_index=True)
    return pairs[order[np.sort(first)][:_PAIRS]]


def _pictures(material: PreparedData) -> list[dict[str, Any]]:
    items, classes = material.dataset.items, material.dataset.classes
    shown = []
    for one, other, which in choose_worst_pairs(material).tolist():
        both = items[one], items[other]
        shown.append(
            {
                "pictures": [html.embed_image(_small(item)) for item in both],
                "names": [item.name for item in both],
                "labels": [classes[item.label] for item in both],
                "splits": [item.split for item in both],
                "symmetry": SYMMETRIES[which],
            }
        )
    return shown


def _small(item: LabelledItem) -> NDArray[np.uint8]:
    picture = Image.fromarray(read_grey(item.path, item.slice))
    picture.thumbnail((_SIDE, _SIDE))
    return np.asarray(picture)


def _chart(result: dict[str, Any]) -> Any:
    """Items and groups of each class, as bars."""
    names = list(result["classes"])

    def draw(axes: Any) -> None:
        at = np.arange(len(names))
        axes.barh(at - 0.2, [result["classes"][name] for name in names], 0.38, label="items")
        groups = [result["groups_of_classes"][name] for name in names]
        axes.barh(at + 0.2, groups, 0.38, label="groups")
        axes.set_yticks(at, names)
        axes.invert_yaxis()
        axes.legend()

    return html.export_svg(html.draw_figure(draw, 120, 18 + 12 * len(names)))

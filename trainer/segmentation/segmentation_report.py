"""A page of what a judged segmenter is worth, with its worst cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from trainer.data import volumes
from trainer.reports import html
from trainer.segmentation.judge import Record
from trainer.segmentation.measures import surface
from trainer.segmentation.slices import expert_mask
from trainer.segmentation.table import Outlined
from trainer.tools.atomic_files import write_text
from tumorviewer.analysis.candidates import Finder, find_candidates
from tumorviewer.imaging.display import grey

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN, _OF_A_GROUP = 12, 2
_EXPERT, _FOUND = (255, 0, 200), (0, 220, 90)
TITLES = {
    "dice": "Dice",
    "found": "Tumour found",
    "dice_where_found": "Dice where found",
    "hd95_mm": "95th percentile of the Hausdorff distance, mm",
    "assd_mm": "Average symmetric surface distance, mm",
    "lesions_found": "Share of an image's lesions found",
    "false_findings": "False findings an image",
}
_VOLUMES = {
    "volumes_with_tumour": "Volumes with a tumour",
    "volumes_without_tumour": "Volumes without a tumour",
}


@dataclass(frozen=True)
class Case:
    """One item with both outlines."""

    picture: Markup
    words: str


def write_report(
    path: Path,
    title: str,
    figures: dict[str, Any],
    records: Sequence[Record],
    items: Sequence[Outlined],
    finder: Finder,
) -> None:
    """Write the page; the finder outlines the worst cases again."""
    by_name = {item.name: item for item in items}
    cases = {
        heading: [_case(one, by_name[one.name], finder) for one in chosen]
        for heading, chosen in worst_cases(records).items()
    }
    text = html.render_page(
        "segmentation.html",
        title=title,
        figures=figures,
        titles=TITLES,
        volumes=_VOLUMES,
        cases=cases,
        froc=_froc(figures["detection"]["froc"]) if figures["detection"] else "",
    )
    write_text(path, text)


def worst_cases(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The least overlaps, and the surest false findings; no more than two of a group."""
    outlined = sorted(
        (one for one in records if one.expert_voxels), key=lambda one: one.dice or 0.0
    )
    empty = sorted(
        (one for one in records if not one.expert_voxels and one.false), key=lambda one: -_sure(one)
    )
    return {"Least overlap": _few(outlined), "False findings": _few(empty)}


def _few(records: Sequence[Record]) -> list[Record]:
    of_group, chosen = Counter[str](), []
    for one in records:
        of_group[one.group] += 1
        if of_group[one.group] <= _OF_A_GROUP:
            chosen.append(one)
    return chosen[:_SHOWN]


def _sure(record: Record) -> float:
    return max((one.probability for one in record.found if one.kept), default=0.0)


def _case(record: Record, item: Outlined, finder: Finder) -> Case:
    volume = volumes.open_only_volume(item.path)[1].load()
    shape = tuple(int(side) for side in volume.array.shape[:3])
    expert, found = expert_mask(item.mask, shape), np.zeros(shape, np.bool_)
    for one in find_candidates(volume, finder).candidates:
        found |= one.mask
    index = int((expert if expert.any() else found).sum((1, 2)).argmax())
    drawn = outlined_image(grey(volume, index), expert[index], found[index])
    overlap = "" if record.dice is None else f", Dice {record.dice:.2f}"
    return Case(html.embed_image(drawn), f"{Path(record.name).name}: {record.label}{overlap}")


def outlined_image(
    image_HW: NDArray[np.uint8], expert_HW: NDArray[np.bool_], found_HW: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """``(H, W, 3)`` the image with the borders of both outlines."""
    drawn = np.stack([image_HW] * 3, 2)
    for mask, colour in ((expert_HW, _EXPERT), (found_HW, _FOUND)):
        drawn[surface(mask)] = colour
    return drawn


def _froc(curve: Sequence[tuple[float, float]]) -> Markup:
    def draw(axes: Axes) -> None:
        axes.plot([one[0] for one in curve], [one[1] for one in curve], "o-")
        axes.set(
            xscale="log", xlabel="False findings an image", ylabel="Tumours found", ylim=(0, 1)
        )

    return html.export_svg(html.draw_figure(draw))

"""Deciding slices as pictures: the slice, its outline and its saliency map with a colour bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tumorviewer.imaging import colormap, display, geometry
from tumorviewer.language import percent, tr
from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.polygons import find_largest_slice, trace_outline

OPACITY = 0.6
SHORTEST_SIDE = 512
"""Pixels of the longer side of a slice, at least: the label must be legible."""
_OUTLINE = (255, 64, 64)
_BAR = 14
_LINE = 18


@dataclass(frozen=True, eq=False)
class KeyImage:
    """One deciding slice."""

    index: int
    pixels: NDArray[np.uint8]
    """``(rows, columns, 3)``: slice and map side by side, with a label below."""
    caption: str


def choose_key_slices(content: ReportContent, most: int = 3) -> tuple[int, ...]:
    """The slices that are shown: the deciding ones, and the largest of the outline."""
    indices = list(content.answer.key_slices[:most])
    if content.outline is not None and content.outline.any():
        indices.append(find_largest_slice(content.outline))
    if not indices:
        indices = [len(content.volume.array) // 2]
    return tuple(dict.fromkeys(indices))


def render_key_image(content: ReportContent, index: int) -> KeyImage:
    """A slice as it is shown in documents: radiological view of its stored rows and columns."""
    grey = display.grey(content.volume, index)
    plain = np.repeat(grey[..., None], 3, axis=2)
    map_HW = content.maps.get(index)
    coloured = plain if map_HW is None else colormap.blend_map(plain, map_HW, OPACITY)
    scale = _scale(content, grey.shape)
    sides = [_scaled(each, scale) for each in (plain, coloured)]
    if content.outline is not None:
        for side in sides:
            _draw_outline(side, content.outline[index], scale)
    return KeyImage(index, _sheet(content, index, sides), describe_slice(content, index))


def describe_slice(content: ReportContent, index: int) -> str:
    """What a slice is, and what the answer says of the study."""
    where = tr("Slice {n} of {count}", n=index + 1, count=len(content.volume.array))
    answer = content.answer
    if answer.named is None:
        return f"{where}. {tr('The model names no class.')}"
    share = next(one.probability for one in answer.classes if one.name == answer.named)
    return f"{where}. {tr(content.label(answer.named))} {percent(share)}."


def _scale(content: ReportContent, shape: tuple[int, ...]) -> tuple[float, float]:
    """Of rows and of columns, so that pixels are square."""
    aspect = geometry.compute_pixel_aspect(content.volume)
    factor = max(1.0, SHORTEST_SIDE / max(shape[0] * aspect, shape[1]))
    return factor * aspect, factor


def _scaled(pixels: NDArray[np.uint8], scale: tuple[float, float]) -> Image.Image:
    size = round(pixels.shape[1] * scale[1]), round(pixels.shape[0] * scale[0])
    return Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)


def _draw_outline(
    image: Image.Image, mask_HW: NDArray[np.bool_], scale: tuple[float, float]
) -> None:
    draw = ImageDraw.Draw(image)
    for polygon in trace_outline(mask_HW):
        points = [((x + 0.5) * scale[1], (y + 0.5) * scale[0]) for x, y in polygon]
        draw.line(points, fill=_OUTLINE, width=2)


def _sheet(content: ReportContent, index: int, sides: list[Image.Image]) -> NDArray[np.uint8]:
    width, height = sides[0].size
    lines = _label(content, index)
    font = ImageFont.load_default(13)
    total = max(2 * width + 3 * _BAR, *(round(font.getlength(line)) + 16 for line in lines))
    sheet = Image.new("RGB", (total, height + len(lines) * _LINE + 8))
    sheet.paste(sides[0], (0, 0))
    sheet.paste(sides[1], (width, 0))
    if index in content.maps:
        sheet.paste(_colour_bar(height), (2 * width + _BAR, 0))
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((8, height + 4 + number * _LINE), line, "white", font)
    return np.asarray(sheet)


def _label(content: ReportContent, index: int) -> tuple[str, ...]:
    model = content.answer.model
    lines = [describe_slice(content, index), f"{model.name} {model.version}. {tr(RESEARCH_USE)}."]
    if index in content.maps:
        lines.insert(1, tr("{method}; bar: 0 to 1, bottom to top.", method=content.map_method))
    return tuple(lines)


def _colour_bar(height: int) -> Image.Image:
    ramp = np.linspace(1, 0, height, dtype=np.float32)
    black = np.zeros((height, _BAR, 3), np.uint8)
    return Image.fromarray(colormap.blend_map(black, np.repeat(ramp[:, None], _BAR, 1), 1.0))

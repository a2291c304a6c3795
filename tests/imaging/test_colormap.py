"""The saliency colours: uniform, transparent at the bottom, premultiplied."""

from __future__ import annotations

import numpy as np

from tumorviewer.imaging.colormap import COLOURS, choose_class_colour, colour_map


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB."""
    linear = np.where(rgb <= 10.31475, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return 116 * np.cbrt(luminance) - 16


def test_lightness_rises_evenly() -> None:
    steps = np.diff(lightness(COLOURS.astype(float))[::8])
    assert (steps > 0).all()
    assert steps.max() < 2 * steps.mean()


def test_overlay_is_transparent_where_low_and_premultiplied() -> None:
    pixels = colour_map(np.linspace(0, 1, 101, dtype=np.float32).reshape(1, 101), 0.6)
    alpha = pixels[..., 3]
    assert pixels[0, 0].tolist() == [0, 0, 0, 0]
    assert (np.diff(alpha.astype(int)) >= 0).all()
    assert alpha.max() == round(0.6 * 255)
    assert (pixels[..., :3] <= alpha[..., None]).all()


def test_opaque_overlay_shows_the_colours_of_the_bar() -> None:
    pixel = colour_map(np.ones((1, 1), np.float32), 1.0)[0, 0]
    assert pixel.tolist() == [*COLOURS[-1][::-1].tolist(), 255]


def test_overlay_takes_what_comes() -> None:
    pixels = colour_map(np.array([[np.nan, -1.0, 7.0]]), 1.0)
    assert pixels[0, :, 3].tolist() == [0, 0, 255]
    assert colour_map(np.ones((3, 4), np.float32).T, 0.0).max() == 0


def test_classes_have_colours_of_their_own() -> None:
    classes = ("glioma", "meningioma", "notumor", "pituitary")
    colours = {choose_class_colour(name, classes, "notumor") for name in classes}
    assert len(colours) == 4
    red, green, blue = choose_class_colour("notumor", classes, "notumor")
    assert red == green == blue

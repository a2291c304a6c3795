"""Out-of-distribution images: what a model of head MR was not made for, drawn or read on demand.

Photographs, radiographs and the like are the sample files that libraries bring for their own tests
and examples; nothing of them is kept. A method is chosen on :func:`make_selection_images`, and
reported on :func:`make_report_images`. Of all of them it was taught only what turned images look
like, on training items.

Shapes: N pictures, S side of what a network sees, H W of a picture.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tumorviewer.analysis.preprocess import prepare_image
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.errors import InputError
from tumorviewer.imaging.display import list_windows, render_slice
from tumorviewer.models.card import Preprocessing
from tumorviewer.study import open_paths
from tumorviewer.study.types import Volume

Pictures = NDArray[np.uint8]
ImageSets = dict[str, Pictures]
"""By name, ``(N, S, S)`` as a network sees them."""

_DRAWN = 60
"""Pictures of each kind that is drawn."""
_OF_VOLUME = 12
_LEAST_SIDE = 48
"""Smaller images are refused for their size."""
_WORDS = (
    "RESEARCH USE ONLY   Impression: no acute finding.\nSagittal T1, axial T2 and FLAIR.\n"
    "File  Edit  View  Tools  Help\n0123456789  12.5 mm  W 400 L 40\nPatient   Study   Series\n"
)


def make_selection_images(held_NSS: Pictures, settings: Preprocessing) -> ImageSets:
    """Kinds that the method and its place in the network are chosen by.

    Parameters
    ----------
    held_NSS
        Pictures of the model's own kind that it was not trained on; some kinds are made of them.
    """
    some = _some(held_NSS)
    samples = _package("sklearn") / "datasets" / "images"
    return {
        "turned by 90°": np.rot90(some, axes=(1, 2)).copy(),
        "inverted grey": 255 - some,
        "white noise": _drawn(_white_noise, settings),
        "photographs (scikit-learn)": _crops(
            [samples / "china.jpg", samples / "flower.jpg"], settings
        ),
        "text": _drawn(_text, settings),
        "gradients": _drawn(_gradient, settings),
    }


def make_report_images(
    held_NSS: Pictures, settings: Preprocessing, outside: Sequence[Path]
) -> ImageSets:
    """Kinds that nothing is chosen by.

    Parameters
    ----------
    held_NSS
        As for :func:`make_selection_images`.
    outside
        Files and folders of images of other kinds; those that are too small are left out.
    """
    tests, plots = _package("pydicom") / "data" / "test_files", _package("matplotlib") / "mpl-data"
    graphics = [
        *sorted((plots / "images").glob("*_large.png")),
        plots / "images" / "qt4_editor_options.png",
        plots / "sample_data" / "logo2.png",
        plots / "sample_data" / "Minduka_Present_Blue_Pack.png",
        *sorted((_package("networkx") / "drawing" / "tests" / "baseline").glob("*.png")),
        *sorted((_package("sympy") / "plotting" / "tests").glob("*.png")),
    ]
    some = _some(held_NSS)
    kinds = {
        "upside down": some[:, ::-1].copy(),
        "tiles in another order": np.stack([_shuffled(one) for one in some]),
        "k-space": np.stack([_spectrum(one) for one in some[::4]]),
        "digits (scikit-learn)": _digits(settings),
        "1/f noise": _drawn(_pink_noise, settings),
        "photographs (matplotlib)": _crops([plots / "sample_data" / "grace_hopper.jpg"], settings),
        "drawings and screenshots": _crops(graphics, settings, 3),
        "CT (pydicom)": _read([tests / f"{name}.dcm" for name in _CT], settings),
        "other images (pydicom)": _read([tests / f"{name}.dcm" for name in _OTHER], settings),
    }
    if outside:
        kinds["images given as of other kinds"] = _read(outside, settings)
    return {name: pictures for name, pictures in kinds.items() if len(pictures)}


_CT = ("693_J2KI", "CT_small", "J2K_pixelrep_mismatch")
_OTHER = (
    "JPEG2000", "MR_small", "GDCMJ2K_TextGBR", "SC_rgb_rle", "examples_jpeg2k",
    "examples_overlay", "examples_palette", "examples_rgb_color", "examples_ybr_color", "image_dfl",
)  # fmt: skip
"""Scintigraphy, MR of a limb and of the abdomen, ultrasound, colour test pictures."""


def make_degraded_images(held_NSS: Pictures) -> ImageSets:
    """The model's own kind, acquired or exported badly."""
    some = _some(held_NSS)
    return {
        "blurred": np.stack([_blurred(one) for one in some]),
        "clipped": np.clip(some.astype(np.float32) * 3, 0, 255).astype(np.uint8),
        "moved": np.stack([_moved(one) for one in some]),
        "cropped": np.stack([_cropped(one) for one in some]),
        "noisy": _noisy(some),
    }


def _some(held_NSS: Pictures) -> Pictures:
    """A few hundred, evenly spread."""
    every = max(1, round(len(held_NSS) / 300))
    return np.ascontiguousarray(held_NSS[::every])


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path()


def _drawn(
    draw: Callable[[np.random.Generator], NDArray[np.uint8]], settings: Preprocessing
) -> Pictures:
    generator = np.random.default_rng(0)
    return np.stack([prepare_image(draw(generator), settings)[0] for _ in range(_DRAWN)])


def _white_noise(generator: np.random.Generator) -> NDArray[np.uint8]:
    spread, middle = generator.uniform(20, 80), generator.uniform(60, 180)
    return _bytes(middle + spread * generator.standard_normal((256, 256)))


def _pink_noise(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Amplitude falls with the frequency to a power of 0.5 to 2, as in natural scenes."""
    spectrum = np.fft.rfft2(generator.standard_normal((256, 256)))
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256))
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency ** generator.uniform(0.5, 2))
    return _bytes(128 + generator.uniform(30, 70) * noise / noise.std())


def _text(generator: np.random.Generator) -> NDArray[np.uint8]:
    dark = bool(generator.integers(2))
    picture = Image.new("L", (320, 320), 0 if dark else 255)
    font = ImageFont.load_default(float(generator.uniform(9, 30)))
    lines = _WORDS.splitlines()
    generator.shuffle(lines)
    text = "\n".join(lines * 6)
    ImageDraw.Draw(picture).multiline_text((6, 6), text, 255 if dark else 0, font)
    return np.asarray(picture)


def _gradient(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Ramps, stripes and chequers."""
    across, down = np.meshgrid(np.linspace(0, 1, 256), np.linspace(0, 1, 256))
    angle, cycles = generator.uniform(0, np.pi), generator.uniform(0.5, 12)
    wave = np.cos(2 * np.pi * cycles * (across * np.cos(angle) + down * np.sin(angle)))
    if generator.integers(2):
        wave = np.sign(wave * np.cos(2 * np.pi * cycles * (down * np.cos(angle) - across)))
    return _bytes(127 + 120 * wave)


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)


def _crops(files: Iterable[Path], settings: Preprocessing, each: int = 30) -> Pictures:
    """Each picture whole, and squares cut from it at random; files that are not there are not
    missed."""
    generator, found = np.random.default_rng(0), []
    for file in files:
        if not file.is_file():
            continue
        with Image.open(file) as image:
            opaque = Image.alpha_composite(
                Image.new("RGBA", image.size, "white"), image.convert("RGBA")
            )
            grey_HW = np.asarray(opaque.convert("L"))
        found += [grey_HW, *(_square(grey_HW, generator) for _ in range(each - 1))]
    return _prepared([one for one in found if np.ptp(one) > 30], settings)


def _digits(settings: Preprocessing) -> Pictures:
    """Handwritten ones, of 8 by 8 pixels, white on black."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    drawn = [_bytes(np.kron(one * 16, np.ones((32, 32)))) for one in load_digits().images[:_DRAWN]]
    return _prepared(drawn, settings)


def _shuffled(picture_SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Its sixteen tiles, turned round in their order."""
    side = len(picture_SS) // 4 * 4
    tiles = picture_SS[:side, :side].reshape(4, side // 4, 4, side // 4)
    moved = tiles[[2, 0, 3, 1]][:, :, [1, 3, 0, 2]]
    picture = np.zeros_like(picture_SS)
    picture[:side, :side] = moved.reshape(side, side)
    return picture


def _spectrum(picture_SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The logarithm of its magnitude."""
    magnitude = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(picture_SS))))
    return _bytes(255 * magnitude / magnitude.max())


def _square(grey_HW: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    least = min(grey_HW.shape)
    side = int(generator.integers(max(least // 3, min(least, 64)), least + 1))
    top, left = (int(generator.integers(0, length - side + 1)) for length in grey_HW.shape)
    return grey_HW[top : top + side, left : left + side]


def _read(paths: Iterable[Path], settings: Preprocessing) -> Pictures:
    """Slices of all volumes that paths hold, at each of their windows."""
    there = [str(path) for path in paths if path.exists()]
    pictures = [one for volume in open_volumes(there) for one in _windows(volume)]
    return _prepared(pictures, settings)


def open_volumes(paths: Sequence[str]) -> Iterator[Volume]:
    """Every volume that can be read and judged."""
    for study in open_paths(paths).studies if paths else ():
        for series in study.series:
            for source in series.volumes:
                try:
                    volume = source.load()
                    prepare_volume(volume, Preprocessing(16))
                except InputError:
                    continue
                yield volume


def _windows(volume: Volume) -> Iterator[NDArray[np.uint8]]:
    if min(volume.array.shape[1:3]) < _LEAST_SIDE:
        return
    last = len(volume.array) - 1
    for index in sorted({round(last * at) for at in np.linspace(0.2, 0.8, _OF_VOLUME)}):
        for window in list_windows(volume):
            picture = render_slice(volume, index, window)
            if volume.is_colour:
                picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
            if np.ptp(np.percentile(picture, (1, 99))) > 30:
                yield picture


def _prepared(pictures: Sequence[NDArray[np.uint8]], settings: Preprocessing) -> Pictures:
    if not pictures:
        return np.zeros((0, settings.size, settings.size), np.uint8)
    return np.stack([prepare_image(picture, settings)[0] for picture in pictures])


def _blurred(picture_SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blur = ImageFilter.GaussianBlur(len(picture_SS) / 50)
    return np.asarray(Image.fromarray(picture_SS).filter(blur))


def _moved(picture_SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every other line of k-space is of a head that moved by 4 % of the field of view: ghosts."""
    spectrum = np.fft.fft2(picture_SS)
    shift = 0.04 * len(picture_SS)
    turn = np.exp(-2j * np.pi * np.fft.fftfreq(len(picture_SS)) * shift)[:, None]
    spectrum[1::2] *= turn[1::2]
    return _bytes(np.abs(np.fft.ifft2(spectrum)))


def _cropped(picture_SS: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle half, as large as the whole was."""
    side = len(picture_SS)
    middle = picture_SS[side // 4 : -(side // 4), side // 4 : -(side // 4)]
    return np.asarray(Image.fromarray(middle).resize((side, side), Image.Resampling.BILINEAR))


def _noisy(some_NSS: Pictures) -> Pictures:
    generator = np.random.default_rng(0)
    return _bytes(some_NSS + 40 * generator.standard_normal(some_NSS.shape))

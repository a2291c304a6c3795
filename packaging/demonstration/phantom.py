"""A head that nobody has: the signal of a contrast-enhanced T1 image, painted from formulas.

Coordinates are LPS+ millimetres around the middle of the brain. Anatomy is a stack of implicit
surfaces (positive inside, in mm); folds, vessels and all that is irregular come from smooth random
fields with a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

Field = NDArray[np.float32]
Point = tuple[float, float, float]

AIR, BONE, CSF, OEDEMA, GREY, NUCLEUS, WHITE = 0.02, 0.08, 0.24, 0.37, 0.46, 0.49, 0.55
MUSCLE, SKIN, FAT, MARROW, DURA, BLOOD = 0.40, 0.62, 1.20, 0.62, 0.80, 1.05
MASS, NECROSIS, MUCOSA, VITREOUS = 0.95, 0.27, 0.85, 0.22
CUBE, STEP = 96, 2.5
"""Samples, and millimetres per sample, of a random field; it repeats beyond."""


class Place(NamedTuple):
    """Where the signal is asked for; ``x`` to the left, ``y`` to the back, ``z`` to the head."""

    x: Field
    y: Field
    z: Field


@dataclass(frozen=True)
class Head:
    """Which head: ``seed`` sets all that is irregular, ``tumour`` is the centre of a mass."""

    seed: int
    tumour: Point | None
    radius: float = 16.0
    is_solid: bool = False
    """Whether the mass enhances as a whole, rather than as a ring around necrosis."""


class Noise:
    """A smooth random field of unit variance whose zeros lie about half a wavelength apart."""

    def __init__(self, rng: np.random.Generator, wavelength: float) -> None:
        sigma = wavelength / STEP / 5
        white = rng.standard_normal((CUBE,) * 3).astype(np.float32)
        band = gaussian_filter(white, sigma, mode="wrap")
        band -= gaussian_filter(white, 1.6 * sigma, mode="wrap")
        band /= band.std()
        slope = np.sqrt(sum(np.square(part) for part in np.gradient(band, STEP)))
        self._values = spline_filter(band, order=3, mode="grid-wrap", output=np.float32)
        self._slope = gaussian_filter(slope, 1.0, mode="wrap")

    def at(self, place: Place) -> Field:
        """Its values."""
        return _sample(self._values, place, order=3)

    def distance(self, place: Place) -> Field:
        """About how far the nearest zero is, mm."""
        return np.abs(self.at(place)) / _sample(self._slope, place, order=1)


def _sample(cube: Field, place: Place, order: int) -> Field:
    samples = np.stack(place) / np.float32(STEP)
    return map_coordinates(cube, samples, np.float32, order, "grid-wrap", prefilter=False)


class Irregular:
    """The random fields of one head."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.drift = [Noise(rng, 110) for _ in range(3)]
        self.fold = Noise(rng, 21)
        self.crossing = Noise(rng, 30)
        self.coarse = Noise(rng, 55)
        self.fine = Noise(rng, 10)


irregular = lru_cache(maxsize=1)(Irregular)


class Texture(NamedTuple):
    """Random fields, those at hand that are used often."""

    fold: Noise
    crossing: Noise
    coarse: Field
    fine: Field


def paint(head: Head, place: Place) -> Field:
    """Signal at some places: white matter 0.8, fat 1.4."""
    noise = irregular(head.seed)
    place = Place(
        *(axis + 1.0 * drift.at(place) for axis, drift in zip(place, noise.drift, strict=True))
    )
    if head.tumour:
        place = _pushed(place, head.tumour, head.radius)
    texture = Texture(noise.fold, noise.crossing, noise.coarse.at(place), noise.fine.at(place))
    signal = _around_the_brain(place, texture)
    inside = _brain_depth(place)
    signal = np.where(inside > -2.4, CSF, signal)
    signal = _cerebrum(signal, place, inside, texture)
    signal = _deep(signal, place)
    signal = _hindbrain(signal, place, texture)
    signal = _membranes(signal, place, inside)
    if head.tumour:
        signal = _mass(signal, place, head, texture)
    return np.where(_head_depth(place) > 0, signal, AIR).astype(np.float32)


def _ellipsoid(place: Place, centre: Point, semi: Point) -> Field:
    """Depth below the surface along the ray to the centre."""
    x, y, z = (axis - middle for axis, middle in zip(place, centre, strict=True))
    length = np.sqrt(x * x + y * y + z * z) + 1e-3
    scaled = np.sqrt((x / semi[0]) ** 2 + (y / semi[1]) ** 2 + (z / semi[2]) ** 2) + 1e-5
    return length / scaled - length


def _pair(place: Place, centre: Point, semi: Point) -> Field:
    """The same ellipsoid on both sides."""
    return _ellipsoid(Place(np.abs(place.x), place.y, place.z), centre, semi)


def _tube(place: Place, *nodes: tuple[Point, float]) -> Field:
    """Depth in a tube through points, each with its radius; on both sides."""
    p = np.stack([np.abs(place.x), place.y, place.z])
    depth = np.full(p.shape[1:], -np.inf, np.float32)
    for (start, from_radius), (end, to_radius) in pairwise(nodes):
        a, d = np.float32(start), np.float32(end) - np.float32(start)
        t = np.clip(np.tensordot(d, p - a[:, *(None,) * (p.ndim - 1)], 1) / (d @ d), 0, 1)
        nearest = a[:, *(None,) * (p.ndim - 1)] + d[:, *(None,) * (p.ndim - 1)] * t
        radius = from_radius + (to_radius - from_radius) * t
        depth = np.maximum(depth, radius - np.sqrt(((p - nearest) ** 2).sum(0)))
    return depth


def _smooth_union(a: Field, b: Field, width: float) -> Field:
    """Union of two solids, its crease filled over some mm."""
    return np.logaddexp(a / width, b / width) * width


def _pushed(place: Place, centre: Point, radius: float) -> Place:
    """Mass effect: where the tissue around a mass was before it grew."""
    offset = [axis - middle for axis, middle in zip(place, centre, strict=True)]
    squared = offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2
    push = 0.55 * radius * np.exp(-squared / (2 * (1.5 * radius) ** 2))
    scale = 1 - push / np.sqrt(squared + radius**2)
    return Place(*(middle + part * scale for part, middle in zip(offset, centre, strict=True)))


def _vault_depth(place: Place) -> Field:
    """Depth below the scalp of the cranial vault, wider at the back."""
    narrowed = place.x / (1 + 0.055 * np.tanh((place.y - 5) / 45))
    return _ellipsoid(Place(narrowed, place.y, place.z), (0, 2, 2), (75, 96, 92))


def _head_depth(place: Place) -> Field:
    face = _ellipsoid(place, (0, -46, -62), (60, 56, 66))
    neck = _ellipsoid(place, (0, 36, -95), (60, 56, 80))
    nose = _ellipsoid(place, (0, -100, -52), (12, 16, 20))
    ears = _pair(place, (67, 14, -32), (9, 12, 17))
    depth = _smooth_union(_vault_depth(place), _smooth_union(face, neck, 6), 5)
    return np.maximum(_smooth_union(depth, nose, 3), ears)


def _around_the_brain(place: Place, texture: Texture) -> Field:
    """Scalp, skull and face; the brain is painted over them."""
    x, y, z = place
    depth = _head_depth(place)
    vault = _vault_depth(place)
    fine = texture.fine
    scalp = 6.0 + 1.2 * texture.coarse
    signal = np.where(depth < 1.8, SKIN, FAT - 0.12 * np.abs(fine))
    signal = np.where(depth > scalp, BONE, signal)
    diploe = (vault > 8.2) & (vault < 10.6 + 0.7 * texture.coarse) & (z > -18)
    signal = np.where(diploe, MARROW + 0.1 * fine, signal)
    temporal = (_pair(place, (68, -22, -18), (9, 34, 42)) > 0) & (depth > 3.5) & (vault < 10)
    signal = np.where(temporal, MUSCLE + 0.03 * fine, signal)
    below = (z < -20 + 0.12 * (y + 30)) & (vault > 12)
    base = np.clip(0.30 + 0.13 * fine + 0.12 * texture.coarse, 0.06, 0.8)
    signal = np.where(below | ((depth > scalp) & (vault < 6)), base, signal)
    soft = (depth > scalp) & (vault < 4) & (np.abs(x) > 30)
    signal = np.where(soft, MUSCLE + 0.5 * np.clip(fine - 0.5, 0, 1.4), signal)
    fossa = (y > 8) & (vault > 12) & (z > -62) & (np.abs(x) < 60 - 0.7 * np.abs(y - 45))
    signal = np.where(fossa, CSF, signal)
    signal = _nape(signal, place, fine, vault)
    signal = _sinuses(signal, place, fine)
    return _orbits(signal, place, fine)


def _nape(signal: Field, place: Place, fine: Field, vault: Field) -> Field:
    nape = (place.y > 40) & (place.z < -38) & (vault < 9) & (_head_depth(place) > 6)
    return np.where(nape, MUSCLE + 0.5 * np.clip(fine - 0.9, 0, 1.2), signal)


def _sinuses(signal: Field, place: Place, fine: Field) -> Field:
    x, _, z = place
    nasal = _ellipsoid(place, (0, -58, -48), (16, 34, 26))
    cells = np.abs(np.sin(np.abs(x) * 0.6 + 0.5 * fine + 0.9)) < 0.3
    signal = np.where(nasal > 0, np.where(cells | (nasal < 1.6), MUCOSA * 0.8, AIR), signal)
    maxillary = _pair(place, (30, -56, -56), (13, 18, 18))
    signal = np.where(maxillary > -1.5, MUCOSA * 0.6, signal)
    signal = np.where(maxillary > 0, AIR, signal)
    frontal = _pair(place, (11, -83, -4), (9, 5, 12))
    signal = np.where(frontal > 0, AIR, signal)
    mastoid = _pair(place, (54, 24, -36), (12, 14, 16))
    signal = np.where(mastoid > 0, np.where(fine > 0.7, MUCOSA * 0.5, AIR + 0.04), signal)
    clivus = _ellipsoid(place, (0, -10, -46), (12, 9, 22))
    return np.where((clivus > 0) & (z < -26), MARROW + 0.12 * fine, signal)


def _orbits(signal: Field, place: Place, fine: Field) -> Field:
    cone = _tube(place, ((32, -76, -24), 15.5), ((26, -50, -23), 10), ((15, -24, -21), 3))
    signal = np.where(cone > -2, BONE, signal)
    signal = np.where(cone > 0, FAT - 0.06 * np.abs(fine), signal)
    for start in ((44, -68, -24), (21, -68, -24), (32, -66, -12), (32, -66, -36)):
        muscle = _tube(place, (start, 2.4), ((15, -26, -21), 1.2))
        signal = np.where(muscle > 0, MUCOSA * 0.85, signal)
    nerve = _tube(place, ((32, -64, -24), 2.2), ((14, -26, -20), 1.8))
    signal = np.where(nerve > -1.2, CSF, signal)
    signal = np.where(nerve > 0, WHITE * 0.8, signal)
    globe = _pair(place, (32, -75, -24), (12.5, 12.5, 12.5))
    signal = np.where(globe > -1.3, MUCOSA * 0.8, signal)
    signal = np.where(globe > 0, VITREOUS, signal)
    lens = _pair(place, (32, -84.5, -24), (4.6, 2.2, 4.6))
    return np.where(lens > 0, MUSCLE, signal)


def _brain_depth(place: Place) -> Field:
    """Depth below the pia of cerebrum and temporal lobes."""
    x, y, z = place
    vault = _vault_depth(place) - 13.6
    roof = 8 * np.clip((np.abs(x) - 10) / 16, 0, 1)
    floor = np.where(y < 0, roof * np.clip((-y - 20) / 20, 0, 1) - 15, _tent(place))
    upper = np.minimum(vault, z - floor)
    temporal = np.minimum(vault, _pair(place, (40, -6, -22), (25, 38, 25)))
    both = np.maximum(upper, temporal)
    callosum = (np.sqrt(((y - 1) / 43) ** 2 + ((z - 1) / 24) ** 2) - 1) * 26
    fissure = np.maximum(np.abs(x) - 0.9, -callosum)
    both = np.where(z > -16, np.minimum(both, fissure), both)
    level = 3 + 0.22 * (y + 6)
    sylvian = np.maximum(np.maximum(np.abs(z - level) - 0.9, 40 - np.abs(x)), np.abs(y - 2) - 30)
    bowl = np.sqrt((y / 26) ** 2 + ((z - 5) / 17) ** 2)
    insula = np.maximum(np.abs(np.abs(x) - 41 + 5 * bowl**2) - 0.8, 20 * (bowl - 1))
    return np.minimum(both, np.minimum(sylvian, insula))


def _tent(place: Place) -> Field:
    """Height of the tentorium."""
    return 22 * np.exp(-((place.x / 27) ** 2) - ((place.y - 26) / 34) ** 2) - 26


def _cerebrum(signal: Field, place: Place, inside: Field, texture: Texture) -> Field:
    """Cortex in folds around white matter: sulci are zeros of a field that is stretched inwards."""
    middle, semi = (0.0, 2.0, 2.0), (60.0, 81.0, 77.0)
    offset = [axis - centre for axis, centre in zip(place, middle, strict=True)]
    scaled = np.sqrt(sum((part / axis) ** 2 for part, axis in zip(offset, semi, strict=True)))
    stretch = 0.68 + 0.32 / np.maximum(scaled, 0.35)
    folded = Place(*(part * stretch for part in offset))
    sulcus = texture.fold.distance(folded)
    reach = 14 + 5 * texture.coarse
    width = 0.35 + 0.75 * np.clip(1 - inside / 14, 0, 1)
    ribbon = 2.7 + 0.3 * texture.fine
    in_reach = inside < reach
    tissue = WHITE + 0.02 * texture.fine
    cortex = (inside < ribbon) | (in_reach & (sulcus < width + ribbon)) & (inside < reach + ribbon)
    tissue = np.where(cortex, GREY, tissue)
    tissue = np.where(in_reach & (sulcus < width), CSF, tissue)
    vessel = (sulcus < 0.8) & (texture.crossing.distance(folded) < 0.6) & (inside < 13)
    signal = np.where(inside > 0, tissue, signal)
    return np.where(vessel & (inside > -2.4), BLOOD, signal)


def _deep(signal: Field, place: Place) -> Field:
    """Nuclei and ventricles of the cerebrum."""
    x, _, z = place
    capsule = _pair(place, (25, -2, 2), (8.5, 19, 11))
    signal = np.where(capsule > 0, NUCLEUS, signal)
    claustrum = np.abs(_pair(place, (25, -2, 2), (12, 22, 14)))
    signal = np.where((claustrum < 0.7) & (np.abs(x) > 30) & (np.abs(z - 2) < 10), GREY, signal)
    signal = np.where(_pair(place, (11, 11, 5), (9, 15, 9.5)) > 0, NUCLEUS, signal)
    caudate = _tube(place, ((13, -24, 4), 6.5), ((17, -6, 17), 5), ((20, 16, 20), 3))
    signal = np.where(caudate > 0, NUCLEUS, signal)
    ventricle = np.maximum(
        _tube(
            place,
            ((8, -30, 4), 5.5),
            ((8.5, -14, 13), 6),
            ((11, 8, 18), 6),
            ((21, 28, 11), 7.5),
            ((25, 48, 5), 4),
            ((24, 60, 3), 1.5),
        ),
        _tube(place, ((23, 30, 8), 5.5), ((33, 14, -12), 3.2), ((31, -10, -20), 3)),
    )
    septum = np.abs(x) < 0.8
    signal = np.where((ventricle > 0) & ~septum, CSF * 0.85, signal)
    third = _ellipsoid(place, (0, 3, -2), (2.3, 15, 12))
    signal = np.where(third > 0, CSF * 0.85, signal)
    plexus = _tube(place, ((19, 27, 12), 2.4), ((23, 33, 7), 2.8))
    return np.where(plexus > 0, MASS * 0.9, signal)


def _hindbrain(signal: Field, place: Place, texture: Texture) -> Field:
    """Brain stem, cerebellum and the cisterns around them."""
    x, y, z = place
    stem = np.maximum(
        _ellipsoid(place, (0, 10, -36), (17, 13, 17)),
        _tube(place, ((8, 6, -10), 8), ((5, 12, -26), 9), ((2, 18, -46), 8), ((0, 22, -75), 7)),
    )
    lobes = _pair(place, (24, 45, -37), (32, 32, 33))
    vermis = _ellipsoid(place, (0, 44, -34), (13, 28, 33))
    cerebellum = np.minimum(_smooth_union(lobes, vermis, 2), _tent(place) - 2.5 - z)
    cerebellum = np.minimum(cerebellum, _vault_depth(place) - 12.5)
    cistern = np.maximum(np.minimum(stem + 4.5, -12 - z), cerebellum + 2.2)
    chiasm = _ellipsoid(place, (0, -8, -16), (15, 12, 8))
    signal = np.where(np.maximum(cistern, chiasm) > 0, CSF, signal)
    signal = np.where(stem > 0, WHITE * 0.92, signal)
    warp = 2.2 * texture.coarse + 0.6 * texture.fine
    phase = np.sin((0.62 * z - 0.5 * (y - 46) + 0.16 * np.abs(x) + warp) * (2 * np.pi / 5.2))
    folia = np.where(phase > 0.72, CSF + 0.16, GREY * 0.98)
    core = cerebellum + 1.6 * phase + 2 * texture.fine > 10
    signal = np.where(cerebellum > 0, np.where(core, WHITE * 0.95, folia), signal)
    fourth = _ellipsoid(place, (0, 29, -34), (6.5, 5.5, 14)) > 0
    signal = np.where(fourth, CSF * 0.85, signal)
    pituitary = _ellipsoid(place, (0, -16, -24), (6.5, 5, 4))
    signal = np.where(pituitary > 0, MUCOSA, signal)
    carotid = _tube(place, ((12, -20, -40), 2.6), ((13, -14, -24), 2.6), ((15, -12, -14), 2.2))
    middle = _tube(place, ((14, -12, -14), 1.7), ((30, -10, -10), 1.4), ((42, -4, -2), 1.2))
    basilar = _tube(place, ((0, -5, -48), 1.9), ((0, -4, -20), 1.8))
    return np.where(np.maximum(np.maximum(carotid, middle), basilar) > 0, BLOOD, signal)


def _membranes(signal: Field, place: Place, inside: Field) -> Field:
    """Dura, falx, tentorium and the venous sinuses, which take up contrast."""
    x, y, z = place
    vault = _vault_depth(place)
    dura = (np.abs(vault - 11.6) < 0.55) & (z > -30)
    signal = np.where(dura, DURA * 0.8, signal)
    callosum = (np.sqrt(((y - 1) / 47) ** 2 + ((z - 1) / 30) ** 2) - 1) * 26
    falx = (np.abs(x) < 0.55) & (callosum > 4) & (z > -8) & (vault > 11)
    signal = np.where(falx, DURA * 0.85, signal)
    midline = (np.abs(x) < 6 - 0.75 * (vault - 10.8)) & (np.abs(vault - 13.5) < 3.2)
    signal = np.where(midline & (z > -2) & ((y > -20) | (z > 50)), BLOOD, signal)
    transverse = (np.abs(z + 24) < 4) & (np.abs(vault - 13.8) < 3) & (y > 30) & (inside < 3)
    return np.where(transverse, BLOOD, signal)


def _mass(signal: Field, place: Place, head: Head, texture: Texture) -> Field:
    """An enhancing mass, in oedema that follows the white matter."""
    assert head.tumour
    offset = [axis - middle for axis, middle in zip(place, head.tumour, strict=True)]
    distance = np.sqrt(sum(part * part for part in offset))
    shape = head.radius * (0.8 + 0.11 * texture.fold.at(place) + 0.04 * texture.fine)
    beyond = distance - shape
    halo = beyond < 13 + 6 * texture.crossing.at(place)
    white = (signal > (NUCLEUS + WHITE) / 2) & (signal < WHITE + 0.1)
    signal = np.where(halo & white, OEDEMA + 0.02 * texture.fine, signal)
    rim = 3.1 + 1.0 * texture.fine + 0.8 * texture.coarse
    is_alive = head.is_solid | (beyond > -rim)
    tissue = np.where(is_alive, MASS, NECROSIS) + 0.06 * texture.fine
    return np.where(beyond < 0, tissue, signal)

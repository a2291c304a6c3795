"""Whether an image is of the kind that a model knows: by tags, size, quality and distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.analysis.conftest import head
from tumorviewer.analysis.preprocess import Box
from tumorviewer.analysis.slices import PreparedVolume, prepare_volume
from tumorviewer.analysis.trust import out_of_distribution, quality
from tumorviewer.analysis.trust.origin import Origin, find_origin, is_of_head
from tumorviewer.models.card import Preprocessing
from tumorviewer.models.trust_measures import Measured, OodMeasures

SOME = Measured(0.01, 0.0, 0.02)
KNOWN = OodMeasures(
    method="mahalanobis",
    stages=("trunk",),
    cells=4,
    unusual=1.0,
    outside=2.0,
    false_alarms=SOME,
    marked=SOME,
    auroc=SOME,
    kinds=(),
    chosen_by=(),
    rivals={},
)


def prepared(origin: Origin = Origin(), side: int = 160) -> PreparedVolume:  # noqa: B008
    found = prepare_volume(head(), Preprocessing(96))
    boxes = tuple(Box(0, 0, side) for _ in found.boxes)
    return replace(found, origin=origin, boxes=boxes)


def judged(
    shown: PreparedVolume | None = None, distance: float = 0.0, known: OodMeasures = KNOWN
) -> out_of_distribution.OodAssessment:
    shown = shown or prepared()
    return out_of_distribution.assess_distribution(
        shown, known, np.full(len(shown.slices), distance), (1, 2, 3)
    )


def test_what_is_like_the_training_data_is_inside_without_a_word():
    assert judged() == out_of_distribution.OodAssessment("inside", 0.0, ())


@pytest.mark.parametrize(("distance", "level"), [(1.5, "unusual"), (2.5, "outside")])
def test_distance_marks_and_then_refuses(distance: float, level: str):
    found = judged(distance=distance)
    assert (found.level, found.distance) == (level, distance)
    assert "of all 11 it holds for 11" in found.reasons[0]


def test_a_volume_is_as_far_as_its_deciding_slices_not_as_its_ends():
    shown = prepared()
    distances = np.full(len(shown.slices), 9.0)
    distances[[1, 2, 3]] = 0.5
    assert (
        out_of_distribution.assess_distribution(shown, KNOWN, distances, (1, 2, 3)).level
        == "inside"
    )


@pytest.mark.parametrize(
    ("origin", "word"),
    [(Origin(modality="CT"), "CT"), (Origin(modality="MR", body_part="KNEE"), "KNEE")],
)
def test_another_modality_or_body_part_is_refused_however_near_it_looks(origin: Origin, word: str):
    found = judged(prepared(origin))
    assert found.level == "outside"
    assert word in found.reasons[0]


def test_a_sequence_that_was_not_trained_on_is_marked_where_the_sequences_are_known():
    shown = prepared(Origin("MR", "BRAIN", "Diffusion", "axial"))
    assert judged(shown).level == "inside"
    found = judged(shown, known=replace(KNOWN, sequences=("T1", "T1 + contrast")))
    assert found.level == "unusual"
    assert "Diffusion" in found.reasons[0]
    assert "T1 + contrast" in found.reasons[0]


@pytest.mark.parametrize(("side", "level"), [(120, "inside"), (80, "unusual"), (20, "outside")])
def test_too_few_pixels_are_marked_and_then_refused(side: int, level: str):
    assert judged(prepared(side=side)).level == level


def test_a_blurred_picture_is_marked_by_what_is_usual_for_the_model():
    shown = prepared()
    usual = quality.measure_quality(shown.pictures[1])
    known = replace(KNOWN, quality={"sharpness": (usual.sharpness / 2, np.inf)})
    assert judged(shown, known=known).level == "inside"
    blurred = np.stack(
        [np.asarray(Image.fromarray(p).filter(ImageFilter.GaussianBlur(3))) for p in shown.pictures]
    )
    found = judged(replace(shown, pictures=blurred), known=known)
    assert (found.level, found.reasons) == ("unusual", ("It is blurred.",))


def test_the_gravest_reason_stands_first():
    shown = prepared(Origin("CT"), side=80)
    found = judged(shown, distance=1.5)
    assert found.level == "outside"
    assert "CT" in found.reasons[0]
    assert len(found.reasons) == 3


@pytest.mark.parametrize(
    ("tags", "modality", "part"),
    [
        ({"Modality": "MR", "BodyPartExamined": "BRAIN"}, "MR", "BRAIN"),
        ({"Modality": "mr", "StudyDescription": "MRI knee left"}, "MR", "knee"),
        ({"Modality": "MR", "StudyDescription": "Head and neck"}, "MR", ""),
        ({"Modality": "MR", "SeriesDescription": "T1 axial"}, "MR", ""),
        ({}, "", ""),
    ],
)
def test_tags_say_modality_and_body_part(tags: dict[str, str], modality: str, part: str):
    origin = find_origin(replace(head(), tags=tags))
    assert (origin.modality, origin.body_part) == (modality, part)


def test_hounsfield_units_are_those_of_ct():
    assert find_origin(replace(head(), units="HU")).modality == "CT"


def test_the_sequence_is_recognised_from_tags_or_else_from_the_name():
    times = {"RepetitionTime": "9000", "EchoTime": "100", "InversionTime": "2500"}
    assert find_origin(replace(head(), tags={"Modality": "MR", **times})).sequence == "FLAIR"
    assert find_origin(replace(head(), source="/data/case_T2.nii.gz")).sequence == "T2"


def test_heads_in_several_languages():
    assert all(map(is_of_head, ("HEAD", "Kopf", "beyin", "HEADNECK", "PITUITARY")))
    assert not any(map(is_of_head, ("CHEST", "LSPINE", "KNEE")))


class TestQuality:
    def picture(self) -> np.ndarray:
        across, down = np.meshgrid(np.linspace(-1, 1, 160), np.linspace(-1, 1, 160))
        inside = across**2 + down**2 < 0.6
        return np.where(inside, 120 + 40 * np.sin(9 * across), 0).astype(np.uint8)

    def test_noise_is_found_in_its_own_unit(self):
        generator = np.random.default_rng(0)
        clean = np.full((160, 160), 120.0)
        noisy = np.clip(clean + 12 * generator.standard_normal(clean.shape), 0, 255)
        assert quality.measure_quality(noisy.astype(np.uint8)).noise == pytest.approx(0.1, rel=0.05)

    def test_a_whole_head_touches_its_rectangle_at_points_and_a_cropped_one_along_its_sides(self):
        whole = self.picture()
        assert quality.measure_quality(whole).cut < 0.3
        assert quality.measure_quality(whole[50:110, 50:110]).cut == 1
        padded = np.pad(whole[:, 40:120], ((0, 0), (40, 40)))  # its neighbours in the square
        assert quality.measure_quality(padded).cut > quality.measure_quality(whole).cut

    def test_what_is_white_is_clipped(self):
        assert quality.measure_quality(self.picture()).clipped == 0
        white = np.minimum(self.picture().astype(int) * 3, 255).astype(np.uint8)
        assert quality.measure_quality(white).clipped > 0.8

    def test_ghosts_raise_the_entropy(self):
        whole = self.picture().astype(float)
        ghosts = (whole + 0.4 * np.roll(whole, 60, 0) + 0.3 * np.roll(whole, -50, 1)) / 1.7
        assert (
            quality.measure_quality(ghosts.astype(np.uint8)).entropy
            > quality.measure_quality(whole.astype(np.uint8)).entropy
        )

    def test_black_has_no_quality_to_speak_of(self):
        assert np.isfinite(quality.measure_quality(np.zeros((32, 32), np.uint8))).all()

    def test_faults_are_said_of_what_is_looked_at(self):
        found = quality.Quality(clipped=0.5, sharpness=0.0, noise=0.5, entropy=0.5, cut=0.0)
        assert quality.find_faults(found, {}) == []
        assert quality.find_faults(found, {"noise": (0.0, 0.1), "clipped": (0.0, 1.0)}) == [
            "It is noisy."
        ]

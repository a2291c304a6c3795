from __future__ import annotations

import gc
import tracemalloc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.conftest import SIZE, head
from tumorviewer.analysis import examination, pipeline
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.errors import Cancelled, InputError
from tumorviewer.study import Placement


def test_a_volume_gets_a_class_and_a_map_for_every_slice(volume, model):
    finding = pipeline.analyse_volume(volume, model)
    assert finding.source == "made/head"
    assert finding.series_instance_uid == "1.2.3"
    assert finding.volume == "echo 1"
    assert finding.model.sha256 == model.card.weights.sha256
    assert finding.probabilities.sum() == pytest.approx(1)
    assert finding.slices == tuple(range(1, 12))
    np.testing.assert_allclose(finding.slice_probabilities.sum(axis=1), 1)
    assert set(finding.key_slices) <= set(finding.slices)
    assert finding.device.startswith("cpu (")
    saliency = finding.saliency
    assert saliency.target == finding.predicted_class
    assert saliency.slices == finding.slices
    assert saliency.maps.shape == (11, SIZE, SIZE)
    assert saliency.maps.dtype == np.float32
    assert saliency.peaks.shape == (11,)
    no_tumour = finding.classes.index("notumor")
    np.testing.assert_allclose(
        saliency.strength, 1 - finding.slice_probabilities[:, no_tumour], atol=1e-6
    )
    assert saliency.on_slice(5).shape == (90, 70)


def test_the_class_the_method_and_the_slices_can_be_chosen(volume, model):
    saliency = pipeline.analyse_volume(
        volume, model, method="layercam", target="glioma", slices=[7, 3, 3]
    ).saliency
    assert (saliency.method, saliency.target, saliency.slices) == ("layercam", "glioma", (3, 7))


def test_a_slow_method_explains_the_deciding_slices_alone(volume, model):
    finding = pipeline.analyse_volume(volume, model, method="scorecam")
    assert finding.saliency.slices == tuple(sorted(finding.key_slices))


def test_no_maps_if_none_are_wanted(volume, model):
    assert pipeline.analyse_volume(volume, model, method=None).saliency is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"method": "guess"}, "no saliency method"),
        ({"target": "lymphoma"}, "no such class"),
        ({"slices": [0]}, "Slice 1: It was not judged"),
        ({"slices": [99]}, "Slice 100: It was not judged"),
        ({"slices": []}, "No slice"),
    ],
)
def test_what_is_not_there_is_refused(volume, model, asked, words):
    with pytest.raises(InputError, match=words):
        pipeline.analyse_volume(volume, model, **asked)


def test_one_picture(model):
    picture = replace(head(), array=head().array[5:6], placement=Placement.NONE)
    finding = pipeline.analyse_volume(picture, model)
    assert finding.slices == (0,)
    assert finding.pooling == "A single slice."
    np.testing.assert_array_equal(finding.probabilities, finding.slice_probabilities[0])


def test_eigencam_says_what_it_is(volume, model):
    saliency = pipeline.analyse_volume(volume, model, method="eigencam", slices=[5]).saliency
    assert saliency.class_agnostic
    assert "same map whatever the class" in saliency.notes[0]


@pytest.mark.parametrize(
    ("probabilities", "said"),
    [([0.2, 0.2, 0.45, 0.15], True), ([0.1, 0.1, 0.6, 0.2], False), ([0.5, 0.1, 0.3, 0.1], False)],
)
def test_a_tumour_of_no_clear_kind_is_said(volume, model, probabilities, said):
    examined = Examination(prepare_volume(volume, model.card.preprocessing), model)
    examined.probabilities = lambda _=None: np.tile(probabilities, (11, 1))
    flags = pipeline.make_finding(examined, None).flags
    assert any("cannot tell which" in flag for flag in flags) is said


def test_empty_maps_are_said(volume, model):
    examined = Examination(prepare_volume(volume, model.card.preprocessing), model)
    examined.raw_maps = lambda *_: np.full((11, 3, 3), -1, np.float32)
    saliency = pipeline.explain_slices(examined, "gradcam", "glioma")
    assert not saliency.maps.any()
    assert saliency.notes == (
        "No positive evidence for Glioma on 11 of 11 slices: the map is empty there.",
    )


def test_without_a_class_for_no_tumour_maps_have_full_strength(volume, model):
    model.card = replace(model.card, no_tumour=None)
    finding = pipeline.analyse_volume(volume, model)
    assert (finding.saliency.strength == 1).all()


def test_features_that_do_not_fit_are_computed_again(volume, model, monkeypatch):
    kept = pipeline.analyse_volume(volume, model)
    monkeypatch.setattr(examination, "_KEPT_BYTES", 60_000)  # room for one batch of three
    again = pipeline.analyse_volume(volume, model)
    np.testing.assert_allclose(again.saliency.maps, kept.saliency.maps, atol=1e-5)


def test_the_trunk_runs_once_for_all_methods(volume, model):
    runs = []
    model.network.trunk.register_forward_hook(lambda _, inputs, __: runs.append(len(inputs[0])))
    examined = Examination(prepare_volume(volume, model.card.preprocessing), model)
    pipeline.make_finding(examined)
    for target in model.card.classes:
        pipeline.explain_slices(examined, "hirescam", target)
    assert sum(runs) == 11


def test_progress_reaches_the_end_and_can_stop_it(volume, model):
    seen = []
    pipeline.analyse_volume(volume, model, progress=lambda *told: seen.append(told))
    assert ("Looking at slices", 11, 11) in [(text, done, total) for done, total, text in seen]
    assert seen[-1] == (11, 11, "Making saliency maps")

    def stop(done, total, text):
        if text == "Looking at slices" and done >= 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.analyse_volume(volume, model, progress=stop)


def test_nothing_keeps_memory_afterwards(model):
    def once():
        volume = head()
        finding = pipeline.analyse_volume(volume, model)
        return weakref.ref(volume), weakref.ref(finding)

    once()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    references = [reference for _ in range(3) for reference in once()]
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not any(reference() for reference in references)
    assert after - before < 100_000

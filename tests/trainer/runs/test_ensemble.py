"""Members to one bundle: how they are mixed, who may judge, and the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from trainer import cli
from trainer.evaluation.metrics import apply_softmax
from trainer.runs.ensembling import average_members, crossfit_logits, stack_members, weight_members
from tumorviewer.models import weights
from tumorviewer.networks.ensemble import Ensemble

RANDOM = np.random.default_rng(3)


def evidence_of(labels: np.ndarray, classes: int, *noise: float) -> np.ndarray:
    """Centred evidence ``(N, M, K)`` of members that are the worse the noisier they are."""
    truth = np.eye(classes)[labels] * 2
    members = [truth + RANDOM.normal(0, sigma, truth.shape) for sigma in noise]
    found = np.stack(members, 1)
    return found - found.mean(2, keepdims=True)


def test_weights_lie_on_the_simplex_where_the_log_loss_is_least():
    labels = RANDOM.integers(0, 3, 400)
    evidence = evidence_of(labels, 3, 1.0, 2.0)
    mixing = weight_members(evidence, labels)
    found = mixing.weight[0, :, 0]
    assert found.sum() == pytest.approx(1)
    assert (mixing.weight[1, :, 1] == found).all()
    by_hand = [
        log_loss(labels, apply_softmax(np.einsum("m,nmk->nk", [w, 1 - w], evidence)))
        for w in np.linspace(0, 1, 1001)
    ]
    assert found[0] == pytest.approx(np.argmin(by_hand) / 1000, abs=2e-3)
    assert average_members(evidence, labels).weight[0, :, 0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("classes", [2, 3])
def test_stacking_answers_as_the_regression_does(classes):
    labels = RANDOM.integers(0, classes, 300)
    evidence = evidence_of(labels, classes, 1.0, 2.0)
    reference = LogisticRegression(C=1.0, max_iter=1000).fit(evidence.reshape(300, -1), labels)
    expected = reference.predict_proba(evidence.reshape(300, -1))
    found = apply_softmax(stack_members(evidence, labels).logits(evidence))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_no_item_has_a_part_in_the_coefficients_that_judge_it():
    """Labels that follow the fold alone: only who fits on what he is judged on can know them."""
    folds = np.repeat([0, 1], 100)
    labels = np.where(folds == 0, 0, 1) ^ (RANDOM.random(200) < 0.1)
    evidence = evidence_of(RANDOM.integers(0, 2, 200), 2, 1.0, 1.0)
    honest = crossfit_logits(stack_members, evidence, labels, folds)
    assert (honest.argmax(1) == labels).mean() < 0.2
    flattered = stack_members(evidence, labels).logits(evidence)
    assert (flattered.argmax(1) == labels).mean() > 0.4


@pytest.fixture(scope="module")
def trained(shapes, cache, tmp_path_factory):
    """Two sizes of one network, on the same split, and one on another split."""
    root = tmp_path_factory.mktemp("members")
    arguments = ["fit", str(shapes), f"--cache={cache}", "--progress=none"]
    arguments += ["--set=model.architecture=light", "--set=model.options.width=8"]
    arguments += ["--set=training.epochs=1", "--set=training.batch=8", "--set=split.folds=3"]
    for name, size, fold in (("a", 32, 0), ("b", 48, 0), ("other", 32, 1)):
        more = [f"--out={root / name}", f"--set=preprocessing.size={size}"]
        more += [f'--set=split.validation="fold {fold}"', f"--set=card.name={name}"]
        assert cli.main([*arguments, *more]) == 0
    return root


def join(trained, shapes, cache, out, method, *names) -> int:
    members = [str(trained / name / "bundle") for name in names]
    arguments = ["ensemble", str(shapes), *members, f"--method={method}", f"--out={out}"]
    return cli.main([*arguments, f"--cache={cache}", "--progress=none"])


@pytest.mark.parametrize("method", ["average", "weighted", "stacked"])
def test_members_become_a_bundle_that_loads(method, trained, shapes, cache, tmp_path):
    assert join(trained, shapes, cache, tmp_path, method, "a", "b") == 0
    card, network = weights.load_weights(tmp_path / "bundle")
    assert isinstance(network, Ensemble)
    assert card.preprocessing.size == 48
    assert [one["name"] for one in card.training["members"]] == ["a", "b"]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert card.figures["grouped_validation"]["n"] == 12
    assert card.figures == figures["figures"]
    evaluated = ["evaluate", str(shapes), f"--model={tmp_path / 'bundle'}", f"--cache={cache}"]
    assert cli.main([*evaluated, "--progress=none"]) == 0


def test_members_of_another_split_are_refused(trained, shapes, cache, tmp_path, capsys):
    assert join(trained, shapes, cache, tmp_path, "average", "a", "other") == 1
    assert "not validated on the same part" in capsys.readouterr().err
    assert join(trained, shapes, cache, tmp_path, "average", "a") == 1
    assert "One model makes no ensemble" in capsys.readouterr().err

"""All measures of trust of a run's model, into its bundle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.data.material import DataSource
from trainer.data.material import prepare_data as gather_material
from trainer.runs.config import Config, DataSettings
from trainer.runs.run_context import BUNDLE
from trainer.tools.progress import Progress
from trainer.trust import (
    abstention,
    calibration,
    confident_mistakes,
    out_of_distribution,
    prediction_sets,
    saliency_maps,
    similar_index,
    slice_pooling,
    training_cohort,
)
from trainer.trust import model_outputs as evidences
from trainer.trust.held_out import HeldOut
from trainer.trust.model_outputs import ModelOutputs
from trainer.trust.out_of_distribution import OodSources
from tumorviewer.models import ModelCard, bundle
from tumorviewer.models.trust_measures import Trust

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class TrustAids:
    """What some measures need beside the data."""

    outlines: str = ""
    """Folder of the lesions' outlines, as ``guidance.masks``."""
    kinds: OodSources = field(default_factory=OodSources)


def measure_trust(
    run: Path,
    settings: Config,
    source: DataSource,
    aids: TrustAids,
    device: str,
    progress: Progress,
) -> ModelCard:
    """Measure a run's model on what the run held out, and write it into the run's bundle.

    Raises
    ------
    InputError
        If the run is not finished, held nothing out, or was of other data.
    """
    material = gather_material(source, settings.preprocessing, progress)
    evidence = evidences.collect_outputs(run / BUNDLE, material, settings, device, progress)
    arrays: Arrays = {}
    trust = Trust(len(evidence.held), len(np.unique(evidence.groups[evidence.held])))
    if trust.groups > 1:
        trust = _of_answers(trust, HeldOut.of(evidence), progress)
        known, found = out_of_distribution.measure_out_of_distribution(
            evidence, aids.kinds, source.cache, progress
        )
        trust, arrays = replace(trust, familiarity=known), arrays | found
    trust, found = _of_training(trust, evidence, settings.data, progress)
    arrays |= found
    outlines = aids.outlines or settings.guidance.masks
    trust = replace(
        trust, maps=saliency_maps.measure_saliency_maps(evidence, outlines, source.cache, progress)
    )
    return bundle.write_trust(run / BUNDLE, trust, arrays)


def _of_training(
    trust: Trust, evidence: ModelOutputs, settings: DataSettings, progress: Progress
) -> tuple[Trust, Arrays]:
    """What answers are compared with: the training items, whom they show, and the worst answers."""
    name = settings.name or evidence.material.dataset.root.name
    progress("similar cases", 0, 2)
    described, index = similar_index.build_similar_index(
        evidence, name, with_pictures=settings.ship_pictures
    )
    progress("training cohort", 1, 2)
    known = training_cohort.describe_cohort(evidence, progress)
    worst, pictures = confident_mistakes.find_confident_mistakes(
        evidence, name, with_pictures=settings.ship_pictures
    )
    return replace(trust, similar=described, cohort=known, mistakes=worst), index | pictures


def _of_answers(trust: Trust, held: HeldOut, progress: Progress) -> Trust:
    """Those that need no more than answers and labels; a group alone cannot be cross-fitted."""
    progress("calibration", 0, 2)
    calibrated = calibration.measure_calibration(held)
    progress("sets and abstention", 1, 2)
    abstains = abstention.measure_abstention(held)
    return replace(
        trust,
        calibration=calibrated,
        sets=prediction_sets.measure_prediction_sets(held),
        abstention=abstains,
        pooling=slice_pooling.measure_slice_pooling(held, abstains),
    )

"""All measures of trust of a run's model, into its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.fit import BUNDLE
from trainer.material import Source
from trainer.material import gather as gather_material
from trainer.progress import Progress
from trainer.trust import evidence as evidences
from tumorviewer.models import ModelCard, bundle
from tumorviewer.models.trust import Trust

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Aids:
    """What some measures need beside the data."""

    outlines: str = ""
    """Folder of the lesions' outlines, as ``guidance.masks``."""
    outside: tuple[Path, ...] = ()
    """Images of other kinds."""


def measure(
    run: Path, settings: Config, source: Source, aids: Aids, device: str, progress: Progress
) -> ModelCard:
    """Measure a run's model on what the run held out, and write it into the run's bundle.

    Raises
    ------
    InputError
        If the run is not finished, held nothing out, or was of other data.
    """
    material = gather_material(source, settings.preprocessing, progress)
    evidence = evidences.gather(run / BUNDLE, material, settings, device, progress)
    progress.say(f"beside the data: {aids}")
    arrays: Arrays = {}
    trust = Trust(len(evidence.held), len(np.unique(evidence.groups[evidence.held])))
    return bundle.with_trust(run / BUNDLE, trust, arrays)

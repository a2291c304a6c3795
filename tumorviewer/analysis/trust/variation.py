"""Whether an answer survives small changes of the picture: test-time augmentation.

What it answers is an observation, not a probability: no error rate was calibrated on it. (Wang et
al., Neurocomputing 2019, on test-time augmentation as a measure of uncertainty.)
Shapes: V changes, T slices of a series, S side, K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.engines.batches import Batches, softmax_probabilities
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.finding import Variation

Picture = NDArray[np.uint8]
"""``(…, S, S)`` grey levels."""
_SHIFT = 0.04
"""Of the side; training shifts by as much."""


def mirror(picture: Picture) -> Picture:
    """Left for right."""
    return picture[..., ::-1]


def shift(picture: Picture) -> Picture:
    """Down and to the right; what comes in is dark."""
    by = round(_SHIFT * picture.shape[-1])
    moved = np.zeros_like(picture)
    moved[..., by:, by:] = picture[..., :-by, :-by]
    return moved


def brighten(picture: Picture) -> Picture:
    """Gamma 0.8."""
    return _gamma(picture, 0.8)


def darken(picture: Picture) -> Picture:
    """Gamma 1.25."""
    return _gamma(picture, 1.25)


CHANGES: tuple[Callable[[Picture], Picture], ...] = (mirror, shift, brighten, darken)


def is_cheap(examination: Examination) -> bool:
    """Whether the changes of one slice take at most a twentieth of what the slices took."""
    return len(CHANGES) * 20 <= len(examination.prepared.slices)


def vary_slice(examination: Examination, position: int) -> Variation:
    """Ask about one of the prepared slices, changed in each way.

    Raises
    ------
    InputError
        If the model's answer is not finite, or memory does not suffice.
    """
    card, prepared = examination.model.card, examination.prepared
    changed = np.stack([change(prepared.pictures[position]) for change in CHANGES])
    given_NK = examination.probabilities()[position]
    found_VK = _answers(examination, changed)
    most = int(given_NK.argmax())
    others = dict.fromkeys(card.classes[one] for one in found_VK.argmax(1) if one != most)
    return Variation(
        slice=prepared.slices[position],
        target=card.classes[most],
        unchanged=float(given_NK[most]),
        low=float(found_VK[:, most].min()),
        high=float(found_VK[:, most].max()),
        others=tuple(others),
    )


def _answers(examination: Examination, changed_VSS: Picture) -> NDArray[np.float64]:
    model = examination.model
    parts = Batches(model).run(
        list(range(len(changed_VSS))), lambda part: model.ask(changed_VSS[part]).logits
    )
    return softmax_probabilities(np.concatenate([logits for _, logits in parts]), model.card)


def _gamma(picture: Picture, gamma: float) -> Picture:
    levels = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return np.asarray(levels[picture])

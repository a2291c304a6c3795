"""A segmenter that torch runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from tumorviewer.analysis.engines.finder_engine import Floats, Levels
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models.card import ModelCard
from tumorviewer.networks.segmenter import Segmenter, create_segmenter, fold_batch_norms


class TorchFinder:
    """A network of torch."""

    def __init__(self, network: Segmenter) -> None:
        self.network = network

    @classmethod
    def load(cls, folder: Path, card: ModelCard) -> TorchFinder:
        """From a bundle that was verified.

        Raises
        ------
        InputError
            If its weights do not fit its architecture.
        """
        try:
            network = create_segmenter(
                card.architecture.name, len(card.classes), **card.architecture.options
            )
            network.load_state_dict(load_file(folder / card.weights.file))
        except (ValueError, TypeError, RuntimeError) as error:
            raise InputError(
                card.name,
                tr("Its weights do not fit its architecture: {error}.", error=error),
                tr("Get the model again from where it came from."),
            ) from error
        network.float().eval().requires_grad_(False)
        fold_batch_norms(network)
        return cls(network.to(memory_format=torch.channels_last))

    @torch.inference_mode()
    def outline(self, squares_NSS: Levels) -> tuple[Floats, Floats | None]:
        """See :meth:`FinderEngine.outline`."""
        network = self.network
        device = next(network.parameters()).device
        squares = np.require(squares_NSS[:, None], requirements="W")
        x = torch.from_numpy(squares).to(device).float().div_(255)
        x = x.contiguous(memory_format=torch.channels_last)
        if not network.names:
            tumour = network(x).tumour.sigmoid()
            anywhere = torch.ones_like(tumour)
            both: Floats = torch.cat((tumour, anywhere), 1).cpu().numpy()
            return both.transpose(1, 0, 2, 3), None
        maps = network.features(x)
        both = network.outlines(maps, x.shape[-1]).sigmoid().cpu().numpy()
        deepest: Floats = maps[-1].cpu().numpy()
        return both.transpose(1, 0, 2, 3), deepest

    @torch.inference_mode()
    def classify(self, maps_NCHW: Floats, outlines_NSS: Floats) -> Floats:
        """See :meth:`FinderEngine.classify`."""
        device = next(self.network.parameters()).device
        maps, outlines = (
            torch.from_numpy(np.require(one, requirements=["C", "W"])).to(device)
            for one in (maps_NCHW, outlines_NSS[:, None])
        )
        logits: Floats = self.network.classify(maps, outlines).cpu().numpy()
        return logits

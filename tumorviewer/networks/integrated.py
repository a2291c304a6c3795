"""Backbone, LSTM and transformer as one network, after the first paper; and CNN with attention.

``integrated`` feeds the backbone's features to a long short-term memory (Hochreiter and
Schmidhuber, Neural Computation 1997) and to a transformer encoder (Vaswani et al., NeurIPS 2017)
side by side; both answers, joined, go into one softmax. What the LSTM reads one after the other:

``sequence = "rows"``
    One picture: the rows of its feature map from top to bottom, each the mean over its columns.
``sequence = "slices"``
    A slice with its neighbours in the stack, ``(N, 2k + 1, S, S)``, each through the one backbone:
    the means of their feature maps, in the order of the stack. The card's
    ``preprocessing.neighbours`` is k, whatever it is; the saliency map is that of the slice in the
    middle, which the answer is for.

The transformer attends to every place of the map, of all slices.

``cnn_attention`` (one picture) replaces the backbone's mean over places by a learned weighting.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from tumorviewer.networks.backbones import FAMILIES, Backbone
from tumorviewer.networks.registry import Classifier, register_architecture

# Shape suffixes: N pictures, T slices, C channels, S input side, H W feature map, L tokens,
# D embedding.

_BACKBONES = tuple(name for name in FAMILIES if name != "vit_b_16")
"""A vision transformer keeps its class token beside its map."""


class SharedTrunk(nn.Sequential):
    """A backbone's trunk on each slice: ``(N, T, S, S)`` to ``(N, T·C, H, W)``."""

    def forward(self, x_NTSS: Tensor) -> Tensor:
        """Every slice of every picture as a picture of its own."""
        x = x_NTSS.flatten(0, 1).unsqueeze(1)
        for step in self:
            x = step(x)
        maps: Tensor = x.unflatten(0, (-1, x_NTSS.shape[1])).flatten(1, 2)
        return maps


class RecurrentBranch(nn.Module):
    """An LSTM along the sequence; its last state, ``(N, D)``."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, batch_first=True)

    def forward(self, sequence_NLC: Tensor) -> Tensor:
        """Read the sequence to its end."""
        # cuDNN's LSTM cannot be differentiated in evaluation mode, as a saliency map needs it
        with torch.backends.cudnn.flags(enabled=self.training):
            _, (state, _) = self.lstm(sequence_NLC)
        last: Tensor = state[-1]
        return last


class TransformerBranch(nn.Module):
    """A transformer encoder over tokens at sinusoidal positions; the mean of its answers."""

    def __init__(self, channels: int, hidden: int, layers: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, hidden)
        layer = nn.TransformerEncoderLayer(
            hidden, heads, 4 * hidden, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, tokens_NLC: Tensor) -> Tensor:
        """``(N, hidden)``."""
        tokens = self.project(tokens_NLC)
        answer: Tensor = self.norm(self.encoder(tokens + encode_positions(tokens)).mean(1))
        return answer


def encode_positions(tokens_NLC: Tensor) -> Tensor:
    """Position encoding ``(L, C)`` of Vaswani et al., NeurIPS 2017, section 3.5; C is even."""
    length, channels = tokens_NLC.shape[1:]
    place = torch.arange(length, dtype=torch.float32, device=tokens_NLC.device)[:, None]
    pair = torch.arange(0, channels, 2, dtype=torch.float32, device=tokens_NLC.device)
    angle = place * torch.exp(pair * (-math.log(10_000) / channels))
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1).to(tokens_NLC.dtype)


class BranchFusion(nn.Module):
    """The feature map to what both branches make of it, joined."""

    def __init__(self, channels: int, sequence: str, branches: tuple[nn.Module, nn.Module]) -> None:
        super().__init__()
        self.channels = channels
        self.averaged = (1, 3) if sequence == "rows" else (2, 3)
        self.recurrent, self.attending = branches

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """``(N, D)``: the LSTM's state, then the transformer's answer."""
        maps_NTHWC = maps_NCHW.unflatten(1, (-1, self.channels)).movedim(2, 4)
        sequence_NLC = maps_NTHWC.mean(self.averaged)
        places_NLC = maps_NTHWC.flatten(1, 3)
        return torch.cat([self.recurrent(sequence_NLC), self.attending(places_NLC)], 1)


class AttentionPooling(nn.Module):
    """Attention pooling of a feature map (Ilse et al., ICML 2018, equation 8): ``(N, C)``."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.Tanh(), nn.Conv2d(hidden, 1, 1, bias=False)
        )

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """The mean over places, each with the weight that its own features earn."""
        weights = self.score(maps_NCHW).flatten(2).softmax(2)
        mean: Tensor = (maps_NCHW.flatten(2) * weights).sum(2)
        return mean


class OnBackbone(Classifier):
    """A head of ours, that makes an embedding of the map, on the trunk of a backbone."""

    embedding = 1

    def __init__(self, backbone: str) -> None:
        super().__init__()
        if backbone not in _BACKBONES:
            known = ", ".join(_BACKBONES)
            raise ValueError(f"no backbone {backbone!r} that ends in a map; known are {known}")
        below = Backbone(backbone, 2)
        self.trunk, self.channels = below.trunk, below.channels
        self.torchvision, self.upper = backbone, below.upper
        self.input_size, self.smallest = below.input_size, below.smallest
        self.published = {
            theirs: ours for theirs, ours in below.published.items() if ours.startswith("trunk.")
        }


class IntegratedClassifier(OnBackbone):
    """Backbone, LSTM and transformer branches, one softmax."""

    def __init__(self, backbone: str, sequence: str) -> None:
        super().__init__(backbone)
        if sequence not in ("rows", "slices"):
            raise ValueError(f"sequence is {sequence!r}; it may be rows or slices")
        self.takes_neighbours = sequence == "slices"
        if self.takes_neighbours:
            self.trunk = SharedTrunk(OrderedDict(self.trunk.named_children()))

    def shown(self, maps_NCHW: Tensor) -> Tensor:
        """The map of the slice in the middle."""
        middle = maps_NCHW.shape[1] // self.channels // 2
        return maps_NCHW[:, middle * self.channels : (middle + 1) * self.channels]


class AttentionClassifier(OnBackbone):
    """A backbone with attention pooling."""

    attends = is_guidable = True

    def scores(self, maps_NCHW: Tensor) -> Tensor:
        """Before the softmax, ``(N, 1, H, W)``."""
        weighing = self.get_submodule("head.0")
        assert isinstance(weighing, AttentionPooling)
        scores: Tensor = weighing.score(maps_NCHW)
        return scores


@register_architecture("integrated")
def build_integrated(
    classes: int,
    backbone: str = "resnet50",
    sequence: str = "rows",
    hidden: int = 256,
    width: int = 256,
    layers: int = 2,
    heads: int = 4,
    dropout: float = 0.3,
) -> Classifier:
    """Build the integrated model: an LSTM of ``hidden`` units beside a transformer encoder of
    ``layers`` with ``heads`` each, ``width`` wide."""
    network = IntegratedClassifier(backbone, sequence)
    branches = (
        RecurrentBranch(network.channels, hidden),
        TransformerBranch(network.channels, width, layers, heads),
    )
    network.head = nn.Sequential(
        BranchFusion(network.channels, sequence, branches),
        nn.Dropout(dropout),
        nn.Linear(hidden + width, classes),
    )
    return network


@register_architecture("cnn_attention")
def cnn_attention(
    classes: int, backbone: str = "resnet50", hidden: int = 128, dropout: float = 0.3
) -> Classifier:
    """Build a backbone with attention pooling."""
    network = AttentionClassifier(backbone)
    network.head = nn.Sequential(
        AttentionPooling(network.channels, hidden),
        nn.Dropout(dropout),
        nn.Linear(network.channels, classes),
    )
    return network

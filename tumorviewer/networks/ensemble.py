"""Several classifiers that answer as one, by a logarithmic opinion pool.

Each member's logits are divided by the member's own temperature, centred over the classes (which
leaves them equal to its centred log-probabilities) and mixed linearly. One layer says all three
usual ways: the average (the normalised geometric mean of the members' probabilities), weights on
the simplex (Genest and Zidek, Statistical Science 1986), and stacking by multinomial regression
(Wolpert, Neural Networks 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorviewer.networks.registry import Classifier, create_network, register_architecture

# Shape suffixes: M members, N pictures, T slices of a series, C channels, S input side,
# H W feature map, D embedding, K classes.

NAME = "ensemble"


@dataclass(frozen=True)
class Member:
    """How one member is built, and what its trunk makes of a picture."""

    architecture: str
    size: int
    """Side of the square that it was trained on, pixels."""
    channels: int
    """Of its feature map."""
    side: int
    """Of its feature map."""
    embedding: int
    """Length of its embedding."""
    options: dict[str, Any] = field(default_factory=dict)


class Ensemble(Classifier):
    """Members side by side; the map is all their maps on the finest one's grid.

    A coarser map is repeated to the nearest cells, and averaged back before its member's head, so
    that the head sees what its trunk made, to rounding, and saliency is shared among the copies.
    The embedding is the members' embeddings, one after the other.
    """

    embedding = 1

    def __init__(self, classes: int, members: Sequence[Member]) -> None:
        super().__init__()
        self.parts = tuple(members)
        self.members = nn.ModuleList(
            create_network(one.architecture, classes, **one.options) for one in members
        )
        self.register_buffer("temperatures", torch.ones(len(members)))
        self.trunk = _Step(self._maps)
        self.head = nn.Sequential(
            _Step(self._embeddings),
            _Step(self._evidence),
            nn.Linear(len(members) * classes, classes),
        )
        self.input_size = max(one.size for one in members)
        self.takes_neighbours = self.networks()[0].takes_neighbours
        self._side = max(one.side for one in members)

    def networks(self) -> list[Classifier]:
        """The members."""
        return [one for one in self.members if isinstance(one, Classifier)]

    def opinions(self, maps_NCHW: Tensor) -> Tensor:
        """``(M, N, K)``: probabilities of each member, from the ensemble's map."""
        return self.evidence(maps_NCHW).softmax(2).transpose(0, 1)

    def evidence(self, maps_NCHW: Tensor) -> Tensor:
        """``(N, M, K)``: centred log-probabilities of each member, calibrated by itself."""
        flat_NMK = self._evidence(self.embed(maps_NCHW))
        return flat_NMK.reshape(len(flat_NMK), len(self.parts), -1)

    def shown(self, maps_NCHW: Tensor) -> Tensor:
        """As every member shows its own."""
        own = torch.split(maps_NCHW, [one.channels for one in self.parts], 1)
        return torch.cat(
            [network.shown(maps) for network, maps in zip(self.networks(), own, strict=True)], 1
        )

    def mixed_by(self, weight_KMK: Tensor, bias_K: Tensor) -> None:
        """Mix the evidence by these coefficients from now on, in place."""
        layer = self.get_submodule("head.2")
        assert isinstance(layer, nn.Linear)
        with torch.no_grad():
            layer.weight.copy_(weight_KMK.flatten(1))
            layer.bias.copy_(bias_K)

    def _maps(self, x_NTSS: Tensor) -> Tensor:
        """``(N, C, H, W)``: the members' maps, one after the other."""
        maps = [
            _spread(network.trunk(_resized(x_NTSS, part.size)), self._side)
            for part, network in zip(self.parts, self.networks(), strict=True)
        ]
        return torch.cat(maps, 1)

    def _embeddings(self, maps_NCHW: Tensor) -> Tensor:
        own = torch.split(maps_NCHW, [one.channels for one in self.parts], 1)
        embeddings = [
            network.embed(_gathered(maps, part.side))
            for part, network, maps in zip(self.parts, self.networks(), own, strict=True)
        ]
        return torch.cat(embeddings, 1)

    def _evidence(self, embedding_ND: Tensor) -> Tensor:
        own = torch.split(embedding_ND, [one.embedding for one in self.parts], 1)
        logits_NMK = torch.stack(
            [network.classify(one) for network, one in zip(self.networks(), own, strict=True)], 1
        )
        tempered = logits_NMK / self.get_buffer("temperatures")[:, None]
        return (tempered - tempered.mean(2, keepdim=True)).flatten(1)


def measure_disagreement(opinions_MNK: Tensor) -> Tensor:
    """``(N,)``: Jensen-Shannon divergence of the members' probabilities (Lin, IEEE Trans. Inf.
    Theory 1991), as a share of the largest that is possible: 0 if all say the same, 1 if each is
    sure of another class.

    It is the mutual information between the class and the member that is asked.
    """
    p = opinions_MNK.double()
    members, _, classes = p.shape
    divergence = _entropy(p.mean(0)) - _entropy(p).mean(0)
    return divergence.clamp_min(0) / log(min(members, classes))


def _entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p).sum(-1)


class _Step(nn.Module):
    """A method of the ensemble as a module without tensors of its own."""

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._compute = compute

    def forward(self, x: Tensor) -> Tensor:
        return self._compute(x)


def _resized(x_NTSS: Tensor, size: int) -> Tensor:
    if x_NTSS.shape[-1] == size:
        return x_NTSS
    return functional.interpolate(x_NTSS, (size, size), mode="bilinear", antialias=True)


def _nearest(coarse: int, fine: int) -> list[int]:
    """The coarse cell under each fine one."""
    return [cell * coarse // fine for cell in range(fine)]


def _spread(maps_NCHW: Tensor, side: int) -> Tensor:
    """Each cell repeated over the finer cells nearest to it."""
    own = maps_NCHW.shape[-1]
    if own == side:
        return maps_NCHW
    index = torch.tensor(_nearest(own, side), device=maps_NCHW.device)
    return maps_NCHW.index_select(2, index).index_select(3, index)


def _gathered(maps_NCHW: Tensor, side: int) -> Tensor:
    """The inverse of :func:`_spread`: the mean over each cell's copies."""
    if maps_NCHW.shape[-1] == side:
        return maps_NCHW
    index = torch.tensor(_nearest(side, maps_NCHW.shape[-1]), device=maps_NCHW.device)
    share = functional.one_hot(index, side).to(maps_NCHW.dtype)
    share = share / share.sum(0)
    return torch.einsum("nchw,ha,wb->ncab", maps_NCHW, share, share)


@register_architecture(NAME)
def build_ensemble(classes: int, members: Sequence[dict[str, Any]]) -> Classifier:
    """Build an ensemble; ``members`` are tables of :class:`Member`'s fields."""
    parts = [Member(**one) for one in members]
    if len(parts) < 2:
        raise ValueError("an ensemble has at least two members")
    if any(one.architecture == NAME for one in parts):
        raise ValueError("a member of an ensemble is not an ensemble")
    return Ensemble(classes, parts)


def describe_member(
    architecture: str, options: dict[str, Any], size: int, neighbours: int, network: Classifier
) -> Member:
    """The member that a finished network becomes, by one look at an empty picture."""
    with torch.inference_mode():
        maps = network.eval().trunk(torch.zeros(1, 2 * neighbours + 1, size, size))
        embedding = network.embed(maps)
    return Member(architecture, size, maps.shape[1], maps.shape[3], embedding.shape[1], options)


def assemble_ensemble(
    classes: int,
    members: Sequence[Member],
    networks: Sequence[Classifier],
    temperatures: Sequence[float],
) -> Ensemble:
    """The average of finished networks."""
    built = create_network(NAME, classes, members=[asdict(one) for one in members])
    assert isinstance(built, Ensemble)
    for part, network in zip(built.members, networks, strict=True):
        part.load_state_dict(network.state_dict())
    built.get_buffer("temperatures").copy_(torch.tensor(temperatures))
    average = torch.eye(classes)[:, None].expand(-1, len(members), -1) / len(members)
    built.mixed_by(average, torch.zeros(classes))
    return built.eval()

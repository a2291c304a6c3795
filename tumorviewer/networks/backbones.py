"""Networks of torchvision by name: one class and a table of where each of them is cut.

Each computes what torchvision's own model computes, with weights of the same shapes; tensors keep
their published names behind ``trunk.`` and get new ones in the head (:attr:`Classifier.published`
maps them). Grey goes into all three channels, normalised as the published weights want it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from tumorviewer.networks.registry import (
    HALF,
    IMAGENET,
    Classifier,
    Normalise,
    match_tensors,
    register_architecture,
)
from tumorviewer.networks.tokens import LastBlock, Tokens

_MADE: dict[str, Callable[[Any], nn.Module]] = {
    "relu": lambda _: nn.ReLU(),
    "avgpool": lambda _: nn.AdaptiveAvgPool2d(1),
    "flatten": lambda _: nn.Flatten(),
    "positions": lambda _: nn.Unflatten(1, (512, -1, 1)),
    "tokens": Tokens,
    "last_block": LastBlock,
}
"""Steps that some of torchvision's models compute in ``forward`` without a module, of the model."""


@dataclass(frozen=True)
class Family:
    """Where a model of torchvision is cut; steps are names of its children, or made here."""

    trunk: str
    channels: int
    """Of the feature map, as far as they belong to places of the picture."""
    head: str
    upper: tuple[str, ...]
    """Prefixes of the upper layers in the trunk."""
    embedding: int = 2
    """So many of the head's steps make the embedding."""
    size: int = 224
    smallest: int = 32
    normalisation: tuple[list[float], list[float]] = IMAGENET
    arguments: dict[str, Any] = field(default_factory=dict)
    """Of torchvision's builder, beside the number of classes."""


def _resnet(channels: int) -> Family:
    steps = "conv1 bn1 relu maxpool layer1 layer2 layer3 layer4"
    return Family(steps, channels, "avgpool flatten fc", ("layer4.",))


def _mobilenet_v3(channels: int, *upper: str) -> Family:
    return Family("features", channels, "avgpool flatten classifier", upper, embedding=4)


FAMILIES: dict[str, Family] = {
    # Simonyan and Zisserman, ICLR 2015; the upper layers are the fifth block
    "vgg16": Family(
        trunk="features",
        channels=512,
        head="avgpool flatten classifier",
        upper=("features.24.", "features.26.", "features.28."),
        embedding=7,
    ),
    # He et al., CVPR 2016
    "resnet18": _resnet(512),
    "resnet50": _resnet(2048),
    # Szegedy et al., CVPR 2016; without the auxiliary classifier
    "inception_v3": Family(
        trunk="Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 maxpool1 Conv2d_3b_1x1 Conv2d_4a_3x3 "
        "maxpool2 Mixed_5b Mixed_5c Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e "
        "Mixed_7a Mixed_7b Mixed_7c",
        channels=2048,
        head="avgpool flatten dropout fc",
        upper=("Mixed_7a.", "Mixed_7b.", "Mixed_7c."),
        size=299,
        smallest=75,
        normalisation=HALF,  # what torchvision's ``transform_input`` makes of ImageNet's
        arguments={"aux_logits": False, "init_weights": True},
    ),
    # Howard et al., ICCV 2019
    "mobilenet_v3_small": _mobilenet_v3(576, "features.11.", "features.12."),
    "mobilenet_v3_large": _mobilenet_v3(960, "features.15.", "features.16."),
    # Tan and Le, ICML 2019
    "efficientnet_b0": Family(
        trunk="features",
        channels=1280,
        head="avgpool flatten classifier",
        upper=("features.7.", "features.8."),
    ),
    # Huang et al., CVPR 2017
    "densenet121": Family(
        trunk="features relu",
        channels=1024,
        head="avgpool flatten classifier",
        upper=("features.denseblock4.", "features.norm5."),
    ),
    # Liu et al., CVPR 2022
    "convnext_tiny": Family(
        trunk="features",
        channels=768,
        head="avgpool classifier",
        upper=("features.7.",),
        embedding=3,
    ),
    # Liu et al., ICCV 2021
    "swin_t": Family(
        trunk="features norm permute",
        channels=768,
        head="avgpool flatten head",
        upper=("features.7.", "norm."),
    ),
    # Dosovitskiy et al., ICLR 2021; the last block is in the head
    "vit_b_16": Family(
        trunk="tokens",
        channels=768,
        head="last_block heads",
        upper=("tokens.layers.encoder_layer_10.", "tokens.norm."),
        embedding=1,
    ),
    # Iandola et al., arXiv:1602.07360; its classifier is not linear in the map's mean, so that
    # only the whole map can be the embedding
    "squeezenet1_1": Family(
        trunk="features",
        channels=512,
        head="flatten positions classifier flatten",
        upper=("features.12.",),
        embedding=1,
    ),
}


class Backbone(Classifier):
    """A model of torchvision, cut as its family says.

    Parameters
    ----------
    dropout
        Of the head; None for torchvision's.
    """

    def __init__(self, name: str, classes: int, dropout: float | None = None) -> None:
        from torchvision import models  # takes seconds: for whoever builds one

        super().__init__()
        family = FAMILIES[name]
        whole = models.get_model(name, weights=None, num_classes=classes, **family.arguments)
        steps = [("normalise", Normalise(*family.normalisation)), *_steps(whole, family.trunk)]
        self.trunk = nn.Sequential(OrderedDict(steps))
        self.head = nn.Sequential(*_head(whole, family, dropout))
        self.published = match_tensors(whole, self)
        self.torchvision = name
        self.embedding, self.channels = family.embedding, family.channels
        self.input_size, self.smallest = family.size, family.smallest
        self.upper = (*(f"trunk.{prefix}" for prefix in family.upper), "head.")

    def shown(self, maps_NCHW: Tensor) -> Tensor:
        """Without the class token of a vision transformer."""
        return maps_NCHW[:, : self.channels]


def _steps(whole: nn.Module, names: str) -> Iterator[tuple[str, nn.Module]]:
    children = dict(whole.named_children())
    for name in names.split():
        yield name, children[name] if name in children else _MADE[name](whole)


def _head(whole: nn.Module, family: Family, dropout: float | None) -> list[nn.Module]:
    steps: list[nn.Module] = []
    for _, step in _steps(whole, family.head):
        steps += step if isinstance(step, nn.Sequential) else [step]
    if not any(isinstance(step, nn.Dropout) for step in steps):
        steps.insert(family.embedding, nn.Dropout(0.0))
    for step in steps:
        if dropout is not None and isinstance(step, nn.Dropout):
            step.p = dropout
    return steps


def _builder(name: str) -> Callable[..., Classifier]:
    def build(classes: int, dropout: float | None = None) -> Classifier:
        return Backbone(name, classes, dropout)

    return build


for _name in FAMILIES:
    register_architecture(_name)(_builder(_name))

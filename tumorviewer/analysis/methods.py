"""The saliency methods to choose from, in words. No torch: the window lists them."""

from __future__ import annotations

from dataclasses import dataclass

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.models.card import ModelCard

ATTENDING = frozenset({"cnn_attention", "light_guided"})
"""Architectures with attention of their own over the places of the feature map."""
TRANSFORMERS = frozenset({"vit_b_16"})
"""Architectures of tokens that attend to each other from the first layer to the last."""
BEST = "best"
"""Stands for the method that a model's card names, see :func:`choose_method`."""


@dataclass(frozen=True)
class Method:
    """One way to make a saliency map."""

    key: str
    """As on the command line and in a finding."""
    title: str
    class_agnostic: bool = False
    """Whether the map is the same whatever the class."""
    is_slow: bool = False
    """Whether it is only made for slices that are asked for."""
    reference: str = ""
    architectures: frozenset[str] | None = None
    """Those that it is for; None for all."""
    needs_picture: bool = False
    """Whether the network is run again for it; the others are made of its feature map."""

    def suits(self, card: ModelCard) -> bool:
        """Whether it can be made of a model."""
        return self.architectures is None or card.architecture.name in self.architectures


METHODS: dict[str, Method] = {
    method.key: method
    for method in (
        Method("gradcam", "Grad-CAM", reference="Selvaraju et al., ICCV 2017"),
        Method("gradcam++", "Grad-CAM++", reference="Chattopadhay et al., WACV 2018"),
        Method("hirescam", "HiResCAM", reference="Draelos and Carin, arXiv:2011.08891"),
        Method("layercam", "LayerCAM", reference="Jiang et al., IEEE TIP 2021"),
        Method(
            "scorecam",
            "Score-CAM",
            is_slow=True,
            reference="Wang et al., CVPRW 2020",
            needs_picture=True,
        ),
        Method(
            "eigencam",
            "EigenCAM",
            class_agnostic=True,
            reference="Muhammad and Yeasin, IJCNN 2020",
        ),
        Method(
            "attention",
            later("Attention"),
            class_agnostic=True,
            reference="Ilse et al., ICML 2018",
            architectures=ATTENDING,
            needs_picture=True,
        ),
        Method(
            "attention-class",
            later("Attention × HiResCAM"),
            reference="Ilse et al., ICML 2018",
            architectures=ATTENDING,
            needs_picture=True,
        ),
        Method(
            "rollout",
            later("Attention rollout"),
            class_agnostic=True,
            reference="Abnar and Zuidema, ACL 2020",
            architectures=TRANSFORMERS,
            needs_picture=True,
        ),
        Method(
            "occlusion",
            later("Occlusion"),
            is_slow=True,
            reference="Zeiler and Fergus, ECCV 2014",
            needs_picture=True,
        ),
    )
}
"""In the order in which they are offered; the first is the default of a model that nobody measured
them on."""


def find_method(key: str) -> Method:
    """The method of that key.

    Raises
    ------
    InputError
        If there is none.
    """
    if key not in METHODS:
        known = ", ".join(METHODS)
        raise InputError(
            key,
            tr("There is no saliency method of that name."),
            tr("Known are {known}.", known=known),
        )
    return METHODS[key]


DEFAULT_METHOD = next(iter(METHODS))


def choose_method(card: ModelCard, key: str) -> Method:
    """The method of that key, or for :data:`BEST` the one that points best for a model.

    Raises
    ------
    InputError
        If there is none, or it cannot be made of the model.
    """
    if key == BEST:
        maps = card.trust.maps if card.trust else None
        return METHODS.get(maps.default if maps else "", METHODS[DEFAULT_METHOD])
    method = find_method(key)
    if not method.suits(card):
        reason = tr("{name} has no attention that could be shown.", name=card.name)
        raise InputError(key, reason, tr("Choose another saliency method."))
    return method

"""The saliency methods to choose from, in words. No torch: the window lists them."""

from __future__ import annotations

from dataclasses import dataclass

from tumorviewer.errors import InputError


@dataclass(frozen=True)
class Method:
    """One way to make a class activation map."""

    key: str
    """As on the command line and in a finding."""
    title: str
    class_agnostic: bool = False
    """Whether the map is the same whatever the class."""
    is_slow: bool = False
    """Whether it is only made for slices that are asked for."""
    reference: str = ""


METHODS: dict[str, Method] = {
    method.key: method
    for method in (
        Method("gradcam", "Grad-CAM", reference="Selvaraju et al., ICCV 2017"),
        Method("gradcam++", "Grad-CAM++", reference="Chattopadhay et al., WACV 2018"),
        Method("hirescam", "HiResCAM", reference="Draelos and Carin, arXiv:2011.08891"),
        Method("layercam", "LayerCAM", reference="Jiang et al., IEEE TIP 2021"),
        Method("scorecam", "Score-CAM", is_slow=True, reference="Wang et al., CVPRW 2020"),
        Method(
            "eigencam", "EigenCAM", class_agnostic=True, reference="Muhammad and Yeasin, IJCNN 2020"
        ),
    )
}
"""In the order in which they are offered; the first is the default."""


def method_named(key: str) -> Method:
    """The method of that key.

    Raises
    ------
    InputError
        If there is none.
    """
    if key not in METHODS:
        known = ", ".join(METHODS)
        raise InputError(key, "There is no saliency method of that name.", f"Known are {known}.")
    return METHODS[key]


DEFAULT_METHOD = next(iter(METHODS))

"""Saliency maps: class activation maps by pytorch-grad-cam, from feature maps that are there.

pytorch-grad-cam runs the whole network forwards and backwards for every picture. Here it is given
the network's head alone, with the feature map as its input: the trunk, which is nearly all of the
network, is neither run again nor differentiated, and the maps are the same.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor, nn

from tumorviewer.analysis import attention, occlusion
from tumorviewer.analysis.engines.activation_maps import turn_towards_activation
from tumorviewer.analysis.engines.attention_rollout import attention_rollout
from tumorviewer.analysis.engines.contrast import ContrastiveTarget
from tumorviewer.analysis.methods import ATTENDING, METHODS
from tumorviewer.networks import Classifier

# Shape suffixes: N slices, C channels, S input side, H W feature map, K classes.

_CLASSES = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "scorecam": "ScoreCAM",
    "eigencam": "EigenCAM",
}
"""Of pytorch-grad-cam."""


class _Cut(nn.Module):
    """Two halves of a network; the map is made where they meet."""

    def __init__(
        self, before: nn.Module, after: nn.Module, tick: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self.before = before
        self.after = after
        self._tick = tick

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)``."""
        if self._tick:
            self._tick()
        logits: Tensor = self.after(self.before(x))
        return logits


def explain_features(
    method: str,
    network: Classifier,
    features_NCHW: Tensor,
    target: int,
    against: int | None = None,
) -> NDArray[np.float32]:
    """Raw maps from the feature maps of some slices; differentiates the head alone.

    Parameters
    ----------
    method
        Any of :data:`tumorviewer.analysis.methods.METHODS` that does not need the picture.
    target
        The class to explain, by its place among the logits.
    against
        Another class: the map then shows what speaks for ``target`` rather than for it.

    Returns
    -------
    ndarray
        ``(N, H, W)`` in the method's own units, negative values included.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        features_NCHW = features_NCHW.clone().requires_grad_()
        cut = _Cut(nn.Identity(), network.head)
        question = ContrastiveTarget(target, against)
        raw = _raw(method, cut, network.shown, features_NCHW, question)
    if method == "eigencam":
        return turn_towards_activation(raw, _run(network.shown, features_NCHW.detach()))
    return raw


def explain_images(
    method: str,
    network: Classifier,
    pictures_N1SS: Tensor,
    target: int,
    tick: Callable[[], None] | None = None,
    against: int | None = None,
) -> NDArray[np.float32]:
    """As :func:`explain_features`, for methods that need the pictures themselves.

    ``tick`` is called before each forward pass and may raise to stop.
    """
    question = ContrastiveTarget(target, against)
    device = pictures_N1SS.device

    def trunk(images_NTSS: NDArray[np.float32]) -> NDArray[np.float32]:
        return _run(network.trunk, torch.from_numpy(images_NTSS).to(device))

    def ask(images_NTSS: NDArray[np.float32]) -> NDArray[np.float32]:
        return _run(network, torch.from_numpy(images_NTSS).to(device))

    def attended(features_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        features = torch.from_numpy(features_NCHW).to(device)
        agnostic = METHODS[method].class_agnostic
        return attention.attention_maps(
            _run(network.scores, features),
            None
            if agnostic
            else lambda: explain_features("hirescam", network, features, target, against),
        )

    if METHODS[method].architectures == ATTENDING:
        return attention.stitch_maps(trunk, pictures_N1SS.cpu().numpy(), attended)
    if method == "rollout":
        return attention_rollout(network, pictures_N1SS)
    if method == "occlusion":
        return occlusion.occlusion_maps(ask, pictures_N1SS.cpu().numpy(), question, tick)
    with torch.inference_mode(mode=False), torch.enable_grad():
        cut = _Cut(network.trunk, network.head, tick)
        return _raw(method, cut, network.shown, pictures_N1SS, question)


def _run(part: Callable[[Tensor], Any], x: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        answer: NDArray[np.float32] = part(x).float().cpu().numpy()
    return answer


def _raw(
    method: str,
    cut: _Cut,
    shown: Callable[[Tensor], Tensor],
    x: Tensor,
    question: ContrastiveTarget,
) -> NDArray[np.float32]:
    cam = _keeping_raw(_CLASSES[method])(cut, [cut.before], reshape_transform=shown)
    try:
        with (
            contextlib.redirect_stderr(io.StringIO()),  # Score-CAM draws a progress bar
            threadpool_limits(1, "blas"),  # EigenCAM's small decompositions gain nothing from more
        ):
            cam(x, [question] * len(x))
        return np.asarray(cam.raw, np.float32)
    finally:
        cam.activations_and_grads.release()


def _keeping_raw(name: str) -> type[Any]:
    """The method, with its map kept as it is before pytorch-grad-cam scales it to 0–1."""
    import pytorch_grad_cam  # takes seconds: for whoever draws a map

    method: Any = getattr(pytorch_grad_cam, name)

    class KeepingRaw(method):  # type: ignore[misc]
        def get_cam_image(self, *args: Any, **kwargs: Any) -> NDArray[np.float32]:
            # Score-CAM runs the network again in here, and would hoard every activation.
            self.activations_and_grads.release()
            raw: NDArray[np.float32] = super().get_cam_image(*args, **kwargs)
            self.raw = raw
            return raw

    return KeepingRaw

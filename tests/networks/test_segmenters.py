"""The segmenting architectures are those of their papers, and answer on the grid of their input."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tumorviewer.networks.light_unet import LightUNet, light_unet
from tumorviewer.networks.segmenter import create_segmenter, fold_batch_norms, segmenters
from tumorviewer.networks.unet import AttentionGate, AttentionUNet, UNet
from tumorviewer.networks.unet3d import UNet3D

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d, nn.ConvTranspose3d)


def layers(network: nn.Module) -> list[tuple[str, int, int, int]]:
    """Kind, channels in and out, and side of each convolution."""
    return [
        (type(one).__name__, one.in_channels, one.out_channels, one.kernel_size[0])
        for one in network.modules()
        if isinstance(one, CONVOLUTIONS)
    ]


def size(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def in_convolutions(network: nn.Module) -> int:
    return sum(size(one) for one in network.modules() if isinstance(one, CONVOLUTIONS))


def test_the_u_net_has_the_23_layers_of_its_paper() -> None:
    """Figure 1 of arXiv:1505.04597."""
    contracting = [
        (1, 64), (64, 64), (64, 128), (128, 128), (128, 256),
        (256, 256), (256, 512), (512, 512), (512, 1024), (1024, 1024),
    ]  # fmt: skip
    up = [(1024, 512), (512, 256), (256, 128), (128, 64)]
    expanding = [
        (1024, 512), (512, 512), (512, 256), (256, 256),
        (256, 128), (128, 128), (128, 64), (64, 64),
    ]  # fmt: skip
    found = layers(UNet(64, 0))
    assert len(found) == 23
    assert found[:10] == [("Conv2d", *pair, 3) for pair in contracting]
    assert found[10:14] == [("ConvTranspose2d", *pair, 2) for pair in up]
    assert found[14:22] == [("Conv2d", *pair, 3) for pair in expanding]
    assert found[22] == ("Conv2d", 64, 1, 1)


def test_the_u_net_takes_572_pixels_to_388() -> None:
    with torch.device("meta"):
        answer = UNet(64, 0)(torch.zeros(1, 1, 572, 572)).tumour
    assert answer.shape == (1, 1, 388, 388)


def test_the_3d_u_net_has_the_layers_and_parameters_of_its_paper() -> None:
    """Figure 2 and section 2 of arXiv:1606.06650: 19,069,955 parameters."""
    with torch.device("meta"):
        network = UNet3D(3, 3, 32, 0)
        answer = network(torch.zeros(1, 3, 116, 132, 132)).tumour
    assert in_convolutions(network) == 19_069_955
    assert answer.shape == (1, 3, 28, 44, 44)
    contracting = [
        (3, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512),
    ]  # fmt: skip
    assert layers(network)[:8] == [("Conv3d", *pair, 3) for pair in contracting]
    assert layers(network)[8:11] == [("ConvTranspose3d", c, c, 2) for c in (512, 256, 128)]
    expanding = [(768, 256), (256, 256), (384, 128), (128, 128), (192, 64), (64, 64)]
    assert layers(network)[11:17] == [("Conv3d", *pair, 3) for pair in expanding]
    assert layers(network)[17] == ("Conv3d", 64, 3, 1)


def test_an_attention_gate_scales_what_is_skipped_by_additive_attention() -> None:
    """Equations 1 and 2 of arXiv:1804.03999, computed anew."""
    torch.manual_seed(0)
    gate = AttentionGate(4, 8, 4).eval()
    skipped, gating = torch.rand(1, 4, 6, 6), torch.rand(1, 8, 3, 3)
    theta = torch.nn.functional.conv2d(skipped, gate.of_skipped.weight, stride=2)
    phi = torch.einsum("oc,nchw->nohw", gate.of_gating.weight[:, :, 0, 0], gating)
    q = (theta + phi + gate.of_gating.bias[None, :, None, None]).clamp_min(0)
    psi = (q * gate.coefficient.weight).sum(1, keepdim=True) + gate.coefficient.bias
    alpha = torch.nn.functional.interpolate(
        1 / (1 + (-psi).exp()), (6, 6), mode="bilinear", align_corners=False
    )
    assert torch.allclose(gate(skipped, gating), gate.out(skipped * alpha), atol=1e-6)


def test_the_attention_u_net_has_a_gate_on_every_skip_connection() -> None:
    with torch.device("meta"):
        network = AttentionUNet(64)
        answer = network(torch.zeros(1, 1, 256, 256)).tumour
    gates = [one for one in network.modules() if isinstance(one, AttentionGate)]
    assert [one.of_skipped.in_channels for one in gates] == [512, 256, 128, 64]
    assert answer.shape == (1, 1, 256, 256)


@pytest.mark.parametrize("name", segmenters())
def test_every_segmenter_outlines_on_the_grid_of_its_input(name: str) -> None:
    options = {} if name == "faster_rcnn" else {"width": 8}
    network = create_segmenter(name, 4, **options).eval()
    side = max(32, 2 * network.multiple)
    x = torch.rand(2, 1, *(side,) * network.dimensions)
    answer = network(x)
    assert answer.tumour.shape == x.shape
    if network.names:
        assert answer.brain is not None
        assert answer.brain.shape == x.shape
        assert answer.classes is not None
        assert answer.classes.shape == (2, 4)


def test_unknown_segmenters_and_options_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="light_unet"):
        create_segmenter("v_net", 4)
    with pytest.raises(ValueError, match="depth"):
        create_segmenter("unet", 4, depth=3)


def test_the_light_u_net_is_named_from_what_lies_under_the_outline() -> None:
    torch.manual_seed(0)
    network = light_unet(4, width=16).eval()
    maps = torch.rand(1, 16, 10, 10)
    left, right = torch.zeros(2, 1, 1, 160, 160)
    left[..., :60], right[..., 100:] = 1, 1
    changed = maps.clone()
    changed[..., 8:] += 1
    apart = (network.classify(changed, left) - network.classify(maps, left)).abs().max()
    under = (network.classify(changed, right) - network.classify(maps, right)).abs().max()
    assert under > 1.5 * apart


def test_the_light_u_net_fits_published_weights_of_mobilenet_v2() -> None:
    with torch.device("meta"):
        network = LightUNet(4, 192, 0.0)
    assert set(network.published.values()) == {
        name for name in network.state_dict() if name.startswith("stages.")
    }
    assert size(network) < 2_000_000


def test_folded_batch_norms_change_nothing() -> None:
    torch.manual_seed(0)
    network = light_unet(4, width=16)
    x = torch.rand(2, 1, 64, 64)
    network.train()(x)
    before = network.eval()(x)
    fold_batch_norms(network)
    after = network(x)
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    assert not norms
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, atol=1e-3)

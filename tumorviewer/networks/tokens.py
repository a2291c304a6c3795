"""torchvision's vision transformer cut before its last attention, with a feature map in between.

After the last block only the class token counts, and a map of the other tokens would explain
nothing; so the map is made of the tokens that the last block attends to, which is where
pytorch-grad-cam advises to look for it (``encoder.layers[-1].ln_1``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from torchvision.models.vision_transformer import VisionTransformer

# Shape suffixes: N pictures, C channels, S input side, H W grid of patches, L tokens (the class
# token first).


class Tokens(nn.Module):
    """Pictures to what the last block needs, ``(N, 3C, H, W)``.

    C channels are the normalised patch tokens, each at its place; 2C more are the class token,
    normalised and as it is, alike at every place.
    """

    def __init__(self, whole: VisionTransformer) -> None:
        super().__init__()
        *layers, last = whole.encoder.layers.named_children()
        self.patches = whole.conv_proj
        self.class_token = whole.class_token
        self.pos_embedding = whole.encoder.pos_embedding
        self.dropout = whole.encoder.dropout
        self.layers = nn.Sequential()
        for name, layer in layers:
            self.layers.add_module(name, layer)
        self.norm = last[1].ln_1

    def forward(self, x_N3SS: Tensor) -> Tensor:
        """Run all blocks but the last."""
        patches_NCHW = self.patches(x_N3SS)
        grid = patches_NCHW.shape[2:]
        tokens_NLC = patches_NCHW.flatten(2).transpose(1, 2)
        tokens_NLC = torch.cat([self.class_token.expand(len(tokens_NLC), -1, -1), tokens_NLC], 1)
        tokens_NLC = self.layers(self.dropout(tokens_NLC + self._positions(grid)))
        normed_NLC = self.norm(tokens_NLC)
        map_NCHW = normed_NLC[:, 1:].transpose(1, 2).unflatten(2, grid)
        of_class = torch.cat([normed_NLC[:, 0], tokens_NLC[:, 0]], 1)
        return torch.cat([map_NCHW, of_class[:, :, None, None].expand(-1, -1, *grid)], 1)

    def _positions(self, grid: torch.Size) -> Tensor:
        """The position embedding, resized for pictures of another size than it was trained on."""
        every: Tensor = self.pos_embedding
        of_class, of_patches = every[:, :1], every[:, 1:]
        side = round(of_patches.shape[1] ** 0.5)
        if grid == (side, side):
            return every
        square = of_patches.transpose(1, 2).unflatten(2, (side, side))
        resized = functional.interpolate(square, grid, mode="bicubic", align_corners=False)
        return torch.cat([of_class, resized.flatten(2).transpose(1, 2)], 1)


class LastBlock(nn.Module):
    """The map of :class:`Tokens` to the class token after the last block, ``(N, C)``."""

    def __init__(self, whole: VisionTransformer) -> None:
        super().__init__()
        last = whole.encoder.layers[-1]
        self.attention, self.dropout = last.self_attention, last.dropout
        self.norm_2, self.mlp, self.norm = last.ln_2, last.mlp, whole.encoder.ln

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Attend from the class token alone: the others' answers are not asked for."""
        map_NCHW, normed_NCHW, class_NCHW = maps_NCHW.chunk(3, 1)
        query_NLC = normed_NCHW.mean((2, 3))[:, None]
        keys_NLC = torch.cat([query_NLC, map_NCHW.flatten(2).transpose(1, 2)], 1)
        attended_NLC, _ = self.attention(query_NLC, keys_NLC, keys_NLC, need_weights=False)
        token_NC = class_NCHW.mean((2, 3)) + self.dropout(attended_NLC[:, 0])
        answer: Tensor = self.norm(token_NC + self.mlp(self.norm_2(token_NC)))
        return answer

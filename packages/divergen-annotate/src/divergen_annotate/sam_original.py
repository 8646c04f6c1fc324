"""Segment Anything as its authors published it (the package segment-anything), batched.

Kirillov et al., "Segment Anything", ICCV 2023. The model's classes are the reference's own. What differs from
``SamPredictor``: pictures are encoded in batches, attention runs through PyTorch's fused kernels, and the decoder takes
one prompt for each of N pictures instead of N prompts for one. Results are the same to rounding; tests compare them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import WeightsError, require_extra
from divergen_records.weights_files import read_tensors
from numpy.typing import NDArray
from PIL import Image as PillowImage

from .predictor import Decoded, Encoded, Frame, Precision, Prepared, device_and_type, scale_points

if TYPE_CHECKING:
    from torch import Tensor

    from .annotator import Image

__all__ = ["WHERE", "SamPredictorBatch", "load_sam"]

WHERE = (
    "SAM's weights are published by its authors at https://github.com/facebookresearch/segment-anything "
    "(Model Checkpoints): sam_vit_h_4b8939.pth, sam_vit_l_0b3195.pth or sam_vit_b_01ec64.pth; download one and give "
    "its path. Or name a model that transformers can load, for example facebook/sam-vit-huge"
)
"""Where users get weights."""

_ARCHITECTURES = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}
"""(width, depth) of the published encoders."""


class SamPredictorBatch:
    """The original SAM as a `Predictor`.

    Args:
        model: A ``segment_anything.modeling.Sam``, with weights; `load_sam` makes one from a checkpoint.
        name: Tells models apart.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.
        precision: Of the encoder.
        compile: Compile the encoder; pays off from some hundred pictures on.
    """

    def __init__(
        self,
        model: Any,
        *,
        name: str = "sam",
        device: str | None = None,
        precision: Precision = "auto",
        compile: bool = False,  # noqa: A002
    ) -> None:
        import torch

        from .sam_attention import use_fused_attention

        self.name = name
        self.device, self.dtype = device_and_type(device, precision)
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.side: int = model.image_encoder.img_size
        use_fused_attention(model.image_encoder)
        self._encoder: Any = torch.compile(model.image_encoder) if compile else model.image_encoder

    def prepare(self, image: Image) -> Prepared:
        """Resize the longest side to the model's; the same as ``ResizeLongestSide``, bit by bit."""
        import torch

        height, width = image.shape[:2]
        scale = self.side / max(height, width)
        # The reference's rounding; it lets a side vanish that is 2,048 times shorter than the other.
        new_height, new_width = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        resized = PillowImage.fromarray(image).resize((new_width, new_height), PillowImage.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized).transpose(2, 0, 1))
        return Prepared(pixels, Frame(height, width, new_height, new_width))

    def encode(self, batch: Sequence[Prepared]) -> Encoded:
        """Normalise, pad and encode on the device."""
        import torch

        inputs = torch.zeros((len(batch), 3, self.side, self.side), device=self.device)
        for square, picture in zip(inputs, batch, strict=True):
            pixels = picture.pixels.to(self.device, non_blocking=True)
            height, width = pixels.shape[-2:]
            square[:, :height, :width] = (pixels - self.model.pixel_mean) / self.model.pixel_std
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            features = self._encoder(inputs)
        return Encoded(features.float(), tuple(picture.frame for picture in batch))

    def decode(self, encoded: Encoded, points: NDArray[np.float32]) -> Decoded:
        """Three candidates per picture, as ``multimask_output=True`` gives them."""
        import torch

        with torch.inference_mode():
            coordinates = scale_points(points, encoded.frames).to(self.device)
            labels = torch.ones(coordinates.shape[:2], dtype=torch.int, device=self.device)
            sparse, dense = self.model.prompt_encoder(points=(coordinates, labels), boxes=None, masks=None)
            logits, iou = _decode(self.model.mask_decoder, encoded.features, self._position(), sparse, dense)
        return Decoded(logits[:, 1:], iou[:, 1:], encoded.frames)

    def decode_boxes(self, encoded: Encoded, boxes: NDArray[np.float32]) -> Decoded:
        """The one mask of ``multimask_output=False`` for each box, as ``SamPredictor.predict_torch`` gives it."""
        import torch

        with torch.inference_mode():
            corners = scale_points(boxes.reshape(1, -1, 2), encoded.frames).reshape(-1, 4).to(self.device)
            sparse, dense = self.model.prompt_encoder(points=None, boxes=corners, masks=None)
            logits, iou = self.model.mask_decoder(
                image_embeddings=encoded.features,
                image_pe=self._position(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
        return Decoded(logits, iou, encoded.frames * len(boxes))

    def upscale(self, logits: Tensor, frame: Frame) -> Tensor:
        """As ``Sam.postprocess_masks``."""
        result: Tensor = self.model.postprocess_masks(
            logits[None], (frame.input_height, frame.input_width), (frame.height, frame.width)
        )[0]
        return result

    def _position(self) -> Tensor:
        position: Tensor = self.model.prompt_encoder.get_dense_pe()
        return position


def _decode(decoder: Any, features: Tensor, position: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
    """``MaskDecoder.predict_masks`` for N pictures with one prompt each (the reference: N prompts for one picture).

    Args:
        decoder: A ``segment_anything.modeling.MaskDecoder``.
        features: (N, C, h, w).
        position: (1, C, h, w).
        sparse: (N, P + 1, C), the points.
        dense: (N, C, h, w), no mask prompt.

    Returns:
        Logits (N, M + 1, 4 h, 4 w) and predicted IoU (N, M + 1); the first is for prompts that leave no choice.
    """
    import torch

    count, channels, height, width = features.shape
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight], dim=0)
    tokens = torch.cat((own.expand(count, -1, -1), sparse), dim=1)
    position = position.expand(count, -1, -1, -1)
    out, source = decoder.transformer(features + dense, position, tokens)
    image = source.transpose(1, 2).reshape(count, channels, height, width)
    upscaled = decoder.output_upscaling(image)
    weights = torch.stack([mlp(out[:, 1 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1)
    logits = torch.einsum("nmc,nchw->nmhw", weights, upscaled)
    return logits, decoder.iou_prediction_head(out[:, 0])


def load_sam(checkpoint: Path | str, *, architecture: str | None = None) -> tuple[Any, str]:
    """Build the ``segment_anything.modeling.Sam`` of a checkpoint; its sizes are read from the weights' shapes.

    Args:
        checkpoint: A file of weights as the authors publish them; nothing in it is executed.
        architecture: ``"vit_b"``, ``"vit_l"`` or ``"vit_h"``: refuse a checkpoint of another one.

    Returns:
        The model on the CPU, and the architecture's name.

    Raises:
        WeightsError: If there is no such file, or it holds something else.
        MissingExtra: If segment-anything is not installed.
    """
    import torch

    path = Path(checkpoint)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such checkpoint. {WHERE}")
    state = _read_state(path)
    sizes = _read_sizes(state, path)
    name = _ARCHITECTURES.get((sizes["embed_dim"], sizes["depth"]), f"vit_{sizes['embed_dim']}x{sizes['depth']}")
    if architecture is not None and architecture != name:
        raise WeightsError(
            f"{path} holds {name} (width {sizes['embed_dim']}, {sizes['depth']} blocks), not {architecture}; "
            "give the checkpoint of that architecture, or leave the architecture out"
        )
    with require_extra("divergen-annotate", "sam"), torch.device("meta"):
        model = _build(state, sizes)
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"{path}: these weights do not fit the original SAM ({name}): {error}") from error
    model.pixel_mean = torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1)
    model.pixel_std = torch.tensor([58.395, 57.12, 57.375]).view(-1, 1, 1)
    return model.eval(), name


_OTHERS = {
    "image_encoder.trunk.": ("SAM 2", "facebook/sam2.1-hiera-large"),
    "mask_decoder.hf_token.": ("SAM-HQ", "syscv-community/sam-hq-vit-huge"),
}
"""How a tensor's name begins -> whose it is, and what to name in its place."""


def _read_state(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        state: Any = read_tensors(path, "checkpoint")
    except WeightsError as error:
        raise WeightsError(f"{error}. {WHERE}") from error
    if isinstance(state, dict):  # trainings keep the weights beside the optimizer's state
        state = next((state[key] for key in ("model", "state_dict") if isinstance(state.get(key), dict)), state)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path}: this is no dictionary of weights. {WHERE}")
    state = {key.removeprefix("module."): value for key, value in state.items()}
    for mark, (other, known) in _OTHERS.items():
        if any(key.startswith(mark) for key in state):
            raise WeightsError(
                f"{path} holds {other}'s weights as its authors publish them; they are read as transformers has them: "
                f"give a hub id ({known}), or a folder of it"
            )
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def _read_sizes(state: Mapping[str, Tensor], path: Path) -> dict[str, Any]:
    """The sizes of the image encoder, from the shapes of its weights."""
    try:
        _, grid, _, width = state["image_encoder.pos_embed"].shape
        patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
        hidden = state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0]
        depth = _count(state, r"image_encoder\.blocks\.(\d+)\.")
        tables = [state[f"image_encoder.blocks.{i}.attn.rel_pos_h"].shape for i in range(depth)]
        out = state["image_encoder.neck.0.weight"].shape[0]
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{path}: this is no checkpoint of the original SAM, {error} is not in it. {WHERE}"
        ) from error
    spans = [(length + 1) // 2 for length, _ in tables]
    windows = {span for span in spans if span != grid}
    return {
        "img_size": grid * patch,
        "patch_size": patch,
        "embed_dim": width,
        "depth": depth,
        "num_heads": width // tables[0][1],
        "mlp_ratio": hidden / width,
        "out_chans": out,
        "window_size": windows.pop() if len(windows) == 1 else 0,
        "global_attn_indexes": tuple(i for i, span in enumerate(spans) if span == grid),
    }


def _build(state: Mapping[str, Tensor], sizes: Mapping[str, Any]) -> Any:
    """The model, without weights: on the meta device nothing is initialised, so nothing can stay random."""
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
    from torch import nn

    width, grid = sizes["out_chans"], sizes["img_size"] // sizes["patch_size"]
    norm = partial(nn.LayerNorm, eps=1e-6)
    transformer = TwoWayTransformer(
        depth=_count(state, r"mask_decoder\.transformer\.layers\.(\d+)\."),
        embedding_dim=width,
        mlp_dim=_rows(state, "mask_decoder.transformer.layers.0.mlp.lin1.weight"),
        num_heads=8,  # shapes do not tell it; all published checkpoints have eight
    )
    return Sam(
        image_encoder=ImageEncoderViT(**sizes, norm_layer=norm, qkv_bias=True, use_rel_pos=True),
        prompt_encoder=PromptEncoder(
            embed_dim=width,
            image_embedding_size=(grid, grid),
            input_image_size=(sizes["img_size"], sizes["img_size"]),
            mask_in_chans=4 * _rows(state, "prompt_encoder.mask_downscaling.0.weight"),
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=_rows(state, "mask_decoder.mask_tokens.weight") - 1,
            transformer=transformer,
            transformer_dim=width,
            iou_head_depth=_count(state, r"mask_decoder\.iou_prediction_head\.layers\.(\d+)\."),
            iou_head_hidden_dim=_rows(state, "mask_decoder.iou_prediction_head.layers.0.weight"),
        ),
    )


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    found = [int(match[1]) for key in state if (match := re.match(pattern, key))]
    return max(found, default=-1) + 1


def _rows(state: Mapping[str, Tensor], key: str) -> int:
    if key not in state:
        raise WeightsError(f"this is no checkpoint of the original SAM, {key!r} is not in it. {WHERE}")
    return int(state[key].shape[0])

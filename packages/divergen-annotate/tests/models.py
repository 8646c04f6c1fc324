"""Tiny models of the real classes with fixed weights, saved as users get them."""

from __future__ import annotations

from functools import partial

import torch


def fix_weights(model, seed=0):
    """Fixed weights large enough that masks differ between pictures."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(model.state_dict().items()):
            if value.is_floating_point() and "norm" not in name:
                value.copy_(torch.randn(value.shape, generator=generator) * (0.6 if value.ndim < 2 else 0.25))
    return model.eval()


def save_original_sam(path, *, width=32, depth=2, heads=2, side=128, window=3, channels=32):
    """A checkpoint file of the original SAM."""
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    grid = side // 16
    model = Sam(
        image_encoder=ImageEncoderViT(
            depth=depth,
            embed_dim=width,
            img_size=side,
            mlp_ratio=4,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=heads,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=[depth - 1],
            window_size=window,
            out_chans=channels,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=channels, image_embedding_size=(grid, grid), input_image_size=(side, side), mask_in_chans=16
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer_dim=channels,
            iou_head_depth=3,
            iou_head_hidden_dim=32,
            transformer=TwoWayTransformer(depth=2, embedding_dim=channels, mlp_dim=64, num_heads=8),
        ),
    )
    fix_weights(model)
    torch.save(model.state_dict(), path)
    return model


def _save(folder, model, processor):
    fix_weights(model).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_hub_sam(folder, *, hq=False):
    """SAM or SAM-HQ as transformers saves it."""
    import transformers as t

    kind = "SamHQ" if hq else "Sam"
    vision = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 128,
        "patch_size": 16,
        "output_channels": 32,
        "global_attn_indexes": [2],
        "window_size": 3,
        "mlp_dim": 64,
        "num_pos_feats": 16,
    }
    prompt = {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 16}
    decoder = {"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32, "num_attention_heads": 4}
    if hq:
        decoder["vit_dim"] = 32
    config = getattr(t, f"{kind}Config")(
        vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
    )
    processor = t.SamProcessor(
        t.SamImageProcessor(
            size={"longest_edge": 128}, pad_size={"height": 128, "width": 128}, mask_size={"longest_edge": 32}
        )
    )
    return _save(folder, getattr(t, f"{kind}Model")(config), processor)


def save_hub_sam2(folder):
    """SAM 2 as transformers saves it."""
    import transformers as t

    backbone = {
        "hidden_size": 16,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [16, 32, 48, 64],
        "num_attention_heads_per_stage": [1, 2, 3, 4],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
        "image_size": [128, 128],
        "window_positional_embedding_background_size": [4, 4],
    }
    vision = t.Sam2VisionConfig(
        backbone_config=t.Sam2HieraDetConfig(**backbone),
        backbone_channel_list=[64, 48, 32, 16],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        fpn_hidden_size=32,
    )
    prompt = {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 16}
    decoder = {"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32, "num_attention_heads": 4}
    config = t.Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    processor = t.Sam2Processor(t.Sam2ImageProcessor(size={"height": 128, "width": 128}))
    return _save(folder, t.Sam2Model(config), processor)


def clip_tokenizer(folder):
    """A byte-level tokenizer of CLIP's class whose words are single letters."""
    import json

    import transformers as t

    letters = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return t.CLIPTokenizer.from_pretrained(folder, model_max_length=40)


def _clip_sizes(tokenizer):
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 40,
        "projection_dim": 16,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
        "projection_dim": 16,
    }
    return text, vision


def save_clipseg(folder):
    """CLIPSeg as transformers saves it."""
    import transformers as t

    tokenizer = clip_tokenizer(folder)
    text, vision = _clip_sizes(tokenizer)
    config = t.CLIPSegConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=16,
        reduce_dim=8,
        extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    processor = t.CLIPSegProcessor(t.ViTImageProcessor(size={"height": 64, "width": 64}), tokenizer)
    return _save(folder, t.CLIPSegForImageSegmentation(config), processor)


def save_sam3(folder):
    """A SAM 3 of a quarter million weights, its processor and tokenizer, in the hub's layout."""
    import transformers as t

    tokenizer = clip_tokenizer(folder)
    text, _ = _clip_sizes(tokenizer)
    small = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32, "num_layers": 1}
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "pretrain_image_size": 28,
        "window_size": 2,
        "global_attn_indexes": [1],
    }
    sizes = [[16, 16], [8, 8], [4, 4]]
    config = t.Sam3Config(
        vision_config={"backbone_config": backbone, "fpn_hidden_size": 32, "backbone_feature_sizes": sizes},
        text_config=text,
        geometry_encoder_config=small,
        detr_encoder_config=small,
        detr_decoder_config={**small, "num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )
    images = t.Sam3ImageProcessor(size={"height": 56, "width": 56}, mask_size={"height": 16, "width": 16})
    return _save(folder, t.Sam3Model(config), t.Sam3Processor(images, tokenizer, target_size=56))


def save_clip(folder):
    """CLIP as transformers saves it."""
    import transformers as t

    tokenizer = clip_tokenizer(folder)
    text, vision = _clip_sizes(tokenizer)
    config = t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    images = t.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    return _save(folder, t.CLIPModel(config), t.CLIPProcessor(images, tokenizer))


def save_owlv2(folder):
    """OWLv2 as transformers saves it."""
    import transformers as t

    tokenizer = clip_tokenizer(folder)
    tokenizer.model_max_length = 16
    text, vision = _clip_sizes(tokenizer)
    config = t.Owlv2Config(
        text_config={**text, "max_position_embeddings": 16}, vision_config=vision, projection_dim=text["hidden_size"]
    )
    images = t.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    return _save(folder, t.Owlv2ForObjectDetection(config), t.Owlv2Processor(images, tokenizer))


def save_grounding_dino(folder):
    """Grounding DINO as transformers saves it, with a tokenizer of BERT's class whose words are letters."""
    import string

    import transformers as t

    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *letters]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = t.BertTokenizer(str(folder / "vocab.txt"), model_max_length=64)
    swin = {
        "model_type": "swin",
        "embed_dim": 8,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2],
        "window_size": 4,
        "image_size": 64,
        "out_features": ["stage2", "stage3", "stage4"],
    }
    bert = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = t.GroundingDinoConfig(
        backbone_config=swin,
        text_config={"model_type": "bert", "vocab_size": len(words), **bert},
        d_model=32,
        num_queries=12,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        max_text_len=64,
    )
    images = t.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 128})
    return _save(folder, t.GroundingDinoForObjectDetection(config), t.GroundingDinoProcessor(images, tokenizer))

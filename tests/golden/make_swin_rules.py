"""Writes golden files of Swin-T by the rules of three libraries next to this file: python make_swin_rules.py
(torch 2.15.0, torchvision 0.29.2, timm 1.0.31, transformers 5.24.0).

Weights and image follow from seed 0 (synthetic.py); names are those of models/src/names/swin.rs. The sizes are ones at which
windows of 7×7 do not fit the maps, so that the libraries differ.
"""

import json
import pathlib

import numpy
import timm
import torch
import torchvision
from safetensors.numpy import save_file
from synthetic import parameter, uniform
from transformers import SwinConfig, SwinForImageClassification

HERE = pathlib.Path(__file__).parent
SEED = 0
DEPTHS = (2, 2, 6, 2)


def weights():
    """All parameters under the authors' names."""
    shapes = {"patch_embed.proj.weight": (96, 3, 4, 4), "patch_embed.proj.bias": (96,)}
    norm = lambda name, width: shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})
    linear = lambda name, out, into: shapes.update({f"{name}.weight": (out, into), f"{name}.bias": (out,)})
    norm("patch_embed.norm", 96)
    for stage, depth in enumerate(DEPTHS):
        width = 96 << stage
        for block in range(depth):
            name = f"layers.{stage}.blocks.{block}"
            norm(f"{name}.norm1", width)
            norm(f"{name}.norm2", width)
            shapes[f"{name}.attn.relative_position_bias_table"] = (169, width // 32)
            linear(f"{name}.attn.qkv", 3 * width, width)
            linear(f"{name}.attn.proj", width, width)
            linear(f"{name}.mlp.fc1", 4 * width, width)
            linear(f"{name}.mlp.fc2", width, 4 * width)
        if stage < 3:
            norm(f"layers.{stage}.downsample.norm", 4 * width)
            shapes[f"layers.{stage}.downsample.reduction.weight"] = (2 * width, 4 * width)
    norm("norm", 768)
    linear("head", 1000, 768)
    return {name: parameter(name, shape, SEED) for name, shape in shapes.items()}


def as_timm(name):
    if name.startswith("head."):
        return name.replace("head.", "head.fc.")
    parts = name.split(".")
    if "downsample" in parts:
        parts[1] = str(int(parts[1]) + 1)
    return ".".join(parts)


def as_torchvision(name):
    name = name.replace("patch_embed.proj.", "features.0.0.").replace("patch_embed.norm.", "features.0.2.")
    parts = name.split(".")
    if parts[0] == "layers":
        stage = int(parts[1])
        if parts[2] == "downsample":
            return ".".join(["features", str(2 * stage + 2)] + parts[3:])
        name = ".".join(["features", str(2 * stage + 1)] + parts[3:])
    return name.replace("mlp.fc1.", "mlp.0.").replace("mlp.fc2.", "mlp.3.")


def for_transformers(all_weights):
    """Its models in memory have one name per part of qkv."""
    table = [
        ("patch_embed.proj.", "swin.embeddings.patch_embeddings.projection."), ("patch_embed.norm.", "swin.embeddings.norm."),
        ("layers.", "swin.encoder.layers."), (".norm1.", ".layernorm_before."), (".norm2.", ".layernorm_after."),
        ("attn.proj.", "attention.o_proj."), ("attn.relative", "attention.relative_position_bias.relative"), ("head.", "classifier."),
    ]
    named = {}
    for name, value in all_weights.items():
        other = "swin.layernorm." + name[5:] if name.startswith("norm.") else name
        for here, there in table:
            other = there + other[len(here):] if other.startswith(here) and not here.startswith(".") else other.replace(here, there) if here.startswith((".", "attn")) else other
        if "attn.qkv." in other:
            for part, rows in zip("qkv", value.chunk(3)):
                named[other.replace("attn.qkv.", f"attention.{part}_proj.")] = rows
        else:
            named[other] = value
    return named


def load(model, named):
    missing, surplus = model.load_state_dict(named, strict=False)
    missing = [name for name in missing if not name.endswith(("relative_position_index", "attn_mask"))]
    assert not missing and not surplus, (missing[:4], surplus[:4])
    return model.double().eval()


def main():
    all_weights = weights()
    cases = {
        ("timm", 256, 256): lambda h, w: load(timm.create_model("swin_tiny_patch4_window7_224", img_size=(h, w)), {as_timm(n): v for n, v in all_weights.items()}),
        ("timm", 224, 448): lambda h, w: load(timm.create_model("swin_tiny_patch4_window7_224", img_size=(h, w)), {as_timm(n): v for n, v in all_weights.items()}),
        ("torchvision", 102, 134): lambda h, w: load(torchvision.models.swin_t(), {as_torchvision(n): v for n, v in all_weights.items()}),
        ("transformers", 227, 198): lambda h, w: load(SwinForImageClassification(SwinConfig(num_labels=1000)), for_transformers(all_weights)),
    }
    for (rules, height, width), make in cases.items():
        shape = [1, 3, height, width]
        image = numpy.float32(1.7) * uniform("input", int(numpy.prod(shape)), SEED)
        with torch.no_grad():
            logits = make(height, width)(torch.from_numpy(image.reshape(shape)).double())
        logits = getattr(logits, "logits", logits).float().numpy()
        metadata = {"model": "swin_tiny", "seed": str(SEED), "input_shape": json.dumps(shape), "options": json.dumps({"rules": rules})}
        path = HERE / f"swin_tiny_{rules}_1x{height}x{width}_seed{SEED}.safetensors"
        save_file({"logits": logits}, path, metadata)
        print(path.name, path.stat().st_size, logits.argmax())


main()

"""Writes the golden file of DeiT-Ti next to this file: python make_deit.py (torch 2.15.0, timm 1.0.31).

The authors' model is timm's; weights and image follow from seed 0 (synthetic.py).
"""

import json
import pathlib

import numpy
import timm
import torch
from safetensors.numpy import save_file
from synthetic import parameter, uniform

SEED = 0
SHAPE = [1, 3, 224, 224]


def main():
    model = timm.create_model("deit_tiny_patch16_224")
    model.load_state_dict({name: parameter(name, tuple(value.shape), SEED) for name, value in model.state_dict().items()})
    model = model.double().eval()
    image = numpy.float32(1.7) * uniform("input", int(numpy.prod(SHAPE)), SEED)
    with torch.no_grad():
        logits = model(torch.from_numpy(image.reshape(SHAPE)).double()).float().numpy()
    path = pathlib.Path(__file__).parent / f"deit_tiny_1x224x224_seed{SEED}.safetensors"
    save_file({"logits": logits}, path, {"model": "deit_tiny", "seed": str(SEED), "input_shape": json.dumps(SHAPE)})
    print(path.name, path.stat().st_size, logits.argmax())


main()

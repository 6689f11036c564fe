"""Weights and images that follow from a seed, by the formula of models/src/synthetic.rs; what the scripts beside this file share."""

import numpy
import torch


def uniform(name, count, seed):
    start = 0xCBF29CE484222325
    for byte in f"{seed}/{name}".encode():
        start = ((start ^ byte) * 0x100000001B3) & (2**64 - 1)
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(start) + (numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z ^= z >> numpy.uint64(31)
    half = 1 << 23
    return ((z >> numpy.uint64(40)).astype(numpy.int64) - half).astype(numpy.float32) / numpy.float32(half)


def parameter(name, shape, seed):
    last = name.rsplit(".", 1)[-1]
    if last == "relative_position_bias_table":
        base, factor = 0.0, 0.5
    elif last == "weight" and len(shape) == 1:
        base, factor = 1.0, 0.1
    elif len(shape) == 1:
        base, factor = 0.0, 0.1
    else:
        base, factor = 0.0, numpy.float32((3.0 / float(numpy.prod(shape[1:]))) ** 0.5)
    values = numpy.float32(base) + numpy.float32(factor) * uniform(name, int(numpy.prod(shape)), seed)
    return torch.from_numpy(values.reshape(shape))

"""Writes the small checkpoints next to this file: python make_checkpoints.py (torch 2.15.0, numpy 2.4.6).

Each file shows one way in which checkpoints are written; `expected` in regard/src/archive/torch/tests.rs repeats the formula.
Element i of the tensor that is number t of its file is ((7 i + 3 t) mod 32 - 16) / 8.
"""

import argparse
import collections
import os
import pathlib
import pickle
import zipfile

import numpy
import torch

HERE = pathlib.Path(__file__).parent / "checkpoints"


def tensor(number, *shape, dtype=torch.float32):
    count = 1
    for extent in shape:
        count *= extent
    values = [((7 * i + 3 * number) % 32 - 16) / 8 for i in range(count)]
    if dtype == torch.bool:
        values = [v > 0 for v in values]
    elif dtype == torch.uint8:
        values = [8 * v + 16 for v in values]
    elif not dtype.is_floating_point:
        values = [8 * v for v in values]
    return torch.tensor(values, dtype=torch.float64).to(dtype).reshape(shape)


def types():
    dtypes = dict(
        f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16, f64=torch.float64, i64=torch.int64,
        i32=torch.int32, i16=torch.int16, i8=torch.int8, u8=torch.uint8, bool=torch.bool,
    )
    return {name: tensor(t, 2, 3, dtype=dtype) for t, (name, dtype) in enumerate(dtypes.items())}


def layouts():
    """Transposed, cut out, shared, repeated, empty, without axes."""
    whole = tensor(0, 6, 4)
    return collections.OrderedDict(
        whole=whole, transposed=whole.t(), cut=whole[1:5:2, 1:3], shared=whole[2],
        repeated=tensor(1, 1, 3).expand(2, 3), empty=torch.zeros(0, 3), scalar=tensor(2),
        permuted=tensor(3, 2, 3, 4).permute(2, 0, 1),
    )


def training():
    """A checkpoint in the middle of training: optimiser, arguments, parameters, two prefixes."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(tensor(number, *parameter.shape))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(4, 3)).sum().backward()
    saved = {"module." + name: value.clone() for name, value in model.state_dict().items()}
    optimizer.step()
    args = argparse.Namespace(lr=0.1, output=pathlib.PurePosixPath("runs/1"), seed=None, device=torch.device("cpu"))
    ema = {"module." + name: value + 1 if value.is_floating_point() else value for name, value in saved.items()}
    return {
        "epoch": 3, "args": args, "optimizer": optimizer.state_dict(), "max_accuracy": 81.2,
        "model": collections.OrderedDict(saved), "model_ema": ema, "milestones": [1, 2], "flags": {True, None},
    }


def lightning():
    """What a trainer writes: the model behind a prefix, numbers of NumPy and objects beside it."""
    return {
        "epoch": 3, "global_step": numpy.int64(12), "pytorch-lightning_version": "2.5.0",
        "state_dict": collections.OrderedDict([("model.weight", tensor(0, 2, 3)), ("model.bias", tensor(1, 2))]),
        "loops": {"fit_loop": {"best": numpy.float32(0.5), "history": numpy.zeros(3)}},
        "hyper_parameters": {"lr": 0.1, "size": torch.Size([2, 3]), "device": torch.device("cpu")},
    }


def deflated(path, to):
    """The same archive with its entries compressed."""
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as packed:
        for info in plain.infolist():
            entry = zipfile.ZipInfo(info.filename, date_time=(2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, plain.read(info))


def arrays():
    """NumPy: both orders of axes and of bytes, a number, and what is no array of numbers."""
    array = tensor(0, 2, 3).numpy()
    return dict(
        rows=array, columns=numpy.asfortranarray(array), big=array.astype(">f4"), half=array.astype("f2"),
        number=tensor(1).numpy(), whole=(8 * array).astype(">i8"), text=numpy.array(["a"]),
        objects=numpy.array([None], dtype=object),
    )


def pickled():
    """NumPy in a pickle of Python, as detectron2 and others write it."""
    array = tensor(0, 2, 3).numpy()
    model = collections.OrderedDict(
        rows=array, columns=numpy.asfortranarray(array), big=array.astype(">f4"), half=array.astype("f2"),
        whole=(8 * array).astype("i8"), number=tensor(1).numpy(), empty=numpy.zeros((0, 3), "f4"),
        text=numpy.array(["a"]), objects=numpy.array([None], dtype=object),
    )
    return dict(model=model, best=numpy.float64(0.5))


def python2():
    """The same by hand as Python 2 wrote it: texts for bytes, names of NumPy 1."""
    return (
        b"\x80\x02}q\x00U\x04rowscnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x18" + tensor(0, 2, 3).numpy().tobytes() + b"tbs."
    )


def later():
    """Protocols, packings and bits that came to the formats after the files above."""
    pair = collections.OrderedDict(weight=tensor(0, 2, 3), bias=torch.nn.Parameter(tensor(1, 2)))
    for protocol in (0, 1):
        torch.save(pair, HERE / f"protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save(pair, HERE / "legacy1.pth", pickle_protocol=1, _use_new_zipfile_serialization=False)
    torch.save(lightning(), HERE / "lightning.ckpt")
    deflated(HERE / "lightning.ckpt", HERE / "deflated.ckpt")
    numpy.savez(HERE / "arrays.npz", **arrays())
    numpy.savez_compressed(HERE / "deflated.npz", **arrays())
    numpy.save(HERE / "rows.npy", arrays()["rows"])
    complex_ = torch.complex(tensor(0, 4), tensor(1, 4))
    torch.save({"negated": torch._neg_view(tensor(0, 6)), "imaginary": complex_.conj().imag}, HERE / "negated.pth")
    torch.save({"weight": complex_.conj()}, HERE / "conjugated.pth")
    torch.save({"e4m3": tensor(0, 6).to(torch.float8_e4m3fn), "u16": tensor(0, 6).abs().to(torch.uint16)}, HERE / "bytes.pth")
    torch.serialization.set_crc32_options(False)
    torch.save(pair, HERE / "unchecked.pth")
    for protocol in range(6):
        (HERE / f"arrays{protocol}.pkl").write_bytes(pickle.dumps(pickled(), protocol))
    (HERE / "arrays_python2.pkl").write_bytes(python2())
    torch.serialization.set_crc32_options(True)


def main():
    HERE.mkdir(exist_ok=True)
    later()
    torch.manual_seed(0)
    torch.save(types(), HERE / "types.pth")
    torch.save(layouts(), HERE / "layouts.pth")
    torch.save(training(), HERE / "training.pth")
    pair = {"weight": tensor(0, 2, 3), "bias": torch.nn.Parameter(tensor(1, 2))}
    torch.save({"state_dict": pair}, HERE / "protocol5.pt", pickle_protocol=5)
    torch.save({"state_dict": pair, "cut": pair["weight"][1:]}, HERE / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 1), HERE / "module.pth")
    torch.save({"weight": tensor(0, 2, 3).to_sparse()}, HERE / "sparse.pth")
    for name in sorted(os.listdir(HERE)):
        print(name, (HERE / name).stat().st_size)


main()

"""Times Regard beside PyTorch, ONNX Runtime and OpenVINO, all in one run.

    python3 -m venv peers && peers/bin/pip install torch timm onnx onnxruntime openvino
    cargo build --release
    peers/bin/python benches/peers.py                     Swin-T and LeViT-128S, batch 1 and 8
    peers/bin/python benches/peers.py resnet50 --batch 1

Models are those of timm with random weights, in f32, on the same number of threads; ONNX files are written once per run.
Programs take turns, some seconds each, and the least time counts, so that neighbours on the machine disturb all alike.
A ratio is a peer's time over Regard's.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import warnings

import numpy
import onnxruntime
import openvino
import timm
import torch

TIMM = {"swin_tiny": "swin_tiny_patch4_window7_224", "levit_128s": "levit_128s", "resnet50": "resnet50"}
REGARD = pathlib.Path(__file__).resolve().parent.parent / "target/release/regard"


def least(run, seconds):
    """Milliseconds of the fastest of many runs, after two to warm up."""
    run(), run()
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def regard(model, batch, threads):
    """The same figure of a program that measures itself."""
    command = [REGARD, "bench", model, "--batch", str(batch), "--threads", str(threads), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["min_ms"]


def peers(model, batch, threads, folder):
    """What runs the model elsewhere, by name."""
    network = timm.create_model(TIMM[model], pretrained=False).eval()
    x = torch.randn(batch, 3, 224, 224)
    path = str(pathlib.Path(folder) / f"{model}_{batch}.onnx")
    torch.onnx.export(network, (x,), path, dynamo=False, opset_version=17)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, image = session.get_inputs()[0].name, x.numpy().astype(numpy.float32)
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", hints).create_infer_request()
    return {
        "OpenVINO": lambda: request.infer([image]),
        "ONNX Runtime": lambda: session.run(None, {name: image}),
        "PyTorch": lambda: network(x),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["swin_tiny", "levit_128s"], help=", ".join(TIMM))
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each program in each round")
    args = parser.parse_args()
    if unknown := [model for model in args.models if model not in TIMM]:
        parser.error(f"no {unknown[0]} in timm's names here, expected {', '.join(TIMM)}")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for model, batch in [(model, batch) for model in args.models for batch in args.batch]:
            runs = peers(model, batch, args.threads, folder)
            times = {}
            for _ in range(args.rounds):
                times.setdefault("Regard", []).append(regard(model, batch, args.threads))
                for name, run in runs.items():
                    times.setdefault(name, []).append(least(run, args.seconds))
            best = {name: min(found) for name, found in times.items()}
            cells = [f"{name} {ms:.1f} ms ({ms / best['Regard']:.2f}×)" for name, ms in best.items()]
            print(f"{model}, batch {batch}, {args.threads} threads: {', '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()

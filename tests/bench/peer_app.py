"""What the Python peers share: a request's body to an array, and a session of ONNX Runtime."""
import base64
import io
import os
import sys
import wave

import numpy

MODELS = os.environ["BENCH_MODELS"]
NAMES = os.environ["BENCH_NAMES"].split(",")


def decode(kind, data):
    if kind == "vector":
        return numpy.array(data, numpy.float32).reshape(1, -1)
    file = io.BytesIO(base64.b64decode(data))
    if kind == "wav":
        with wave.open(file) as sound:
            samples = numpy.frombuffer(sound.readframes(sound.getnframes()), numpy.int16)
        return samples.astype(numpy.float32)[None, None]
    from PIL import Image
    pixels = numpy.asarray(Image.open(file), numpy.float32) / 255
    if pixels.ndim == 2:
        return pixels[None, None]
    return numpy.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


def input_of(body):
    entry = body["inputs"][0]
    return decode(entry["type"], entry["data"])


def answer_of(values):
    return {"version": "v0", "outputs": [{"name": "y", "data": ", ".join(map(str, values.tolist()))}]}


def session_of(name):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{MODELS}/{name}.onnx", options,
                                           providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0][0]


def port():
    return int(sys.argv[1])

#!/usr/bin/env python3
"""Makes the seed corpora of the fuzz targets out of tests/data:  make_seeds.py OUT  (one folder a target).

Python's standard library only. Seeds are made, not committed.
"""
import gzip
import json
import pathlib
import sys
import zipfile

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
CASES = DATA / "media"
TARGET_OF = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "bmp": "bmp", "tif": "tiff",
             "tiff": "tiff",
             "dcm": "dicom", "wav": "wav"}
REQUESTS = [
    {"executor": "Executor", "inputs": [{"name": "x", "type": "vector", "data": [[5], [3.5], [1.3], [0.3]]}]},
    {"inputs": [{"data": [1, True, "3", 4e-2], "type": "VECTOR", "name": "x_variable",
                 "more": {"a": [None]}}]},
    {"inputs": [{"name": "h", "type": "vector", "data": [[1, 2], [3, 4]]},
                {"name": "s", "type": "vector", "data": ["a\n"]},
                {"name": "x", "type": "vector", "data": [[9007199254740993, 2], [3, 4]]}],
     "executor": "Second"},
]


def seeds():
    """(target, name, bytes) of every seed."""
    for folder in sorted(CASES.iterdir()):
        if not (folder / "case.json").is_file():
            continue
        for file in folder.iterdir():
            target = TARGET_OF.get(file.suffix[1:])
            if target:  # the sound's first byte is the count of samples
                yield target, folder.name, (b"\x32" if target == "wav" else b"") + file.read_bytes()
        case = json.loads((folder / "case.json").read_text())
        if "request_text" in case:
            yield "classic", folder.name, case["request_text"].encode()
        if "request" in case:
            yield "classic", folder.name, json.dumps(case["request"]).encode()
            for index, entry in enumerate(case["request"].get("inputs") or []):
                data = entry.get("data") if isinstance(entry, dict) else None
                if isinstance(data, str):
                    yield "base64", f"{folder.name}_{index}", json.dumps(data)[1:-1].encode()
    for index, request in enumerate(REQUESTS):
        body = json.dumps(request).encode()
        yield "classic", f"request_{index}", body
        yield "gzip", f"request_{index}", gzip.compress(body, mtime=0)
    yield "gzip", "zeros", gzip.compress(bytes(100_000), mtime=0)
    yield "gzip", "two_members", gzip.compress(b"one", mtime=0) + gzip.compress(b"two", 0, mtime=0)


PART_OF = {".nntxt": "network_text", ".prototxt": "network_text", ".protobuf": "parameter_protobuf",
           ".h5": "parameter_h5"}


def model_seeds():
    """Whole model files, and the parts of the .nnp ones."""
    for file in sorted((DATA / "onnx").glob("*.onnx")):
        yield "onnx_file", file.stem, file.read_bytes()
    for file in sorted((DATA / "nnp").glob("*.nnp")):
        yield "nnp_container", file.stem, file.read_bytes()
        if file.stem.startswith("error_zip") or not zipfile.is_zipfile(file):
            continue
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                target = PART_OF.get(pathlib.PurePath(name).suffix)
                if target:
                    yield target, file.stem, archive.read(name)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[0])
    out = pathlib.Path(sys.argv[1])
    for target, name, data in [*seeds(), *model_seeds()]:
        (out / target).mkdir(parents=True, exist_ok=True)
        (out / target / name).write_bytes(data)


main()

#!/usr/bin/env python3
"""Makes the seed corpora of the fuzz targets out of tests/data:  make_seeds.py OUT  (one folder a target).

Python's standard library only. Seeds are made, not committed.
"""
import gzip
import io
import json
import pathlib
import struct
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


def request_seeds():
    """(target, name, bytes): files of all kinds, requests with them, and what is packed in them."""
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
        yield "import", file.stem, b"\1" + file.read_bytes()
    for file in sorted((DATA / "nnp").glob("*.nnp")):
        yield "nnp_container", file.stem, file.read_bytes()
        yield "import", file.stem, b"\0" + file.read_bytes()
        if file.stem.startswith("error_zip") or not zipfile.is_zipfile(file):
            continue
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                target = PART_OF.get(pathlib.PurePath(name).suffix)
                if target:
                    yield target, file.stem, archive.read(name)


# Frame types by their numbers in src/link/frame.h.
FORK, HELLO, LOAD, INFER, INSPECT, LOADED, FAILED, OUTCOME, MEMORY, INSPECTED, PROBED = (
    1, 2, 6, 7, 11, 13, 14, 15, 16, 17, 18)


def frame(kind, payload=b"", identity=0, flags=0, code=0, count=0, time_ns=0):
    return struct.pack("<BBHIQqII", 1, kind, flags, len(payload), identity, time_ns, code, count) + payload


def text(value):
    return struct.pack("<I", len(value)) + value


def frame_seeds():
    loaded = frame(LOADED, struct.pack("<qB", 1 << 20, 1), time_ns=1000)
    answers = b"".join(frame(OUTCOME, b"{}", call, code=call - 1, count=1) for call in (1, 2, 3, 4))
    how = struct.pack("<IIBBBBq", 1, 32, 1, 0, 0, 0, 0)
    load = frame(LOAD, text(b"20200707_051647035778") + how, flags=1)
    requests = frame(INFER, b"{}", 7, flags=2, count=1 << 20) + frame(INFER, b"{}", 8, flags=4, count=2)
    fork = frame(FORK, struct.pack("<BIqqqB", 1, 1, 1 << 29, 0, 0, 0), 1, flags=1)
    hello = frame(HELLO, struct.pack("<qI", 5, 4) + text(b"release") + text(b"") + text(b"0.1.0+4dec389"))
    inspect = frame(INSPECT, text(b"a.nnp") + struct.pack("<I", 1) + text(b"x=image") + b"\x01\x00", flags=1)
    for name, stream in (("to_worker", load + requests),
                         ("control", fork + hello), ("inspect", inspect), ("answers", loaded + answers)):
        yield "frames", name, b"\x02\x00\x1f" + stream
    serve, look, probe = b"\x02", b"\x00", b"\x01"
    yield "worker_words", "answers", serve + loaded + frame(MEMORY, time_ns=1 << 21) + answers
    yield "worker_words", "refusal", serve + frame(FAILED, b"the model does not load", code=1)
    yield "worker_words", "detail", serve + loaded + frame(OUTCOME, b"d" * 1024, 1, code=1, count=1)
    yield "worker_words", "inspected", look + frame(INSPECTED, b'{"networks":[]}')
    yield "worker_words", "inspect_failed", look + frame(FAILED, b"no", code=9)
    yield "worker_words", "probed", probe + frame(PROBED, identity=1)


def http_seeds():
    line = b"\r\n"
    host = b"Host: a" + line
    path = b"POST /v1/serverless/classifiers/abc/inference?q=1 HTTP/1.1" + line + host
    chunks = line.join((b"5;name=value", b"hello", b"1", b"!", b"0", b"T: v", b"", b""))
    chunked = path + b"Transfer-Encoding: chunked" + line + b"x-api-key: k" + line + line + chunks
    plain = path + b"Content-Length: 5" + line + b"Expect: 100-continue" + line + line + b"hello"
    early = b"POST /early HTTP/1.1" + line + host + b"Content-Length: 3" + line + line + b"abc"
    get = b"GET http://a/b?c HTTP/1.1" + line + host + b"Authorization: Bearer t" + line + line
    old = b"GET / HTTP/1.0" + line + b"Connection: keep-alive" + line + line
    both = path + b"Content-Length: 4" + line + b"Transfer-Encoding: chunked" + line + line + chunks
    gzipped = path + b"Content-Encoding: gzip" + line + b"Content-Length: 5" + line + line + b"12345"
    pieces = b"\x03\x00\x05\x20"
    for name, stream in (("chunked", chunked), ("plain", plain), ("early", early), ("get", get), ("old", old),
                         ("both", both), ("gzip", gzipped)):
        yield "http_head", name, pieces + stream
        yield "http_connection", name, pieces + stream
    yield "http_connection", "pipelined", pieces + get + plain + chunked + early + old


def setting_seeds():
    for index, rule in enumerate(("x=image:rgb:1/255", "x=image:bgr\ny=image:gray", "image:0.5",
                                  "x=image:rgb:1/255:mean=0.485,0.456,0.406:std=0.229,0.224,0.225")):
        yield "input_rules", str(index), rule.encode()
    config = ('listen = "0.0.0.0:80"\ndeadline = "30s"\nmemory-budget = "2GiB"\ncors = false\n'
              'queue-limit = 128\nlog-format = "json"\n# more\n')
    yield "config_file", "all", config.encode()
    yield "config_file", "wrong", b"[table]\na = [1, 2.5, 1979-05-27]\nb = { c = '''x''' }\n"
    for index, network in enumerate(("10.0.0.0/8", "192.168.1.1", "2001:db8::/32", "::ffff:1.2.3.4/100",
                                     "::", "1:2:3:4:5:6:7:8/128", "fe80::1:0:0:1")):
        yield "ip_network", str(index), network.encode()


READER_OF = {"monitoring_report.yml": b"\0", "result.ini": b"\1", "confusion_matrix_y.csv": b"\2",
             "output_result.csv": b"\3"}  # the first byte, which says who reads the rest


def result_seeds():
    """A folder of results as an archive, and its texts."""
    files = sorted(file for file in (DATA / "results").rglob("*") if file.name in READER_OF)
    for file in files:
        yield "result_texts", file.name, READER_OF[file.name] + file.read_bytes()
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            archive.writestr("a.files/1/results.nnp", b"model")
            for file in files:
                archive.writestr("a.files/1/" + file.name, file.read_bytes())
        yield "results", name, packed.getvalue()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.splitlines()[0])
    out = pathlib.Path(sys.argv[1])
    for make in (request_seeds, model_seeds, frame_seeds, http_seeds, setting_seeds,
                 result_seeds):
        for target, name, data in make():
            (out / target).mkdir(parents=True, exist_ok=True)
            (out / target / name).write_bytes(data)


main()

"""The server program can't parse a body, a media file or a model: nothing that could is linked into it.
And the worker, which does, has nothing that speaks to a network."""
import re
import subprocess

import pytest
from conftest import BIN

# Libraries that read untrusted bytes: they belong to the worker.
READERS = re.compile(
    r"onnx|protobuf|hdf5|libzip|simdjson|libpng|jpeg|libgif|libtiff|gdcm|charls|openjp2|sndfile")
# Libraries of networks, such as some builds of HDF5 bring: each is a way out that a worker must not need, and
# more for every fork of the zygote to copy.
NETWORKS = re.compile(r"curl|ssh|ldap|krb5|gssapi|rtmp|nghttp|gnutls|libssl")
# Names of functions that only such code has.
SYMBOLS = re.compile(
    r"\bnoren::worker::|\bOrt(Api|GetApiBase|Session)|\bonnx::|\bpng_|\bjpeg_|\bTIFF|\bgdcm::|\bzip_open"
    r"|\bH5[A-Z]|\bsf_open|\bDGif|\bsimdjson::")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def entries(program, kind):
    """Every shared library that the loader brings in, the indirect ones too; or every symbol."""
    if kind == "libraries":
        return [line.split()[0] for line in output_of("ldd", BIN / program).splitlines() if line.strip()]
    return output_of("nm", "--demangle", BIN / program).splitlines()


LOOKS = pytest.mark.parametrize("kind,pattern", [("libraries", READERS), ("symbols", SYMBOLS)])


@LOOKS
def test_the_server_has_no_reader(kind, pattern):
    assert [entry for entry in entries("noren", kind) if pattern.search(entry)] == []


@LOOKS
def test_the_worker_has_them(kind, pattern):
    """The same look at the worker finds plenty: so the test above is able to fail."""
    assert len([entry for entry in entries("noren-worker", kind) if pattern.search(entry)]) >= 5


def test_the_worker_speaks_to_no_network():
    assert [entry for entry in entries("noren-worker", "libraries") if NETWORKS.search(entry)] == []

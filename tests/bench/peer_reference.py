"""The reference package behind Flask and gunicorn, one worker: peer_reference.py PORT

Runs in the environment that peers.py makes. The networks are built from networks.py with the
weights that ONNX Runtime has too.
"""
import nnabla
import nnabla.functions as F
import numpy
from flask import Flask, jsonify, request
from gunicorn.app.base import BaseApplication
from networks import INPUT_SHAPES, NETWORKS
from peer_app import MODELS, NAMES, answer_of, input_of, port


class Builder:
    def __init__(self, name):
        self.weights = numpy.load(f"{MODELS}/{name}.npz")

    def weight(self, name, shape=None):
        value = self.weights[name]
        return nnabla.Variable.from_numpy_array(value if shape is None else value.reshape(shape))

    def convolution(self, x, name, inputs, outputs, kernel, padding=None, stride=None):
        padding, stride = padding or (0,) * len(kernel), stride or (1,) * len(kernel)
        return F.convolution(x, self.weight(name + "/W"), self.weight(name + "/b"), pad=padding,
                             stride=stride)

    def batch_norm(self, x, name, channels):
        parts = ("beta", "gamma", "mean", "var")
        values = [self.weight(f"{name}/{part}", (1, channels, 1, 1)) for part in parts]
        return F.batch_normalization(x, *values, batch_stat=False)

    def affine(self, x, name, inputs, outputs):
        return F.affine(x, self.weight(name + "/W"), self.weight(name + "/b"))

    def max_pool(self, x, kernel, padding=(0, 0), stride=None):
        return F.max_pooling(x, kernel, stride or kernel, ignore_border=True, pad=padding)

    def global_pool(self, x):
        return F.mean(x, axis=tuple(range(2, len(x.shape))))

    relu, tanh, add = staticmethod(F.relu), staticmethod(F.tanh), staticmethod(F.add2)

    def flatten(self, x):
        return F.reshape(x, (x.shape[0], -1))

    def softmax(self, x):
        return F.softmax(x, axis=1)


app = Flask(__name__)


def add(name):
    x = nnabla.Variable((1, *INPUT_SHAPES[name]))
    y = NETWORKS[name](Builder(name), x)

    def inference():
        x.d = input_of(request.get_json())
        y.forward(clear_no_need_grad=True)
        return jsonify(answer_of(y.d[0]))
    app.add_url_rule("/" + name, name, inference, methods=["POST"])


class Server(BaseApplication):
    def load_config(self):
        for key, value in {"bind": f"127.0.0.1:{port()}", "workers": 1, "keepalive": 60}.items():
            self.cfg.set(key, value)
        self.cfg.set("worker_class", "sync")
        self.cfg.set("loglevel", "error")

    def load(self):
        return app


if __name__ == "__main__":
    for each in NAMES:
        add(each)
    Server().run()

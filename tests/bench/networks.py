"""The benchmark's networks, written once for whoever builds them: the ONNX writer (make_models.py) and the
reference package (peer_reference.py). A builder has convolution, batch_norm, affine, max_pool, global_pool,
relu, tanh, add, flatten and softmax; layers with parameters have a name.
"""
INPUT_SHAPES = {"iris": (4,), "lenet": (1, 28, 28), "resnet": (3, 224, 224), "audio": (1, 8000)}
CLASSES = {"iris": 3, "lenet": 10, "resnet": 1000, "audio": 10}


def iris(build, x):
    return build.softmax(build.affine(build.relu(build.affine(x, "first", 4, 16)), "second", 16, 3))


def lenet(build, x):
    x = build.tanh(build.max_pool(build.convolution(x, "c1", 1, 16, (5, 5)), (2, 2)))
    x = build.tanh(build.max_pool(build.convolution(x, "c2", 16, 30, (5, 5)), (2, 2)))
    x = build.tanh(build.affine(build.flatten(x), "a1", 30 * 4 * 4, 150))
    return build.softmax(build.affine(x, "a2", 150, 10))


def resnet(build, x):
    """ResNet-18."""
    def layer(value, name, inputs, outputs, kernel, stride):
        padding = (kernel // 2, kernel // 2)
        value = build.convolution(value, name, inputs, outputs, (kernel, kernel), padding, (stride, stride))
        return build.batch_norm(value, name + "_bn", outputs)

    x = build.relu(layer(x, "stem", 3, 64, 7, 2))
    x = build.max_pool(x, (3, 3), (1, 1), (2, 2))
    channels = 64
    for stage, outputs in enumerate((64, 128, 256, 512)):
        for block in range(2):
            name, stride = f"s{stage}b{block}", 2 if stage > 0 and block == 0 else 1
            way = build.relu(layer(x, name + "a", channels, outputs, 3, stride))
            way = layer(way, name + "b", outputs, outputs, 3, 1)
            if stride > 1:
                x = layer(x, name + "d", channels, outputs, 1, stride)
            x, channels = build.relu(build.add(way, x)), outputs
    return build.softmax(build.affine(build.flatten(build.global_pool(x)), "fc", 512, 1000))


def audio(build, x):
    """A second of sound at 8 kHz, ten words."""
    x = build.relu(build.convolution(x, "c1", 1, 32, (80,), (0,), (16,)))
    x = build.relu(build.convolution(x, "c2", 32, 64, (5,), (0,), (2,)))
    x = build.relu(build.convolution(x, "c3", 64, 64, (5,), (0,), (2,)))
    return build.softmax(build.affine(build.flatten(build.global_pool(x)), "fc", 64, 10))


NETWORKS = {"iris": iris, "lenet": lenet, "resnet": resnet, "audio": audio}

"""Recipes of neural network layers."""

import nnabla.functions as F
import numpy as np
from draws import Recipe, base_axis_of, leading, numbers, positive, several, small


def affine_like(draw):
    base = draw.choice([0, 1, 1, 1, 2, 3])
    own = several(draw, 1, 4, draw.randint(1, 3))
    shape = leading(draw, base) + own
    outputs = several(draw, 1, 4, draw.choice([1, 1, 2]))
    weight = numbers(draw, (int(np.prod(own)),) + outputs)
    return shape, base_axis_of(draw, len(shape), base), weight, outputs


def affine(draw):
    shape, base, weight, outputs = affine_like(draw)
    parameters = {"w": weight}
    if draw.random() < 0.6:
        parameters["b"] = numbers(draw, outputs)
    return Recipe(
        lambda x, w, b=None: F.affine(x, w, b, base_axis=base),
        {"x": numbers(draw, shape)},
        parameters,
        note=f"base_axis {base}",
    )


def convolution_like(draw, spatial_max=3, kernel_max=3):
    base = draw.choice([0, 1, 1, 1, 1, 2, 3])
    spatial = draw.randint(1, spatial_max)
    group = draw.choice([1, 1, 2, 3])
    channels = group * draw.randint(1, 2)
    shape = leading(draw, base) + (channels,) + several(draw, 2, 8 if spatial < 3 else 5, spatial)
    arguments = {
        "base_axis": base_axis_of(draw, len(shape), base),
        "pad": several(draw, 0, 3, spatial),
        "stride": several(draw, 1, 3, spatial),
        "dilation": several(draw, 1, 2, spatial),
    }
    kernel = several(draw, 1, kernel_max, spatial)
    return shape, channels, group, kernel, arguments


def convolution(draw):
    shape, channels, group, kernel, arguments = convolution_like(draw, spatial_max=4, kernel_max=4)
    outputs = group * draw.randint(1, 2)
    parameters = {"w": small(draw, (outputs, channels // group) + kernel)}
    if draw.random() < 0.6:
        parameters["b"] = numbers(draw, (outputs,))
    return Recipe(
        lambda x, w, b=None: F.convolution(x, w, b, group=group, **arguments),
        {"x": numbers(draw, shape)},
        parameters,
        note=f"{arguments} kernel {kernel} group {group}",
    )


def depthwise_convolution(draw):
    shape, channels, _, kernel, arguments = convolution_like(draw, spatial_max=2)
    multiplier = draw.randint(1, 3)
    parameters = {"w": small(draw, (channels * multiplier,) + kernel)}
    if draw.random() < 0.6:
        parameters["b"] = numbers(draw, (channels * multiplier,))
    return Recipe(
        lambda x, w, b=None: F.depthwise_convolution(x, w, b, multiplier=multiplier, **arguments),
        {"x": numbers(draw, shape)},
        parameters,
        note=f"{arguments} multiplier {multiplier}",
    )


def deconvolution(draw):
    shape, channels, group, kernel, arguments = convolution_like(draw, spatial_max=4)
    outputs = group * draw.randint(1, 2)
    output_padding = tuple(draw.randint(0, s - 1) for s in arguments["stride"])
    parameters = {"w": small(draw, (channels, outputs // group) + kernel)}
    if draw.random() < 0.6:
        parameters["b"] = numbers(draw, (outputs,))
    return Recipe(
        lambda x, w, b=None: F.deconvolution(
            x, w, b, group=group, output_padding=output_padding, **arguments
        ),
        {"x": numbers(draw, shape)},
        parameters,
        note=f"{arguments} {output_padding} group {group}",
    )


def depthwise_deconvolution(draw):
    shape, channels, _, kernel, arguments = convolution_like(draw, spatial_max=2)
    divisor = draw.choice([d for d in (1, 2, 3) if d <= channels])
    parameters = {"w": small(draw, (channels,) + kernel)}
    if draw.random() < 0.6:
        parameters["b"] = numbers(draw, (channels // divisor,))
    return Recipe(
        lambda x, w, b=None: F.depthwise_deconvolution(x, w, b, divisor=divisor, **arguments),
        {"x": numbers(draw, shape)},
        parameters,
        note=f"{arguments} divisor {divisor} channels {channels}",
    )


def fused_convolution(draw):
    shape, channels, group, kernel, arguments = convolution_like(draw)
    base = arguments["base_axis"] = arguments["base_axis"] % len(shape)
    outputs = group * draw.randint(1, 2)
    spatial = len(kernel)
    if draw.random() < 0.5:
        arguments["pad"] = several(draw, 0, 4, 2 * spatial)
    arguments["pad_mode"] = draw.choice(["constant", "constant", "reflect", "repeat"])
    arguments["constant_value"] = draw.choice([0.0, 0.5])
    arguments["nonlinearity"] = draw.choice(
        ["identity", "relu", "sigmoid", "tanh", "leaky_relu", "elu", "relu6"]
    )
    if arguments["nonlinearity"] in ("leaky_relu", "elu"):
        arguments["nonlinearity_args"] = [0.25]
    arguments["batch_stat"] = draw.random() < 0.3
    arguments["eps"] = draw.choice([1e-5, 0.1])
    parameters = {"w": small(draw, (outputs, channels // group) + kernel)}
    statistics = [1] * len(shape)
    statistics[base] = outputs
    kind = draw.choice(["plain", "bias", "statistics"])
    if kind == "bias":
        parameters["bias"] = numbers(draw, (outputs,))
    if kind == "statistics":
        for name in ("beta", "gamma", "mean"):
            parameters[name] = numbers(draw, statistics)
        parameters["variance"] = positive(draw, statistics)
    inputs = {"x": numbers(draw, shape)}
    residual = draw.random() < 0.4 and kind != "plain"

    def build(x, w, **rest):
        if residual:
            plain = F.fused_convolution(x, w, group=group, **arguments)
            rest["z"] = F.sigmoid(plain)
        return F.fused_convolution(x, w, group=group, **rest, **arguments)

    return Recipe(build, inputs, parameters, note=f"{arguments} {kind} residual {residual}")


def deformable_convolution(draw):
    group, deformable_group = draw.choice([1, 2]), draw.choice([1, 2])
    channels = 2 * draw.randint(1, 2)
    kernel = several(draw, 1, 3, 2)
    dilation = several(draw, 1, 2, 2)
    pad = tuple(draw.randint(0, d * (k - 1) // 2) for k, d in zip(kernel, dilation))
    size = several(draw, 5, 7, 2)
    taps = kernel[0] * kernel[1] * deformable_group
    inputs = {"x": numbers(draw, (1, channels) + size), "offset": numbers(draw, (1, 2 * taps) + size)}
    parameters = {"w": small(draw, (2 * group, channels // group) + kernel)}
    if draw.random() < 0.5:
        inputs["mask"] = positive(draw, (1, taps) + size)
    if draw.random() < 0.5:
        parameters["bias"] = numbers(draw, (2 * group,))
    arguments = {
        "pad": pad,
        "stride": several(draw, 1, 2, 2),
        "dilation": dilation,
        "group": group,
        "deformable_group": deformable_group,
    }
    return Recipe(
        lambda x, w, offset, mask=None, bias=None: F.deformable_convolution(
            x, w, offset, mask, bias, **arguments
        ),
        inputs,
        parameters,
        note=f"{arguments} kernel {kernel}",
    )


def adaptive_separable_convolution(draw):
    channels, height, width = draw.randint(1, 3), draw.randint(3, 7), draw.randint(3, 7)
    v, h = draw.randint(1, 3), draw.randint(1, 3)
    out = (height - v + 1, width - h + 1)
    inputs = {
        "x": numbers(draw, (1, channels, height, width)),
        "v": small(draw, (1, v) + out),
        "h": small(draw, (1, h) + out),
    }
    return Recipe(lambda x, v, h: F.adaptive_separable_convolution(x, v, h), inputs)


def pooling(function, extra=lambda draw: {}):
    def recipe(draw):
        axes = draw.choice([2, 2, 3])
        kernel = several(draw, 1, 4, axes)
        shape = (
            tuple([1] + [draw.randint(1, 3) for _ in range(draw.randint(0, 2))])
            if draw.random() < 0.9
            else ()
        )
        shape += several(draw, 2, 8, axes)
        arguments = {
            "ignore_border": draw.random() < 0.5,
            "pad": several(draw, 0, draw.choice([0, 2, 4]), axes),
        }
        if draw.random() < 0.7:
            arguments["stride"] = several(draw, 1, 4, axes)
        arguments.update(extra(draw))
        stride = arguments.get("stride", kernel)
        for length, k, s, p in zip(shape[-axes:], kernel, stride, arguments["pad"]):
            places = int((length + p - (k - p if arguments["ignore_border"] else 1)) / s) + 1
            if (
                places < 1 or (places - 1) * s - p >= length
            ):  # the reference reads or writes behind the map there
                raise ValueError("a window lies behind the map")
        return Recipe(
            lambda x: function(x, kernel, **arguments),
            {"x": numbers(draw, shape)},
            batch=len(shape) > axes,
            note=f"{arguments} kernel {kernel}",
        )

    return recipe


def global_average_pooling(draw):
    shape = (1, draw.randint(1, 3)) + several(draw, 1, 4, draw.randint(0, 3))
    return Recipe(F.global_average_pooling, {"x": numbers(draw, shape)}, note=str(shape))


def unpooling(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 4))
    kernel = several(draw, 1, 3, draw.randint(1, min(3, len(shape))))
    return Recipe(lambda x: F.unpooling(x, kernel), {"x": numbers(draw, shape)}, note=str(kernel))


def embed(draw):
    rows = draw.randint(1, 6)
    weight = numbers(draw, (rows,) + several(draw, 1, 3, draw.randint(1, 2)))
    x = numbers(draw, (1,) + several(draw, 1, 3, draw.randint(0, 2)), 0, rows - 1, 1)
    return Recipe(lambda x, w: F.embed(x, w), {"x": x}, {"w": weight})


def roi_align(draw):
    channels, height, width, boxes = (
        draw.randint(1, 3),
        draw.randint(2, 7),
        draw.randint(2, 7),
        draw.randint(1, 4),
    )
    table = numbers(draw, (boxes, 5), -64, 600)
    table[:, 0] = 0
    size, ratio = several(draw, 1, 3, 2), draw.choice([-1, 0, 1, 2, 3])
    scale = (draw.choice([0.25, 1.0, 0.7]), draw.choice([0.5, 1.0, 1.3]))
    return Recipe(
        lambda x, boxes: F.roi_align(x, boxes, size, scale, ratio),
        {"x": numbers(draw, (1, channels, height, width)), "boxes": table},
        note=f"{size} {scale} {ratio}",
    )


def recurrent(function, states, gates, bias_rows, extra=lambda draw: {}):
    def recipe(draw):
        steps, batch, inputs, hidden = several(draw, 1, 4, 4)
        layers, directions = draw.randint(1, 3), draw.choice([1, 2])
        gate = (gates,) if gates else ()
        arguments = dict(
            num_layers=layers, bidirectional=directions == 2, training=draw.random() < 0.5, **extra(draw)
        )
        data = {"x": numbers(draw, (steps, batch, inputs))}
        parameters = {"w0": numbers(draw, (directions,) + gate + (hidden, inputs + hidden))}
        for name in states:
            target = data if draw.random() < 0.6 else parameters
            target[name] = numbers(draw, (layers, directions, batch, hidden))
        if layers > 1:
            parameters["w"] = numbers(
                draw, (layers - 1, directions) + gate + (hidden, (directions + 1) * hidden)
            )
        if draw.random() < 0.6:
            parameters["b"] = numbers(
                draw, (layers, directions) + ((bias_rows,) if gates else ()) + (hidden,)
            )

        def build(x, w0, w=None, b=None, **start):
            return function(x, *[start[name] for name in states], w0, w, b, **arguments)

        return Recipe(build, data, parameters, batch=False, note=str(arguments))

    return recipe


RECIPES = {
    "Affine": affine,
    "Convolution": convolution,
    "DepthwiseConvolution": depthwise_convolution,
    "Deconvolution": deconvolution,
    "DepthwiseDeconvolution": depthwise_deconvolution,
    "FusedConvolution": fused_convolution,
    "DeformableConvolution": deformable_convolution,
    "AdaptiveSeparableConvolution": adaptive_separable_convolution,
    "MaxPooling": pooling(F.max_pooling),
    "SumPooling": pooling(F.sum_pooling),
    "AveragePooling": pooling(F.average_pooling, lambda draw: {"including_pad": draw.random() < 0.5}),
    "GlobalAveragePooling": global_average_pooling,
    "Unpooling": unpooling,
    "Embed": embed,
    "RoiAlign": roi_align,
    "RNN": recurrent(F.rnn, ["h"], 0, 1, lambda draw: {"nonlinearity": draw.choice(["tanh", "relu"])}),
    "LSTM": recurrent(F.lstm, ["h", "c"], 4, 4),
    "GRU": recurrent(F.gru, ["h"], 3, 4),
}

"""Recipes of layers that round their weights or what flows through them."""

import nnabla.functions as F
import numpy as np
from draws import Recipe, numbers, several
from layer_recipes import affine_like, convolution_like


def weights_with_zeros(draw, shape):
    return numbers(draw, shape, -6, 6, 1 / 8)


def quantized_affine(function, scaled):
    def recipe(draw):
        shape, base, weight, outputs = affine_like(draw)
        parameters = {
            "w": weights_with_zeros(draw, weight.shape),
            "binary": np.zeros(weight.shape, np.float32),
        }
        if scaled:
            parameters["alpha"] = np.zeros(outputs, np.float32)
        if draw.random() < 0.5:
            parameters["b"] = numbers(draw, outputs)
        zero_to = draw.choice([-1.0, 0.0, 1.0, 0.5])

        def build(x, w, binary, alpha=None, b=None):
            rest = [alpha] if scaled else []
            return function(x, w, binary, *rest, b, base_axis=base, quantize_zero_to=zero_to)

        return Recipe(
            build, {"x": numbers(draw, shape)}, parameters, note=f"base {base} zero_to {zero_to}"
        )

    return recipe


def quantized_convolution(function, scaled):
    def recipe(draw):
        shape, channels, group, kernel, arguments = convolution_like(draw)
        outputs = group * draw.randint(1, 2)
        weight = weights_with_zeros(draw, (outputs, channels // group) + kernel)
        parameters = {"w": weight, "binary": np.zeros(weight.shape, np.float32)}
        if scaled:
            parameters["alpha"] = np.zeros((outputs,), np.float32)
        if draw.random() < 0.5:
            parameters["b"] = numbers(draw, (outputs,))

        def build(x, w, binary, alpha=None, b=None):
            rest = [alpha] if scaled else []
            return function(x, w, binary, *rest, b, group=group, **arguments)

        return Recipe(build, {"x": numbers(draw, shape)}, parameters, note=f"{arguments} {group}")

    return recipe


def inq_arguments(draw):
    return {
        "num_bits": draw.randint(2, 6),
        "inq_iterations": draw.choice([[], [0], [0, 5], [3], [5, 0]]),
        "selection_algorithm": draw.choice(["largest_abs", "random"]),
        "seed": draw.randint(0, 99),
    }


def inq_affine(draw):
    shape, base, weight, outputs = affine_like(draw)
    arguments = inq_arguments(draw)
    parameters = {"w": weight, "fixed": numbers(draw, weight.shape, 0, 1, 1)}
    if draw.random() < 0.5:
        parameters["b"] = numbers(draw, outputs)
    return Recipe(
        lambda x, w, fixed, b=None: F.inq_affine(x, w, fixed, b, base_axis=base, **arguments),
        {"x": numbers(draw, shape)},
        parameters,
        note=str(arguments),
    )


def inq_convolution(draw):
    shape, channels, group, kernel, arguments = convolution_like(draw)
    arguments.update(inq_arguments(draw))
    outputs = group * draw.randint(1, 2)
    weight = numbers(draw, (outputs, channels // group) + kernel)
    parameters = {"w": weight, "fixed": numbers(draw, weight.shape, 0, 1, 1)}
    if draw.random() < 0.5:
        parameters["b"] = numbers(draw, (outputs,))
    return Recipe(
        lambda x, w, fixed, b=None: F.inq_convolution(x, w, fixed, b, group=group, **arguments),
        {"x": numbers(draw, shape)},
        parameters,
        note=str(arguments),
    )


def elementwise(draw_function):
    """A layer of one input; sometimes the input is a parameter."""

    def recipe(draw):
        function, note = draw_function(draw)
        x = numbers(draw, (1,) + several(draw, 1, 5, draw.randint(1, 3)), -400, 400)
        if draw.random() < 0.3:
            y = numbers(draw, x.shape)
            return Recipe(lambda x, w: F.add2(x, function(w)), {"x": y}, {"w": x}, note=note)
        return Recipe(function, {"x": x}, note=note)

    return recipe


def fixed_point_function(draw):
    arguments = {
        "sign": draw.random() < 0.5,
        "n": draw.randint(2, 12),
        "delta": draw.choice([0.0625, 0.3, 1.0]),
    }
    return lambda x: F.fixed_point_quantize(x, **arguments), str(arguments)


def power_of_two_function(draw):
    arguments = {
        "sign": draw.random() < 0.5,
        "with_zero": draw.random() < 0.5,
        "n": draw.randint(3, 8),
        "m": draw.randint(-3, 3),
    }
    return lambda x: F.pow2_quantize(x, **arguments), str(arguments)


def prune_function(draw):
    rate = draw.choice([0.0, 0.1, 0.33, 0.5, 0.75, 0.9, 1.0])
    return lambda x: F.prune(x, rate), str(rate)


def one_for_each(draw, shape):
    return tuple(n if i > 0 and draw.random() < 0.4 else 1 for i, n in enumerate(shape))


def quantize_linear(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 3))
    form = one_for_each(draw, shape)
    arguments = {
        "round_mode": draw.choice(["HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN"]),
        "narrow_range": draw.random() < 0.5,
        "dtype": draw.choice([np.int8, np.uint8]),
    }
    scale = np.array(
        [draw.choice([0.25, 0.5, 0.03125, 1.0]) for _ in range(int(np.prod(form)))], np.float32
    )
    return Recipe(
        lambda x, s, z: F.quantize_linear(x, s, z, **arguments),
        {"x": numbers(draw, shape, -900, 900, 1 / 8)},
        {"s": scale.reshape(form), "z": numbers(draw, form, -300, 300, 1 / 2)},
        note=str(arguments),
    )


def dequantize_linear(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 3))
    form = one_for_each(draw, shape)
    return Recipe(
        F.dequantize_linear,
        {"x": numbers(draw, shape, -128, 127, 1)},
        {"scale": numbers(draw, form), "zero_point": numbers(draw, form, -9, 9, 1)},
    )


def min_max_quantize(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 3))
    form = one_for_each(draw, shape)
    if draw.random() < 0.3:  # fewer axes than the input, as the console draws them
        form = form[draw.randint(1, len(form) - 1) :]
    arguments = {
        "x_min_max": draw.random() < 0.4,
        "ema": draw.random() < 0.4,
        "decay": draw.choice([0.9, 0.5]),
        "eps": draw.choice([0.01, 1.0]),
    }
    steps = draw.choice([3, 15, 255])
    parameters = {
        "qr_min": numbers(draw, form, -128, 40),
        "qr_max": numbers(draw, form, -20, 128),
        "ql_min": np.zeros(form, np.float32),
        "ql_max": np.full(form, steps, np.float32),
    }
    return Recipe(
        lambda x, **p: F.min_max_quantize(x, **p, **arguments),
        {"x": numbers(draw, shape)},
        parameters,
        note=f"{arguments} {form}",
    )


RECIPES = {
    "BinaryConnectAffine": quantized_affine(F.binary_connect_affine, False),
    "BinaryWeightAffine": quantized_affine(F.binary_weight_affine, True),
    "BinaryConnectConvolution": quantized_convolution(F.binary_connect_convolution, False),
    "BinaryWeightConvolution": quantized_convolution(F.binary_weight_convolution, True),
    "INQAffine": inq_affine,
    "INQConvolution": inq_convolution,
    "FixedPointQuantize": elementwise(fixed_point_function),
    "Pow2Quantize": elementwise(power_of_two_function),
    "Prune": elementwise(prune_function),
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "MinMaxQuantize": min_max_quantize,
}

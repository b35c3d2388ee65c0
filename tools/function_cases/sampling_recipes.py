"""Recipes of layers that sample pictures and signals, pick the largest, compare and judge."""

import nnabla.function_bases as B
import nnabla.functions as F
import numpy as np
from draws import Recipe, numbers, positive, several


def interpolate(draw):
    axes = draw.randint(1, 3)
    lead = (1,) + several(draw, 1, 3, draw.randint(0, 2))
    shape = lead + several(draw, 1, 7, axes)
    arguments = {
        "output_size": several(draw, 1, 11, axes),
        "mode": draw.choice(["linear", "nearest"]),
        "align_corners": draw.random() < 0.5,
        "half_pixel": draw.random() < 0.5,
        "half_pixel_for_nn": draw.random() < 0.3,
    }
    return Recipe(
        lambda x: B.interpolate(x, channel_last=False, **arguments),
        {"x": numbers(draw, shape)},
        note=f"{arguments} {shape}",
    )


def onnx_resize(draw):
    lead = (1, draw.randint(1, 2))
    axes = draw.randint(1, 3)
    shape = lead + several(draw, 1, 6, axes)
    arguments = {
        "mode": draw.choice(["nearest", "linear", "cubic"]),
        "coordinate_transformation_mode": draw.choice(
            ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
             "tf_half_pixel_for_nn"]
        ),
        "cubic_coeff_a": draw.choice([-0.75, -0.5]),
        "exclude_outside": draw.randint(0, 1),
        "extrapolation_value": draw.choice([0.0, 2.5]),
        "nearest_mode": draw.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    }
    if draw.random() < 0.5:
        arguments["sizes"] = list(lead + several(draw, 1, 9, axes))
    else:
        arguments["scales"] = [1.0, 1.0] + [draw.choice([0.5, 0.6, 1.0, 1.5, 2.0, 3.0]) for _ in range(axes)]
    if arguments["coordinate_transformation_mode"] == "tf_crop_and_resize":
        arguments["roi"] = (
            [0.0, 0.0]
            + [draw.choice([-0.25, 0.0, 0.25]) for _ in range(axes)]
            + [1.0, 1.0]
            + [draw.choice([0.5, 1.0, 1.25]) for _ in range(axes)]
        )
    return Recipe(
        lambda x: F.onnx_resize(x, **arguments), {"x": numbers(draw, shape)}, note=f"{arguments} {shape}"
    )


def transform_arguments(draw):
    fft_size = draw.choice([2, 4, 6, 8, 16, 5])
    return {
        "window_size": draw.randint(1, fft_size),
        "stride": draw.choice([1, 2, 3, 4, max(1, fft_size // 2), fft_size]),
        "fft_size": fft_size,
        "window_type": draw.choice(["hanning", "hamming", "rectangular"]),
        "center": draw.random() < 0.6,
    }


def stft(draw):
    arguments = transform_arguments(draw)
    arguments["pad_mode"] = draw.choice(["reflect", "constant"])
    arguments["as_istft_backward"] = draw.random() < 0.3
    shape = (draw.choice([1, 1, 2]), draw.randint(1, 30))
    return Recipe(
        lambda x: B.stft(x, **arguments), {"x": numbers(draw, shape)}, note=f"{arguments} {shape}",
        batch=shape[0] == 1,
    )


def istft(draw):
    arguments = transform_arguments(draw)
    arguments["pad_mode"] = draw.choice(["reflect", "constant", "constant"])
    arguments["as_stft_backward"] = draw.random() < 0.3
    shape = (draw.choice([1, 1, 2]), arguments["fft_size"] // 2 + 1, draw.randint(1, 8))
    return Recipe(
        lambda r, i: B.istft(r, i, **arguments),
        {"r": numbers(draw, shape), "i": numbers(draw, shape)},
        note=f"{arguments} {shape}",
        batch=shape[0] == 1,
    )


def top_k_data(draw):
    shape = (1,) + several(draw, 1, 5, draw.randint(1, 3))
    base = draw.randint(0, len(shape) - 1)
    size = int(np.prod(shape[base:]))
    arguments = {
        "k": draw.randint(1, size),
        "abs": draw.random() < 0.5,
        "reduce": draw.random() < 0.5,
        "base_axis": base - (len(shape) if draw.random() < 0.2 else 0),
        "largest": draw.random() < 0.6,
    }
    if arguments["reduce"]:
        arguments["with_index"] = draw.random() < 0.5
    step = draw.choice([1 / 64, 1 / 4])
    x = numbers(draw, shape, -12, 12, step)
    return Recipe(lambda x: F.top_k_data(x, **arguments), {"x": x}, note=f"{arguments} {shape}")


def top_k_grad(draw):
    shape = (1,) + several(draw, 1, 5, 2)
    return Recipe(lambda x: F.top_k_grad(x, draw.randint(1, 2)), {"x": numbers(draw, shape)})


def random_equation(draw):
    letters = {name: draw.randint(1, 3) for name in "abcij"}
    count = draw.randint(1, 3)
    terms = ["".join(draw.choice("abcij") for _ in range(draw.randint(1, 3))) for _ in range(count)]
    dots = draw.random() < 0.3
    used = sorted(set("".join(terms)))
    out = "".join(draw.sample(used, draw.randint(0, len(used))))
    if dots:
        terms = [("..." + term) for term in terms]
        out = "..." + out
    extra = several(draw, 1, 2, draw.randint(0, 2)) if dots else ()
    shapes = [extra + tuple(letters[c] for c in term.replace("...", "")) for term in terms]
    equation = ",".join(terms)
    if draw.random() < 0.9:
        equation += "->" + out
    return equation, shapes


def einsum(draw):
    equation, shapes = random_equation(draw)
    if draw.random() < 0.3:
        equation = equation.replace(",", " , ").replace("->", " -> ")
    inputs = {f"x{i}": numbers(draw, shape) for i, shape in enumerate(shapes)}
    return Recipe(lambda **x: F.einsum(*x.values(), equation=equation), inputs, note=equation)


def with_labels(function, extra, probabilities):
    def recipe(draw):
        shape = (1,) + several(draw, 1, 5, draw.randint(1, 3))
        axis = draw.randint(0, len(shape) - 1)
        classes = shape[axis]
        form = shape[:axis] + (1,) + shape[axis + 1 :]
        x = positive(draw, shape) / 2 if probabilities else numbers(draw, shape, -40, 40, 1 / 8)
        low = -1 if draw.random() < 0.2 else 0
        arguments = {"axis": axis - (len(shape) if draw.random() < 0.3 else 0), **extra(draw, classes)}
        return Recipe(
            lambda x, t: function(x, t, **arguments),
            {"x": x, "t": numbers(draw, form, low, classes - 1, 1)},
            note=f"{arguments} {shape}",
        )

    return recipe


def two(function, first=numbers, second=numbers, extra=lambda draw: {}):
    def recipe(draw):
        shape = (1,) + several(draw, 1, 5, draw.randint(0, 3))
        arguments = extra(draw)
        other = shape
        return Recipe(
            lambda x, y: function(x, y, **arguments),
            {"x": first(draw, shape), "y": second(draw, other)},
            note=f"{arguments} {shape}",
        )

    return recipe


def shares(draw, shape):
    """0 to 1, both ends included."""
    return numbers(draw, shape, 0, 64, 1 / 64)


def kl_multinomial(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 3))
    base = draw.randint(0, len(shape) - 1) - (len(shape) if draw.random() < 0.3 else 0)
    return Recipe(
        lambda p, q: F.kl_multinomial(p, q, base),
        {"p": shares(draw, shape), "q": shares(draw, shape)},
        note=f"{base} {shape}",
    )


def affine_grid(draw):
    axes = draw.choice([2, 3])
    size = several(draw, 1, 5, axes)
    corners = draw.random() < 0.5
    return Recipe(
        lambda theta: F.affine_grid(theta, size, corners),
        {"theta": numbers(draw, (draw.choice([1, 1, 2]), axes, axes + 1))},
        batch=False,
        note=f"{size} {corners}",
    )


def warp_by_grid(draw):
    axes = draw.choice([2, 2, 3])
    shape = (1, draw.randint(1, 3)) + several(draw, 1, 5, axes)
    grid = (1,) + several(draw, 1, 4, axes) + (axes,)
    arguments = {
        "mode": draw.choice(["linear", "nearest"]),
        "padding_mode": draw.choice(["zero", "repeat", "reflect"]),
        "align_corners": draw.random() < 0.5,
    }
    return Recipe(
        lambda x, grid: F.warp_by_grid(x, grid, **arguments),
        {"x": numbers(draw, shape), "grid": numbers(draw, grid, -110, 110, 1 / 61)},
        note=f"{arguments} {shape}",
    )


def warp_by_flow(draw):
    channels, height, width = draw.randint(1, 3), draw.randint(1, 6), draw.randint(1, 6)
    return Recipe(
        F.warp_by_flow,
        {
            "data": numbers(draw, (1, channels, height, width)),
            "flow": numbers(draw, (1, 2, height, width), -300, 300, 1 / 64),
        },
    )


def patch_correlation(draw):
    shape = (1,) + several(draw, 2, 7, 2) + (draw.randint(1, 3),)
    arguments = {
        "patch": several(draw, 1, 3, 2),
        "shift": several(draw, 0, 2, 2),
        "patch_step": several(draw, 1, 3, 2),
        "shift_step": several(draw, 1, 3, 2),
        "padding": several(draw, 0, 3, 4),
    }
    return Recipe(
        lambda a, b: B.patch_correlation(a, b, **arguments),
        {"a": numbers(draw, shape), "b": numbers(draw, shape)},
        note=f"{arguments} {shape}",
    )


def vat_noise(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 3))
    base = draw.randint(0, len(shape) - 1)
    return Recipe(
        lambda x, w: F.vat_noise(x, w, base, draw.choice([1.0, 0.3])),
        {"x": numbers(draw, shape)},
        {"w": numbers(draw, shape)},
        note=f"{base} {shape}",
    )


def nms_detection(draw):
    classes, boxes = draw.randint(1, 3), draw.randint(1, 9)
    shape = (draw.choice([1, 1, 2]), boxes, 5 + classes)
    x = np.concatenate(
        [numbers(draw, shape[:2] + (4,), 1, 64, 1 / 64), shares(draw, shape[:2] + (1 + classes,))], axis=-1
    )
    arguments = {
        "thresh": draw.choice([0.1, 0.3, 0.5]),
        "nms": draw.choice([0.1, 0.3, 0.6, 0.9]),
        "nms_per_class": draw.random() < 0.5,
    }
    return Recipe(
        lambda x: F.nms_detection2d(x, **arguments),
        {"x": x},
        batch=shape[0] == 1,
        note=f"{arguments} {shape}",
    )


def onnx_nms(draw):
    batch, classes, boxes = draw.randint(1, 2), draw.randint(1, 3), draw.randint(1, 8)
    arguments = {
        "center_point_box": draw.randint(0, 1),
        "max_output_boxes_per_class": draw.randint(0, 5),
        "iou_threshold": draw.choice([0.0, 0.25, 0.5, 0.9]),
        "score_threshold": draw.choice([0.0, 0.3, 0.6]),
    }
    return Recipe(
        lambda boxes, scores, x: (F.onnx_non_max_suppression(boxes, scores, **arguments), F.identity(x)),
        {"x": numbers(draw, (1, 1))},
        {"boxes": numbers(draw, (batch, boxes, 4), 0, 64), "scores": shares(draw, (batch, classes, boxes))},
        note=f"{arguments} {batch} {classes} {boxes}",
    )


def clip_by_norm(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(1, 3))
    axes = sorted(draw.sample(range(len(shape)), draw.randint(1, len(shape))))
    return Recipe(
        lambda x: F.clip_grad_by_norm(x, draw.choice([0.5, 2.0]), axes), {"x": numbers(draw, shape)}
    )


def eye_like(draw):
    k = draw.randint(-4, 4)
    return Recipe(
        lambda x: F.eye_like(x, k), {"x": numbers(draw, several(draw, 1, 5, 2))}, batch=False, note=str(k)
    )


def broadcasting(function):
    def recipe(draw):
        shape = (1,) + several(draw, 1, 4, draw.randint(0, 3))
        forms = [tuple(1 if draw.random() < 0.3 else n for n in shape) for _ in range(2)]
        return Recipe(
            function, {"x": numbers(draw, forms[0], -700, 700), "y": numbers(draw, forms[1], -300, 300)}
        )

    return recipe


def one(function):
    return lambda draw: Recipe(
        function, {"x": numbers(draw, (1,) + several(draw, 1, 4, draw.randint(0, 3)), -4, 4, 1 / 4)}
    )


def no_more(draw, classes):
    return {}


RECIPES = {
    "Interpolate": interpolate,
    "ONNXResize": onnx_resize,
    "STFT": stft,
    "ISTFT": istft,
    "TopKData": top_k_data,
    "TopKGrad": top_k_grad,
    "Einsum": einsum,
    "SoftmaxCrossEntropy": with_labels(F.softmax_cross_entropy, no_more, False),
    "CategoricalCrossEntropy": with_labels(F.categorical_cross_entropy, no_more, True),
    "TopNError": with_labels(F.top_n_error, lambda draw, n: {"n": draw.randint(1, n)}, False),
    "ConfusionMatrix": with_labels(F.confusion_matrix, no_more, False),
    "SigmoidCrossEntropy": two(F.sigmoid_cross_entropy, second=lambda d, s: numbers(d, s, 0, 1, 1)),
    "BinaryCrossEntropy": two(F.binary_cross_entropy, shares, shares),
    "SquaredError": two(F.squared_error),
    "AbsoluteError": two(F.absolute_error),
    "HuberLoss": two(F.huber_loss, extra=lambda d: {"delta": d.choice([0.3, 1.0, 5.0])}),
    "EpsilonInsensitiveLoss": two(
        F.epsilon_insensitive_loss, extra=lambda d: {"epsilon": d.choice([0.0, 0.3, 1.5])}
    ),
    "BinaryError": two(F.binary_error, shares, shares),
    "KLMultinomial": kl_multinomial,
    "AffineGrid": affine_grid,
    "WarpByGrid": warp_by_grid,
    "WarpByFlow": warp_by_flow,
    "PatchCorrelation": patch_correlation,
    "VATNoise": vat_noise,
    "NmsDetection2d": nms_detection,
    "ONNXNonMaxSuppression": onnx_nms,
    "ClipGradByNorm": clip_by_norm,
    "EyeLike": eye_like,
    "Mod2": broadcasting(F.mod2),
    "BinarySigmoid": one(F.binary_sigmoid),
    "BinaryTanh": one(F.binary_tanh),
    "Unlink": one(F.unlink),
}

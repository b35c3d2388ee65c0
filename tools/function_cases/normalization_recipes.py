"""Recipes of normalisations."""

import nnabla.function_bases as B
import nnabla.functions as F
import numpy as np
from draws import Recipe, leading, numbers, positive, several


def batch_normalization(draw):
    rank = draw.randint(2, 5)
    shape = (1,) + several(draw, 1, 4, rank - 1)
    axis = draw.choice([1, 1, draw.randrange(rank)])
    statistics = [1] * rank
    statistics[axis] = shape[axis]
    arguments = {
        "axes": [axis - rank if draw.random() < 0.3 else axis],
        "batch_stat": draw.random() < 0.4,
        "eps": draw.choice([1e-5, 1e-3, 0.1]),
    }
    parameters = {
        "beta": numbers(draw, statistics),
        "gamma": numbers(draw, statistics),
        "mean": numbers(draw, statistics),
        "variance": positive(draw, statistics),
    }
    for name in ("beta", "gamma"):
        if draw.random() < 0.2:
            del parameters[name]
    inputs = {"x": numbers(draw, shape)}
    if draw.random() < 0.2:
        inputs["mean"] = parameters.pop("mean")
    if arguments["batch_stat"] and draw.random() < 0.5:
        arguments["output_stat"] = True

    def build(x, mean, variance, beta=None, gamma=None):
        return F.batch_normalization(x, beta, gamma, mean, variance, **arguments)

    return Recipe(build, inputs, parameters, note=f"{arguments} {shape}")


def fused_batch_normalization(draw):
    rank = draw.randint(2, 4)
    shape = (1,) + several(draw, 1, 4, rank - 1)
    axis = draw.randrange(1, rank)
    statistics = [1] * rank
    statistics[axis] = shape[axis]
    parameters = {
        "beta": numbers(draw, statistics),
        "gamma": numbers(draw, statistics),
        "mean": numbers(draw, statistics),
        "variance": positive(draw, statistics),
    }
    inputs = {"x": numbers(draw, shape)}
    if draw.random() < 0.5:
        inputs["z"] = numbers(draw, shape)
    batch_stat = draw.random() < 0.4

    def build(x, mean, variance, beta, gamma, z=None):
        return F.fused_batch_normalization(
            x, beta, gamma, mean, variance, z, axes=[axis], batch_stat=batch_stat
        )

    return Recipe(build, inputs, parameters, note=f"axis {axis} batch_stat {batch_stat}")


def normalization(function, draw_arguments):
    """Layers with beta and gamma, whose shape draw_arguments gives for the shape of x."""

    def recipe(draw):
        rank = draw.randint(2, 5)
        shape = (1,) + several(draw, 1, 6, rank - 1)
        if draw.random() < 0.15:
            shape = (draw.randint(2, 3),) + shape[1:]
        arguments, form, shape = draw_arguments(draw, shape)
        arguments["eps"] = draw.choice([1e-5, 1e-3, 0.1])
        parameters = {}
        for name in ("beta", "gamma"):
            if draw.random() < 0.7:
                parameters[name] = numbers(draw, form)

        arguments["output_stat"] = draw.random() < 0.3

        def build(x, beta=None, gamma=None):
            return function(x, beta=beta, gamma=gamma, **arguments)

        return Recipe(
            build,
            {"x": numbers(draw, shape)},
            parameters,
            batch=shape[0] == 1,
            note=f"{arguments} {shape}",
        )

    return recipe


def some_axes(draw, rank, minimum=0):
    return sorted(draw.sample(range(rank), draw.randint(minimum, rank)))


def layer_arguments(draw, shape):
    axes = [0] if draw.random() < 0.6 else some_axes(draw, len(shape))
    return {"batch_axis": axes}, [1 if i in axes else n for i, n in enumerate(shape)], shape


def instance_arguments(draw, shape):
    channel = draw.randrange(1, len(shape))
    axes = [0] if draw.random() < 0.7 else [a for a in some_axes(draw, len(shape), 1) if a != channel]
    form = [n if i == channel or (i in axes and draw.random() < 0.5) else 1 for i, n in enumerate(shape)]
    return (
        {"channel_axis": channel - (len(shape) if draw.random() < 0.2 else 0), "batch_axis": axes},
        form,
        shape,
    )


def group_arguments(draw, shape):
    channel = draw.randrange(1, len(shape))
    groups = draw.randint(1, 3)
    shape = tuple(groups * draw.randint(1, 2) if i == channel else n for i, n in enumerate(shape))
    axes = [0] if draw.random() < 0.7 else [a for a in some_axes(draw, len(shape), 1) if a != channel]
    form = [n if i == channel else 1 for i, n in enumerate(shape)]
    return {"num_groups": groups, "channel_axis": channel, "batch_axis": axes}, form, shape


def tensor_arguments(draw, shape):
    axes = some_axes(draw, len(shape), 1)
    return {"axes": axes}, [n if i in axes else 1 for i, n in enumerate(shape)], shape


def tensor_normalization(x, beta, gamma, axes, eps, output_stat):
    """The layer itself: the function of this name in nnabla.functions makes other layers of it."""
    return B.tensor_normalization(
        x, beta, gamma, axes, eps, gamma is None, beta is None, n_outputs=3 if output_stat else 1
    )


def norm_normalization(draw):
    shape = (1,) + several(draw, 1, 4, draw.randint(0, 3))
    axes = some_axes(draw, len(shape), 1)
    p = draw.choice([1.0, 2.0, 3.0, 1.5, 2.5])
    return Recipe(
        lambda x: F.norm_normalization(x, p, axes), {"x": positive(draw, shape)}, note=f"{p} {axes}"
    )


def weight_normalization(draw):
    shape = several(draw, 1, 4, draw.randint(1, 4))
    dim = draw.randrange(len(shape))
    eps = draw.choice([1e-12, 1e-3])
    return Recipe(
        lambda w, g: F.weight_normalization(w, g, dim - (len(shape) if shape[0] > 2 else 0), eps),
        {"w": numbers(draw, shape)},
        {"g": numbers(draw, (shape[dim],))},
        note=f"{shape} {dim}",
    )


def weight_standardization(draw):
    shape = several(draw, 1, 4, draw.randint(2, 4))
    axis = draw.randrange(len(shape))
    return Recipe(
        lambda w: F.weight_standardization(w, axis, 0.01), {"w": numbers(draw, shape)}, note=f"{axis}"
    )


def spectral_norm(draw):
    shape = several(draw, 1, 4, draw.randint(2, 4))
    dim = draw.randrange(len(shape))
    arguments = {
        "dim": dim,
        "itr": draw.randint(1, 4),
        "test": draw.random() < 0.5,
        "output_u": draw.random() < 0.5,
        "eps": draw.choice([1e-12, 0.1]),
    }
    return Recipe(
        lambda w, u: F.spectral_norm(w, u, **arguments),
        {"w": positive(draw, shape)},
        {"u": positive(draw, (shape[dim],))},
        note=str(arguments),
    )


def mean_subtraction(draw):
    base = draw.randint(1, 2)
    own = several(draw, 1, 4, draw.randint(1, 2))
    update = draw.random() < 0.5
    return Recipe(
        lambda x, mean, t: F.mean_subtraction(x, mean, t, base_axis=base, update_running_mean=update),
        {"x": numbers(draw, leading(draw, base) + own)},
        {"mean": numbers(draw, own), "t": np.array([draw.randint(0, 9)], np.float32)},
        note=f"{base} {update}",
    )


def clip_by_value(draw):
    shape = (1,) + several(draw, 1, 4, 2)
    return Recipe(
        F.clip_grad_by_value,
        {"x": numbers(draw, shape)},
        {"min": numbers(draw, shape), "max": numbers(draw, shape)},
    )


RECIPES = {
    "BatchNormalization": batch_normalization,
    "FusedBatchNormalization": fused_batch_normalization,
    "LayerNormalization": normalization(F.layer_normalization, layer_arguments),
    "InstanceNormalization": normalization(F.instance_normalization, instance_arguments),
    "GroupNormalization": normalization(F.group_normalization, group_arguments),
    "TensorNormalization": normalization(tensor_normalization, tensor_arguments),
    "NormNormalization": norm_normalization,
    "WeightNormalization": weight_normalization,
    "WeightStandardization": weight_standardization,
    "SpectralNorm": spectral_norm,
    "MeanSubtraction": mean_subtraction,
    "ClipGradByValue": clip_by_value,
}

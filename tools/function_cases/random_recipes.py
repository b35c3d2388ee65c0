"""Recipes of layers that draw: their case holds the mean and the deviation of many runs of the reference."""

import nnabla.functions as F
import numpy as np
from draws import Recipe, numbers, positive, several


def source(function, draw_arguments):
    """A layer without inputs, added to x, so that the network has an input."""

    def recipe(draw):
        shape = (1,) + several(draw, 1, 4, draw.randint(0, 3))
        arguments = draw_arguments(draw)
        return Recipe(
            lambda x: F.add2(x, function(shape=shape, **arguments)),
            {"x": numbers(draw, shape)},
            is_random=True,
            note=str(arguments),
        )

    return recipe


def dropout(draw):
    p = draw.choice([0.1, 0.5, 0.9, 0.0])
    shape = (1,) + several(draw, 1, 5, draw.randint(1, 3))
    return Recipe(lambda x: F.dropout(x, p), {"x": numbers(draw, shape)}, is_random=True, note=str(p))


def random_choice(draw):
    shape = (1, draw.randint(2, 6))
    size = draw.randint(1, shape[1])
    replace = draw.random() < 0.5
    return Recipe(
        lambda x, w: F.random_choice(x, w, shape=(size,), replace=replace),
        {"x": numbers(draw, shape), "w": positive(draw, shape)},
        is_random=True,
        note=f"{size} {replace}",
    )


def random_crop(draw):
    shape = (1,) + several(draw, 1, 6, draw.randint(1, 3))
    own = shape[draw.randint(1, len(shape) - 1) :]
    crop = tuple(draw.randint(1, n) for n in own)
    base = draw.choice([0, 1, 1])
    return Recipe(
        lambda x: F.random_crop(x, shape=crop, base_axis=base),
        {"x": numbers(draw, shape)},
        is_random=True,
        note=f"{crop} of {shape} base {base}",
    )


def random_flip(draw):
    shape = (1,) + several(draw, 1, 5, draw.randint(1, 3))
    axes = sorted(draw.sample(range(1, len(shape)), draw.randint(1, len(shape) - 1)))
    base = draw.choice([0, 1, 1])
    if draw.random() < 0.3:
        axes = [axis - len(shape) for axis in axes]
    return Recipe(
        lambda x: F.random_flip(x, axes, base), {"x": numbers(draw, shape)}, is_random=True,
        note=f"{axes} {base}",
    )


def random_shift(draw):
    shape = (1,) + several(draw, 1, 5, draw.randint(1, 3))
    shifts = tuple(draw.randint(0, 3) for _ in shape[1:])[draw.randint(0, len(shape) - 2) :]
    arguments = {
        "border_mode": draw.choice(["nearest", "reflect", "constant"]),
        "constant_value": draw.choice([0.0, 2.0]),
        "base_axis": draw.choice([0, 1, 1]),
    }
    return Recipe(
        lambda x: F.random_shift(x, shifts, **arguments), {"x": numbers(draw, shape)}, is_random=True,
        note=f"{shifts} {arguments} {shape}",
    )


def random_erase(draw):
    shape = (1, draw.randint(1, 3)) + several(draw, 4, 8, 2)
    arguments = {
        "prob": draw.choice([0.3, 0.7, 1.0]),
        "area_ratios": draw.choice([(0.02, 0.4), (0.2, 0.9)]),
        "aspect_ratios": draw.choice([(0.3, 3.3333), (1.0, 1.5)]),
        "replacements": draw.choice([(0.0, 2.0), (1.0, 1.5)]),
        "n": draw.randint(1, 3),
        "share": draw.random() < 0.5,
    }
    return Recipe(
        lambda x: F.random_erase(x, **arguments), {"x": numbers(draw, shape)}, is_random=True,
        note=str(arguments),
    )


def image_augmentation(draw):
    channels = draw.choice([1, 3])
    shape = (1, channels) + several(draw, 4, 9, 2)
    view = (channels,) + several(draw, 3, 9, 2) if draw.random() < 0.5 else shape[1:]
    arguments = {
        "shape": view,
        "pad": draw.choice([(0, 0), (1, 2)]),
        "min_scale": draw.choice([1.0, 0.7]),
        "max_scale": draw.choice([1.0, 1.4]),
        "angle": draw.choice([0.0, 0.5]),
        "aspect_ratio": draw.choice([1.0, 1.3]),
        "distortion": draw.choice([0.0, 0.2]),
        "flip_lr": draw.random() < 0.4,
        "flip_ud": draw.random() < 0.4,
        "brightness": draw.choice([0.0, 0.3]),
        "brightness_each": draw.random() < 0.5,
        "contrast": draw.choice([1.0, 1.5]),
        "contrast_center": draw.choice([0.0, 0.5]),
        "contrast_each": draw.random() < 0.5,
        "noise": draw.choice([0.0, 0.1]),
    }
    kept = {k: v for k, v in arguments.items() if draw.random() < 0.6 or k in ("shape",)}
    return Recipe(
        lambda x: F.image_augmentation(x, **kept), {"x": numbers(draw, shape, 0, 64)}, is_random=True,
        note=f"{kept} of {shape}",
    )


def noisy(draw):
    """Noise on the input and on a hidden layer, dropped at random."""
    shape = (1, draw.randint(2, 6))
    sigma, p = draw.choice([0.1, 1.0]), draw.choice([0.2, 0.5])

    def build(x, w):
        h = F.add2(x, F.randn(0, sigma, x.shape))
        return F.affine(F.dropout(F.relu(h), p), w)

    return Recipe(
        build, {"x": numbers(draw, shape)}, {"w": numbers(draw, (shape[1], 3))}, is_random=True
    )


RECIPES = {
    "Rand": source(F.rand, lambda d: {"low": d.choice([0.0, -2.0]), "high": d.choice([1.0, 3.0])}),
    "Randint": source(F.randint, lambda d: {"low": d.choice([0, -3]), "high": d.choice([1, 2, 7])}),
    "Randn": source(F.randn, lambda d: {"mu": d.choice([0.0, 2.0]), "sigma": d.choice([1.0, 0.2])}),
    "RandBinomial": source(
        F.rand_binomial, lambda d: {"n": d.choice([1, 5]), "p": d.choice([0.2, 0.5, 0.9])}
    ),
    "RandBeta": source(
        F.rand_beta, lambda d: {"alpha": d.choice([0.5, 2.0]), "beta": d.choice([0.5, 3.0])}
    ),
    "RandGamma": source(F.rand_gamma, lambda d: {"k": d.choice([0.5, 3.0]), "theta": d.choice([1.0, 2.0])}),
    "Dropout": dropout,
    "RandomChoice": random_choice,
    "RandomCrop": random_crop,
    "RandomFlip": random_flip,
    "RandomShift": random_shift,
    "RandomErase": random_erase,
    "ImageAugmentation": image_augmentation,
    "Noise": noisy,
}

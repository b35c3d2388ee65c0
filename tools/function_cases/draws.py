"""A recipe is a draw of a layer's shapes, arguments and numbers; what all recipes draw with."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Recipe:
    build: object  # called with inputs and parameters by name
    inputs: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    batch: bool = True  # a first dimension of 1 may become the batch
    is_random: bool = False  # the case holds mean and deviation of many runs
    note: str = ""


def numbers(draw, shape, low=-128, high=128, step=1 / 64):
    """Multiples of 1/64, exact in every decimal form."""
    count = int(np.prod(shape, dtype=np.int64))
    return (
        (np.array([draw.randint(low, high) for _ in range(count)], np.float64) * step)
        .astype(np.float32)
        .reshape(shape)
    )


def small(draw, shape):
    return numbers(draw, shape, -32, 32)


def positive(draw, shape):
    return numbers(draw, shape, 8, 128)


def several(draw, low, high, count):
    return tuple(draw.randint(low, high) for _ in range(count))


def leading(draw, base_axis):
    """Axes before the base axis: the batch and, behind it, others."""
    return tuple([1] + [draw.randint(1, 3) for _ in range(base_axis - 1)]) if base_axis > 0 else ()


def base_axis_of(draw, rank, base):
    return base - rank if draw.random() < 0.2 else base

"""What each function gets in a random case: shapes, values and arguments that the reference takes."""
import numpy as np

SPECIALS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 6.0, 7.0, 1e-3, 20.0, -20.0, 88.0, -100.0, 1e4,
            -1e4, 3e8, -3e8, 1e-40, -1e-40, np.inf, -np.inf, np.nan]


class Draw:
    """Random shapes, values and arguments."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def chance(self, share=0.5):
        return bool(self.random.rand() < share)

    def whole(self, low, high):
        """From low to high, both included."""
        return int(self.random.randint(low, high + 1))

    def of(self, *choices):
        return choices[self.random.randint(len(choices))]

    def shape(self, low=1, high=5, longest=4, batch=0.7):
        shape = [self.whole(1, longest) for _ in range(self.whole(low, high))]
        if self.chance(batch):
            shape[0] = 1
        return shape

    def values(self, shape, specials=0.3):
        scale = self.of(0.5, 2.0, 10.0)
        x = np.asarray(self.random.randn(*shape) * scale, dtype=np.float32)
        if self.chance(specials):
            flat = x.reshape(-1)
            for i in self.random.choice(flat.size, min(flat.size, 4), replace=False):
                flat[i] = self.of(*SPECIALS)
        return x

    def steps(self, shape, step=0.25):
        """Few different values, so that ties are frequent."""
        return np.asarray(np.round(self.random.randn(*shape)) * step, dtype=np.float32)

    def indices(self, shape, count, low=0):
        return np.asarray(self.random.randint(low, count, size=shape), dtype=np.float32)

    def mask(self, shape):
        mask = np.asarray(self.random.rand(*shape) < 0.6, dtype=np.float32)
        mask.reshape(-1)[0] = 1
        return mask

    def axis(self, rank):
        return self.whole(-rank, rank - 1)

    def axes(self, rank):
        chosen = sorted(self.random.choice(rank, self.whole(1, rank), replace=False).tolist())
        return [axis - rank for axis in chosen] if self.chance(0.2) else chosen

    def scalar(self):
        return float(np.float32(self.of(0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -0.5, 0.1, 1.7, -2.0, 100.0)))


class Parameter:
    """An input that the file holds."""

    def __init__(self, values):
        self.values = np.asarray(values, dtype=np.float32)


# --- what each function gets: Draw -> (inputs, arguments) ---

def one(arguments=lambda d, x: {}, low=1, high=5, values=Draw.values, batch=0.7):
    def make(d):
        x = values(d, d.shape(low, high, batch=batch))
        return [x], arguments(d, x)
    return make


def pair(arguments=lambda d, x: {}, values=Draw.values):
    def make(d):
        a = d.shape()
        b = [1 if d.chance(0.3) else length for length in a]
        a = [1 if d.chance(0.2) else length for length in a]
        inputs = [values(d, a), values(d, b)]
        if d.chance(0.3):
            inputs[1] = Parameter(inputs[1])
        return inputs, arguments(d, inputs[0])
    return make


def many(d):
    shape = d.shape()
    return [d.values(shape) for _ in range(d.whole(2, 4))], {}


def scalar(d, x):
    return {"val": d.scalar()}


def axis(d, x):
    return {"axis": d.axis(x.ndim)}


def reduction(d, x):
    return {"axes": d.axes(x.ndim), "keep_dims": d.chance()}


def extreme(d, x):
    return {**reduction(d, x), "with_index": d.chance(), "only_index": d.chance(0.3)}


def running(d, x):
    return {**axis(d, x), "exclusive": d.chance(), "reverse": d.chance()}


def prelu(d):
    x = d.values(d.shape())
    base_axis = d.axis(x.ndim)
    slope = d.values([x.shape[base_axis] if d.chance(0.7) else 1])
    return [x, Parameter(slope) if d.chance() else slope], {"base_axis": base_axis}


def where(d):
    x = d.values(d.shape())
    condition = d.steps(x.shape[:d.whole(1, x.ndim)])
    return [condition, x, d.values(x.shape)], {}


def search_sorted(d):
    shape = d.shape(1, 3)
    sequence = d.steps(shape[:-1] + [d.whole(1, 20)])
    if d.chance(0.8):
        sequence.sort(axis=-1)
    return [sequence, d.steps(shape[:-1] + [d.whole(1, 6)], d.of(0.25, 0.125))], {"right": d.chance()}


def constant(d):
    return [], {"val": d.scalar(), "shape": d.shape()}


def arange(d):
    return [], {"start": d.scalar(), "stop": d.whole(-20, 20) / 3.0, "step": d.of(0.1, 1.0, 0.7, -0.3, -1.0)}


def linspace(d):
    return [], {"start": d.scalar(), "stop": d.whole(-20, 20) / 3.0, "num": d.whole(1, 30)}


def batch_matmul(d):
    lead = d.shape(1, 3)
    rows, inner, columns = d.whole(1, 5), d.whole(1, 5), d.whole(1, 5)
    swap_a, swap_b = d.chance(), d.chance()

    def matrix(row, column, swap):
        own = [1 if d.chance(0.3) else length for length in lead]
        return d.values(own + ([column, row] if swap else [row, column]), 0)
    b = matrix(inner, columns, swap_b)
    return ([matrix(rows, inner, swap_a), Parameter(b) if d.chance(0.3) else b],
            {"transpose_a": swap_a, "transpose_b": swap_b})


def concatenate(d):
    shape = d.shape()
    along = d.axis(len(shape))
    inputs = []
    for _ in range(d.whole(2, 4)):
        shape[along] = d.whole(1, 4) if along not in (0, -len(shape)) else shape[along]
        x = d.values(shape)
        inputs.append(Parameter(x) if inputs and d.chance(0.2) else x)
    return inputs, {"axis": along}


def stack(d):
    shape = d.shape()
    inputs = [d.values(shape) for _ in range(d.whole(2, 4))]
    if d.chance(0.2):
        inputs[-1] = Parameter(inputs[-1])
    return inputs, {"axis": d.whole(-len(shape) - 1, len(shape))}


def split(d):
    shape = d.shape(1, 4)
    along = d.axis(len(shape))
    shape[along] = d.whole(2, 5)
    return [d.values(shape)], {"axis": along, "outputs": shape[along]}


def slices(d):
    x = d.values(d.shape(1, 4, 7))
    count = d.whole(1, x.ndim)
    start, stop, step = [], [], []
    for length in x.shape[x.ndim - count:]:
        first, last = sorted((d.whole(0, length - 1), d.whole(0, length - 1)))
        if d.chance(0.3):
            last, first = first - 1, last
            step.append(-d.whole(1, 3))
            stop.append(0x7fffffff if last < 0 else last - (length if d.chance() else 0))
        else:
            step.append(d.whole(1, 3))
            stop.append(last + 1 + (100 if last + 1 == length and d.chance(0.3) else 0))
        start.append(first - (length if d.chance(0.3) else 0))
    return [x], {"start": start, "stop": stop, "step": step}


def pad(d, x):
    count = d.whole(1, x.ndim)
    widths = [d.whole(0, d.of(2, 2, 9)) for _ in range(2 * count)]
    if count == x.ndim and d.chance(0.7):
        widths[:2] = [0, 0]
    return {"pad_width": widths, "mode": d.of("constant", "reflect", "repeat"), "constant_value": d.scalar()}


def transpose(d, x):
    axes = d.random.permutation(x.ndim).tolist()
    if d.chance():
        axes = [0] + [a for a in axes if a != 0]
    return {"axes": axes}


def broadcast(d):
    shape = d.shape(1, 5)
    own = [1 if d.chance() else length for length in shape[d.whole(0, len(shape) - 1):]]
    return [d.values(own)], {"shape": shape}


def broadcast_to(d):
    x = d.values(d.shape(1, 4))
    count = d.whole(1, x.ndim)
    if d.chance(0.3):
        return [x, d.values(x.shape[x.ndim - count:])], {"axis": -d.whole(1, 2)}
    first = d.whole(0, x.ndim - count)
    y = d.values(x.shape[first:first + count])
    return [x, Parameter(y) if d.chance(0.3) else y], {"axis": first}


def tile(d):
    x = d.values(d.shape(1, 4))
    return [x], {"reps": [d.whole(1, 3) for _ in range(d.whole(1, 5))]}


def reshape(d):
    x = d.values(d.shape(1, 4))
    shape, rest = [], x.size
    while rest > 1 and len(shape) < 4:
        factor = d.of(*[f for f in range(1, rest + 1) if rest % f == 0])
        shape.append(factor)
        rest //= factor
    shape.append(rest)
    if d.chance():
        shape.insert(0, 1)
    if d.chance(0.3) and len(shape) > 1:
        shape[d.whole(1, len(shape) - 1)] = -1
    return [x], {"shape": shape, "inplace": d.chance()}


def shift(d, x):
    shifts = [d.whole(-9, 9) for _ in range(d.whole(1, x.ndim + 1))]
    return {"shifts": shifts, "border_mode": d.of("nearest", "reflect")}


def shape_of(d, x):
    return {"start": d.whole(-x.ndim, x.ndim), "end": d.whole(-x.ndim, x.ndim + 1)}


def trilu(d, x):
    return {"k": d.whole(-4, 4), "upper": d.chance()}


def square(d, positive=False):
    n = d.whole(1, d.of(3, 6, 20))
    x = d.random.randn(d.of(1, 1, 3), n, n)
    if positive:
        x = x @ x.transpose(0, 2, 1) + d.of(0.5, 0.5, -1.0) * np.eye(n)
    elif d.chance(0.2):
        x = np.round(x)
    return np.asarray(x, dtype=np.float32)


def meshgrid(d):
    return [d.values([d.whole(1, 4)]) for _ in range(d.whole(2, 4))], {"ij_indexing": d.chance()}


def one_hot(d):
    classes = [d.whole(1, 5) for _ in range(d.whole(1, 3))]
    lead = d.shape(1, 2)
    x = np.stack([d.indices(lead, count + 2, -count - 2) for count in classes], axis=-1)
    return [x], {"shape": classes}


def sort(d):
    x = d.of(d.values, d.steps)(d.shape(1, 4, d.of(4, 40)))
    x = np.nan_to_num(x, nan=0.0, posinf=np.inf, neginf=-np.inf)
    return [x], {**axis(d, x), "reverse": d.chance(), "with_index": d.chance(), "only_index": d.chance(0.3)}


def gather(d):
    x = d.values(d.shape(1, 4))
    along = d.axis(x.ndim)
    batch_dims = d.whole(0, along % x.ndim)
    shape = list(x.shape[:batch_dims]) + d.shape(1, 2)
    indices = d.indices(shape, x.shape[along])
    return [x, Parameter(indices) if d.chance(0.3) else indices], {"axis": along, "batch_dims": batch_dims}


def gather_nd(d):
    x = d.values(d.shape(1, 4))
    depth, places = d.whole(1, x.ndim), d.shape(1, 2)
    indices = np.stack([d.indices(places, x.shape[m], -x.shape[m]) for m in range(depth)])
    return [x, Parameter(indices) if d.chance(0.3) else indices], {}


def scatter_nd(d):
    shape = d.shape(1, 4)
    depth, places = d.whole(1, len(shape)), d.shape(1, 2)
    indices = np.stack([d.indices(places, shape[m], -shape[m]) for m in range(depth)])
    inputs = [d.values(places + shape[depth:]), Parameter(indices) if d.chance(0.3) else indices]
    if d.chance(0.3):
        inputs.append(d.values(shape))
    return inputs, {"shape": shape, "add": d.chance()}


def scatter_add(d):
    shape = d.shape(1, 3)
    along = d.axis(len(shape))
    places = [d.whole(1, length) for length in shape]
    places[along] = d.whole(1, 6)
    added = [length + d.whole(0, 2) for length in places]
    if shape[0] == 1:
        places[0] = added[0] = 1
    return [d.values(shape), d.indices(places, shape[along]), d.values(added)], {"axis": along}


def bool_gather(d):
    x = d.values(d.shape(1, 4), 0)
    return [x, Parameter(d.mask(x.shape[:d.whole(1, x.ndim)]))], {}


def bool_scatter(d):
    mask = d.mask(d.shape(1, 3))
    rest = d.shape(1, 2)[1:]
    data = d.values([max(1, int(mask.sum()) + d.of(0, 0, -1))] + rest, 0)
    inputs = [data, Parameter(mask) if d.chance(0.3) else mask]
    return inputs + ([d.values(list(mask.shape) + rest)] if d.chance(0.4) else []), {}


def bool_fill(d):
    data = d.values(d.shape(1, 4))
    mask = d.steps([1 if d.chance(0.3) else n for n in data.shape[d.whole(0, data.ndim - 1):]])
    return [data, mask], {"value": d.scalar()}


def pack(d):
    steps, sequences = d.whole(1, 5), d.whole(1, 4)
    lengths = sorted([d.whole(1, steps) for _ in range(sequences)], reverse=True)
    lengths[0] = steps
    first = d.chance()
    x = d.values(([sequences, steps] if first else [steps, sequences]) + d.shape(1, 2)[1:])
    return [x, Parameter(lengths)], {"batch_first": first, "outputs": 2}


def unpack(d):
    sizes = sorted([d.whole(1, 4) for _ in range(d.whole(1, 5))], reverse=True)
    x = d.values([sum(sizes)] + d.shape(1, 2)[1:])
    return [x, Parameter(sizes)], {"batch_first": d.chance(), "padding_value": d.scalar(),
                                   "total_length": d.whole(-1, 7), "outputs": 2}


def non_zero(d):
    return [Parameter(d.steps(d.shape(1, 3)))], {}


def two_alike(d):
    shape = d.shape()
    return [d.values(shape), d.values(shape)], {}


ELEMENTWISE = """
    Sigmoid Swish Tanh ReLU GELU Mish ReLU6 HardSigmoid HardTanh LogSigmoid SoftSign TanhShrink Sinc
    LogicalNot IsNaN IsInf Abs Exp Log Identity Round Ceil Floor Sin Cos Tan Sinh Cosh ASin ACos ATan
    ASinh ACosh ATanh Erf ReduceSum ReduceMean MatrixDiag
""".split()
BINARY = """
    Add2 BcAdd2 Sub2 Mul2 Div2 Pow2 Minimum2 Maximum2 ATan2
""".split()
COMPARISONS = """
    LogicalAnd LogicalOr LogicalXor Equal NotEqual GreaterEqual Greater LessEqual Less
""".split()
WITH_SCALAR = """
    AddScalar MulScalar PowScalar RSubScalar RDivScalar RPowScalar MinimumScalar MaximumScalar ResetNaN
    ResetInf EqualScalar NotEqualScalar GreaterEqualScalar GreaterScalar LessEqualScalar LessScalar
""".split()

FUNCTIONS = {
    **{name: one() for name in ELEMENTWISE},
    **{name: pair() for name in BINARY},
    **{name: pair(values=Draw.steps) for name in COMPARISONS},
    **{name: one(scalar) for name in WITH_SCALAR},
    **{f"Logical{op}Scalar": one(lambda d, x: {"val": d.chance()}, values=Draw.steps)
       for op in ("And", "Or", "Xor")},
    "LeakyReLU": one(lambda d, x: {"alpha": d.scalar()}),
    "ELU": one(lambda d, x: {"alpha": d.scalar()}),
    "SELU": one(lambda d, x: {"alpha": d.scalar(), "scale": d.scalar()}),
    "Softmax": one(axis),
    "LogSoftmax": one(axis),
    "CReLU": one(axis),
    "CELU": one(lambda d, x: {**axis(d, x), "alpha": d.scalar()}),
    "PReLU": prelu,
    "SoftPlus": one(lambda d, x: {"beta": d.of(1.0, 0.5, 3.0, -1.0, -0.3)}),
    "Sum": one(reduction),
    "Mean": one(reduction),
    "Prod": one(reduction),
    "Max": one(extreme),
    "Min": one(extreme),
    "Norm": one(lambda d, x: {**reduction(d, x), "p": d.of(1.0, 2.0, 1.5, 3.0)}),
    "CumSum": one(running),
    "CumProd": one(running),
    "AddN": many,
    "MulN": many,
    "Sign": one(lambda d, x: {"alpha": d.scalar()}),
    "Where": where,
    "SearchSorted": search_sorted,
    "Constant": constant,
    "Arange": arange,
    "Linspace": linspace,
    "BatchMatmul": batch_matmul,
    "Concatenate": concatenate,
    "Split": split,
    "Stack": stack,
    "Slice": slices,
    "Pad": one(pad, high=4),
    "Transpose": one(transpose),
    "Broadcast": broadcast,
    "BroadcastTo": broadcast_to,
    "Tile": tile,
    "OneHot": one_hot,
    "Flip": one(lambda d, x: {"axes": d.axes(x.ndim)}),
    "Shift": one(shift, high=4),
    "Sort": sort,
    "Reshape": reshape,
    "Shape": one(shape_of),
    "MatrixDiagPart": lambda d: ([d.values(d.shape(1, 2) + [3, 3])], {}),
    "Trilu": one(trilu, low=2),
    "Meshgrid": meshgrid,
    "BatchDet": lambda d: ([square(d)], {}),
    "BatchInv": lambda d: ([square(d)], {}),
    "BatchLogdet": lambda d: ([square(d)], {}),
    "BatchCholesky": lambda d: ([square(d, True)], {"upper": d.chance()}),
    "Assign": two_alike,
    "Gather": gather,
    "GatherNd": gather_nd,
    "BoolGather": bool_gather,
    "ScatterNd": scatter_nd,
    "ScatterAdd": scatter_add,
    "BoolScatter": bool_scatter,
    "BoolFill": bool_fill,
    "PackPaddedSequence": pack,
    "PadPackedSequence": unpack,
    "NonZero": non_zero,
}

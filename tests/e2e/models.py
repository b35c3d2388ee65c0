"""Small models that tests make for themselves: networks without parameters, as .nnp files."""
import zipfile

RULES = "0.1"  # the file format's version


def block(name, body):
    return f"{name} {{\n{body}}}\n"


def shape(dims):
    return block("shape", "".join(f"dim: {d}\n" for d in dims))


def variable(name, dims):
    return block("variable", f'name: "{name}"\ntype: "Buffer"\n' + shape(dims))


def function(kind, inputs, output, parameters=""):
    names = "".join(f'input: "{name}"\n' for name in inputs)
    head = f'name: "{kind}_{output}"\ntype: "{kind}"\n'
    return block("function", head + f'{names}output: "{output}"\n{parameters}')


def write_nnp(path, variables, functions, inputs, outputs, evaluations=0):
    """variables: name -> dims without the batch; functions: text; inputs, outputs: also the data names."""
    network = 'name: "Main"\nbatch_size: 1\n'
    network += "".join(variable(name, (-1, *dims)) for name, dims in variables.items())
    network += "".join(functions)
    executor = 'name: "Executor"\nnetwork_name: "Main"\n'
    if evaluations:
        executor += f'num_evaluations: {evaluations}\nrepeat_evaluation_type: "mean"\n'
    for name in inputs:
        executor += block("data_variable", f'variable_name: "{name}"\ndata_name: "{name}"\n')
    for name in outputs:
        executor += block("output_variable", f'variable_name: "{name}"\ndata_name: "{name}"\n')
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nnp_version.txt", RULES)
        archive.writestr("network.nntxt", block("network", network) + block("executor", executor))
        archive.writestr("parameter.protobuf", b"")
    return path


def scaling(path, dims, factor, name="x"):
    """y = factor * x, for one input of these dimensions."""
    scale = function("MulScalar", [name], "y", block("mul_scalar_param", f"val: {float(factor)}\n"))
    return write_nnp(path, {name: dims, "y": dims}, [scale], [name], ["y"])


def doubling(path, dims, name="x"):
    return scaling(path, dims, 2, name)


def mean_of(path, dims):
    """One number: the mean of the input."""
    axes = "".join(f"axes: {axis + 1}\n" for axis in range(len(dims)))
    mean = function("Mean", ["x"], "y", block("mean_param", axes + "keep_dims: false\n"))
    return write_nnp(path, {"x": dims, "y": ()}, [mean], ["x"], ["y"])


def two_inputs(path, picture_dims):
    """y = mean(x1) + x2: a picture and one number."""
    axes = "".join(f"axes: {axis + 1}\n" for axis in range(len(picture_dims)))
    mean = function("Mean", ["x1"], "m", block("mean_param", axes + "keep_dims: false\n"))
    flat = function("Reshape", ["m"], "r", block("reshape_param", shape((-1, 1))))
    total = function("Add2", ["r", "x2"], "y", "")
    return write_nnp(path, {"x1": picture_dims, "x2": (1,), "m": (), "r": (1,), "y": (1,)},
                     [mean, flat, total], ["x1", "x2"], ["y"])


def slow(path, evaluations, values=400_000):
    """A few ms of work, as many times as asked: what it draws (next to nothing) makes each evaluation run."""
    draw = block("randn_param", "mu: 0.0\nsigma: 1e-30\nseed: -1\n" + shape((1, 1)))
    return write_nnp(path, {"x": (1,), "r": (1,), "d": (1,), "b": (values,), "s": (values,), "y": ()},
                     [function("Randn", [], "r", draw),
                      function("Add2", ["x", "r"], "d", ""),
                      function("Broadcast", ["d"], "b", block("broadcast_param", shape((1, values)))),
                      function("Sin", ["b"], "s", ""),
                      function("Mean", ["s"], "y", block("mean_param", "axes: 1\nkeep_dims: false\n"))],
                     ["x"], ["y"], evaluations)

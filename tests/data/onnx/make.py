#!/usr/bin/env python3
"""Makes the small ONNX models of this folder (needs the onnx package):  make.py"""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent


def save(name, graph, opset=17, extra=()):
    imports = [helper.make_opsetid("", opset), *extra]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="noren")
    onnx.save(model, FOLDER / f"{name}.onnx")


def weight(name, *shape):
    values = numpy.arange(numpy.prod(shape), dtype=numpy.float32).reshape(shape)
    return numpy_helper.from_array(values, name)


def port(name, *shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def matmul():
    nodes = [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Add", ["h", "b"], ["y"])]
    return helper.make_graph(nodes, "g", [port("x", "batch", 3)], [port("y", "batch", 2)],
                             [weight("W", 3, 2), weight("b", 2)])


def branches():
    def branch(name, operator):
        return helper.make_graph([helper.make_node(operator, ["x", "W"], [name])], name, [], [port(name, 1, 3)],
                                 [weight(f"{name}_unused", 2)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("then", "Add"), else_branch=branch("else", "Mul"))
    return helper.make_graph([node], "g", [port("x", 1, 3), port("c", kind=TensorProto.BOOL)], [port("y", 1, 3)],
                             [weight("W", 1, 3)])


def classifier():
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    value = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    output = helper.make_value_info("y", helper.make_sequence_type_proto(value))
    return helper.make_graph([node], "g", [port("x", None, 2)], [output])


def sparse_constant():
    sparse = helper.make_sparse_tensor(weight("values", 2),
                                       numpy_helper.from_array(numpy.array([1, 3], dtype=numpy.int64)), [5])
    nodes = [helper.make_node("Constant", [], ["k"], sparse_value=sparse),
             helper.make_node("Add", ["x", "k"], ["y"])]
    return helper.make_graph(nodes, "g", [port("x", 5)], [port("y", 5)])


def fails_when_run():
    """Nothing is wrong with it but that no request can be answered: no value of x - x is not zero."""
    nodes = [helper.make_node("Sub", ["x", "x"], ["zero"]),
             helper.make_node("NonZero", ["zero"], ["places"]),
             helper.make_node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT),
             helper.make_node("Reshape", ["numbers", "four"], ["y"])]
    four = numpy_helper.from_array(numpy.array([1, 4], dtype=numpy.int64), "four")
    return helper.make_graph(nodes, "g", [port("x", 1, 4)], [port("y", 1, 4)], [four])


save("matmul", matmul())
save("branches", branches())
save("classifier", classifier(), extra=[helper.make_opsetid("ai.onnx.ml", 3)])
save("sparse_constant", sparse_constant())
save("fails_when_run", fails_when_run())

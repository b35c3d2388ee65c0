"""The peer of the benchmark: FastAPI and ONNX Runtime with the iris model, one worker, as a tutorial has it.

    peer_fastapi.py make IRIS_NNP ONNX     writes the sample's network as ONNX
    peer_fastapi.py serve ONNX PORT
"""
import io
import sys
import zipfile


def make(nnp, target):
    import h5py
    from onnx import TensorProto, helper, numpy_helper, save
    with h5py.File(io.BytesIO(zipfile.ZipFile(nnp).read("parameter.h5"))) as parameters:
        values = {}
        parameters.visititems(
            lambda name, item: values.__setitem__(name, item[()]) if hasattr(item, "shape") else None)
    weights = sorted(name for name in values if name.endswith("/W"))
    biases = sorted(name for name in values if name.endswith("/b"))
    nodes = [helper.make_node("Gemm", ["x", weights[0], biases[0]], ["hidden"]),
             helper.make_node("Relu", ["hidden"], ["active"]),
             helper.make_node("Gemm", ["active", weights[1], biases[1]], ["score"]),
             helper.make_node("Softmax", ["score"], ["y"])]
    graph = helper.make_graph(
        nodes, "iris", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(values[name], name) for name in weights + biases])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), target)


def serve(model, port):
    import numpy
    import onnxruntime
    import uvicorn
    from fastapi import FastAPI, Request
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    app = FastAPI()

    @app.post("/inference")
    async def inference(request: Request):
        body = await request.json()
        x = numpy.array(body["inputs"][0]["data"], numpy.float32).reshape(1, 4)
        y = session.run(None, {"x": x})[0]
        return {"outputs": [{"name": "y", "data": ", ".join(repr(float(v)) for v in y.ravel())}]}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3])
    else:
        serve(sys.argv[2], int(sys.argv[3]))

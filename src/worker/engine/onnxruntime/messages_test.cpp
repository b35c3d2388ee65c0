#include "worker/engine/onnxruntime/messages.h"

#include <gtest/gtest.h>

namespace noren::worker {
namespace {

TEST(Messages, AnOperatorThatIsNotImplementedIsNamed) {
  const char* const expected =
      "node 'pool' (RoiAlign): ONNX Runtime does not implement this operator as opset 22 defines it, for the "
      "element types that it gets here";
  EXPECT_EQ(load_refusal("Could not find an implementation for RoiAlign(22) node with name 'pool'"),
            expected);
  EXPECT_EQ(
      load_refusal("Failed to find kernel for RoiAlign(22) (node:'pool' ep:'CPUExecutionProvider'). Kernel "
                   "not found"),
      expected);
}

TEST(Messages, AnUnknownOperatorIsNamedWithItsDomainOrOpset) {
  EXPECT_EQ(load_refusal("Fatal error: ai.onnx.preview:FlexAttention(-1) is not a registered function/op"),
            "operator FlexAttention of domain 'ai.onnx.preview' is unknown to ONNX Runtime");
  EXPECT_EQ(
      load_refusal("This is an invalid model. In Node, (\"n\", Foo, \"\", -1) : (\"x\": tensor(float),) -> "
                   "(\"y\": tensor(float),) , Error No Op registered for Foo with domain_version of 17"),
      "node 'n' (Foo): opset 17 has no operator of this name");
  EXPECT_EQ(
      load_refusal("This is an invalid model. In Node, (\"n\", Relu, \"\", -1) : (\"x\": tensor(float),) -> "
                   "(\"y\": tensor(float),) , Error Unrecognized attribute: foo for operator Relu"),
      "node 'n' (Relu): Unrecognized attribute: foo for operator Relu");
}

TEST(Messages, WhatIsTooNewSaysWhatIsTaken) {
  EXPECT_EQ(load_refusal(
                "/onnxruntime_src/onnxruntime/core/graph/model_load_utils.h:46 void f(int) ONNX Runtime only "
                "*guarantees* support for models stamped with official released onnx opset versions. Opset "
                "99 is under development and support for this is limited. Current official support for "
                "domain ai.onnx is till opset 28.\n"),
            "the model uses opset 99 of ai.onnx, ONNX Runtime takes up to 28; export it with an older opset");
  EXPECT_EQ(
      load_refusal("/onnxruntime_src/core/graph/model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&) "
                   "Unsupported model IR version: 99, max supported IR version: 14\n"),
      "the model's IR version is 99, ONNX Runtime takes up to 14; save it with an older one");
}

TEST(Messages, PlacesInTheLibraryAreNotShown) {
  EXPECT_EQ(
      load_refusal(
          "Exception during initialization: /onnxruntime_src/onnxruntime/core/providers/cpu/rnn/rnn.h:48 "
          "onnxruntime::RNN<T>::RNN(const onnxruntime::OpKernelInfo&) [with T = float] layout_ == 0 "
          "was false. Batchwise recurrent operations (layout == 1) are not supported. \n"),
      "ONNX Runtime does not take this model: Batchwise recurrent operations (layout == 1) are not "
      "supported");
  EXPECT_EQ(load_refusal("Exception during initialization: /onnxruntime_src/onnxruntime/core/text.cc:235 "
                         "onnxruntime::A::A(const std::string&)::<lambda()> Failed to construct it"),
            "ONNX Runtime does not take this model: Failed to construct it");
  EXPECT_EQ(
      run_refusal(
          "Non-zero status code returned while running Reshape node. Name:'r' Status Message: "
          "/onnxruntime_src/onnxruntime/core/reshape_helper.h:91 onnxruntime::R::R(const S&, bool) a == b "
          "was false. The input tensor cannot be reshaped. Input shape:{1,3}, requested shape:{5,5}\n"),
      "node 'r' (Reshape): The input tensor cannot be reshaped. Input shape:{1,3}, requested shape:{5,5}");
  EXPECT_EQ(run_refusal("Non-zero status code returned while running MatMul node. Name:'mm' Status Message: "
                        "matmul_helper.h:59 Compute MatMul dimension mismatch"),
            "node 'mm' (MatMul): MatMul dimension mismatch");
  EXPECT_EQ(
      run_refusal("Non-zero status code returned while running X node. Name:'' Status Message:  virtual "
                  "onnxruntime::common::Status onnxruntime::X::Compute(onnxruntime::OpKernelContext*) const "
                  "IsScalar(z) was false. Non per-tensor quantization is not supported now."),
      "node '' (X): Non per-tensor quantization is not supported now");
}

TEST(Messages, AnswersStayShortAndOnOneLine) {
  EXPECT_EQ(run_refusal("Got invalid dimensions\n index: 1 Got: 4"),
            "Got invalid dimensions index: 1 Got: 4");
  EXPECT_EQ(run_refusal(""), "it gives no reason");
  const std::string cut = run_refusal(std::string(299, 'a') + "\xC3\xA4" + std::string(100, 'b'));
  EXPECT_EQ(cut, std::string(299, 'a') + "…");
}

}  // namespace
}  // namespace noren::worker

#include "domain/model_interface.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

using Changes = std::vector<std::string>;

ModelInterface iris() { return {{{"Executor", {{"x", "float32", {1, 4}}}, {{"y'", "float32", {1, 3}}}}}}; }

Changes after(void (*change)(ModelInterface&)) {
  ModelInterface changed = iris();
  change(changed);
  return interface_changes(iris(), changed);
}

TEST(ModelInterface, TheSameChangesNothing) {
  EXPECT_EQ(interface_changes(iris(), iris()), Changes());
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].outputs[0].name = "y"; }), Changes());
}

TEST(ModelInterface, MoreThanBeforeIsNoHarm) {
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].inputs[0].shape = {-1, 4}; }), Changes());
  EXPECT_EQ(after([](ModelInterface& model) {
              model.executors[0].outputs.push_back({"z", "float32", {1, 2}});
              model.executors.push_back({"Second", {}, {}});
            }),
            Changes());
}

TEST(ModelInterface, InputsKeepNameTypeAndShape) {
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].inputs[0].name = "X"; }),
            (Changes{"it has no input 'x'", "it needs an input 'X' besides"}));
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].inputs[0].type = "int64"; }),
            Changes{"its input 'x' is int64, not float32"});
  EXPECT_EQ(after([](ModelInterface& model) {
              model.executors[0].inputs[0].shape = {1, 5};
            }),
            Changes{"its input 'x' has the shape [1,5], not [1,4]"});
  ModelInterface free = iris();
  free.executors[0].inputs[0].shape = {1, -1};
  EXPECT_EQ(interface_changes(free, iris()), Changes{"its input 'x' has the shape [1,4], not [1,any]"});
}

TEST(ModelInterface, OutputsKeepNamePlaceTypeAndShape) {
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].outputs[0].name = "p"; }),
            Changes{"it has no output 'y'"});
  EXPECT_EQ(after([](ModelInterface& model) {
              model.executors[0].outputs.insert(model.executors[0].outputs.begin(), {"z", "float32", {1}});
            }),
            Changes{"its output 'y' comes in another place"});
  EXPECT_EQ(after([](ModelInterface& model) {
              model.executors[0].outputs[0].shape = {1, 10};
            }),
            Changes{"its output 'y' has the shape [1,10], not [1,3]"});
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].outputs[0].type = "float64"; }),
            Changes{"its output 'y' is float64, not float32"});
}

TEST(ModelInterface, ExecutorsStayAndSoDoesTheFirst) {
  EXPECT_EQ(after([](ModelInterface& model) { model.executors[0].name = "E"; }),
            Changes{"it has no executor 'Executor'"});
  EXPECT_EQ(after([](ModelInterface& model) {
              model.executors.insert(model.executors.begin(), {"Other", {}, {}});
            }),
            Changes{"its first executor is 'Other', not 'Executor'"});
  ModelInterface two = iris();
  two.executors.push_back({"Second", {{"a", "float32", {1}}}, {}});
  ModelInterface without = two;
  without.executors[1].inputs.clear();
  EXPECT_EQ(interface_changes(two, without), Changes{"in executor 'Second' it has no input 'a'"});
}

TEST(DocumentedNames, OneTrailingMarkIsDroppedWhereNamesStayDistinct) {
  const auto names = [](std::vector<std::string> given) { return documented_names(given); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"y'"}), Names({"y"}));
  EXPECT_EQ(names({"y''", "z"}), Names({"y'", "z"}));
  EXPECT_EQ(names({"y", "y'"}), Names({"y", "y'"}));
  EXPECT_EQ(names({"y'", "y''", "z'"}), Names({"y", "y'", "z"}));
  EXPECT_EQ(names({}), Names());
}

}  // namespace
}  // namespace noren

// Real models behind the real worker: requests that wait share a run and answer as they do alone.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <boost/json.hpp>

#include "base/limits.h"
#include "host_fixture.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr int kRequestsCount = 64;

class Batching : public ::testing::TestWithParam<std::string> {
 protected:
  Batching() : host_(make_local_host(io_, {.worker_path = NOREN_WORKER, .probe_every_ms = 0})) {}

  bool until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      if (io_.stopped()) io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
    return true;
  }

  void import() {
    const std::string path = std::string(NOREN_SOURCE_DIR "/samples/") + GetParam();
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    std::optional<Result<Inspection>> inspected;
    host_->inspect({sealed_memfd("upload", bytes_of(bytes.str())).value(), GetParam(), {}, false, 0},
                   [&](Result<Inspection> result) { inspected = std::move(result); });
    ASSERT_TRUE(until([&] { return inspected.has_value(); }));
    ASSERT_TRUE(inspected->ok()) << describe(inspected->error());
    package_ = std::make_shared<const UniqueFd>(std::move((*inspected)->package));
    const json::value description = json::parse((*inspected)->description_json);
    const json::object& executor = description.at("executors").at(0).as_object();
    ASSERT_TRUE(executor.at("batchable").as_bool());
    input_ = executor.at("inputs").at(0).as_object();
  }

  /// Requests of the model's own shape, each with other numbers.
  std::vector<RequestBody> requests() {
    std::int64_t count = 1;
    for (const json::value& dimension : input_.at("shape").as_array()) count *= dimension.as_int64();
    std::mt19937 generator(20200707);
    std::uniform_real_distribution<double> value(0, 8);
    std::vector<RequestBody> all;
    for (int i = 0; i < kRequestsCount; ++i) {
      json::array data;
      for (std::int64_t k = 0; k < count; ++k) data.push_back(value(generator));
      const json::object input = {{"name", input_.at("name")}, {"type", "vector"}, {"data", std::move(data)}};
      all.push_back(body_with(json::serialize(json::object{{"inputs", json::array{input}}})));
    }
    return all;
  }

  struct Answers {
    std::vector<std::vector<double>> numbers;
    std::uint32_t largest_batch = 0;
  };
  enum class Way : std::uint8_t { kOneByOne, kAllAtOnce };
  Answers answers(const std::vector<RequestBody>& bodies, int batch_limit_count, Way way) {
    Remembering listener;
    InstanceSpec spec;
    spec.api_id = "model";
    spec.package = package_;
    spec.version_label = "20200707_051647035778";
    spec.batch_limit_count = batch_limit_count;
    const auto instance = host_->start(std::move(spec), listener);
    // What a run takes is known after the first ones: batches grow from then on.
    for (std::uint64_t id = 1'000; id < 1'008; ++id) {
      instance->call(id, bodies[0], 0);
      EXPECT_TRUE(until([&] { return listener.outcomes.contains(id) || listener.exit.has_value(); }));
    }
    for (std::uint64_t id = 0; id < bodies.size(); ++id) {
      instance->call(id, bodies[id], 0);
      if (way == Way::kOneByOne) {
        EXPECT_TRUE(until([&] { return listener.outcomes.contains(id); }));
      }
    }
    EXPECT_TRUE(until([&] { return listener.outcomes.size() == bodies.size() + 8; }));
    Answers all;
    for (std::uint64_t id = 0; id < bodies.size(); ++id) {
      const CallOutcome& outcome = listener.outcomes[id];
      EXPECT_EQ(outcome.code, OutcomeCode::kOk) << outcome.bytes;
      all.largest_batch = std::max(all.largest_batch, outcome.batch_size);
      all.numbers.push_back(numbers_of(outcome.bytes));
    }
    return all;
  }

  static std::vector<double> numbers_of(const std::string& answer) {
    std::vector<double> numbers;
    const json::value parsed = json::parse(answer);
    for (const json::value& output : parsed.at("outputs").as_array()) {
      std::istringstream text(std::string(output.at("data").as_string()));
      for (std::string number; std::getline(text, number, ',');) numbers.push_back(std::stod(number));
    }
    return numbers;
  }

  boost::asio::io_context io_{1};
  std::unique_ptr<InstanceHost> host_;
  std::shared_ptr<const UniqueFd> package_;
  json::object input_;
};

TEST_P(Batching, RequestsThatShareARunAnswerAsAlone) {
  ASSERT_NO_FATAL_FAILURE(import());
  const std::vector<RequestBody> bodies = requests();
  const Answers alone = answers(bodies, 32, Way::kOneByOne);
  EXPECT_EQ(alone.largest_batch, 1U);
  const Answers together = answers(bodies, 32, Way::kAllAtOnce);
  EXPECT_GT(together.largest_batch, 1U);
  EXPECT_LE(together.largest_batch, 32U);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    ASSERT_EQ(alone.numbers[i].size(), together.numbers[i].size());
    for (std::size_t k = 0; k < alone.numbers[i].size(); ++k)
      EXPECT_NEAR(together.numbers[i][k], alone.numbers[i][k], 1e-6 + 1e-5 * std::abs(alone.numbers[i][k]));
  }
  EXPECT_NE(alone.numbers[0], alone.numbers[1]) << "the rows are told apart";
}

TEST_P(Batching, IsSwitchedOffByALimitOfOne) {
  ASSERT_NO_FATAL_FAILURE(import());
  EXPECT_EQ(answers(requests(), 1, Way::kAllAtOnce).largest_batch, 1U);
}

INSTANTIATE_TEST_SUITE_P(Samples, Batching, ::testing::Values("iris.nnp", "digits.nnp"),
                         [](const auto& each) { return each.param.substr(0, each.param.find('.')); });

}  // namespace
}  // namespace noren::server

#include "link/messages.h"

#include <random>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren::link {
namespace {

TEST(Messages, ComeBackAsTheyWere) {
  const auto fork = decode<ForkRequest>(encode(ForkRequest{ChildRole::kInspect, 3, 4, 5, 6, Priority::kLow}));
  EXPECT_EQ(fork->role, ChildRole::kInspect);
  EXPECT_EQ(fork->threads_count, 3U);
  EXPECT_EQ(fork->cpu_limit_s, 6);
  EXPECT_EQ(fork->priority, Priority::kLow);
  const auto hello = decode<HelloReport>(encode(HelloReport{5, 7, "release", "no cgroup", "1.2+ab"}));
  EXPECT_EQ(hello->landlock_abi, 7U);
  EXPECT_EQ(hello->notes, "no cgroup");
  EXPECT_EQ(hello->build, "1.2+ab");
  const auto load = decode<LoadRequest>(
      encode(LoadRequest{"20200707_051647035778", 2, 32, true, Priority::kIdle, false, true, 1 << 30}));
  EXPECT_EQ(load->version_label, "20200707_051647035778");
  EXPECT_TRUE(load->keep_output_names);
  EXPECT_EQ(load->priority, Priority::kIdle);
  EXPECT_TRUE(load->on_gpu);
  EXPECT_EQ(load->gpu_memory_limit_bytes, 1 << 30);
  EXPECT_EQ(decode<LoadedReport>(encode(LoadedReport{9, true}))->private_bytes, 9);
  const auto inspect =
      decode<InspectRequest>(encode(InspectRequest{"a.nnp", {"x=image", ""}, true, InspectTask::kResults}));
  EXPECT_EQ(inspect->input_rules, (std::vector<std::string>{"x=image", ""}));
  EXPECT_TRUE(inspect->list_layers);
  EXPECT_EQ(inspect->task, InspectTask::kResults);
}

TEST(Messages, EveryShorterLongerOrSpoiledOneIsRefusedOrHarmless) {
  const Bytes good = encode(InspectRequest{"model.nnp", {"x=image:rgb:1/255", "y"}, true, {}});
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(decode<InspectRequest>(ByteView(good).first(size)).ok()) << size;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(decode<InspectRequest>(longer).error().code, Code::kCorrupt);
  std::mt19937 random(1);
  for (int turn = 0; turn < 20'000; ++turn) {
    Bytes bad = good;
    bad[random() % bad.size()] = static_cast<std::uint8_t>(random());
    const auto result = decode<InspectRequest>(bad);
    if (result.ok()) {
      EXPECT_LE(result->input_rules.size(), 1'000U);
    }
  }
}

TEST(Messages, ADetailIsCutAtACharactersEdge) {
  EXPECT_EQ(cut_detail("short"), "short");
  const std::string exact(limits::kDetailBytes, 'a');
  EXPECT_EQ(cut_detail(exact), exact);
  EXPECT_EQ(cut_detail(exact + "b"), exact);
  std::string wide(limits::kDetailBytes - 1, 'a');
  wide += "\xE6\x9A\x96";
  EXPECT_EQ(cut_detail(wide), std::string(limits::kDetailBytes - 1, 'a'));
}

}  // namespace
}  // namespace noren::link

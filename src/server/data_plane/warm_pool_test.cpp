// Per-request APIs on a manual clock: workers are started on demand, kept while used, evicted by age and by
// memory; queues and rates are bounded.
#include <gtest/gtest.h>

#include "domain/dispatch_policy.h"
#include "server/data_plane/puppet_plane.h"

namespace noren::server {
namespace {

constexpr std::int64_t kMiB = static_cast<std::int64_t>(limits::kMiB);

PublishedApi per_request(const std::string& id) { return PuppetPlane::api(id, ExecutionType::kPerRequest); }

/// One whole request; the worker is started where there is none.
void serve_one(PuppetPlane& p, const PublishedApi& api, std::int64_t private_bytes) {
  Caller caller;
  ASSERT_TRUE(p.call(caller, api, api.id));
  for (Puppet* puppet : std::vector(p.host.live)) {
    if (!puppet->is_ready) puppet->become_ready(private_bytes);
    puppet->answer_all();
  }
  p.settle();
  ASSERT_TRUE(caller.is_answered()) << api.id;
}

bool is_warm(const PuppetPlane& p, const std::string& id) {
  return std::any_of(p.host.live.begin(), p.host.live.end(),
                     [&id](const Puppet* puppet) { return puppet->spec.api_id == id; });
}

TEST(WarmPool, KeepsAWorkerWhileItIsUsedAndNoLonger) {
  DataPlaneOptions options;
  options.warm_age_ms = 60'000;
  PuppetPlane p(kMonday, options);
  const PublishedApi used = per_request("used"), left = per_request("left");
  p.apply({used, left});
  EXPECT_EQ(p.host.started_count, 0);
  serve_one(p, used, 8 * kMiB);
  serve_one(p, left, 8 * kMiB);
  for (int i = 0; i < 10; ++i) {
    p.advance_ms(30'000);
    serve_one(p, used, 8 * kMiB);
    EXPECT_EQ(is_warm(p, "left"), i == 0) << i;
  }
  EXPECT_EQ(p.host.started_count, 2);
  p.advance_ms(59'999);
  EXPECT_TRUE(is_warm(p, "used"));
  p.advance_ms(1);
  EXPECT_TRUE(p.host.live.empty());
}

TEST(WarmPool, TheLeastRecentlyUsedGoesWhenMemoryIsShort) {
  DataPlaneOptions options;
  options.memory_budget_bytes = 100 * kMiB;
  PuppetPlane p(kMonday, options);
  std::vector<PublishedApi> apis;
  for (const char* id : {"a", "b", "c", "d"}) apis.push_back(per_request(id));
  p.apply(apis);
  for (int i = 0; i < 3; ++i) {
    serve_one(p, apis[static_cast<std::size_t>(i)], 30 * kMiB);
    p.advance_ms(1'000);
  }
  serve_one(p, apis[0], 30 * kMiB);  // b is the oldest now
  EXPECT_EQ(p.host.live.size(), 3U);
  serve_one(p, apis[3], 30 * kMiB);
  EXPECT_TRUE(is_warm(p, "a") && is_warm(p, "c") && is_warm(p, "d"));
  EXPECT_FALSE(is_warm(p, "b"));
  serve_one(p, apis[1], 80 * kMiB);  // as large as most of it
  EXPECT_EQ(p.host.live.size(), 1U);
  EXPECT_TRUE(is_warm(p, "b"));
}

TEST(WarmPool, AThousandModelsTakeTurnsWithinTheBudget) {
  DataPlaneOptions options;
  options.memory_budget_bytes = 200 * kMiB;
  PuppetPlane p(kMonday, options);
  std::vector<PublishedApi> apis;
  for (int i = 0; i < 1'000; ++i) {
    apis.push_back(per_request("api-" + std::to_string(i)));
    apis.back().number = static_cast<std::uint32_t>(i + 1);
  }
  p.apply(apis);
  for (std::size_t i = 0; i < 3'000; ++i) {
    serve_one(p, apis[i * 7 % apis.size()], 10 * kMiB);
    ASSERT_LE(p.host.live.size(), 20U);
  }
  EXPECT_EQ(p.plane->calls_count(), 0U);
}

TEST(WarmPool, StartsMoreWorkersUnderLoadUpToTheLimit) {
  DataPlaneOptions options;
  options.cpu_tokens_count = 8;
  options.workers_per_api_count = 3;
  PuppetPlane p(kMonday, options);
  const PublishedApi api = per_request("a");
  p.apply({api});
  std::vector<std::unique_ptr<Caller>> callers;
  const auto send = [&] {
    callers.push_back(std::make_unique<Caller>());
    ASSERT_TRUE(p.call(*callers.back(), api, "x"));
  };
  for (int i = 0; i < 60; ++i) send();
  EXPECT_EQ(p.host.live.size(), 1U);
  for (int round = 0; round < 40; ++round) {
    p.advance_ms(50);  // a slow model: each answer takes 50 ms
    for (Puppet* puppet : std::vector(p.host.live)) {
      if (!puppet->is_ready)
        puppet->become_ready();
      else if (!puppet->held.empty())
        puppet->answer();
    }
    p.settle();
  }
  EXPECT_EQ(p.host.started_count, 3);
  for (const auto& caller : callers) EXPECT_TRUE(caller->is_answered());
}

TEST(WarmPool, TheQueueIsBoundedAndSaysWhenToComeBack) {
  PuppetPlane p(kMonday);
  PublishedApi api = per_request("a");
  api.queue_limit_count = 3;
  p.apply({api});
  std::vector<Caller> callers(3);
  for (Caller& caller : callers) ASSERT_TRUE(p.call(caller, api, "x"));
  const Refused refused = p.refusal(api);
  EXPECT_EQ(refused.refusal, Refusal::kTooManyRequests);
  EXPECT_GE(refused.retry_after_s, 1);
  p.host.live[0]->become_ready();
  p.host.live[0]->answer_all();
  EXPECT_TRUE(p.admits(api));
}

TEST(WarmPool, TheRateIsBounded) {
  PuppetPlane p(kMonday);
  PublishedApi api = per_request("a");
  api.rate_limit_per_s = 4;
  p.apply({api});
  for (int i = 0; i < 4; ++i) serve_one(p, api, kMiB);
  Refused refused = p.refusal(api);
  EXPECT_EQ(refused.refusal, Refusal::kTooManyRequests);
  EXPECT_EQ(refused.retry_after_s, 1);
  p.advance_ms(249);
  EXPECT_FALSE(p.admits(api));
  p.advance_ms(1);
  EXPECT_TRUE(p.admits(api));
  EXPECT_FALSE(p.admits(api));
  api.rate_limit_per_s = 0;
  p.apply({api});
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(p.admits(api));
}

TEST(WarmPool, AnApiOfNoUseHoldsNoOtherUp) {
  DataPlaneOptions options;
  options.cpu_tokens_count = 2;
  PuppetPlane p(kMonday, options);
  const PublishedApi bad = per_request("bad"), good = per_request("good");
  p.apply({bad, good});
  std::vector<Caller> callers(5);
  for (Caller& caller : callers) ASSERT_TRUE(p.call(caller, bad, "x"));
  p.host.live[0]->become_ready();  // and never answers
  Caller caller;
  ASSERT_TRUE(p.call(caller, good, "x"));
  ASSERT_EQ(p.host.live.size(), 2U);
  p.host.live[1]->become_ready();
  p.host.live[1]->answer();
  EXPECT_TRUE(caller.is_answered());
  for (Caller& each : callers) {
    EXPECT_FALSE(each.done.has_value());
    p.plane->abandon(each);
  }
}

TEST(WarmPool, OffEndsTheWorkersOnceWhatWasTakenIsServed) {
  PuppetPlane p(kMonday);
  PublishedApi api = per_request("a");
  p.apply({api});
  Caller caller;
  ASSERT_TRUE(p.call(caller, api, "x"));
  api.enabled = false;
  p.apply({api});
  EXPECT_EQ(p.refusal(api).state, InstanceState::kStopped);
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  p.host.live[0]->answer();
  p.settle();
  EXPECT_TRUE(caller.is_answered());
  EXPECT_TRUE(p.host.live.empty());
  EXPECT_EQ(p.billed_s(api), 0);
}

TEST(WarmPool, AHungRequestDiesAtItsDeadlineAndFreesItsSlot) {
  PuppetPlane p(kMonday);
  const PublishedApi api = per_request("a");
  p.apply({api});
  Caller hung;
  ASSERT_TRUE(p.call(hung, api, "x"));
  p.host.live[0]->become_ready();
  p.advance_ms(limits::kInferenceDeadlineMs - 1);
  EXPECT_FALSE(hung.done.has_value());
  p.advance_ms(1);
  ASSERT_TRUE(hung.done.has_value());
  EXPECT_EQ(hung.done->refused->refusal, Refusal::kTimeout);
  EXPECT_TRUE(p.host.live.empty());
  serve_one(p, api, kMiB);
}

}  // namespace
}  // namespace noren::server

// Dedicated APIs on a manual clock: windows, crashes, changes, and what of it is billed.
#include <gtest/gtest.h>

#include "domain/dispatch_policy.h"
#include "server/data_plane/puppet_plane.h"

namespace noren::server {
namespace {

PublishedApi scheduled() {
  PublishedApi api = PuppetPlane::api("a1");
  api.schedule = *Schedule::of({*parse_window("Mon-Fri 09:00-17:00")});
  return api;
}

TEST(Dedicated, IsReadyWhenItsWindowBegins) {
  PuppetPlane p(kNine - 120 * kSecondUs);
  const PublishedApi api = scheduled();
  p.apply({api});
  EXPECT_EQ(p.host.started_count, 0);
  EXPECT_EQ(p.state(api), InstanceState::kStopped);
  Refused refused = p.refusal(api);
  EXPECT_EQ(refused.refusal, Refusal::kNotRunning);
  EXPECT_EQ(refused.state, InstanceState::kStopped);
  EXPECT_EQ(refused.next_start_us, kNine);
  EXPECT_NEAR(refused.retry_after_s, 120, 1);
  p.advance_to(kNine - 31 * kSecondUs);
  EXPECT_EQ(p.host.started_count, 0);
  p.advance_to(kNine - 29 * kSecondUs);  // what a start takes is not known: half a minute ahead
  ASSERT_EQ(p.host.started_count, 1);
  p.host.live[0]->become_ready();
  EXPECT_EQ(p.state(api), InstanceState::kBuilding);
  refused = p.refusal(api);  // ready, and not open yet
  EXPECT_EQ(refused.next_start_us, kNine);
  p.advance_to(kNine - 1'000);
  EXPECT_FALSE(p.admits(api));
  p.advance_ms(2);
  EXPECT_TRUE(p.admits(api));
  EXPECT_EQ(p.state(api), InstanceState::kRunning);
  p.advance_to(kNine + 60 * kSecondUs);
  EXPECT_NEAR(static_cast<double>(p.billed_s(api)), 60, 1);  // the last pass may be a second ago
}

TEST(Dedicated, TheNextStartIsAsFarAheadAsTheLastOneTook) {
  PuppetPlane p(kNine);
  const PublishedApi api = scheduled();
  p.apply({api});
  p.advance_ms(60'000);
  p.host.live[0]->become_ready();  // a minute
  p.advance_to(kFive + kSecondUs, 60'000);
  EXPECT_TRUE(p.host.live.empty());
  const WallUs tuesday = kNine + 24 * kHourUs;
  p.advance_to(tuesday - 200 * kSecondUs, 60'000);
  p.advance_to(tuesday - 126 * kSecondUs);
  EXPECT_EQ(p.host.started_count, 1);
  p.advance_to(tuesday - 124 * kSecondUs);
  EXPECT_EQ(p.host.started_count, 2);
}

TEST(Dedicated, FinishesWhatItTookWhenItsWindowEnds) {
  PuppetPlane p(kFive - 10 * kSecondUs);
  const PublishedApi api = scheduled();
  p.apply({api});
  p.host.live[0]->become_ready();
  std::vector<Caller> callers(40);  // more than an instance holds: some wait in the queue
  for (Caller& caller : callers) ASSERT_TRUE(p.call(caller, api, "x"));
  Caller slow;  // its body is still on the way when the window ends
  p.ask(slow, api);
  p.advance_to(kFive + 2'000);
  const Refused refused = p.refusal(api);
  EXPECT_EQ(refused.state, InstanceState::kStopping);
  EXPECT_EQ(refused.next_start_us, kNine + 24 * kHourUs);
  for (int rounds = 0; rounds < 40 && !p.host.live.empty() && !p.host.live[0]->held.empty(); ++rounds)
    p.host.live[0]->answer_all();
  for (const Caller& caller : callers) EXPECT_TRUE(caller.is_answered());
  p.settle();
  EXPECT_TRUE(p.host.live.empty());
  EXPECT_EQ(p.state(api), InstanceState::kStopped);
  p.send(slow, "late");
  ASSERT_EQ(p.host.live.size(), 1U);  // it is still owed an answer
  p.host.live[0]->become_ready();
  p.host.live[0]->answer();
  EXPECT_TRUE(slow.is_answered());
  p.settle();
  EXPECT_TRUE(p.host.live.empty());
  p.advance_ms(5'000);
  EXPECT_EQ(p.billed_s(api), 10);
}

TEST(Dedicated, WaitingCallsThatGiveUpKeepNoInstance) {
  PuppetPlane p(kFive - 10 * kSecondUs);
  const PublishedApi api = scheduled();
  p.apply({api});
  p.host.live[0]->become_ready();
  Caller caller;
  p.ask(caller, api);
  p.advance_to(kFive + kSecondUs);
  EXPECT_TRUE(p.host.live.empty());
  p.send(caller, "x");
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  p.advance_ms(limits::kInferenceDeadlineMs + 1'000);  // it hangs
  ASSERT_TRUE(caller.done.has_value());
  EXPECT_EQ(caller.done->refused->refusal, Refusal::kTimeout);
  p.advance_ms(2'000);
  EXPECT_TRUE(p.host.live.empty());
  EXPECT_EQ(p.plane->calls_count(), 0U);
}

TEST(Dedicated, OffStopsAtOnceAndOnStartsAgain) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  std::vector<Caller> callers(30);
  for (Caller& caller : callers) ASSERT_TRUE(p.call(caller, api, "x"));
  p.advance_ms(7'000);
  api.enabled = false;
  p.apply({api});
  EXPECT_EQ(p.refusal(api).state, InstanceState::kStopped);
  EXPECT_EQ(p.refusal(api).next_start_us, 0);
  p.host.live[0]->answer_all();
  for (const Caller& caller : callers) EXPECT_TRUE(caller.is_answered());
  p.advance_ms(20'000);
  EXPECT_TRUE(p.host.live.empty());
  api.enabled = true;
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  p.advance_ms(3'000);
  EXPECT_TRUE(p.admits(api));
  EXPECT_EQ(p.billed_s(api), 7 + 3);
}

TEST(Dedicated, ComesBackWithBackOffAndFailsWithItsReason) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.advance_ms(10'000);
  for (int failure = 1; failure < kRestartsCount; ++failure) {
    ASSERT_EQ(p.host.live.size(), 1U) << failure;
    p.host.live[0]->fail_to_load("the model needs 9 GiB");
    p.settle();
    const std::int64_t delay_ms = restart_delay_ms(failure);
    if (delay_ms > 0) {
      EXPECT_EQ(p.state(api), InstanceState::kRetrying);
      EXPECT_EQ(p.refusal(api).state, InstanceState::kRetrying);
      p.advance_ms(delay_ms - 1);
      EXPECT_TRUE(p.host.live.empty()) << failure;
      p.advance_ms(1);
    }
  }
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->fail_to_load("the model needs 9 GiB");
  p.advance_ms(3'600'000);
  EXPECT_TRUE(p.host.live.empty());
  EXPECT_EQ(p.state(api), InstanceState::kFailed);
  EXPECT_EQ(p.plane->status("a1")->reason, "the model needs 9 GiB");
  EXPECT_EQ(p.refusal(api).state, InstanceState::kFailed);
  EXPECT_EQ(p.billed_s(api), 0);
  api.modified_us = 1;  // its owner changed something
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  EXPECT_EQ(p.state(api), InstanceState::kRunning);
}

TEST(Dedicated, AFailedOneIsTriedAgainInItsNextWindow) {
  PuppetPlane p(kNine);
  const PublishedApi api = scheduled();
  p.apply({api});
  for (int failure = 0; failure < kRestartsCount; ++failure) {
    ASSERT_EQ(p.host.live.size(), 1U) << failure;
    p.host.live[0]->crash();
    p.advance_ms(60'000);
  }
  EXPECT_EQ(p.state(api), InstanceState::kFailed);
  p.advance_to(kFive + kSecondUs, 60'000);
  EXPECT_EQ(p.state(api), InstanceState::kStopped);
  p.advance_to(kNine + 24 * kHourUs, 10'000);
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  EXPECT_EQ(p.state(api), InstanceState::kRunning);
}

TEST(Dedicated, WhatAnswersIsNoPartOfASeriesOfFailures) {
  PuppetPlane p(kMonday);
  const PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  for (int round = 0; round < 3 * kRestartsCount; ++round) {
    ASSERT_EQ(p.host.live.size(), 1U) << round;
    p.host.live[0]->become_ready();
    Caller caller;
    ASSERT_TRUE(p.call(caller, api, "x"));
    p.host.live[0]->answer();
    EXPECT_TRUE(caller.is_answered());
    p.host.live[0]->crash();  // by somebody's hostile request
    p.settle();
  }
}

TEST(Dedicated, WhoWaitsForAnInstanceThatFailsIsToldSo) {
  PuppetPlane p(kMonday);
  const PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  Caller caller;
  p.ask(caller, api);
  for (int failure = 0; failure + 1 < kRestartsCount; ++failure) {
    p.host.live[0]->crash();
    p.settle();
    if (p.host.live.empty()) p.advance_ms(restart_delay_ms(failure + 1));
  }
  p.send(caller, "x");
  p.host.live[0]->fail_to_load("no");
  p.settle();
  ASSERT_TRUE(caller.done.has_value());
  EXPECT_EQ(caller.done->refused->refusal, Refusal::kInternal);
}

TEST(Dedicated, SeveralInstancesShareTheWorkAndAreBilledEach) {
  DataPlaneOptions options;
  options.cpu_tokens_count = 4;
  PuppetPlane p(kMonday, options);
  PublishedApi api = PuppetPlane::api("a1");
  api.instances_count = 3;
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 3U);
  for (Puppet* puppet : std::vector(p.host.live)) puppet->become_ready();
  std::vector<Caller> callers(3);
  for (Caller& caller : callers) ASSERT_TRUE(p.call(caller, api, "x"));
  for (const Puppet* puppet : p.host.live) EXPECT_EQ(puppet->held.size(), 1U);
  p.advance_ms(10'000);
  EXPECT_EQ(p.billed_s(api), 30);
  p.host.live[0]->answer();
  api.instances_count = 1;
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 2U);  // the idle one went; another one finishes what it holds
  EXPECT_EQ(p.host.live[0]->is_draining + p.host.live[1]->is_draining, 1);
  for (Puppet* puppet : std::vector(p.host.live)) puppet->answer_all();
  p.advance_ms(10'000);
  EXPECT_EQ(p.host.live.size(), 1U);
  for (const Caller& caller : callers) EXPECT_TRUE(caller.is_answered());
  EXPECT_EQ(p.billed_s(api), 40);
  api.instances_count = 2;
  p.apply({api});
  EXPECT_EQ(p.host.live.size(), 2U);
  EXPECT_EQ(p.state(api), InstanceState::kRunning);
  p.advance_ms(10'000);
  EXPECT_EQ(p.billed_s(api), 50);  // the second one is not ready
}

TEST(Dedicated, ASettingOfTheWorkerSwapsItWithoutAFailedRequest) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  Caller before, between, after;
  ASSERT_TRUE(p.call(before, api, "1"));
  api.keep_output_names = true;
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 2U);
  EXPECT_TRUE(p.host.live[1]->spec.keep_output_names);
  ASSERT_TRUE(p.call(between, api, "2"));  // the old one serves until the new one can
  p.advance_ms(5'000);
  EXPECT_EQ(p.state(api), InstanceState::kRunning);
  p.host.live[0]->answer_all();
  EXPECT_TRUE(before.is_answered());
  EXPECT_TRUE(between.is_answered());
  p.host.live[1]->become_ready();
  p.settle();
  ASSERT_EQ(p.host.live.size(), 1U);
  ASSERT_TRUE(p.call(after, api, "3"));
  p.host.live[0]->answer();
  EXPECT_TRUE(after.is_answered());
  p.advance_ms(5'000);
  EXPECT_EQ(p.billed_s(api), 10);
}

TEST(Dedicated, WhatTheServerAloneKeepsChangesNoWorker) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  api.queue_limit_count = 1;
  api.rate_limit_per_s = 5;
  api.deadline_ms = 9'000;
  api.schedule = *Schedule::of({*parse_window("Mon 00:00-24:00")});
  p.apply({api});
  EXPECT_EQ(p.host.started_count, 1);
  EXPECT_EQ(p.host.live.size(), 1U);
}

TEST(Dedicated, AChangeOfTypeMovesThePathAndLosesNobody) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  p.advance_ms(10'000);
  Caller before, stale, fresh;
  ASSERT_TRUE(p.call(before, api, "1"));
  const PublishedApi dedicated = api;
  api.type = ExecutionType::kPerRequest;
  p.apply({api});
  p.ask(stale, dedicated);
  EXPECT_EQ(std::get<WrongPath>(stale.admitted).right_type, ExecutionType::kPerRequest);
  ASSERT_TRUE(p.call(fresh, api, "2"));
  ASSERT_EQ(p.host.live.size(), 2U);
  p.host.live[1]->become_ready();
  for (Puppet* puppet : std::vector(p.host.live)) puppet->answer_all();
  p.settle();
  EXPECT_TRUE(before.is_answered());
  EXPECT_TRUE(fresh.is_answered());
  EXPECT_EQ(p.host.live.size(), 1U);
  p.advance_ms(10'000);
  EXPECT_EQ(p.billed_s(api), 10);
  api.type = ExecutionType::kDedicated;  // and back, with one that is warm
  p.apply({api});
  Caller back;
  ASSERT_TRUE(p.call(back, api, "a sound"));
  ASSERT_EQ(p.host.live.size(), 2U);
  EXPECT_EQ(p.host.live[0]->files_of["a sound"], RequestBody::Files::kAll);
  p.host.live[0]->answer();  // by the one that is there
  EXPECT_TRUE(back.is_answered());
  p.advance_ms(3'000);
  p.host.live.back()->become_ready();
  p.settle();
  EXPECT_EQ(p.host.live.size(), 1U);
  p.advance_ms(10'000);
  EXPECT_EQ(p.billed_s(api), 20);
}

TEST(Dedicated, WhatACallMayCarryIsWhatItsApiTookWhenItWasAdmitted) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  std::vector<Caller> callers(64);
  for (std::size_t i = 0; i < callers.size(); ++i)
    ASSERT_TRUE(p.call(callers[i], api, "sound " + std::to_string(i)));
  ASSERT_LT(p.host.live[0]->held.size(), callers.size());  // the others wait in the queue
  Caller receiving, after;
  p.ask(receiving, api);  // its body is on its way
  api.type = ExecutionType::kPerRequest;
  p.apply({api});
  p.send(receiving, "late sound");
  ASSERT_TRUE(p.call(after, api, "picture"));
  p.host.live[0]->crash();
  p.settle();
  ASSERT_EQ(p.host.live.size(), 1U);
  Puppet& successor = *p.host.live[0];
  successor.become_ready();
  while (!successor.held.empty()) successor.answer();
  for (const Caller& caller : callers) EXPECT_TRUE(caller.is_answered());
  for (const auto& [body, files] : successor.files_of)
    EXPECT_EQ(files, body == "picture" ? RequestBody::Files::kPerRequest : RequestBody::Files::kAll) << body;
  EXPECT_TRUE(successor.files_of.contains("sound 63"));
  EXPECT_TRUE(successor.files_of.contains("late sound"));
  EXPECT_TRUE(successor.files_of.contains("picture"));
}

TEST(Dedicated, ABodyIsTakenByTheLimitOfWhenItWasAdmitted) {
  PuppetPlane p(kMonday);
  PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  Caller receiving, caller;
  p.ask(receiving, api);  // its body is on its way
  const std::uint64_t before_bytes = api.body_limit_bytes;
  api.body_limit_bytes *= 2;
  p.apply({api});
  p.send(receiving, "under the old limit");
  ASSERT_TRUE(p.call(caller, api, "a large body"));
  ASSERT_EQ(p.host.live.size(), 1U) << "a limit is no reason to load the model again";
  Puppet& worker = *p.host.live[0];
  EXPECT_EQ(worker.limit_bytes_of["under the old limit"], before_bytes);
  EXPECT_EQ(worker.limit_bytes_of["a large body"], 2 * before_bytes);
  worker.answer_all();
  EXPECT_TRUE(receiving.is_answered());
  EXPECT_TRUE(caller.is_answered());
}

TEST(Dedicated, ADeletedOneFinishesAndIsBilledUntilThen) {
  PuppetPlane p(kMonday);
  const PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.host.live[0]->become_ready();
  Caller caller;
  ASSERT_TRUE(p.call(caller, api, "1"));
  p.advance_ms(4'000);
  p.apply({});
  p.host.live[0]->answer();
  EXPECT_TRUE(caller.is_answered());
  p.advance_ms(4'000);
  EXPECT_TRUE(p.host.live.empty());
  EXPECT_EQ(p.billed_s(api), 4);
}

TEST(Dedicated, ACrashedInstanceIsNotPaidForWhileItIsAway) {
  PuppetPlane p(kMonday);
  const PublishedApi api = PuppetPlane::api("a1");
  p.apply({api});
  p.advance_ms(5'000);
  p.host.live[0]->become_ready();
  p.advance_ms(10'000);
  p.host.live[0]->crash();
  p.advance_ms(3'000);
  p.host.live[0]->become_ready();
  p.advance_ms(10'000);
  EXPECT_EQ(p.billed_s(api), 20);
}

TEST(Dedicated, AMonthOfWorkingHoursIsBilledToTheSecond) {
  PuppetPlane p(kMonday);
  const PublishedApi api = scheduled();
  p.apply({api});
  std::int64_t expected_s = 0;
  for (WallUs day = kMonday; day < kMonday + 31 * 24 * kHourUs; day += 24 * kHourUs) {
    const bool works = api.schedule.runs_at(day + 12 * kHourUs);
    p.advance_to(day + 9 * kHourUs, 10'000);
    ASSERT_EQ(p.host.live.size(), works ? 1U : 0U);
    if (works) p.host.live[0]->become_ready();
    p.clock.advance_ms(7 * 3'600'000);  // the machine was too busy to look at its clock
    p.advance_to(day + 18 * kHourUs, 10'000);
    if (works) expected_s += 8 * 3'600;
  }
  EXPECT_EQ(p.billed_s(api), expected_s);
  EXPECT_EQ(expected_s, 23 * 8 * 3'600);
}

}  // namespace
}  // namespace noren::server

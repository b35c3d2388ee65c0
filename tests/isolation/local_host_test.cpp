// The local host and real workers: life, death, recovery.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "base/limits.h"
#include "host_fixture.h"

namespace noren::server {
namespace {

using LocalHost = HostTest;

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

/// Ends one process. Numbers that mean groups of processes, or all of them, stop the test instead.
void end_process(pid_t pid) {
  ASSERT_GT(pid, 1);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
}

/// Neither gone nor waiting for its burial.
bool is_alive(pid_t pid) {
  const std::string state = status_of(pid);
  return !state.empty() && state[0] != 'Z' && state[0] != 'X';
}

TEST_F(LocalHost, LoadsAnswersAndDrains) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo hello"), "hello");
  ASSERT_TRUE(listener.ready.has_value());
  EXPECT_TRUE(listener.ready->batchable);
  EXPECT_GT(listener.ready->private_bytes, 0);
  EXPECT_LT(listener.ready->private_bytes, 16 << 20);
  EXPECT_GT(listener.ready->load_ns, 0);
  const RequestBody body = body_with("burn 20");
  const RequestBody last = body_with("echo last");
  instance->call(100, body, 0);
  instance->call(101, last, 0);
  instance->drain();
  ASSERT_TRUE(until([&] { return listener.exit.has_value(); }));
  EXPECT_EQ(listener.exit->kind, ExitKind::kStopped);
  EXPECT_EQ(listener.outcomes[100].bytes, "burnt");
  EXPECT_EQ(listener.outcomes[101].bytes, "last");
  EXPECT_EQ(listener.callbacks_after_exit, 0);
}

TEST_F(LocalHost, EveryKindOfRefusalHasItsOutcome) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "bad inputs[0]"), "inputs[0]");
  EXPECT_EQ(listener.outcomes[1].code, OutcomeCode::kInvalidRequest);
  EXPECT_EQ(ask(*instance, listener, "poison x"), "poisoned: x");
  EXPECT_EQ(listener.outcomes[2].code, OutcomeCode::kInvalidRequest);
  ask(*instance, listener, "fault");
  EXPECT_EQ(listener.outcomes[3].code, OutcomeCode::kInternal);
  ask(*instance, listener, "throw");
  EXPECT_EQ(listener.outcomes[4].code, OutcomeCode::kInternal);
  EXPECT_TRUE(ask(*instance, listener, "bad " + std::string(5'000, 'a')) ==
              std::string(limits::kDetailBytes, 'a'));
  EXPECT_TRUE(ask(*instance, listener, "large 5000000") == std::string(5'000'000, 'x'));
}

TEST_F(LocalHost, EachCallSaysWhichFilesItMayCarry) {
  Remembering listener;
  const auto instance = start(listener);
  RequestBody dedicated = body_with("files");
  dedicated.files = RequestBody::Files::kAll;
  const RequestBody per_request = body_with("files");
  instance->call(100, dedicated, 0);
  instance->call(101, per_request, 0);
  instance->call(102, dedicated, 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.size() == 3; }));
  EXPECT_EQ(listener.outcomes[100].bytes, "all");
  EXPECT_EQ(listener.outcomes[101].bytes, "per request");
  EXPECT_EQ(listener.outcomes[102].bytes, "all");
}

TEST_F(LocalHost, AModelThatDoesNotLoadSaysWhy) {
  Remembering listener;
  const auto instance = start(listener, "refuse layer 'A' is unknown");
  ASSERT_TRUE(until([&] { return listener.exit.has_value(); }));
  EXPECT_EQ(listener.exit->kind, ExitKind::kLoadFailed);
  EXPECT_EQ(listener.exit->reason, "layer 'A' is unknown");
}

TEST_F(LocalHost, AVersionThatFailsItsSampleIsNotReadyAndSaysWhy) {
  Remembering failing, sound;
  const auto first = start_trial(failing, "unsound layer 'A' divides by zero");
  const auto second = start_trial(sound, "toy");
  ASSERT_TRUE(until([&] { return failing.exit.has_value() && sound.ready.has_value(); }));
  EXPECT_EQ(failing.exit->kind, ExitKind::kLoadFailed);
  EXPECT_EQ(failing.exit->reason, "layer 'A' divides by zero");
  EXPECT_FALSE(failing.ready.has_value());
  EXPECT_EQ(ask(*second, sound, "echo served"), "served");
}

#ifndef __SANITIZE_THREAD__  // whose runtime has a thread of its own
TEST_F(LocalHost, AVersionLoadsWithALowPriorityAndServesWithItsOwn) {
  const int own = ::getpriority(PRIO_PROCESS, 0);
  Remembering listener;
  const auto instance = start_trial(listener, "burn 300");
  std::vector<int> while_loading;
  ASSERT_TRUE(until([&] {
    const auto workers = children_of(zygote());
    if (workers.size() == 1) while_loading = priorities_of(workers[0]);
    const bool is_low = while_loading.size() == 2 && while_loading[1] != own;
    return is_low || listener.ready.has_value();
  }));
  EXPECT_EQ(while_loading, (std::vector<int>{own, std::max(own, limits::kBackgroundNice)}));
  ASSERT_TRUE(until([&] { return listener.ready.has_value(); }));
  EXPECT_EQ(priorities_of(children_of(zygote()).at(0)), std::vector<int>{own});
}
#endif

TEST_F(LocalHost, LargeAndCompressedBodiesArrive) {
  Remembering listener;
  const auto instance = start(listener);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{4091}, std::size_t{4096}, limits::kBodyInlineBytes + 17}) {
    const std::string text = "echo " + std::string(size, 'b');
    RequestBody body = body_with({});
    body.memfd = sealed_memfd("body", bytes_of(text)).value();
    body.size_bytes = text.size();
    instance->call(size, body, 0);
    ASSERT_TRUE(until([&] { return listener.outcomes.contains(size) || listener.exit.has_value(); }));
    EXPECT_TRUE(listener.outcomes[size].bytes == text.substr(5));
  }
  // gzip of "echo zipped"
  const unsigned char zipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b,
                                  0x4d, 0xce, 0xc8, 0x57, 0xa8, 0xca, 0x2c, 0x28, 0x48, 0x4d, 0x01,
                                  0x00, 0x26, 0x55, 0x19, 0x02, 0x0b, 0x00, 0x00, 0x00};
  RequestBody body = body_with(std::string(reinterpret_cast<const char*>(zipped), sizeof zipped));
  body.encoding = RequestBody::Encoding::kGzip;
  instance->call(77, body, 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.contains(77); }));
  EXPECT_EQ(listener.outcomes[77].bytes, "zipped");
  RequestBody large = body_with({});
  large.memfd = sealed_memfd("body", Bytes((1 << 20) + 1, 'a')).value();
  instance->call(78, large, 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.contains(78); }));
  EXPECT_EQ(listener.outcomes[78].code, OutcomeCode::kTooLarge);
  large.limit_bytes = (1 << 20) + 1;
  instance->call(79, large, 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.contains(79); }));
  EXPECT_EQ(listener.outcomes[79].code, OutcomeCode::kInvalidRequest) << "no command of the toy";
  body.limit_bytes = 10;
  instance->call(80, body, 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.contains(80); }));
  EXPECT_EQ(listener.outcomes[80].code, OutcomeCode::kTooLarge) << "once it is unpacked";
}

TEST_F(LocalHost, KillEndsAModelThatNeverStops) {
  Remembering listener;
  const auto instance = start(listener);
  const RequestBody body = body_with("burn 1000000");
  instance->call(1, body, 0);
  ASSERT_TRUE(until([&] { return listener.ready.has_value(); }));
  instance->kill();
  ASSERT_TRUE(until([&] { return listener.exit.has_value(); }, 5));
  EXPECT_EQ(listener.exit->kind, ExitKind::kKilled);
  EXPECT_TRUE(listener.outcomes.empty());
}

TEST_F(LocalHost, ACrashUnderLoadLosesWhatWasInFlightAndSaysSo) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo first"), "first");
  std::vector<RequestBody> bodies;
  bodies.reserve(20);
  for (int index = 0; index < 20; ++index) bodies.push_back(body_with(index == 5 ? "crash" : "alone x"));
  for (std::size_t index = 0; index < bodies.size(); ++index) instance->call(100 + index, bodies[index], 0);
  ASSERT_TRUE(until([&] { return listener.exit.has_value(); }));
  EXPECT_EQ(listener.exit->kind, ExitKind::kCrashed);
  EXPECT_EQ(listener.exit->signal, SIGSEGV);
  EXPECT_FALSE(listener.outcomes.contains(105));
  EXPECT_FALSE(listener.outcomes.contains(106));
}

TEST_F(LocalHost, ACrashWhileReadingSaysSoAndOneWhileRunningDoesNot) {
  const std::map<std::string, int> signals = {{"segv", SIGSEGV}, {"abort", SIGABRT}, {"overflow", SIGSEGV}};
  for (const auto& [how, signal] : signals) {
    Remembering listener;
    const auto instance = start(listener);
    ask(*instance, listener, "read " + how);
    ASSERT_TRUE(listener.exit.has_value()) << how;
    EXPECT_EQ(listener.exit->kind, ExitKind::kCrashed);
    EXPECT_TRUE(listener.exit->while_reading) << how;
    EXPECT_EQ(listener.exit->signal, signal);
  }
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "read fine"), "unknown verb");
  ask(*instance, listener, "crash");
  EXPECT_FALSE(listener.exit->while_reading);
  EXPECT_EQ(listener.exit->signal, SIGSEGV);
}

TEST_F(LocalHost, WhatADecoderThrowsIsTheCallersToHear) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "read throw"), "inputs: a file could not be decoded");
  EXPECT_EQ(listener.outcomes[1].code, OutcomeCode::kInvalidRequest);
  EXPECT_EQ(ask(*instance, listener, "read memory"),
            "the request needs more memory to be read than this model has");
  EXPECT_EQ(listener.outcomes[2].code, OutcomeCode::kInvalidRequest);
  EXPECT_EQ(ask(*instance, listener, "echo on"), "on");
}

TEST_F(LocalHost, SigkillFromOutsideIsACrash) {
  Remembering listener;
  const auto instance = start(listener);
  const RequestBody body = body_with("burn 1000000");
  ASSERT_TRUE(until([&] { return listener.ready.has_value(); }));
  instance->call(1, body, 0);
  const auto workers = children_of(zygote());
  ASSERT_EQ(workers.size(), 1U);
  end_process(workers[0]);
  ASSERT_TRUE(until([&] { return listener.exit.has_value(); }, 5));
  EXPECT_EQ(listener.exit->kind, ExitKind::kCrashed);
  EXPECT_EQ(listener.exit->signal, SIGKILL);
}

TEST_F(LocalHost, ALostZygoteIsReplacedAndItsInstancesAreReported) {
  for (int round = 0; round < 3; ++round) {
    Remembering first;
    Remembering second;
    const auto one = start(first);
    const auto two = start(second);
    EXPECT_EQ(ask(*one, first, "echo a"), "a");
    const RequestBody body = body_with("burn 1000000");
    two->call(9, body, 0);
    const pid_t old = zygote();
    // The last round's worker may not have ended yet.
    EXPECT_TRUE(until([&] { return children_of(old).size() == 2; }));
    const auto workers = children_of(old);
    ASSERT_NO_FATAL_FAILURE(end_process(old));
    ASSERT_TRUE(until([&] { return first.exit.has_value() && second.exit.has_value(); }, 10));
    EXPECT_EQ(first.exit->kind, ExitKind::kHostLost);
    EXPECT_EQ(second.exit->kind, ExitKind::kHostLost);
    // The kernel closes a dying process's sockets before it ends its children.
    for (const pid_t worker : workers) EXPECT_TRUE(until([&] { return !is_alive(worker); })) << "it burns on";
    Remembering third;
    const auto three = start(third);  // while there is no zygote
    EXPECT_EQ(ask(*three, third, "echo b"), "b");
    EXPECT_NE(zygote(), old);
  }
}

TEST_F(LocalHost, AZygoteThatIsStartedInAFloodIsScheduledAsTheServerWasStarted) {
  Remembering lost;
  const auto one = start(lost);
  EXPECT_EQ(ask(*one, lost, "echo a"), "a");
  const pid_t old = zygote();
  const sched_param parameters{};
  ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &parameters), 0);
  ASSERT_NO_FATAL_FAILURE(end_process(old));
  ASSERT_TRUE(until([&] { return lost.exit.has_value(); }, 10));
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo a"), "a");
  EXPECT_NE(zygote(), old);
  EXPECT_EQ(::sched_getscheduler(zygote()), SCHED_OTHER);
  ASSERT_EQ(::sched_setscheduler(0, SCHED_OTHER, &parameters), 0);
}

TEST_F(LocalHost, CancelDropsWhatHasNotBegun) {
  Remembering listener;
  const auto instance = start(listener);
  const RequestBody slow = body_with("burn 50");
  const RequestBody next = body_with("alone x");
  instance->call(1, slow, 0);
  instance->call(2, next, 0);
  instance->call(3, next, 0);
  instance->cancel(2);
  instance->cancel(99);
  ASSERT_TRUE(until([&] { return listener.outcomes.size() == 3; }));
  EXPECT_EQ(listener.outcomes[2].code, OutcomeCode::kNotRun);
  EXPECT_EQ(listener.outcomes[3].code, OutcomeCode::kOk);
}

TEST_F(LocalHost, WhatIsOverdueBeforeItBeginsIsNotRun) {
  Remembering listener;
  const auto instance = start(listener);
  ASSERT_TRUE(until([&] { return listener.ready.has_value(); }));
  const RequestBody body = body_with("echo x");
  instance->call(1, body, system_clock().monotonic_ns() - 1);
  ASSERT_TRUE(until([&] { return listener.outcomes.contains(1); }));
  EXPECT_EQ(listener.outcomes[1].code, OutcomeCode::kNotRun);
}

TEST_F(LocalHost, WaitingRequestsShareARunAndAPoisonedOneFailsAlone) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo warm"), "warm");
  const RequestBody slow = body_with("burn 30");
  std::vector<RequestBody> bodies;
  bodies.reserve(10);
  for (int index = 0; index < 10; ++index) bodies.push_back(body_with("echo " + std::to_string(index)));
  const RequestBody poison = body_with("poison p");
  instance->call(50, slow, 0);
  for (std::size_t index = 0; index < bodies.size(); ++index) instance->call(100 + index, bodies[index], 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.size() == 12; }));
  std::uint32_t largest = 0;
  for (std::size_t index = 0; index < bodies.size(); ++index) {
    EXPECT_EQ(listener.outcomes[100 + index].bytes, std::to_string(index));
    largest = std::max(largest, listener.outcomes[100 + index].batch_size);
  }
  EXPECT_GT(largest, 1U);
  instance->call(51, slow, 0);
  for (std::size_t index = 0; index < bodies.size(); ++index) instance->call(200 + index, bodies[index], 0);
  instance->call(300, poison, 0);
  ASSERT_TRUE(until([&] { return listener.outcomes.size() == 24; }));
  for (std::size_t index = 0; index < bodies.size(); ++index)
    EXPECT_EQ(listener.outcomes[200 + index].bytes, std::to_string(index));
  EXPECT_EQ(listener.outcomes[300].code, OutcomeCode::kInvalidRequest);
}

#ifndef __SANITIZE_THREAD__  // whose shadow memory counts
TEST_F(LocalHost, MemoryThatGrowsIsReported) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo a"), "a");
  const std::int64_t before = listener.ready->private_bytes;
  ask(*instance, listener, "memory 64");
  // The report comes with an answer, at the latest 200 ms later.
  ask(*instance, listener, "burn 250");
  ask(*instance, listener, "echo a");
  EXPECT_GE(listener.memory_bytes, before + (60 << 20));
  EXPECT_LE(listener.memory_bytes, before + (80 << 20));
}
#endif

TEST_F(LocalHost, TwoHundredStartsLeaveNothingBehind) {
  {
    Remembering listener;
    const auto instance = start(listener);
    EXPECT_EQ(ask(*instance, listener, "echo a"), "a");
  }
  const pid_t parent = zygote();
  ASSERT_TRUE(until([&] { return children_of(parent).empty(); }));
  const std::size_t descriptors = open_descriptors();
  for (int round = 0; round < 200; ++round) {
    Remembering listener;
    const auto instance = start(listener);
    if (round % 4 == 0) continue;  // destroyed before it was forked
    EXPECT_EQ(ask(*instance, listener, "echo a"), "a");
    if (round % 4 == 1) instance->drain();
    if (round % 4 == 2) instance->kill();
    if (round % 4 != 3) {
      ASSERT_TRUE(until([&] { return listener.exit.has_value(); }));
    }
  }
  // At most: the first worker's own may not have been closed yet when they were counted.
  ASSERT_TRUE(until([&] { return children_of(parent).empty() && open_descriptors() <= descriptors; }, 10));
}

TEST_F(LocalHost, SaysWhatAWorkerHadOfTheCores) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo a"), "a");
  const std::optional<std::int64_t> before = instance->core_time_ns();
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(ask(*instance, listener, "burn 500"), "burnt");
  const std::optional<std::int64_t> after = instance->core_time_ns();
  ASSERT_TRUE(after.has_value());
  constexpr std::int64_t kLeastNs = 10'000'000;  // also where others want the cores
  EXPECT_GT(*after - *before, kLeastNs);
  EXPECT_LT(*after - *before, 60'000'000'000);
  instance->kill();
  EXPECT_TRUE(until([&] { return listener.exit.has_value(); }));
  EXPECT_FALSE(instance->core_time_ns().has_value());
}

TEST_F(LocalHost, DestroyingTheHostEndsEverything) {
  Remembering listener;
  const auto instance = start(listener);
  EXPECT_EQ(ask(*instance, listener, "echo a"), "a");
  const pid_t old = zygote();
  const auto workers = children_of(old);
  host.reset();
  EXPECT_FALSE(is_alive(old));
  for (const pid_t worker : workers) EXPECT_TRUE(until([&] { return !is_alive(worker); }, 5));
  EXPECT_FALSE(listener.exit.has_value());
}

TEST_F(LocalHost, InspectsWithWhatOthersLeaveAndBeginsAnewWhereThatIsTooLittle) {
  InspectSpec spec;
  spec.file = sealed_memfd("file", bytes_of("rest 2500")).value();
  spec.deadline_ms = 4'000;  // its share is looked at after half of that
  std::optional<Result<Inspection>> result;
  host->inspect(std::move(spec), [&](Result<Inspection> inspected) { result = std::move(inspected); });
  std::map<pid_t, MonotonicNs> since;
  std::vector<pid_t> seen;
  std::map<pid_t, std::set<std::string>> policies;
  ASSERT_TRUE(until([&] {
    for (const pid_t worker : children_of(zygote())) {
      std::istringstream fields(status_of(worker));
      const std::vector<std::string> all{std::istream_iterator<std::string>(fields), {}};
      constexpr MonotonicNs kLifeOfAProbeNs = 200'000'000;
      if (all.size() < 39 || all[0] == "Z") continue;
      const MonotonicNs now = system_clock().monotonic_ns();
      if (now - since.try_emplace(worker, now).first->second < kLifeOfAProbeNs) continue;
      if (!policies.contains(worker)) seen.push_back(worker);
      policies[worker].insert(all[38]);
    }
    return result.has_value();
  }));
  ASSERT_FALSE(result->ok());
  EXPECT_EQ(result->error().text, "rested");
  ASSERT_EQ(seen.size(), 2U);
  // Once it is to die, it is let out of its policy.
  EXPECT_TRUE(policies[seen[0]].contains(std::to_string(SCHED_IDLE)));
  EXPECT_EQ(policies[seen[1]], std::set{std::to_string(SCHED_OTHER)});
}

TEST(WorkerProgram, IsAskedWhoItIs) {
  LocalHostOptions options;
  options.worker_path = TOY_WORKER;
  EXPECT_TRUE(start_worker_program(options).ok());
  EXPECT_TRUE(children_of(::getpid()).empty()) << "it has ended";
  const std::string silent = ::testing::TempDir() + "silent_worker." + std::to_string(::getpid());
  std::ofstream(silent) << "#!/bin/sh\nexec sleep 600\n";
  std::filesystem::permissions(silent, std::filesystem::perms::owner_all);
  options.worker_path = silent;
  options.greeting_limit_ms = 100;
  const auto waited = start_worker_program(options);
  std::filesystem::remove(silent);
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().text, "the worker program '" + silent +
                                     "' has said nothing within 100 ms: noren-worker of this very build is "
                                     "needed, beside noren or named by --worker");
  EXPECT_TRUE(children_of(::getpid()).empty());
}

TEST(Probes, SayWhenAFreshChildAnswered) {
  boost::asio::io_context io;
  LocalHostOptions options;
  options.worker_path = TOY_WORKER;
  options.probe_every_ms = 20;
  const auto host = make_local_host(io, options);
  EXPECT_EQ(host->last_probe_ns(), 0);
  const auto run_until = [&](const std::function<bool()>& done) {
    for (int turn = 0; turn < 20'000 && !done(); ++turn) io.run_one_for(std::chrono::milliseconds(5));
    return done();
  };
  ASSERT_TRUE(run_until([&] { return host->last_probe_ns() > 0; }));
  const MonotonicNs first = host->last_probe_ns();
  ASSERT_TRUE(run_until([&] { return host->last_probe_ns() > first; }));
}

TEST(InspectOnce, WorksWithoutAServerAndWithoutAWorker) {
  LocalHostOptions options;
  options.worker_path = TOY_WORKER;
  InspectSpec spec;
  spec.file = sealed_memfd("file", bytes_of("model y")).value();
  spec.file_name = "b.nnp";
  const auto inspected = inspect_once(options, std::move(spec));
  ASSERT_TRUE(inspected.ok());
  EXPECT_EQ(inspected->description_json, "{\"file\":\"b.nnp\"}");
  options.worker_path = "/nonexistent/noren-worker";
  InspectSpec other;
  other.file = sealed_memfd("file", bytes_of("model y")).value();
  const auto refused = inspect_once(options, std::move(other));
  EXPECT_EQ(refused.error().text,
            "the worker program '/nonexistent/noren-worker' is not there: noren-worker of this very build is "
            "needed, beside noren or named by --worker");
}

}  // namespace
}  // namespace noren::server

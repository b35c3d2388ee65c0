#include "server/instances/local/local_inspection.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "link/channel.h"

namespace noren::server {
namespace {

using link::FrameType;

UniqueFd copy_of(const UniqueFd& descriptor) {
  return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
}

/// One inspection, and the test at the other end of its socket in the worker's place.
class InspectionTest : public ::testing::Test {
 protected:
  InspectionTest() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    auto stream = std::make_shared<FrameStream>(io_, UniqueFd(pair[0]), limits::kAnswerBytes,
                                                link::Descriptors::kRefuse);
    worker_ = UniqueFd(pair[1]);
    child_->attach(std::move(stream), copy_of(worker_), [this](std::uint64_t) { is_forgotten_ = true; });
    InspectSpec spec;
    spec.file = sealed_memfd("file", bytes_of("a model")).value();
    output_ = create_memfd("package").value();
    child_->begin(std::move(spec), copy_of(output_));
    EXPECT_TRUE(child_->take_socket().valid());
    turn();
  }

  void turn() {
    io_.restart();
    io_.poll();
  }
  void say(FrameType type, std::string_view text, Code code = Code::kInternal) {
    link::FrameWriter writer;
    writer.add({.type = type, .code = static_cast<std::uint32_t>(code)}, bytes_of(text));
    ASSERT_TRUE(link::send(worker_.get(), writer, link::Wait::kBlock).ok());
    turn();
  }
  void die() {
    worker_.reset();
    turn();
    child_->on_exited(0, SIGKILL);
    turn();
  }

  boost::asio::io_context io_{1};
  std::vector<Result<Inspection>> results_;
  bool is_forgotten_ = false;
  UniqueFd worker_;
  UniqueFd output_;
  std::shared_ptr<InspectingChild> child_ = std::make_shared<InspectingChild>(
      1, io_, 0, [this](Result<Inspection> result) { results_.push_back(std::move(result)); });
};

TEST_F(InspectionTest, ItsResultDoesNotWaitForTheWorkersEndAndCanNotBeChangedAnyMore) {
  ASSERT_TRUE(write_all(output_.get(), bytes_of("package")).ok());
  say(FrameType::kInspected, "{}");
  ASSERT_EQ(results_.size(), 1u);
  ASSERT_TRUE(results_[0].ok());
  EXPECT_EQ(results_[0]->description_json, "{}");
  EXPECT_TRUE(child_->kill_wanted());
  EXPECT_FALSE(write_all(output_.get(), bytes_of("other")).ok());
  EXPECT_NE(::ftruncate(output_.get(), 0), 0);
  const auto mapping = Mapping::map(results_[0]->package.get());
  EXPECT_EQ(text_of(mapping->bytes()), "package");
  EXPECT_FALSE(is_forgotten_) << "it still dies";
  say(FrameType::kInspected, "{}");  // once more
  die();
  EXPECT_TRUE(is_forgotten_);
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(InspectionTest, AWorkerThatCouldStillChangeThePackageIsWaitedFor) {
  constexpr std::size_t kBytes = 4'096;
  ASSERT_EQ(::ftruncate(output_.get(), kBytes), 0);
  void* const mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, output_.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  say(FrameType::kInspected, "{}");
  EXPECT_TRUE(child_->kill_wanted());
  EXPECT_TRUE(results_.empty());
  ::munmap(mapped, kBytes);
  die();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0].ok());
  EXPECT_FALSE(write_all(output_.get(), bytes_of("other")).ok());
}

TEST_F(InspectionTest, ARefusalDoesNotWaitForTheWorkersEnd) {
  say(FrameType::kFailed, "it is no model", Code::kCorrupt);
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].error().text, "it is no model");
  die();
  EXPECT_TRUE(is_forgotten_);
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(InspectionTest, OneThatIsGivenUpIsKilledAndAnswersAtOnce) {
  child_->give_up();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(child_->kill_wanted());
  say(FrameType::kInspected, "{}");
  child_->give_up();
  die();
  EXPECT_TRUE(is_forgotten_);
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(InspectionTest, AWorkerDiesWithMoreThanWhatOthersLeave) {
  const pid_t pid = ::fork();
  if (pid == 0)
    while (true) ::pause();
  const sched_param none{};
  const auto set_policy = [&](int policy) { return ::sched_setscheduler(pid, policy, &none) == 0; };
  ASSERT_TRUE(set_policy(SCHED_IDLE));
  const bool is_allowed = set_policy(SCHED_OTHER);
  ASSERT_TRUE(set_policy(SCHED_IDLE));
  child_->on_forked(UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
  child_->give_up();
  siginfo_t end{};  // it is dead, and keeps its number until it is buried
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(end.si_status, SIGKILL);
  const int policy = ::sched_getscheduler(pid);
  ::waitpid(pid, nullptr, 0);
  die();
  if (!is_allowed) GTEST_SKIP() << "nobody may raise a priority here";
  EXPECT_EQ(policy, SCHED_OTHER);
}

TEST_F(InspectionTest, AWorkerThatDiesUnheardMakesTheFileRefused) {
  die();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace noren::server

#include "server/config/options.h"

#include <cstdio>
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

namespace noren::server {
namespace {

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    char name[] = "/tmp/noren-config-XXXXXX";
    const int fd = ::mkstemp(name);
    EXPECT_GE(fd, 0);
    ::close(fd);
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Settings defaults() {
  auto settings = make_settings("", {});
  EXPECT_TRUE(settings.ok());
  return *settings;
}

TEST(Options, DefaultsAreThoseOfTheContract) {
  const Settings settings = defaults();
  EXPECT_EQ(settings.listen, "127.0.0.1:8080");
  EXPECT_EQ(settings.per_request_body_bytes, 10 * 1024 * 1024);
  EXPECT_EQ(settings.dedicated_body_bytes, 64 * 1024 * 1024);
  EXPECT_EQ(settings.deadline_ms, 30'000);
  EXPECT_EQ(settings.free_requests_count, 500);
  EXPECT_EQ(settings.per_request_cost_count, 67'108'864);
  EXPECT_TRUE(settings.cors);
}

TEST(Options, NamesAreUniqueAndHelpIsThere) {
  std::set<std::string_view> names;
  for (const OptionRow& row : option_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_GT(row.help.size(), 20u) << row.name;
    EXPECT_FALSE(row.value_name.empty()) << row.name;
  }
}

TEST(Options, TheCommandLineWinsOverTheFileAndTheFileOverDefaults) {
  const ConfigFile file(
      "listen = \"0.0.0.0:9000\"\nmemory-budget = \"3GiB\"\ncors = false\nqueue-limit = 7\n");
  const OptionValue given[] = {{"listen", "127.0.0.1:0"}};
  const auto settings = make_settings(file.path(), given);
  ASSERT_TRUE(settings.ok()) << settings.error().text;
  EXPECT_EQ(settings->listen, "127.0.0.1:0");
  EXPECT_EQ(settings->memory_budget_bytes, std::int64_t{3} << 30);
  EXPECT_FALSE(settings->cors);
  EXPECT_EQ(settings->queue_limit_count, 7);
  EXPECT_EQ(settings->log_level, "info");
}

TEST(Options, AnUnknownKeyIsAnErrorThatNamesItAndItsLine) {
  const ConfigFile file("listen = \"127.0.0.1:1\"\nlisten-port = 80\n");
  const auto settings = make_settings(file.path(), {});
  ASSERT_FALSE(settings.ok());
  EXPECT_NE(settings.error().text.find("'listen-port'"), std::string::npos);
  EXPECT_NE(settings.error().text.find("line 2"), std::string::npos);
}

TEST(Options, ATableInTheFileIsRefused) {
  const ConfigFile file("[listen]\nport = 80\n");
  EXPECT_FALSE(make_settings(file.path(), {}).ok());
}

TEST(Options, AFileThatIsNotTomlSaysWhere) {
  const ConfigFile file("listen = \n");
  const auto settings = make_settings(file.path(), {});
  ASSERT_FALSE(settings.ok());
  EXPECT_NE(settings.error().text.find("line 1"), std::string::npos) << settings.error().text;
  EXPECT_FALSE(make_settings("/nonexistent/noren.toml", {}).ok());
}

struct Case {
  const char* name;
  const char* text;
  bool accepted;
};

TEST(Options, ValuesAreCheckedAtTheirBounds) {
  const Case cases[] = {
      {"queue-limit", "1", true},
      {"queue-limit", "0", false},
      {"queue-limit", "100000", true},
      {"queue-limit", "100001", false},
      {"queue-limit", "1x", false},
      {"queue-limit", "", false},
      {"queue-limit", "-1", false},
      {"memory-budget", "0", true},
      {"memory-budget", "512MiB", true},
      {"memory-budget", "1MB", false},
      {"memory-budget", "9223372036854775807GiB", false},
      {"deadline", "1ms", true},
      {"deadline", "1h", true},
      {"deadline", "61m", false},
      {"deadline", "30", false},
      {"cors", "on", true},
      {"cors", "yes", false},
      {"log-format", "json", true},
      {"log-format", "xml", false},
      {"listen", "localhost", false},
      {"listen", "[::1]:0", true},
      {"listen", "::1:80", false},
      {"listen", "a:65536", false},
      {"listen", ":80", true},
      {"public-url", "ftp://x", false},
      {"public-url", "https://x", true},
      {"data", "", false},
      {"tls-cert", "", true},
      {"no-such-option", "1", false},
  };
  for (const Case& each : cases) {
    Settings settings = defaults();
    EXPECT_EQ(set_option(settings, each.name, each.text).ok(), each.accepted)
        << each.name << "=" << each.text;
  }
}

TEST(Options, ThePublicUrlLosesItsTrailingSlash) {
  Settings settings = defaults();
  ASSERT_TRUE(set_option(settings, "public-url", "https://models.example.org/").ok());
  EXPECT_EQ(settings.public_url, "https://models.example.org");
}

TEST(Options, CertificateAndKeyBelongTogether) {
  const OptionValue given[] = {{"tls-cert", "a.pem"}};
  EXPECT_FALSE(make_settings("", given).ok());
}

}  // namespace
}  // namespace noren::server

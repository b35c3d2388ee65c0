#include "base/secret.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <type_traits>

namespace noren {
namespace {

template <typename T, typename = void>
struct Streams : std::false_type {};
template <typename T>
struct Streams<T, std::void_t<decltype(std::declval<std::ostream&>() << std::declval<T>())>>
    : std::true_type {};

static_assert(!Streams<Secret>::value, "a secret must not be printable");
static_assert(!std::is_convertible_v<Secret, std::string>);

TEST(Secret, DigestsDependOnTextAndKey) {
  DigestKey key{}, other{};
  other[0] = 1;
  EXPECT_TRUE(equal_digests(digest_of("a", key), digest_of("a", key)));
  EXPECT_FALSE(equal_digests(digest_of("a", key), digest_of("b", key)));
  EXPECT_FALSE(equal_digests(digest_of("a", key), digest_of("a", other)));
}

TEST(Secret, IdsHaveTheFormOfTheContract) {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(std::regex_match(random_id(), std::regex("[a-z0-9]{16}")));
    const std::string uuid = random_uuid();
    EXPECT_TRUE(std::regex_match(
        uuid, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

}  // namespace
}  // namespace noren

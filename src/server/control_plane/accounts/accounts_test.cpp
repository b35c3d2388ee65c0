#include "server/control_plane/accounts/accounts.h"

#include <gtest/gtest.h>

namespace noren::server {
namespace {

class AccountsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> store_ = make_memory_store();
  Keyring keyring_ = *Keyring::from_master_key(Keyring::make_master_key());
  ManualClock clock_{1'000};
  Accounts accounts_{*store_, keyring_, clock_};
};

TEST_F(AccountsTest, TheFirstAdminIsAnAdminWithAContract) {
  EXPECT_FALSE(*accounts_.is_initialised());
  const FirstAdmin admin = Accounts::make_first_admin();
  ASSERT_TRUE(accounts_.create_first_admin(admin).ok());
  EXPECT_TRUE(*accounts_.is_initialised());
  const auto principal = accounts_.authenticate(admin.token);
  ASSERT_TRUE(principal.ok());
  EXPECT_EQ(principal->name, "admin");
  EXPECT_TRUE(principal->is_admin);
  EXPECT_EQ(principal->plan, Plan::kPaid);
}

TEST_F(AccountsTest, NothingOfTheCredentialsIsStoredInClear) {
  const FirstAdmin admin = Accounts::make_first_admin();
  ASSERT_TRUE(accounts_.create_first_admin(admin).ok());
  const auto owner = *store_->find_owner_by_name("admin");
  EXPECT_TRUE(owner->password_hash.starts_with("$argon2id$"));
  EXPECT_FALSE((*store_->find_token(std::string(admin.token.reveal()))).has_value());
}

TEST_F(AccountsTest, AWrongAnEmptyAndAnExpiredTokenAreTheSame) {
  const FirstAdmin admin = Accounts::make_first_admin();
  ASSERT_TRUE(accounts_.create_first_admin(admin).ok());
  const auto owner = *store_->find_owner_by_name("admin");
  ASSERT_TRUE(store_->add_token({"t", owner->id, "n", keyring_.digest_token(Secret("x")), 1, 2'000}).ok());
  EXPECT_TRUE(accounts_.authenticate(Secret("x")).ok());
  clock_.set_wall_us(2'000);
  for (const char* token : {"x", "y", ""}) {
    const auto refused = accounts_.authenticate(Secret(token));
    ASSERT_FALSE(refused.ok()) << token;
    EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
    EXPECT_EQ(refused.error().text, "a valid bearer token is needed");
  }
}

TEST_F(AccountsTest, AnotherMasterKeyIsNoticed) {
  ASSERT_TRUE(accounts_.create_first_admin(Accounts::make_first_admin()).ok());
  const Keyring other = *Keyring::from_master_key(Keyring::make_master_key());
  Accounts stranger(*store_, other, clock_);
  EXPECT_EQ(stranger.is_initialised().error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace noren::server

#include "agent/remote/share_history.h"

#include "test/support/catch.h"

namespace tributary {
namespace {

ShareHistory::Share ShareOf(uint32_t replicas) {
  RemoteShareConfig config;
  config.replicas = replicas;
  config.members = {"name a", "name b", "name c"};
  return std::make_shared<const SeriesShare>(config, "name a");
}

TEST_CASE("share history: a change holds for what comes after it") {
  const ShareHistory::Share one = ShareOf(1), two = ShareOf(2);
  ShareHistory history(nullptr);
  history.Change(one, 10);
  history.Change(two, 20);
  CHECK(history.Of(history.EpochAt(1)) == nullptr);
  CHECK(history.Of(history.EpochAt(10)) == nullptr);
  CHECK(history.Of(history.EpochAt(11)) == one.get());
  CHECK(history.Of(history.EpochAt(20)) == one.get());
  CHECK(history.Of(history.EpochAt(21)) == two.get());
  CHECK(history.Of(history.EpochAt(1'000)) == two.get());
}

TEST_CASE(
    "share history: the same share is no change, and of changes at one place the last counts") {
  ShareHistory history(ShareOf(1));
  history.Change(ShareOf(1), 10);
  CHECK(history.size() == 1);
  history.Change(nullptr, 10);
  history.Change(ShareOf(2), 10);
  CHECK(history.size() == 2);
  CHECK(*history.Of(history.EpochAt(10)) == *ShareOf(1));
  CHECK(*history.Of(history.EpochAt(11)) == *ShareOf(2));
  CHECK(history.EpochAt(10) != history.EpochAt(11));
}

TEST_CASE("share history: what was passed is forgotten, and the last one stays") {
  ShareHistory history(ShareOf(1));
  for (uint32_t i = 0; i < 10; i++) history.Change(ShareOf(2 - i % 2), i + 1);
  CHECK(history.size() == 11);
  const uint64_t held = history.EpochAt(5), last = history.EpochAt(100);
  history.Forget(held);
  CHECK(history.EpochAt(5) == held);
  CHECK(history.size() == 7);
  history.Forget(last);
  CHECK(history.size() == 1);
  CHECK(history.EpochAt(100) == last);
  history.Forget(last + 5);
  CHECK(history.size() == 1);
}

}  // namespace
}  // namespace tributary

#include "agent/target/shard.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "common/base/rendezvous.h"

namespace tributary {

namespace {

std::optional<uint32_t> Number(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The first label's, as a host's name may be followed by its domain.
std::string_view Ordinal(std::string_view hostname) {
  const std::string_view label = hostname.substr(0, hostname.find('.'));
  const size_t dash = label.rfind('-');
  return dash == std::string_view::npos ? std::string_view() : label.substr(dash + 1);
}

}  // namespace

bool Shard::Has(uint64_t target) const {
  return HasByRendezvous(target, member, members, replicas, [](uint32_t number) { return number; });
}

Result<Shard> ParseShard(std::string_view text, uint32_t replicas, std::string_view hostname) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return Fail(fmt::format("\"{}\" is not MEMBER/MEMBERS, such as 0/3 or hostname/3", text));
  }
  Shard shard;
  const auto members = Number(text.substr(slash + 1));
  if (!members || *members == 0 || *members > kShardMembersMax) {
    return Fail(fmt::format("\"{}\" is no number of members: 1 to {}", text.substr(slash + 1),
                            kShardMembersMax));
  }
  shard.members = *members;
  const std::string_view first = text.substr(0, slash);
  const bool by_hostname = first == "hostname";
  const auto member = Number(by_hostname ? Ordinal(hostname) : first);
  if (!member && by_hostname) {
    return Fail(fmt::format(
        "the host's name \"{}\" does not end in a dash and a number, as a StatefulSet's do",
        hostname));
  }
  if (!member) return Fail(fmt::format("\"{}\" is no member's number, nor \"hostname\"", first));
  if (*member >= *members) {
    return Fail(
        fmt::format("there is no member {} of {}: they are counted from 0", *member, *members));
  }
  shard.member = *member;
  if (replicas == 0 || replicas > *members) {
    return Fail(fmt::format("{} of {} members cannot scrape each target", replicas, *members));
  }
  shard.replicas = replicas;
  return shard;
}

}  // namespace tributary

#include "agent/discovery/dns_provider.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "common/base/host_port.h"

namespace tributary {
namespace {

constexpr std::string_view kNameLabel = "__meta_dns_name";
constexpr std::string_view kSrvTargetLabel = "__meta_dns_srv_record_target";
constexpr std::string_view kSrvPortLabel = "__meta_dns_srv_record_port";
constexpr std::string_view kMxTargetLabel = "__meta_dns_mx_record_target";
constexpr std::string_view kNsTargetLabel = "__meta_dns_ns_record_target";

DnsType RecordType(DnsSdType type) {
  switch (type) {
    case DnsSdType::kA:
      return DnsType::kA;
    case DnsSdType::kAaaa:
      return DnsType::kAaaa;
    case DnsSdType::kMx:
      return DnsType::kMx;
    case DnsSdType::kNs:
      return DnsType::kNs;
    case DnsSdType::kSrv:
      break;
  }
  return DnsType::kSrv;
}

std::string_view WithoutLastDots(std::string_view name) {
  return name.substr(0, name.find_last_not_of('.') + 1);
}

// The record's target; nullopt for types that are none.
std::optional<TargetGroup> MakeGroup(const DnsRecord& record, int64_t port) {
  TargetGroup group;
  std::string_view host = WithoutLastDots(record.value);
  switch (static_cast<DnsType>(record.type)) {
    case DnsType::kSrv:
      group.labels.Set(kSrvTargetLabel, record.value);
      group.labels.Set(kSrvPortLabel, std::to_string(record.port));
      port = record.port;
      break;
    case DnsType::kMx:
      group.labels.Set(kMxTargetLabel, record.value);
      break;
    case DnsType::kNs:
      group.labels.Set(kNsTargetLabel, record.value);
      break;
    case DnsType::kA:
    case DnsType::kAaaa:
      host = record.value;
      break;
    default:
      return std::nullopt;
  }
  group.targets = {JoinHostPort(host, port)};
  return group;
}

}  // namespace

DnsProvider::DnsProvider(SdEnvironment& environment, DnsSdConfig config, const std::string& job,
                         std::function<void()> changed)
    : environment_(environment),
      config_(std::move(config)),
      changed_(std::move(changed)),
      refresher_(environment.loop, environment.counters, {"dns", job}, config_.refresh_interval,
                 [this] { LookUpAll(); }) {
  for (const std::string& name : config_.names) names_.try_emplace(name);
}

DnsProvider::~DnsProvider() {
  for (const auto& [name, state] : names_) environment_.dns.Cancel(state.lookup);
}

void DnsProvider::Adopt(const Provider& predecessor) {
  const auto* other = dynamic_cast<const DnsProvider*>(&predecessor);
  if (other == nullptr || other->config_.type != config_.type ||
      other->config_.port != config_.port) {
    return;
  }
  for (auto& [name, state] : names_) {
    const auto known = other->names_.find(name);
    if (known == other->names_.end() || !known->second.has_groups || state.has_groups) continue;
    state.groups = known->second.groups;
    state.has_groups = true;
  }
}

bool DnsProvider::settled() const {
  return refresher_.ended_once() || std::all_of(names_.begin(), names_.end(), [](const auto& name) {
           return name.second.has_groups;
         });
}

void DnsProvider::AppendErrors(std::vector<std::string>& errors) const {
  for (const auto& [name, state] : names_) {
    if (!state.problem.empty()) errors.push_back(state.problem);
  }
}

void DnsProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  for (const auto& [name, state] : names_) {
    groups.insert(groups.end(), state.groups.begin(), state.groups.end());
  }
}

void DnsProvider::LookUpAll() {
  dirty_ = false;
  under_way_ = names_.size();
  for (auto& entry : names_) {
    const std::string& name = entry.first;
    Name& state = entry.second;
    state.lookup =
        environment_.dns.Start(name, RecordType(config_.type),
                               [this, &name, &state](Result<std::vector<DnsRecord>> records) {
                                 Answered(name, state, std::move(records));
                               });
  }
}

void DnsProvider::Answered(const std::string& name, Name& state,
                           Result<std::vector<DnsRecord>> records) {
  state.lookup = 0;
  environment_.counters.dns_lookups++;
  std::string problem;
  if (records) {
    std::vector<TargetGroup> groups = MakeGroups(name, *records, problem);
    if (groups != state.groups) dirty_ = true;
    state.groups = std::move(groups);
    state.has_groups = true;
  } else {
    environment_.counters.dns_lookup_failures++;
    problem = records.error().message;
    if (state.has_groups) problem += " (its last good targets are kept)";
  }
  if (!problem.empty()) problem = "dns_sd: " + problem;
  if (!problem.empty() && problem != state.problem) environment_.warn(problem);
  state.problem = std::move(problem);
  if (--under_way_ == 0) EndRefresh();
}

std::vector<TargetGroup> DnsProvider::MakeGroups(const std::string& name,
                                                 const std::vector<DnsRecord>& records,
                                                 std::string& problem) const {
  std::vector<TargetGroup> groups;
  for (const DnsRecord& record : records) {
    // Aliases come along with what they lead to.
    if (record.type == static_cast<uint16_t>(DnsType::kCname)) continue;
    std::optional<TargetGroup> group = MakeGroup(record, config_.port);
    if (!group) {
      problem =
          fmt::format("a record of \"{}\" has type {} and makes no target", name, record.type);
      continue;
    }
    group->labels.Set(kNameLabel, name);
    group->source = name;
    groups.push_back(std::move(*group));
  }
  // Servers turn their records round from answer to answer.
  std::sort(groups.begin(), groups.end(), [](const TargetGroup& a, const TargetGroup& b) {
    return std::tie(a.targets, a.labels) < std::tie(b.targets, b.labels);
  });
  return groups;
}

void DnsProvider::EndRefresh() {
  environment_.counters.received_updates++;
  refresher_.Ended(true);
  if (dirty_) changed_();
}

}  // namespace tributary

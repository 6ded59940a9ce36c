// config/config.go (RemoteWriteConfig, QueueConfig, tracing, otlp), prometheus/sigv4 and
// storage/remote/azuread.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/config/checks.h"
#include "common/config/url.h"

namespace tributary {
namespace {

bool Set(const SectionValue& section, std::string_view name) { return !section.Get(name).IsZero(); }

void Positive(const SectionValue& section, CheckContext& context, std::string_view name) {
  const Value& value = section.Get(name);
  if (value.valid && value.integer <= 0) {
    context.Error(value, section, "'" + std::string(name) + "' has to be above 0");
  }
}

bool IsUuid(std::string_view text) {
  if (text.starts_with("urn:uuid:")) text.remove_prefix(9);
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  bool dashes = text.size() == 36;
  if (!dashes && text.size() != 32) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    bool dash = dashes && (i == 8 || i == 13 || i == 18 || i == 23);
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

void CheckRemoteWrite(SectionValue& section, CheckContext& context) {
  CheckHttpHeaders(section.Get("headers"), context);
  std::string given;
  int count = 0;
  for (std::string_view name :
       {"basic_auth", "authorization", "oauth2", "sigv4", "azuread", "google_iam"}) {
    if (!Set(section, name)) continue;
    ++count;
    given += (given.empty() ? "" : ", ") + std::string(name);
  }
  bool cloud = Set(section, "sigv4") || Set(section, "azuread") || Set(section, "google_iam");
  // Those of the HTTP client among themselves are its own check's affair.
  if (count > 1 && cloud) context.Error(section, "at most one of " + given + " can be given");
  CheckHttpClient(section, context);
}

void CheckQueue(SectionValue& section, CheckContext& context) {
  const Value& min_shards = section.Get("min_shards");
  const Value& max_shards = section.Get("max_shards");
  if (min_shards.valid && max_shards.valid && min_shards.integer > max_shards.integer) {
    context.Error(min_shards.given ? min_shards : max_shards, section,
                  "'min_shards' is greater than 'max_shards'");
  }
  const Value& min_backoff = section.Get("min_backoff");
  const Value& max_backoff = section.Get("max_backoff");
  if (min_backoff.valid && max_backoff.valid && max_backoff.integer < min_backoff.integer) {
    context.Error(max_backoff.given ? max_backoff : min_backoff, section,
                  "'max_backoff' is shorter than 'min_backoff'");
  }
}

void CheckRemoteErrors(SectionValue& section, CheckContext& context) {
  const Value& quarantine = section.Get("quarantine_refused");
  if (quarantine.given && quarantine.flag && !section.Flag("split_rejected")) {
    context.Error(quarantine, section, "'quarantine_refused' needs split_rejected");
  }
}

const SectionValue* OwnOrCommon(const SectionValue& remote, const SectionValue* errors) {
  const SectionValue* own = remote.Sub("tributary");
  return own != nullptr ? own : errors;
}

void CheckRemoteShare(SectionValue& section, CheckContext& context) {
  const Value& labels = section.Get("labels");
  const Value& ignored = section.Get("ignore_labels");
  if (!labels.IsZero() && !ignored.IsZero()) {
    context.Error(ignored, section, "'labels' and 'ignore_labels' exclude each other");
  }
  for (const Value* list : {&labels, &ignored}) {
    std::set<std::string> seen;
    for (const Value& name : list->items) {
      if (name.text.empty()) {
        context.Error(name, section, "a label's name cannot be empty");
      } else if (!seen.insert(name.text).second) {
        context.Error(name, section, "the label '" + name.text + "' stands twice");
      }
    }
  }
  if (!section.Text("group").empty()) return;
  for (std::string_view name : {"replicas", "labels", "ignore_labels"}) {
    if (!section.Given(name)) continue;
    context.Error(section.Get(name), section, "'" + std::string(name) + "' needs group");
  }
}

void CheckRemoteShares(const Value& remotes, const SectionValue* errors, CheckContext& context) {
  std::map<std::string, std::vector<const SectionValue*>> groups;
  for (const SectionValue& remote : remotes.sections) {
    const SectionValue* options = OwnOrCommon(remote, errors);
    const SectionValue* share = options == nullptr ? nullptr : options->Sub("share");
    if (share == nullptr || share->Text("group").empty()) continue;
    groups[share->Text("group")].push_back(share);
  }
  auto names = [](const Value& list) {
    const std::vector<std::string> texts = list.Texts();
    return std::set<std::string>(texts.begin(), texts.end());
  };
  for (const auto& [group, members] : groups) {
    const SectionValue& first = *members.front();
    if (members.size() == 1) {
      context.Error(first.Get("group"), first,
                    "only one remote is in the group '" + group + "': there is none to share with");
      continue;
    }
    const Value& replicas = first.Get("replicas");
    if (replicas.integer > static_cast<int64_t>(members.size())) {
      context.Error(replicas, first,
                    "each series is to go to " + std::to_string(replicas.integer) +
                        " remotes, and the group '" + group + "' has " +
                        std::to_string(members.size()));
    }
    for (const SectionValue* member : members) {
      auto differs = [&](std::string_view name) {
        context.Error(
            member->Get(name), *member,
            "'" + std::string(name) + "' is another than that of the group's first remote",
            "all of '" + group + "' have to say the same; the first does in line " +
                std::to_string(first.line));
      };
      if (member->Get("replicas").integer != replicas.integer) differs("replicas");
      for (std::string_view name : {"labels", "ignore_labels"}) {
        if (names(member->Get(name)) != names(first.Get(name))) differs(name);
      }
    }
  }
}

void CheckMetadata(SectionValue& section, CheckContext& context) {
  // Prometheus takes zeros here and fails at run time.
  if (!section.Flag("send")) return;
  Positive(section, context, "send_interval");
  Positive(section, context, "max_samples_per_send");
}

void CheckSigv4(SectionValue& section, CheckContext& context) {
  if (Set(section, "access_key") != Set(section, "secret_key")) {
    context.Error(section, "'access_key' and 'secret_key' need each other");
  }
  for (std::string_view name : {"external_id", "session_name", "tags"}) {
    if (Set(section, name) && !Set(section, "role_arn")) {
      context.Error(section.Get(name), section, "'" + std::string(name) + "' needs role_arn");
    }
  }
  const std::string& session = section.Text("session_name");
  auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  };
  if (!session.empty() && (session.size() < 2 || session.size() > 64 ||
                           !std::all_of(session.begin(), session.end(), allowed))) {
    context.Error(section.Get("session_name"), section,
                  "'session_name' needs 2 to 64 letters, digits or any of _+=,.@-");
  }
  for (const auto& [key, value] : section.Get("tags").entries) {
    if (key.empty() || key.size() > 128 || value.text.size() > 256) {
      context.Error(value.key_line, value.key_column,
                    "a tag needs a key of 1 to 128 bytes and a value of at most 256");
    }
  }
}

void CheckAzureAd(SectionValue& section, CheckContext& context) {
  int count = 0;
  for (std::string_view name :
       {"managed_identity", "workload_identity", "oauth", "sdk", "certificate"}) {
    const SectionValue* way = section.Sub(name);
    if (way == nullptr) continue;
    ++count;
    if (!way->Has("client_id")) continue;
    const Value& id = way->Get("client_id");
    if (!id.IsZero() && !IsUuid(id.text)) context.Error(id, *way, "'client_id' is not a UUID");
  }
  if (count != 1) {
    context.Error(section,
                  "azuread needs exactly one of managed_identity, workload_identity, oauth, sdk "
                  "and certificate");
  }
  const Value& scope = section.Get("scope");
  bool good = std::all_of(scope.text.begin(), scope.text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_ \t\n\f\r:/.-").find(c) != std::string_view::npos;
  });
  if (!good) context.Error(scope, section, "'scope' has a character that it cannot have");
}

void CheckRetention(SectionValue& section, CheckContext& context) {
  const Value& percentage = section.Get("percentage");
  if (percentage.valid && !(percentage.real >= 0 && percentage.real <= 100)) {
    context.Error(percentage, section, "'percentage' has to be between 0 and 100");
  }
}

void CheckTracing(SectionValue& section, CheckContext& context) {
  CheckHttpHeaders(section.Get("headers"), context);
  const Value& endpoint = section.Get("endpoint");
  // Prometheus takes anything here, and then never reaches it.
  const std::string address = TracingAddress(section);
  const bool is_address = address.find_first_of("/?#@") == std::string::npos &&
                          ParseUrl("http://" + address).has_value();
  if (!endpoint.IsZero() && endpoint.valid && !is_address) {
    context.Error(endpoint, section, "'endpoint' has to be a host and its port",
                  "as in collector.example:4317, without scheme and path");
  }
  if (section.Flag("insecure") && !section.Get("tls_config").IsZero()) {
    const Value& tls = section.Get("tls_config");
    context.Warning(tls.key_line, tls.key_column,
                    "'tls_config' has no effect where 'insecure' is set");
  }
}

std::string TracingAddress(const SectionValue& tracing) {
  constexpr std::string_view kDns = "dns:///";
  const std::string endpoint = tracing.Text("endpoint");
  const bool named = tracing.Text("client_type") == "grpc" && endpoint.starts_with(kDns);
  const std::string address = named ? endpoint.substr(kDns.size()) : endpoint;
  return address.starts_with(':') ? "localhost" + address : address;
}

void CheckOtlp(SectionValue& section, CheckContext& context) {
  const Value& all = section.Get("promote_all_resource_attributes");
  const Value& promote = section.Get("promote_resource_attributes");
  const Value& ignore = section.Get("ignore_resource_attributes");
  if (all.flag && !promote.IsZero()) {
    context.Error(promote, section,
                  "promote_resource_attributes and promote_all_resource_attributes exclude each "
                  "other");
  }
  if (!all.flag && !ignore.IsZero()) {
    context.Error(ignore, section,
                  "'ignore_resource_attributes' needs promote_all_resource_attributes");
  }
  std::set<std::string> seen;
  for (const Value& attribute : (all.flag ? ignore : promote).items) {
    if (attribute.text.find_first_not_of(" \t\r\n") == std::string::npos) {
      context.Error(attribute, section, "an attribute cannot be empty");
    } else if (!seen.insert(attribute.text).second) {
      context.Error(attribute, section, "the attribute '" + attribute.text + "' stands twice");
    }
  }
}

}  // namespace tributary

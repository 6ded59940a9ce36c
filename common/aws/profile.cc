#include "common/aws/profile.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>
#include <utility>

#include "common/base/trim.h"

namespace tributary {

namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kBlank = " \t\r";

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// "" unless the line opens a section. Words of the name are one space apart.
std::string SectionName(std::string_view line) {
  line = Trim(line.substr(0, line.find_first_of("#;")), kBlank);
  if (!line.starts_with('[') || !line.ends_with(']') || line.size() < 2) return "";
  line = Trim(line.substr(1, line.size() - 2), kBlank);
  const size_t space = std::min(line.find_first_of(kBlank), line.size());
  std::string name(line.substr(0, space));
  if (space < line.size()) name.append(" ").append(Trim(line.substr(space), kBlank));
  return name;
}

// A comment begins where a blank is before its mark.
std::string_view WithoutComment(std::string_view line) {
  for (const std::string_view mark : {" #", " ;", "\t#", "\t;"}) {
    line = line.substr(0, line.find(mark));
  }
  return line;
}

std::string Unquoted(std::string_view value) {
  for (const char quote : {'"', '\''}) {
    if (value.size() > 1 && value.front() == quote && value.back() == quote) {
      return std::string(value.substr(1, value.size() - 2));
    }
  }
  return std::string(value);
}

// What stands indented under an empty value is of a nested section, which none of ours is; under
// anything else it is an option like others.
void ReadOption(std::string_view line, std::string* last_name, AwsProfileOptions* options) {
  const bool indented = kBlank.find(line.front()) != std::string_view::npos;
  if (indented && !last_name->empty() && (*options)[*last_name].empty()) return;
  if (!indented) line = WithoutComment(line);
  const size_t equals = line.find_first_of("=:");
  if (equals == std::string_view::npos) return;
  *last_name = Lower(Trim(line.substr(0, equals), kBlank));
  const std::string value = Unquoted(Trim(line.substr(equals + 1), kBlank));
  (*options)[*last_name] = indented ? std::string(Trim(WithoutComment(value), kBlank)) : value;
}

// Of sections, those that are profiles, by the profiles' names.
AwsProfiles ProfilesOf(AwsProfiles sections, bool credentials_file) {
  constexpr std::string_view kPrefix = "profile ";
  AwsProfiles profiles;
  for (auto& [section, options] : sections) {
    const bool prefixed = section.starts_with(kPrefix);
    if (credentials_file && !prefixed) {
      profiles[section] = std::move(options);
    } else if (!credentials_file && prefixed) {
      profiles[section.substr(kPrefix.size())] = std::move(options);  // after [default], if both
    } else if (!credentials_file && section == "default") {
      profiles[section] = std::move(options);
    }
  }
  return profiles;
}

std::string Text(const AwsProfileOptions& options, const char* name) {
  const auto option = options.find(name);
  return option == options.end() ? "" : option->second;
}

AwsProfile MakeProfile(const std::string& name, const AwsProfileOptions& options) {
  AwsProfile profile;
  profile.name = name;
  profile.keys.access_key_id = Text(options, "aws_access_key_id");
  profile.keys.secret_access_key = Text(options, "aws_secret_access_key");
  profile.keys.session_token = Text(options, "aws_session_token");
  profile.region = Text(options, "region");
  profile.endpoint_url = Text(options, "endpoint_url");
  profile.role_arn = Text(options, "role_arn");
  profile.external_id = Text(options, "external_id");
  profile.mfa_serial = Text(options, "mfa_serial");
  profile.role_session_name = Text(options, "role_session_name");
  profile.duration_seconds = Text(options, "duration_seconds");
  profile.credential_source = Text(options, "credential_source");
  profile.credential_process = Text(options, "credential_process");
  profile.web_identity_token_file = Text(options, "web_identity_token_file");
  profile.login_session = !Text(options, "login_session").empty();
  for (const char* sso :
       {"sso_session", "sso_region", "sso_account_id", "sso_start_url", "sso_role_name"}) {
    profile.sso = profile.sso || !Text(options, sso).empty();
  }
  return profile;
}

Error InProfile(const std::string& name, const std::string& problem) {
  return {"AWS profile '" + name + "': " + problem};
}

Status CheckProfile(const AwsProfile& profile, const std::string& source) {
  const std::pair<const char*, bool> ways[] = {
      {"source_profile", !source.empty()},
      {"credential_source", !profile.credential_source.empty()},
      {"web_identity_token_file", !profile.web_identity_token_file.empty()},
      {"credential_process", !profile.credential_process.empty()}};
  std::string given;
  for (const auto& [way, is_given] : ways) {
    if (!is_given) continue;
    if (!given.empty()) {
      return tl::unexpected(InProfile(profile.name, given + " and " + way + " exclude each other"));
    }
    given = way;
  }
  if (!given.empty() && given != "credential_process" && profile.role_arn.empty()) {
    return tl::unexpected(InProfile(profile.name, given + " needs role_arn"));
  }
  return {};
}

bool HasCredentials(const AwsProfile& profile) {
  return profile.source != nullptr || !profile.credential_source.empty() ||
         !profile.credential_process.empty() || !profile.web_identity_token_file.empty() ||
         profile.sso || profile.keys.has_keys();
}

// `seen`: the profiles on the way here, each once, so that it ends.
Result<AwsProfile> Load(const std::string& name, const AwsProfiles& profiles,
                        std::set<std::string>& seen) {
  const auto found = profiles.find(name);
  if (found == profiles.end()) {
    return tl::unexpected(InProfile(name, "it is in neither of the shared files"));
  }
  AwsProfile profile = MakeProfile(name, found->second);
  std::string source = Text(found->second, "source_profile");
  if (profile.keys.access_key_id.empty() != profile.keys.secret_access_key.empty()) {
    return tl::unexpected(
        InProfile(name, "aws_access_key_id and aws_secret_access_key need each other"));
  }
  if (seen.contains(name)) {  // a profile that names itself: only its keys count
    source.clear();
    profile.role_arn.clear();
    profile.external_id.clear();
    profile.mfa_serial.clear();
    profile.role_session_name.clear();
  }
  if (!seen.empty() && profile.keys.has_keys()) return profile;
  if (Status good = CheckProfile(profile, source); !good) return tl::unexpected(good.error());
  seen.insert(name);
  if (source.empty()) return profile;
  Result<AwsProfile> loaded = Load(source, profiles, seen);
  if (!loaded) return loaded;
  if (!HasCredentials(*loaded)) {
    return tl::unexpected(
        InProfile(name, "the source_profile '" + source + "' has no credentials"));
  }
  profile.keys = {};
  profile.sso = false;
  profile.source = std::make_shared<const AwsProfile>(*std::move(loaded));
  return profile;
}

std::string PathOf(const AwsGetenv& getenv, const char* variable, const char* in_home) {
  std::string path = AwsVariable(getenv, variable);
  if (!path.empty()) return path;
  const std::string home = AwsVariable(getenv, "HOME");
  return home.empty() ? "" : home + in_home;
}

}  // namespace

std::string AwsVariable(const AwsGetenv& getenv, const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

AwsProfiles ParseAwsProfiles(const std::string& text, bool credentials_file) {
  AwsProfiles sections;
  AwsProfileOptions* options = nullptr;  // of the section that is read
  std::string last_name;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string_view trimmed = Trim(line, kBlank);
    if (trimmed.empty() || trimmed.front() == '#' || trimmed.front() == ';') continue;
    if (const std::string section = SectionName(line); !section.empty()) {
      options = &sections[section];
      last_name.clear();
    } else if (options != nullptr) {
      ReadOption(line, &last_name, options);
    }
  }
  return ProfilesOf(std::move(sections), credentials_file);
}

Result<AwsProfile> LoadAwsProfile(const std::string& name, const AwsGetenv& getenv,
                                  FileSystem& files) {
  AwsProfiles profiles;
  const std::pair<std::string, bool> paths[] = {
      {PathOf(getenv, "AWS_CONFIG_FILE", "/.aws/config"), false},
      {PathOf(getenv, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials"), true}};
  for (const auto& [path, credentials_file] : paths) {
    const Result<std::string> text =
        path.empty() ? Result<std::string>("") : files.ReadFile(path, kFileBytesMax);
    if (!text) continue;
    for (auto& [profile, options] : ParseAwsProfiles(*text, credentials_file)) {
      for (auto& [option, value] : options) profiles[profile][option] = std::move(value);
    }
  }
  std::string wanted = name;
  if (wanted.empty()) wanted = AwsVariable(getenv, "AWS_PROFILE");
  if (wanted.empty()) wanted = AwsVariable(getenv, "AWS_DEFAULT_PROFILE");
  if (wanted.empty() && !profiles.contains("default")) return MakeProfile("default", {});
  std::set<std::string> seen;
  return Load(wanted.empty() ? "default" : wanted, profiles, seen);
}

}  // namespace tributary

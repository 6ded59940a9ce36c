#include "common/dns/resolv_conf.h"

#include <algorithm>
#include <charconv>

namespace tributary {
namespace {

constexpr int kNdotsMax = 15;

std::vector<std::string_view> Fields(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\v\f";
  std::vector<std::string_view> fields;
  for (size_t begin = line.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kSpace, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kSpace, end);
  }
  return fields;
}

// What is not a whole number is 0, as in Go's ignored error.
int Ndots(std::string_view text) {
  int number = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return text.starts_with('-') ? 0 : kNdotsMax;
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  return std::clamp(number, 0, kNdotsMax);
}

void ReadLine(std::string_view line, ResolvConf& conf) {
  const std::vector<std::string_view> fields = Fields(line);
  if (fields.empty()) return;
  if (fields[0] == "nameserver") {
    if (fields.size() > 1) conf.servers.emplace_back(fields[1]);
  } else if (fields[0] == "domain") {
    conf.search.clear();
    if (fields.size() > 1) conf.search.emplace_back(fields[1]);
  } else if (fields[0] == "search") {
    conf.search.assign(fields.begin() + 1, fields.end());
  } else if (fields[0] == "options") {
    for (const std::string_view option : fields) {
      if (option.starts_with("ndots:")) conf.ndots = Ndots(option.substr(6));
    }
  }
}

// Whether a byte has an odd number of backslashes in front of it.
bool IsEscaped(std::string_view name, size_t at) {
  size_t begin = at;
  while (begin > 0 && name[begin - 1] == '\\') begin--;
  return (at - begin) % 2 != 0;
}

bool IsRooted(std::string_view name) {
  return name.ends_with('.') && !IsEscaped(name, name.size() - 1);
}

std::string Rooted(const std::string& name) { return IsRooted(name) ? name : name + "."; }

// Of a name that is not rooted.
int CountLabels(std::string_view name) {
  int labels = 1;
  for (size_t i = 0; i + 1 < name.size(); i++) {
    if (name[i] == '.' && !IsEscaped(name, i)) labels++;
  }
  return labels;
}

}  // namespace

ResolvConf ParseResolvConf(std::string_view text) {
  ResolvConf conf;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    ReadLine(text.substr(0, end), conf);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return conf;
}

std::vector<std::string> SearchNames(const ResolvConf& conf, const std::string& name) {
  if (IsRooted(name)) return {name};
  const std::string rooted = Rooted(name);
  const bool first = CountLabels(name) > conf.ndots;
  std::vector<std::string> names;
  if (first) names.push_back(rooted);
  for (const std::string& domain : conf.search) names.push_back(Rooted(rooted + domain));
  if (!first) names.push_back(rooted);
  return names;
}

}  // namespace tributary

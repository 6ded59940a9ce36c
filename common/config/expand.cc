#include "common/config/expand.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>

namespace tributary {
namespace {

constexpr std::string_view kOpen = "%{";
constexpr std::string_view kDefault = ":-";
constexpr std::string_view kHostName = "HOSTNAME";

bool IsName(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return c < 0x80 && (std::isalnum(c) != 0 || c == '_');
         });
}

class Expander {
 public:
  Expander(const LoadOptions& options, CheckContext& context)
      : options_(options), context_(context) {}

  // The depth is bounded by the reader of YAML.
  void Expand(YamlNode& node) {
    if (node.is_scalar() && node.text.find(kOpen) != std::string::npos) ExpandText(node);
    for (YamlNode& element : node.list) Expand(element);
    for (YamlEntry& entry : node.map) Expand(entry.value);
  }

 private:
  void ExpandText(YamlNode& node) {
    std::string out;
    std::string_view rest = node.text;
    for (size_t at = rest.find(kOpen); at != std::string_view::npos; at = rest.find(kOpen)) {
      out += rest.substr(0, at);
      rest.remove_prefix(at + kOpen.size());
      if (out.ends_with('%')) {  // %%{
        out += '{';
        continue;
      }
      const size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        context_.Error(node.line, node.column, "'%{' without '}'", "'%%{' stands for '%{'");
        return;
      }
      if (!Append(rest.substr(0, end), node, out)) return;
      rest.remove_prefix(end + 1);
      node.quoted = false;
    }
    out += rest;
    node.text = std::move(out);
  }

  // False: an error has been reported.
  bool Append(std::string_view inner, const YamlNode& node, std::string& out) {
    const size_t split = std::min(inner.find(kDefault), inner.size());
    const std::string name(inner.substr(0, split));
    if (!IsName(name)) {
      context_.Error(node.line, node.column,
                     "between '%{' and '}' stands the name of a variable of the environment",
                     "'%%{' stands for '%{'");
      return false;
    }
    std::string value;
    auto found = options_.getenv ? options_.getenv(name) : std::nullopt;
    if (name == kHostName && found.value_or("").empty() && !options_.host_name.empty()) {
      found = options_.host_name;
    }
    if (found) value = *found;
    if (split != inner.size()) {
      if (value.empty()) value = inner.substr(split + kDefault.size());
    } else if (!found) {
      context_.Error(node.line, node.column, "the environment has no variable '" + name + "'",
                     "'%{" + name + ":-...}' gives a default");
      return false;
    }
    expanded_ += value.size();
    if (expanded_ > kExpandedBytesMax) {
      if (!std::exchange(told_too_large_, true)) {
        context_.Error(node.line, node.column, "variables of more than 64 MiB in all");
      }
      return false;
    }
    out += value;
    return true;
  }

  const LoadOptions& options_;
  CheckContext& context_;
  size_t expanded_ = 0;
  bool told_too_large_ = false;
};

}  // namespace

void ExpandVariables(YamlNode& root, const LoadOptions& options, CheckContext& context) {
  Expander(options, context).Expand(root);
}

}  // namespace tributary

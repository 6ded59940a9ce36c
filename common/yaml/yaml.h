// YAML as configuration files use it: text in, a small tree of our own out. The only place that
// includes yaml-cpp.
//
// Follows what Prometheus' own reader (go-yaml v2) makes of a file: anchors, aliases and merge keys
// ("<<") are resolved, a key that stands twice in a map is an error, only the first document
// counts. Of a merge and a plain key, the one that stands later wins, as there. JSON is read as
// well.
//
// Errors: never throws; every problem has a line and a column (both from 1). Text is never quoted
// in a message except for keys, since values may be secrets. Bounds: depth and number of nodes,
// aliases counted as often as they are used. Threading: free functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

struct YamlEntry;

struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  // A scalar that was quoted, a block or tagged !!str: text, never a number or a truth value.
  bool quoted = false;
  int line = 0, column = 0;  // where the node begins; an alias keeps the place of its anchor
  std::string text;          // of a scalar
  std::vector<YamlNode> list;
  std::vector<YamlEntry> map;  // in the order of the file

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
};

struct YamlEntry {
  std::string key;
  int line = 0, column = 0;  // of the key
  YamlNode value;
};

struct YamlProblem {
  int line = 0, column = 0;
  std::string message;
  bool warning = false;
};

struct YamlLimits {
  int depth_max = 100;
  size_t nodes_max = 1'000'000;
};

struct YamlDocument {
  YamlNode root;  // null for an empty text
  // The text was read to its end; else root is null and the last problem says why.
  bool complete = false;
  std::vector<YamlProblem> problems;
  // Whether there is a problem that is no mere warning.
  bool failed() const;
};

YamlDocument ParseYaml(std::string_view text, const YamlLimits& limits = {});

// What go-yaml understands a plain scalar to be. False if it is something else.
bool YamlBool(const YamlNode& node, bool& value);
// Decimal, 0x, 0o and 0b, also a float that is in range; `fraction_lost` says that it was no
// integer.
bool YamlInt(const YamlNode& node, int64_t& value, bool& fraction_lost);
bool YamlUint(const YamlNode& node, uint64_t& value, bool& fraction_lost);
bool YamlFloat(const YamlNode& node, double& value);

// A scalar that reads back as this text: plain where that is safe, else in double quotes.
std::string YamlScalar(std::string_view text);

}  // namespace tributary

// What a file said, typed and checked by the table of options, before it becomes a Config.
//
// A SectionValue holds the options that were given or derived; Get() answers with the default for
// all others. Positions count from 1; 0 is 'not in the file'. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/loader.h"
#include "common/config/options.h"

namespace tributary {

class SectionValue;
struct NamedValue;

// The value of one option, or an element of a list or map. Which members count depends on the type.
struct Value {
  const Option* option = nullptr;
  bool given = false;                // in the file, and not null behind a pointer
  bool valid = true;                 // false: a problem has been reported, checks leave it alone
  int line = 0, column = 0;          // of the value
  int key_line = 0, key_column = 0;  // of the key
  std::string text;                  // scalars, as written; numbers too
  bool flag = false;
  int64_t integer = 0;                 // kInt; kDuration in ms
  uint64_t number = 0;                 // kUint, kSize
  double real = 0;                     // kFloat
  std::vector<Value> items;            // lists
  std::vector<NamedValue> entries;     // maps, in the order of the file
  std::vector<SectionValue> sections;  // kSection (one), kSections, kSectionMap
  std::vector<std::string> names;      // kSectionMap: of the sections

  std::chrono::milliseconds duration() const { return std::chrono::milliseconds(integer); }
  // Zero, empty, false or absent: what Go's `omitempty` leaves out.
  bool IsZero() const;
  std::vector<std::string> Texts() const;
};

// An entry of a map.
struct NamedValue {
  std::string name;
  Value value;
};

class SectionValue {
 public:
  SectionValue() = default;
  explicit SectionValue(const Section& section) : section_(&section) {}

  const Section& section() const { return *section_; }
  int line = 0, column = 0;
  // An element of a list that is null.
  bool null = false;

  // The value given or derived, else the default. The name must be one of the section's.
  const Value& Get(std::string_view name) const;
  const Value& Get(const Option& option) const;
  // Where a value can be changed or derived; starts as a copy of the default.
  Value& Set(std::string_view name);
  Value& Set(const Option& option);
  void Erase(std::string_view name);
  bool Given(std::string_view name) const { return Get(name).given; }
  bool Has(std::string_view name) const { return section_->Find(name) != nullptr; }

  const std::string& Text(std::string_view name) const { return Get(name).text; }
  bool Flag(std::string_view name) const { return Get(name).flag; }
  uint64_t Number(std::string_view name) const { return Get(name).number; }
  std::chrono::milliseconds Duration(std::string_view name) const { return Get(name).duration(); }
  // Of an option of type kSection: the section, or null if it is absent.
  const SectionValue* Sub(std::string_view name) const;
  SectionValue* Sub(std::string_view name);
  bool IsZero() const;

 private:
  const Section* section_ = nullptr;
  std::deque<Value> values_;  // references stay good while others are added
};

// How many problems are reported at most.
inline constexpr size_t kDiagnosticsMax = 1000;

// Where problems are collected.
class CheckContext {
 public:
  CheckContext(std::string file, std::vector<Diagnostic>& diagnostics)
      : file_(std::move(file)), diagnostics_(diagnostics) {}

  const std::string& file() const { return file_; }
  void Error(int line, int column, std::string message, std::string hint = {});
  void Warning(int line, int column, std::string message, std::string hint = {});
  // At the value if the file has it, else at the section.
  void Error(const Value& value, const SectionValue& section, std::string message,
             std::string hint = {});
  void Error(const SectionValue& section, std::string message, std::string hint = {});

 private:
  std::string file_;
  std::vector<Diagnostic>& diagnostics_;
};

// The default of an option as a Value.
Value DefaultValue(const Option& option);
// The zero of its type: what a null in the file means.
Value ZeroValue(const Option& option);

}  // namespace tributary

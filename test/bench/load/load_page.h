// Pages that targets of a benchmark serve. Six of ten values move from page to page.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tributary {

enum class LoadKind : uint8_t {
  // Series of containers, of kube-state-metrics and of a node, families one after the other.
  kMixed,
  // cAdvisor's: family after family, in each all containers, so that lines that are alike stand far
  // from each other; with ids and names of containers of 64 digits, some 460 bytes a line.
  kCadvisor,
};

class LoadPage {
 public:
  LoadPage(LoadKind kind, size_t target, size_t lines);

  // What the next scrape gets.
  std::string Next();
  size_t lines() const { return lines_.size(); }
  const std::string& series(size_t line) const { return lines_[line].series; }
  static std::string TargetPath(size_t target) { return "/t/" + std::to_string(target); }

 private:
  struct Line {
    std::string series;
    uint64_t value;
  };

  void AddMixed(size_t target, size_t lines);
  void AddCadvisor(size_t target, size_t lines);
  std::string Hex(size_t digits);

  std::mt19937_64 random_;
  std::vector<Line> lines_;
};

}  // namespace tributary

// The symbols of remote write 2.0 that the blocks of a unit share: Request.symbols, compressed
// once.
//
// A table only grows: numbers that blocks have in them stay valid when another block of the unit is
// compiled again, and the symbols that it brings along are appended. What nobody refers to any more
// goes when the unit is built anew (frame_unit.h). One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/wire/remote_write_v2.h"

namespace tributary {

class FrameSymbols {
 public:
  // The empty string alone, number 0.
  FrameSymbols();
  FrameSymbols(const FrameSymbols&) = delete;
  FrameSymbols& operator=(const FrameSymbols&) = delete;

  // Unique within the process, never 0.
  uint64_t id() const { return id_; }
  uint32_t count() const { return count_; }
  // Snappy elements, without the length that begins a stream; what they expand to.
  const std::string& bytes() const { return bytes_; }
  uint32_t raw_bytes() const { return raw_bytes_; }
  // All texts, by number. `raw` holds what the views point into.
  std::vector<std::string_view> Texts(std::string& raw) const;
  size_t memory_bytes() const { return sizeof(*this) + bytes_.capacity(); }

 private:
  friend class SymbolWriter;
  // Appends encoded symbols.
  void Append(std::string_view encoded, uint32_t count);

  uint64_t id_;
  uint32_t count_ = 0;
  uint32_t raw_bytes_ = 0;
  std::string bytes_;
};

// Numbers texts while blocks are compiled. One at a time for a table, which outlives it and is
// changed by nothing else meanwhile. What it numbered is in the table once it is committed.
class SymbolWriter {
 public:
  explicit SymbolWriter(FrameSymbols& symbols);

  uint32_t Number(std::string_view text);
  uint64_t table() const { return symbols_.id(); }
  uint32_t count() const { return count_; }
  // Blocks compiled before may be sent after.
  void Commit();

 private:
  FrameSymbols& symbols_;
  SymbolTable numbers_;
  uint32_t count_;          // of texts that have a number
  size_t committed_bytes_;  // of what numbers_ has encoded
};

}  // namespace tributary

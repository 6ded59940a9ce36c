// What aggregates know, on disk: so that a restart neither invents an increase nor forgets one, and
// sums go on as they were. A file for each worker, "N.state" in a folder of the storage, replaced
// as a whole (common/file/replace_file.h).
//
// [8 bytes "TRBAGG01"] [body] [8 bytes: XXH3 of what is before them], numbers as varints, doubles
// and hashes as 8 bytes, little-endian; times are zigzag varints, native histograms as
// EncodeHistogram (common/wire) writes them, after their size. A file that is anything else is left
// out: what it had is lost, as if the rules were new.
//
// Plain values. Reading blocks; writing is the caller's matter.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/aggregate/interval_aggregator.h"
#include "agent/aggregate/rise_window.h"
#include "common/base/status.h"
#include "common/event/work_queue.h"
#include "common/file/disk.h"

namespace tributary {

// Where the state is kept. Null pointers: nowhere.
struct AggregatePlace {
  Disk* disk = nullptr;
  WorkQueue* work = nullptr;
  std::string folder;
  bool exists() const { return disk != nullptr && work != nullptr; }
};

struct SavedInput {
  uint64_t series = 0;     // the hash of its labels
  uint32_t partition = 0;  // of the log, in which its target is
  IntervalInput known;
};

// What a worker knows of the inputs of an aggregate.
struct SavedAggregate {
  std::string key;
  std::vector<IntervalAggregate> open;
  std::vector<SavedInput> inputs;
};

// What the worker that gives an aggregate out knows of it.
struct SavedOutput {
  std::string place_key;
  std::vector<bool> has_value;  // by output
  struct Window {
    double bound = 0;  // of a bucket; else 0
    RiseWindow rises;
  };
  std::vector<Window> windows;
  HistogramWindow histograms;
};

struct SavedRule {
  uint64_t id = 0;
  TimestampMs closed = 0;     // the worker has closed all up to here
  TimestampMs given_out = 0;  // and given out
  std::vector<SavedAggregate> aggregates;
  std::vector<SavedOutput> outputs;
};

using SavedState = std::vector<SavedRule>;

std::string EncodeState(const SavedState& state);
Result<SavedState> DecodeState(std::string_view bytes);

// Of all workers of an earlier process, whatever their number: by worker. `problem` is called with
// what is wrong with a file that is left out.
std::vector<SavedState> ReadStates(Disk& disk, const std::string& folder,
                                   const std::function<void(const std::string&)>& problem);
std::string StatePath(const std::string& folder, uint32_t worker);

}  // namespace tributary

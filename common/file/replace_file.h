// A small file that is there as a whole, as it was or as it is to be, whatever ends the process or
// the power.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/file/disk.h"

namespace tributary {

// Writes it under another name ("path.new") first, syncs it, and gives it its own; `path` has a
// folder, which is there. Blocks. One writer of a path at a time.
Status ReplaceFile(Disk& disk, const std::string& path, std::string_view text);

}  // namespace tributary

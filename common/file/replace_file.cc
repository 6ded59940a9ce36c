#include "common/file/replace_file.h"

#include <memory>

namespace tributary {

namespace {

Status WriteNew(Disk& disk, const std::string& path, std::string_view text) {
  auto file = disk.Open(path, FileMode::kCreate);
  if (!file) return tl::unexpected(file.error());
  if (Status written = (*file)->WriteAt(0, text); !written) return written;
  return (*file)->Sync();
}

}  // namespace

Status ReplaceFile(Disk& disk, const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  static_cast<void>(disk.Remove(fresh));  // what an earlier try has left
  if (Status written = WriteNew(disk, fresh, text); !written) return written;
  if (Status renamed = disk.Rename(fresh, path); !renamed) return renamed;
  return disk.SyncDirectory(path.substr(0, path.rfind('/')));
}

}  // namespace tributary

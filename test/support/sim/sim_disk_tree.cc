#include "test/support/sim/sim_disk_tree.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace tributary {

namespace {

enum class Fate { kWhole, kPart, kLost };

// What becomes of `count` changes in a row.
std::vector<Fate> Fates(size_t count, PowerLoss loss, SimRandom& random) {
  std::vector<Fate> fates(count, Fate::kLost);
  if (loss == PowerLoss::kWorst || count == 0) return fates;
  switch (random.Below(4)) {
    case 0:
      break;
    case 1:
      std::fill(fates.begin(), fates.end(), Fate::kWhole);
      break;
    case 2: {
      const size_t last = random.Below(count);
      std::fill_n(fates.begin(), last, Fate::kWhole);
      fates[last] = Fate::kPart;
      break;
    }
    default:
      for (Fate& fate : fates) fate = static_cast<Fate>(random.Below(3));
  }
  return fates;
}

std::vector<std::string> Names(const std::string& path) {
  std::vector<std::string> names;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (end > at) names.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

void Put(std::map<std::string, std::shared_ptr<SimNode>>& names, const std::string& name,
         const std::shared_ptr<SimNode>& node) {
  if (node) {
    names[name] = node;
  } else {
    names.erase(name);
  }
}

}  // namespace

void SimNode::Apply(const Change& change, std::string& content) {
  if (change.truncate_to) {
    content.resize(*change.truncate_to);
  } else if (!change.bytes.empty()) {
    const uint64_t end = change.offset + change.bytes.size();
    if (content.size() < end) content.resize(end);
    content.replace(change.offset, change.bytes.size(), change.bytes);
  }
}

void SimNode::ApplyPart(const Change& change, SimRandom& random, std::string& content) {
  Change part = change;
  if (change.truncate_to) {
    if (random.Below(2) == 0) Apply(part, content);
    return;
  }
  part.bytes.resize(random.Below(change.bytes.size() + 1));
  Apply(part, content);
  // The size came to the disk before the bytes.
  const uint64_t end = change.offset + change.bytes.size();
  if (random.Below(2) == 0 && content.size() < end) content.resize(end);
}

void SimNode::Add(Change change) {
  if (damaged_ && changes_.empty()) Replace(std::move(content_));
  Apply(change, content_);
  changes_.push_back(std::move(change));
}

void SimNode::WriteAt(uint64_t offset, std::string_view bytes) {
  Add({.truncate_to = {}, .offset = offset, .bytes = std::string(bytes)});
}

void SimNode::Truncate(uint64_t size) { Add({.truncate_to = size, .offset = 0, .bytes = ""}); }

std::string& SimNode::ContentToDamage() {
  damaged_ = true;
  return content_;
}

void SimNode::Sync() {
  for (Change& change : changes_) {
    if (change.state == State::kUnsynced) change.state = State::kSafe;
  }
  // Those behind one in doubt wait for its fate.
  size_t safe = 0;
  while (safe < changes_.size() && changes_[safe].state == State::kSafe) {
    Apply(changes_[safe++], safe_content_);
  }
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(safe));
}

void SimNode::SyncFailed() {
  for (Change& change : changes_) {
    if (change.state == State::kUnsynced) change.state = State::kInDoubt;
  }
}

void SimNode::Replace(std::string content) {
  changes_.clear();
  damaged_ = false;
  content_ = std::move(content);
  safe_content_ = content_;
}

void SimNode::FlipBit(uint64_t offset, unsigned bit) {
  for (std::string* bytes : {&content_, &safe_content_}) {
    if (offset >= bytes->size()) continue;
    (*bytes)[offset] = static_cast<char>(static_cast<unsigned char>((*bytes)[offset]) ^ 1U << bit);
  }
}

Result<SimDiskTree::Place> SimDiskTree::Find(const std::string& path) const {
  Place place{nullptr, "", root_};
  for (const std::string& name : Names(path)) {
    if (!place.node) return Fail("No such file or directory");
    if (!place.node->is_directory()) return Fail("Not a directory");
    const auto found = place.node->names_.find(name);
    const Node node = found == place.node->names_.end() ? nullptr : found->second;
    place = {place.node, name, node};
  }
  return place;
}

void SimDiskTree::ChangeNames(Step step) {
  for (const NameChange& change : step) {
    Node& now = change.directory->names_[change.name];
    if (now) now->has_name_ = false;
    Put(change.directory->names_, change.name, change.node);
  }
  for (const NameChange& change : step) {
    if (change.node) change.node->has_name_ = true;
  }
  journal_.push_back(std::move(step));
}

void SimDiskTree::SetName(const Place& place, Node node) {
  ChangeNames({{place.directory, place.name, std::move(node)}});
}

void SimDiskTree::Rename(const Place& from, const Place& to) {
  ChangeNames({{from.directory, from.name, nullptr}, {to.directory, to.name, from.node}});
}

void SimDiskTree::SettleName(const Place& place, Node node) {
  ChangeNames({{place.directory, place.name, node}});
  for (Step& step : journal_) {
    std::erase_if(step, [&](const NameChange& change) {
      return change.directory == place.directory && change.name == place.name;
    });
  }
  std::erase_if(journal_, [](const Step& step) { return step.empty(); });
  Put(place.directory->safe_names_, place.name, node);
}

SimDiskTree::Node SimDiskTree::MakeDirectories(const std::string& path) {
  Node at = root_;
  for (const std::string& name : Names(path)) {
    if (!at->is_directory()) return nullptr;
    const auto found = at->names_.find(name);
    const Node next = found == at->names_.end() ? std::make_shared<SimNode>(true) : found->second;
    if (found == at->names_.end()) SettleName({at, name, nullptr}, next);
    at = next;
  }
  return at->is_directory() ? at : nullptr;
}

void SimDiskTree::SyncNames(const Node& directory) {
  // With a rename between two directories goes what was done before in the other one: a journal
  // keeps its order.
  std::set<Node> directories{directory};
  std::vector<Step> safe, rest;
  for (auto step = journal_.rbegin(); step != journal_.rend(); ++step) {
    const bool meant = std::any_of(step->begin(), step->end(), [&](const NameChange& change) {
      return directories.contains(change.directory);
    });
    if (meant) {
      for (const NameChange& change : *step) directories.insert(change.directory);
    }
    (meant ? safe : rest).push_back(std::move(*step));
  }
  for (auto step = safe.rbegin(); step != safe.rend(); ++step) {
    for (const NameChange& change : *step) {
      Put(change.directory->safe_names_, change.name, change.node);
    }
  }
  journal_.assign(std::make_move_iterator(rest.rbegin()), std::make_move_iterator(rest.rend()));
}

SimDiskTree::Node SimDiskTree::MakeFile() {
  std::erase_if(files_, [](const std::weak_ptr<SimNode>& file) { return file.expired(); });
  Node file = std::make_shared<SimNode>(false);
  files_.push_back(file);
  return file;
}

void SimDiskTree::LoseNames(PowerLoss loss, SimRandom& random) {
  const std::vector<Fate> fates = Fates(journal_.size(), loss, random);
  // A step is not kept without an earlier one of the same name or node.
  std::set<std::pair<SimNode*, std::string>> lost_names;
  std::set<Node> lost_nodes;
  for (size_t i = 0; i < journal_.size(); i++) {
    // There are no halves of names.
    bool kept = fates[i] == Fate::kWhole || (fates[i] == Fate::kPart && random.Below(2) == 0);
    for (const NameChange& change : journal_[i]) {
      if (lost_names.contains({change.directory.get(), change.name})) kept = false;
      if (change.node && lost_nodes.contains(change.node)) kept = false;
    }
    for (const NameChange& change : journal_[i]) {
      if (kept) {
        Put(change.directory->safe_names_, change.name, change.node);
      } else {
        lost_names.emplace(change.directory.get(), change.name);
        if (change.node) lost_nodes.insert(change.node);
      }
    }
  }
  journal_.clear();
}

void SimDiskTree::LoseContent(PowerLoss loss, SimRandom& random, SimNode& file) {
  if (file.changes_.empty()) return;
  const std::vector<Fate> fates = Fates(file.changes_.size(), loss, random);
  for (size_t i = 0; i < fates.size(); i++) {
    const SimNode::Change& change = file.changes_[i];
    const Fate fate = change.state == SimNode::State::kSafe ? Fate::kWhole : fates[i];
    if (fate == Fate::kWhole) SimNode::Apply(change, file.safe_content_);
    if (fate == Fate::kPart) SimNode::ApplyPart(change, random, file.safe_content_);
  }
  file.changes_.clear();
  file.content_ = file.safe_content_;
}

void SimDiskTree::LosePower(PowerLoss loss, SimRandom& random) {
  LoseNames(loss, random);
  for (const auto& held : files_) {
    if (const Node file = held.lock()) {
      file->has_name_ = false;
      file->opened_ = std::make_shared<char>();
    }
  }
  // In the order of their names: what becomes of each depends on the seed alone.
  std::set<Node> seen{root_};
  const std::function<void(SimNode&)> visit = [&](SimNode& directory) {
    // What lies in two places after renames of which some were lost stays in the first.
    std::erase_if(directory.safe_names_,
                  [&](const auto& entry) { return !seen.insert(entry.second).second; });
    directory.names_ = directory.safe_names_;
    for (const auto& [name, node] : directory.names_) {
      node->has_name_ = true;
      if (node->is_directory()) {
        visit(*node);
      } else {
        LoseContent(loss, random, *node);
      }
    }
  };
  visit(*root_);
}

uint64_t SimDiskTree::used() const {
  uint64_t bytes = 0;
  for (const auto& held : files_) {
    const Node file = held.lock();
    if (file && (file->has_name_ || file->opened_.use_count() > 1)) bytes += file->content_.size();
  }
  return bytes;
}

std::vector<std::string> SimDiskTree::FilePaths() const {
  std::vector<std::string> paths;
  const std::function<void(const SimNode&, const std::string&)> visit =
      [&](const SimNode& directory, const std::string& path) {
        for (const auto& [name, node] : directory.names()) {
          const std::string below = path + "/" + name;
          if (node->is_directory()) {
            visit(*node, below);
          } else {
            paths.push_back(below);
          }
        }
      };
  visit(*root_, "");
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace tributary

#include "common/yaml/yaml.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "common/base/utf8.h"

namespace tributary {
namespace {

constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";
constexpr std::string_view kNullTag = "tag:yaml.org,2002:null";
constexpr std::string_view kBinaryTag = "tag:yaml.org,2002:binary";

// Stands for '?' while yaml-cpp reads: see HideQuestionMarks. No UTF-8 text has this byte.
constexpr char kHidden = '\xFE';

// yaml-cpp ends a plain scalar in a flow collection at any '?', so that {regex: ab?} would be no
// YAML. All of them that cannot announce a complex key are replaced by a byte that no file may
// have, and put back into every text. Nothing changes its place. (Not the first byte: it tells
// encodings apart.)
std::string HideQuestionMarks(std::string_view text) {
  std::string hidden(text);
  constexpr std::string_view kBlanks = " \t\r\n";
  for (size_t i = 1; i < hidden.size(); ++i) {
    if (hidden[i] != '?') continue;
    bool ends = i + 1 == text.size() || kBlanks.find(text[i + 1]) != std::string_view::npos;
    bool begins = kBlanks.find(text[i - 1]) != std::string_view::npos || text[i - 1] == ',' ||
                  text[i - 1] == '{' || text[i - 1] == '[';
    if (!begins || !ends) hidden[i] = kHidden;
  }
  return hidden;
}

std::string ShowQuestionMarks(std::string text) {
  std::replace(text.begin(), text.end(), kHidden, '?');
  return text;
}

// Ends the parse from inside a callback of yaml-cpp; caught in this file.
struct Stop {};

// Builds the tree from yaml-cpp's events. Marks count from 0 there, from 1 here.
class Builder : public YAML::EventHandler {
 public:
  Builder(const YamlLimits& limits, std::vector<YamlProblem>& problems)
      : limits_(limits), problems_(problems) {}

  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Finish(Begin(YamlNode::Kind::kNull, mark), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    bool null = tag == kNullTag;
    if (tag == kBinaryTag) Problem(mark, "!!binary values are not supported");
    YamlNode node = Begin(null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar, mark);
    node.quoted = tag == "!" || tag == kStringTag;
    node.text = null ? std::string() : ShowQuestionMarks(value);
    Finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      Problem(mark, "an alias cannot refer to what contains it");
      throw Stop();
    }
    const Anchored& anchored = found->second;
    CountNodes(anchored.nodes, mark);
    if (static_cast<int>(frames_.size()) + anchored.depth > limits_.depth_max) TooDeep(mark);
    YamlNode copy = anchored.node;
    deepest_below_ = std::max(deepest_below_, anchored.depth);
    Attach(std::move(copy));
  }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    size_t nodes_before = 0;
    int deepest = 1;
    bool has_key = false;
    bool key_is_merge = false;
    YamlEntry entry;  // its key, while the value is on the way
    std::unordered_set<std::string> keys;
    std::unordered_map<std::string, size_t> places;
  };
  struct Anchored {
    YamlNode node;
    size_t nodes = 0;
    int depth = 0;
  };

  void Problem(const YAML::Mark& mark, std::string message) {
    problems_.push_back({mark.line + 1, mark.column + 1, std::move(message)});
  }
  [[noreturn]] void TooDeep(const YAML::Mark& mark) {
    Problem(mark, "nested more than " + std::to_string(limits_.depth_max) + " levels deep");
    throw Stop();
  }
  void CountNodes(size_t count, const YAML::Mark& mark) {
    nodes_ += count;
    if (nodes_ <= limits_.nodes_max) return;
    Problem(mark, "more than " + std::to_string(limits_.nodes_max) +
                      " values, aliases counted as often as they are used");
    throw Stop();
  }

  bool ExpectsKey() const {
    return !frames_.empty() && frames_.back().node.is_map() && !frames_.back().has_key;
  }

  YamlNode Begin(YamlNode::Kind kind, const YAML::Mark& mark) {
    CountNodes(1, mark);
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (ExpectsKey()) {
      Problem(mark, "a key has to be plain text");
      throw Stop();
    }
    if (static_cast<int>(frames_.size()) >= limits_.depth_max) TooDeep(mark);
    Frame frame;
    frame.nodes_before = nodes_;
    frame.node = Begin(kind, mark);
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void Close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.anchor != 0) {
      anchors_[frame.anchor] = {frame.node, nodes_ - frame.nodes_before, frame.deepest};
    }
    deepest_below_ = frame.deepest;
    Attach(std::move(frame.node));
  }

  void Finish(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = {node, 1, 0};
    deepest_below_ = 0;
    Attach(std::move(node));
  }

  void Attach(YamlNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    frame.deepest = std::max(frame.deepest, deepest_below_ + 1);
    if (frame.node.is_list()) {
      frame.node.list.push_back(std::move(node));
    } else if (!frame.has_key) {
      TakeKey(frame, std::move(node));
    } else {
      frame.has_key = false;
      TakeValue(frame, std::move(node));
    }
  }

  void TakeKey(Frame& frame, YamlNode key) {
    frame.has_key = true;
    frame.key_is_merge = key.is_scalar() && !key.quoted && key.text == "<<";
    frame.entry.key = std::move(key.text);
    frame.entry.line = key.line;
    frame.entry.column = key.column;
    if (key.is_list() || key.is_map()) {
      problems_.push_back({key.line, key.column, "a key has to be plain text"});
      throw Stop();
    }
    if (!frame.key_is_merge && !frame.keys.insert(frame.entry.key).second) {
      problems_.push_back({key.line, key.column,
                           "the key '" + frame.entry.key + "' is given twice in the same map"});
    }
  }

  void TakeValue(Frame& frame, YamlNode value) {
    if (!frame.key_is_merge) {
      frame.entry.value = std::move(value);
      Put(frame, std::move(frame.entry));
      return;
    }
    if (value.is_map()) {
      for (YamlEntry& entry : value.map) Put(frame, std::move(entry));
      return;
    }
    bool maps = value.is_list() && std::all_of(value.list.begin(), value.list.end(),
                                               [](const YamlNode& n) { return n.is_map(); });
    if (!maps) {
      problems_.push_back(
          {frame.entry.line, frame.entry.column, "'<<' needs a map or a list of maps"});
      return;
    }
    // Of the maps in a list the first one wins.
    for (auto map = value.list.rbegin(); map != value.list.rend(); ++map) {
      for (YamlEntry& entry : map->map) Put(frame, std::move(entry));
    }
  }

  static void Put(Frame& frame, YamlEntry entry) {
    auto [place, added] = frame.places.emplace(entry.key, frame.node.map.size());
    if (added) {
      frame.node.map.push_back(std::move(entry));
    } else {
      frame.node.map[place->second] = std::move(entry);
    }
  }

  const YamlLimits limits_;
  std::vector<YamlProblem>& problems_;
  YamlNode root_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
  int deepest_below_ = 0;  // levels inside the node that Attach gets
};

// Looks whether a second document says anything, and says where.
class FirstNode : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Found(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    Found(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Found(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Found(mark);
  }
  void OnMapEnd() override {}

  int line = 0;

 private:
  [[noreturn]] void Found(const YAML::Mark& mark) {
    line = mark.line + 1;
    throw Stop();
  }
};

// yaml-cpp reads on over control bytes and broken UTF-8, and lets a tab indent; YAML forbids all
// three.
std::optional<YamlProblem> FindBadBytes(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int line = 1;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    for (size_t i = 0; i < content.size(); ++i) {
      unsigned char c = static_cast<unsigned char>(content[i]);
      if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7F) {
        return YamlProblem{line, static_cast<int>(i) + 1,
                           "a control character: this is not a text file"};
      }
    }
    if (!IsValidUtf8(content)) return YamlProblem{line, 1, "not valid UTF-8"};
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
  }
  return std::nullopt;
}

std::string LineOf(std::string_view text, int line) {
  while (--line > 0) {
    size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return std::string(text.substr(0, text.find('\n')));
}

// yaml-cpp takes a quoted text that is never closed for closed at the end of the file. The mark of
// a document's end makes it complain.
std::string Prepare(std::string_view text) {
  std::string prepared = HideQuestionMarks(text);
  if (!prepared.empty() && prepared.back() != '\n') prepared += '\n';
  return prepared += "...\n";
}

// yaml-cpp's words, with what people need to know added.
std::string Explain(std::string_view text, const YAML::ParserException& error) {
  int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  if (!text.empty() && text.back() != '\n') ++lines;
  if (error.mark.line >= lines) {
    return "not valid YAML: the file ends inside a quoted text, a list or a map that is not closed";
  }
  std::string line = LineOf(text, error.mark.line + 1);
  size_t content = line.find_first_not_of(" \t");
  if (content != std::string::npos && line.substr(0, content).find('\t') != std::string::npos) {
    return "a tab cannot indent in YAML; use spaces";
  }
  // It may name half a character.
  std::string message = ShowQuestionMarks(error.msg);
  std::replace_if(
      message.begin(), message.end(), [](char c) { return static_cast<signed char>(c) < 0; }, '?');
  return "not valid YAML: " + message;
}

}  // namespace

bool YamlDocument::failed() const {
  return std::any_of(problems.begin(), problems.end(),
                     [](const YamlProblem& problem) { return !problem.warning; });
}

YamlDocument ParseYaml(std::string_view text, const YamlLimits& limits) {
  YamlDocument document;
  if (auto bad = FindBadBytes(text)) {
    document.problems.push_back(std::move(*bad));
    return document;
  }
  Builder builder(limits, document.problems);
  try {
    std::istringstream stream(Prepare(text));
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    document.root = builder.TakeRoot();
    document.complete = true;
    FirstNode more;
    try {
      parser.HandleNextDocument(more);
    } catch (const Stop&) {
      document.problems.push_back(
          {more.line, 1, "what follows '---' is a second document and is not read", true});
    }
  } catch (const Stop&) {
    document.complete = false;
  } catch (const YAML::ParserException& error) {
    document.complete = false;
    document.problems.push_back({error.mark.line + 1, error.mark.column + 1, Explain(text, error)});
  } catch (const std::exception& error) {
    document.complete = false;
    document.problems.push_back({0, 0, std::string("not valid YAML: ") + error.what()});
  }
  if (!document.complete) document.root = {};
  return document;
}

}  // namespace tributary

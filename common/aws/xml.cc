#include "common/aws/xml.h"

#include <expat.h>

#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr size_t kDepthMax = 32;

struct ParserDeleter {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};
using ParserHandle = std::unique_ptr<std::remove_pointer_t<XML_Parser>, ParserDeleter>;

struct Building {
  XML_Parser parser;
  // From the root's parent down to the element that is open.
  std::vector<XmlElement> open = {XmlElement()};
};

std::string Trim(const std::string& text) {
  const char* blank = " \t\r\n";
  const size_t begin = text.find_first_not_of(blank);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(blank) + 1 - begin);
}

void OnStart(void* data, const char* name, const char** /*attributes*/) {
  auto& building = *static_cast<Building*>(data);
  if (building.open.size() > kDepthMax) {
    XML_StopParser(building.parser, XML_FALSE);
    return;
  }
  const std::string_view full(name);
  XmlElement element;
  element.name = full.substr(full.rfind(':') + 1);
  building.open.push_back(std::move(element));
}

void OnEnd(void* data, const char* /*name*/) {
  auto& open = static_cast<Building*>(data)->open;
  XmlElement element = std::move(open.back());
  open.pop_back();
  if (!element.children.empty()) element.text = Trim(element.text);
  open.back().children.push_back(std::move(element));
}

void OnText(void* data, const char* text, int size) {
  static_cast<Building*>(data)->open.back().text.append(text, static_cast<size_t>(size));
}

void OnDoctype(void* data, const char* /*name*/, const char* /*system*/, const char* /*public_id*/,
               int /*internal*/) {
  XML_StopParser(static_cast<Building*>(data)->parser, XML_FALSE);
}

}  // namespace

const XmlElement* XmlElement::Find(std::string_view child) const {
  for (const XmlElement& element : children) {
    if (element.name == child) return &element;
  }
  return nullptr;
}

std::string XmlElement::Text(std::string_view child) const {
  const XmlElement* element = Find(child);
  return element == nullptr ? "" : Trim(element->text);
}

Result<XmlElement> ParseXml(const std::string& text) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return Fail("XML of more than 2 GiB");
  }
  const ParserHandle parser(XML_ParserCreate(nullptr));
  CHECK(parser != nullptr);
  Building building{parser.get()};
  XML_SetUserData(parser.get(), &building);
  XML_SetElementHandler(parser.get(), OnStart, OnEnd);
  XML_SetCharacterDataHandler(parser.get(), OnText);
  XML_SetStartDoctypeDeclHandler(parser.get(), OnDoctype);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1) != XML_STATUS_OK) {
    const XML_Error code = XML_GetErrorCode(parser.get());
    const std::string line = std::to_string(XML_GetCurrentLineNumber(parser.get()));
    return Fail("with XML that cannot be read: " +
                (code == XML_ERROR_ABORTED ? std::string("a document type, or more than 32 levels")
                                           : std::string(XML_ErrorString(code))) +
                " in line " + line);
  }
  return std::move(building.open.front().children.front());
}

}  // namespace tributary

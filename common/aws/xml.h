// XML answers of AWS' services, as a tree. Over expat.
//
// Pure. Names are local: prefixes and namespaces are dropped, attributes too. Document types are
// refused, and with them every entity but XML's own; so is more than 32 levels of depth. The caller
// bounds the size of the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace tributary {

struct XmlElement {
  std::string name;
  // Of the element itself; of one with children without white space around it.
  std::string text;
  std::vector<XmlElement> children;

  // The first child of that name; null: none.
  const XmlElement* Find(std::string_view child) const;
  // Of the first child of that name, without white space around it; "": none.
  std::string Text(std::string_view child) const;
};

// The root. The error says the line.
Result<XmlElement> ParseXml(const std::string& text);

}  // namespace tributary

// What is needed of a request whose head is answered without cpp-httplib. Views into the head.
#pragma once

#include <string_view>

namespace tributary {

struct RequestLine {
  std::string_view method;
  std::string_view path;     // as it was sent, up to the '?'
  std::string_view query;    // what follows it
  std::string_view version;  // "HTTP/1.1"
};

// Parts that are not there are empty.
RequestLine ParseRequestLine(std::string_view head);

// The value of the first header of that name, without spaces around it; "" if there is none.
std::string_view HeaderOf(std::string_view head, std::string_view name);

}  // namespace tributary

// Errors as values. `Result<T>` holds a T or an Error; `Status` holds nothing or an Error.
//
// An Error's message is for people: what is wrong, where, and what to do. Code never reads it; where a
// caller must act on the kind of failure, the function returns a type of its own that says the kind
// (HttpOutcome, SendOutcome). Messages never contain secrets.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace tributary {

struct Error {
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace tributary

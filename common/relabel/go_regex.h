// Regexes as Prometheus means them, on RE2: Go's syntax, anchored, '.' matching newlines too.
//
// Go's regexp and RE2 share syntax and leftmost-first semantics but for a few details:
//   - (?<name>...) is rewritten to (?P<name>...), since Debian 12's RE2 does not know it;
//   - \C (a single byte) is RE2's alone and refused, as Go does;
//   - Unicode categories by their long names (\p{Letter}) are Go's alone, and an error here; group
//   names
//     beyond ASCII are RE2's alone, and harmless;
//   - Go reads an invalid byte as U+FFFD, which '.' matches; RE2 matches it with nothing. Labels
//   are
//     valid UTF-8 here (parsers and configuration refuse all else), so that does not arise.
// Compiled regexes may be used from any thread.
#pragma once

#include <memory>
#include <string>

#include <re2/re2.h>

#include "common/base/status.h"

namespace tributary {

// Compiles ^(?s:REGEX)$: put together as text, like Prometheus does it, so that "a)|(b" means what
// it means there. To be searched for, not full-matched.
Result<std::unique_ptr<re2::RE2>> CompileGoRegex(const std::string& regex);

}  // namespace tributary

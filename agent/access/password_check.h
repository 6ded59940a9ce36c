// Passwords against bcrypt hashes.
//
// A hash takes some 100 ms by its very purpose, so that what was found good is remembered: as a
// keyed digest of name, password and hash, at most 100 of them. What was wrong is not, lest guesses
// push out what is good. Thread-safe; follows prometheus/exporter-toolkit web/handler.go.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/config/model.h"

namespace tributary {

struct Credentials {
  std::string name, password;
};

// Of the first Authorization header of a request, if it is a good one of the scheme Basic (RFC
// 7617).
std::optional<Credentials> ParseBasicAuth(std::string_view head);

class PasswordCheck {
 public:
  using Users = std::map<std::string, Secret>;  // name to bcrypt hash

  PasswordCheck();
  // Whether these have been found good before. Takes microseconds.
  bool Recall(const Users& users, const Credentials& credentials);
  // Takes as long as a hash does, whether or not there is a user of that name.
  bool Compute(const Users& users, const Credentials& credentials);

 private:
  std::string Digest(const Credentials& credentials, const std::string& hash) const;

  const std::string key_;
  std::mutex mutex_;
  std::list<std::string> good_;  // latest first
};

}  // namespace tributary

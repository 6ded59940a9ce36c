#include "agent/access/password_check.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <memory>

#include "common/base/assert.h"
#include "common/base/base64.h"
#include "common/base/trim.h"

namespace tributary {
namespace {

constexpr size_t kGoodMax = 100;
constexpr size_t kKeyBytes = 32;
// bcrypt looks at no more.
constexpr size_t kPasswordBytesMax = 72;
// Salt and hash together, behind the cost.
constexpr size_t kSaltAndHashBytes = 53;
constexpr std::string_view kUsualCost = "10";

std::string RandomKey() {
  std::string key(kKeyBytes, '\0');
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) ==
        1);
  return key;
}

bool StartsWithoutCase(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && strncasecmp(text.data(), start.data(), start.size()) == 0;
}

// $2a$ and $2y$ are $2b$ by other names: what differed were errors of programs long gone, which
// libcrypt repeats for $2a$ and Go does not.
std::string Bcrypt(const std::string& password, const std::string& hash) {
  auto data = std::make_unique<crypt_data>();
  const std::string setting = "$2b" + hash.substr(3);
  const char* made =
      crypt_r(password.substr(0, kPasswordBytesMax).c_str(), setting.c_str(), data.get());
  std::string result = made == nullptr ? "" : made;
  OPENSSL_cleanse(data.get(), sizeof(*data));
  return result;
}

}  // namespace

std::optional<Credentials> ParseBasicAuth(std::string_view head) {
  constexpr std::string_view kName = "authorization:", kScheme = "basic ";
  for (size_t end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
    head.remove_prefix(end + 2);
    if (head.starts_with("\r\n")) break;
    if (!StartsWithoutCase(head, kName)) continue;
    std::string_view value = Trim(head.substr(kName.size(), head.find("\r\n") - kName.size()));
    if (!StartsWithoutCase(value, kScheme)) return std::nullopt;
    const auto text = DecodeBase64(Trim(value.substr(kScheme.size())));
    const size_t colon = text ? text->find(':') : std::string::npos;
    if (colon == std::string::npos) return std::nullopt;
    return Credentials{text->substr(0, colon), text->substr(colon + 1)};
  }
  return std::nullopt;
}

PasswordCheck::PasswordCheck() : key_(RandomKey()) {}

std::string PasswordCheck::Digest(const Credentials& credentials, const std::string& hash) const {
  std::string all;
  for (const std::string* part : {&credentials.name, &credentials.password, &hash}) {
    all += std::to_string(part->size()) + ":" + *part;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest.data(),
             &size) != nullptr);
  OPENSSL_cleanse(all.data(), all.size());
  return {reinterpret_cast<const char*>(digest.data()), size};
}

bool PasswordCheck::Recall(const Users& users, const Credentials& credentials) {
  const auto user = users.find(credentials.name);
  if (user == users.end()) return false;
  const std::string digest = Digest(credentials, user->second.value);
  const std::lock_guard lock(mutex_);
  const auto found = std::find(good_.begin(), good_.end(), digest);
  if (found == good_.end()) return false;
  good_.splice(good_.begin(), good_, found);
  return true;
}

bool PasswordCheck::Compute(const Users& users, const Credentials& credentials) {
  const auto user = users.find(credentials.name);
  std::string hash;
  if (user != users.end()) {
    hash = user->second.value;
  } else {
    // As much work as for the others, so that the time does not tell who exists.
    hash = "$2b$";
    hash += users.empty() ? kUsualCost : std::string_view(users.begin()->second.value).substr(4, 2);
    hash += "$";
    hash += std::string(kSaltAndHashBytes, '.');
  }
  const std::string made = Bcrypt(credentials.password, hash);
  // What follows "$2b".
  const bool equal = made.size() == hash.size() &&
                     CRYPTO_memcmp(made.data() + 3, hash.data() + 3, hash.size() - 3) == 0;
  // libcrypt would stop at a NUL byte, and take what stands before it for all.
  const bool whole = credentials.password.find('\0') == std::string::npos;
  if (user == users.end() || !equal || !whole) return false;
  std::string digest = Digest(credentials, hash);
  const std::lock_guard lock(mutex_);
  good_.remove(digest);
  good_.push_front(std::move(digest));
  if (good_.size() > kGoodMax) good_.pop_back();
  return true;
}

}  // namespace tributary

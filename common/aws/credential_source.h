// The identity to sign with, kept fresh.
//
// It is fetched when it is first asked for, and again five to six minutes before it expires (after
// half its life if that is shorter), and at least once an hour if it expires at all: by one fetch
// at a time, while the old one is used until it has expired. After a fetch that failed there is a
// pause, from 1 s doubling to a minute. Keys of a shared file are read again once a minute.
//
// One thread (the loop's).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/aws/clock.h"
#include "common/aws/credential_fetch.h"
#include "common/aws/credential_plan.h"

namespace tributary {

class CredentialSource {
 public:
  // Ran at the end of each fetch that somebody may be waiting for; must not end the source.
  using Fetched = std::function<void(const Status& fetched)>;

  // `sts`: as CredentialFetch's.
  CredentialSource(EventLoop& loop, HttpTransport& transport, FileSystem& files, AwsGetenv getenv,
                   AwsClock& clock, const Sigv4Config& config, Fetched fetched,
                   const HttpClientConfig* sts = nullptr);
  CredentialSource(const CredentialSource&) = delete;
  CredentialSource& operator=(const CredentialSource&) = delete;

  // Valid until the loop goes on. Null: a fetch is under way and will tell. An error: there is
  // none, and the last fetch has failed a moment ago.
  Result<const AwsIdentity*> Current();
  // A service has refused keys: they are used no more, if they still are what Current would give.
  void Refuse(const std::string& access_key_id);
  uint64_t failures() const { return failures_total_; }

 private:
  bool IsUsable() const;
  void Begin();
  void Take(Result<AwsIdentity> identity, bool of_file);

  EventLoop& loop_;
  FileSystem& files_;
  const AwsGetenv getenv_;
  AwsClock& clock_;
  const Sigv4Config config_;
  const Fetched fetched_;
  CredentialFetch fetch_;

  std::optional<AwsIdentity> identity_;
  MonotonicTime renew_ = MonotonicTime::max();
  bool fetching_ = false;
  std::string error_;
  uint64_t failures_ = 0;  // in a row
  uint64_t failures_total_ = 0;
  MonotonicTime not_before_{};
};

}  // namespace tributary

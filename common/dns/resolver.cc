#include "common/dns/resolver.h"

#include <utility>

#include <fmt/format.h>

#include "common/dns/resolv_conf.h"

namespace tributary {
namespace {

constexpr size_t kResolvConfBytesMax = 64 << 10;

// An answer that says something about the name: it exists, or it does not.
bool IsViable(const DnsMessage& answer) {
  return answer.rcode == kDnsNoError || answer.rcode == kDnsNameError;
}

}  // namespace

struct Resolver::Lookup {
  LookupId id = 0;
  std::string name;
  DnsType type = DnsType::kSrv;
  Done done;
  bool running = false;
  std::vector<std::string> servers;
  std::vector<std::string> names;
  size_t next_server = 0;
  size_t next_name = 0;
  std::string last_error;  // of the last question without a viable answer
  std::string error;       // of a name about which no server had one; empty: there is none
  DnsRequestId request = 0;
};

Resolver::Resolver(EventLoop& loop, FileSystem& files, DnsTransport& transport,
                   ResolverOptions options)
    : files_(files), transport_(transport), options_(std::move(options)), begin_(loop) {}

Resolver::~Resolver() {
  for (const auto& [id, lookup] : lookups_) transport_.Cancel(lookup->request);
}

LookupId Resolver::Start(const std::string& name, DnsType type, Done done) {
  const LookupId id = ++last_id_;
  auto lookup = std::make_unique<Lookup>();
  lookup->id = id;
  lookup->name = name;
  lookup->type = type;
  lookup->done = std::move(done);
  lookups_.emplace(id, std::move(lookup));
  waiting_.push_back(id);
  if (!begin_.active()) begin_.SetAfter(nanoseconds(0), [this] { BeginWaiting(); });
  return id;
}

void Resolver::Cancel(LookupId id) {
  const auto found = lookups_.find(id);
  if (found == lookups_.end()) return;
  transport_.Cancel(found->second->request);
  if (found->second->running) running_--;
  lookups_.erase(found);
  if (!waiting_.empty() && !begin_.active()) {
    begin_.SetAfter(nanoseconds(0), [this] { BeginWaiting(); });
  }
}

void Resolver::BeginWaiting() {
  // Those that end at once may make new ones: these have their turn in a later call.
  for (size_t left = waiting_.size(); left > 0 && running_ < kLookupsMax; left--) {
    const auto found = lookups_.find(waiting_.front());
    waiting_.pop_front();
    if (found != lookups_.end()) Begin(*found->second);
  }
}

void Resolver::Begin(Lookup& lookup) {
  lookup.running = true;
  running_++;
  const Result<std::string> text = files_.ReadFile(options_.resolv_conf, kResolvConfBytesMax);
  if (!text) return End(lookup, Fail(text.error().message));
  ResolvConf conf = ParseResolvConf(*text);
  lookup.names = SearchNames(conf, lookup.name);
  lookup.servers = std::move(conf.servers);
  if (lookup.servers.empty()) {
    return End(lookup, Fail(options_.resolv_conf + " names no server"));
  }
  AskNext(lookup);
}

void Resolver::AskNext(Lookup& lookup) {
  if (lookup.next_server == lookup.servers.size()) {  // none of them had a viable answer
    lookup.error = lookup.last_error;
    lookup.next_server = 0;
    lookup.next_name++;
  }
  if (lookup.next_name == lookup.names.size()) {
    if (lookup.error.empty()) return End(lookup, std::vector<DnsRecord>());
    return End(lookup, Fail(fmt::format("cannot resolve \"{}\": {}", lookup.name, lookup.error)));
  }
  lookup.request = transport_.Ask({lookup.servers[lookup.next_server], options_.port,
                                   lookup.names[lookup.next_name], lookup.type},
                                  [this, &lookup](Result<DnsMessage> answer) {
                                    lookup.request = 0;
                                    Answered(lookup, std::move(answer));
                                  });
}

void Resolver::Answered(Lookup& lookup, Result<DnsMessage> answer) {
  if (answer && !answer->truncated && IsViable(*answer)) {
    if (answer->rcode == kDnsNoError) return End(lookup, std::move(answer->answers));
    lookup.next_server = 0;
    lookup.next_name++;
    return AskNext(lookup);
  }
  const std::string reason = !answer             ? answer.error().message
                             : answer->truncated ? "the answer is too large"
                                                 : fmt::format("answers code {}", answer->rcode);
  lookup.last_error = fmt::format("server {}, asked for {}: {}", lookup.servers[lookup.next_server],
                                  lookup.names[lookup.next_name], reason);
  lookup.next_server++;
  AskNext(lookup);
}

void Resolver::End(Lookup& lookup, Result<std::vector<DnsRecord>> result) {
  const Done done = std::move(lookup.done);
  running_--;
  lookups_.erase(lookup.id);
  if (!waiting_.empty() && !begin_.active()) {
    begin_.SetAfter(nanoseconds(0), [this] { BeginWaiting(); });
  }
  done(std::move(result));
}

}  // namespace tributary

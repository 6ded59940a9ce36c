#include "agent/web/gate.h"

#include <utility>

#include "agent/web/conversation.h"
#include "agent/web/reception.h"

namespace tributary {
namespace {

constexpr size_t kWaitingMax = 16;

}  // namespace

Gate::~Gate() {
  stopping_ = true;
  pool_.shutdown();
}

void Gate::Refuse(Conversation& conversation) {
  counters_.credentials++;
  conversation.write(RefusalResponse("401 Unauthorized", "Unauthorized\n", conversation.terms(),
                                     "WWW-Authenticate: Basic\r\n"));
}

void Gate::Pass(std::unique_ptr<Conversation> conversation, Door door) {
  const WebTerms* const terms = conversation->terms();
  if (terms == nullptr || terms->config->users.empty()) return door(std::move(conversation));
  auto credentials = ParseBasicAuth(conversation->head());
  if (!credentials) return Refuse(*conversation);
  if (passwords_.Recall(terms->config->users, *credentials)) return door(std::move(conversation));
  if (waiting_.load() >= kWaitingMax) {
    counters_.busy++;
    conversation->write(
        RefusalResponse("503 Service Unavailable", "busy; try again\n", conversation->terms()));
    return;
  }
  waiting_++;
  // std::function wants to be copied.
  auto shared = std::make_shared<std::unique_ptr<Conversation>>(std::move(conversation));
  pool_.enqueue([this, shared, credentials = *std::move(credentials), door = std::move(door)] {
    if (!stopping_) {
      const PasswordCheck::Users& users = (*shared)->terms()->config->users;
      const bool good =
          passwords_.Recall(users, credentials) || passwords_.Compute(users, credentials);
      good ? door(std::move(*shared)) : Refuse(**shared);
    }
    shared->reset();
    waiting_--;
  });
}

}  // namespace tributary

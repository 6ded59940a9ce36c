// Where everything is that a remote's reader of the log was to get: nothing comes or goes
// uncounted. A value; pure.
//
//   accepted + recovered = sent + failed + dropped + unwanted + pending + unread
//
// holds for each kind at all times, exactly. Of one reader in one process: what an earlier process
// has left is `recovered`, and may have been delivered by it.
#pragma once

#include "agent/remote/remote_queue_stats.h"
#include "agent/series/samples.h"

namespace tributary {

struct RemoteLedger {
  SampleCounts accepted;   // put into the log since the reader was added
  SampleCounts recovered;  // left in the log by an earlier process
  SampleCounts sent, failed;
  DropCounts dropped;
  SampleCounts unwanted;  // of kinds that the remote is not configured to send
  SampleCounts pending;   // in hand
  SampleCounts unread;    // in the log

  SampleCounts in() const { return accepted + recovered; }
  SampleCounts out() const { return sent + failed + dropped.total() + unwanted + pending + unread; }
  bool balances() const { return in() == out(); }
};

}  // namespace tributary

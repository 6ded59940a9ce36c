// A worker with its threads, loop and transport, and with what serves those who send to it.
//
// Made and ended by the control thread; what is marked so is called on the worker's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/access/password_check.h"
#include "agent/receive/replica_file.h"
#include "agent/web/write_server.h"
#include "agent/worker/worker.h"
#include "common/event/io_thread.h"
#include "common/event/system_event_loop.h"
#include "common/file/posix_file_system.h"
#include "common/http/system_transport.h"

namespace tributary {

class WorkerThread {
 public:
  WorkerThread();
  ~WorkerThread() { End(); }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // Opens the log, which may take a while, and starts the thread. `log`: null to keep samples in
  // memory. Files and logger outlive it.
  Status Start(PosixFileSystem& files, Logger& logger, const DiskLogOptions* log,
               WorkerOptions options);
  // Its thread runs no more. Others may still post to its loop, until it is destroyed.
  void End();

  SystemEventLoop& loop() { return loop_; }
  Worker& worker() { return *worker_; }

  // On the loop, once: from now on it takes what is sent to it. `peers`: of all workers, in their
  // order. `passwords`: null: everybody may send.
  void Receive(std::vector<Receiver::Peer> peers, std::shared_ptr<VisitorReturns> returns,
               PasswordCheck* passwords);
  // On the loop, after Receive: a connection of somebody who may.
  void Adopt(WriteVisitor visitor) { writes_->Adopt(std::move(visitor)); }
  // On the loop, by one of the workers: writes down who is elected.
  void SaveReplicas(Disk& disk, const ReplicaElection& election, const std::string& path);
  // On the loop.
  void Collect(MetricSink& sink) const;

 private:
  const HashKey hash_;
  SystemEventLoop loop_;
  IoThread io_{loop_}, slow_io_{loop_};
  SystemTransport transport_;
  std::optional<Worker> worker_;
  std::optional<WriteServer> writes_;        // none: nothing is received
  std::optional<ReplicaFile> replica_file_;  // none: nobody was elected
  std::thread thread_;
};

}  // namespace tributary

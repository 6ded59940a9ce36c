#include "agent/daemon/worker_thread.h"

#include <utility>

namespace tributary {

namespace {

// Idle connections that may be kept: one for each of so many targets. Those that their servers have
// closed are found and given up when others are made.
constexpr size_t kConnectionsMax = 8192;

}  // namespace

WorkerThread::WorkerThread()
    : hash_(HashKey::Random()),
      transport_(loop_, CurlTransportOptions{.connections_max = kConnectionsMax}) {}

Status WorkerThread::Start(PosixFileSystem& files, Logger& logger, const DiskLogOptions* log,
                           WorkerOptions options) {
  if (log != nullptr) {
    auto opened = DiskLog::Open({loop_, files, io_, logger, &slow_io_}, *log);
    if (!opened) return Fail(opened.error().message);
    options.disk = std::move(*opened);
    options.dead_letters.disk = &files;
    options.dead_letters.work = &slow_io_;
    options.aggregates.place.disk = &files;
    options.aggregates.place.work = &slow_io_;
  }
  worker_.emplace(loop_, transport_, files, logger, hash_, std::move(options));
  thread_ = std::thread([this] { loop_.Run(); });
  return {};
}

void WorkerThread::End() {
  if (!thread_.joinable()) return;
  loop_.Stop();
  thread_.join();
}

void WorkerThread::Receive(std::vector<Receiver::Peer> peers,
                           std::shared_ptr<VisitorReturns> returns, PasswordCheck* passwords) {
  Receiver& receiver = worker_->receiver();
  receiver.SetPeers(std::move(peers));
  receiver.TurnOn();
  writes_.emplace(loop_, WriteServerOptions{},
                  WriteServer::Seams{[&receiver](IncomingWrite request, WriteDone done) {
                                       receiver.Take(request, std::move(done));
                                     },
                                     [&receiver] { return receiver.body_bytes_max(); },
                                     std::move(returns), passwords});
}

void WorkerThread::SaveReplicas(Disk& disk, const ReplicaElection& election,
                                const std::string& path) {
  if (!replica_file_) replica_file_.emplace(disk, slow_io_, election, path);
  replica_file_->Save();
}

void WorkerThread::Collect(MetricSink& sink) const {
  worker_->Collect(sink);
  if (!writes_) return;
  writes_->Collect(sink);
  sink.AddCounter("tributary_receive_replica_file_failures_total",
                  "Times that who is elected could not be written down.", {},
                  replica_file_ ? static_cast<double>(replica_file_->failures()) : 0);
}

}  // namespace tributary

// A receiver of traces by OTLP, over gRPC and over HTTP: reads what is exported with libprotobuf,
// and answers as it is told. For any server that plays ReplyScripts.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "test/support/scripted_reply.h"

namespace tributary {

struct ReceivedSpan {
  std::string trace_id, span_id, parent_id;  // bytes; no parent: empty
  std::string name;
  int kind = 0;
  uint64_t start_ns = 0, end_ns = 0;
  std::map<std::string, std::string> attributes;  // numbers in digits
  std::vector<std::string> errors;                // messages of its exceptions
  int status = 0;
  std::string status_message;
};

class TraceReceiver {
 public:
  // To be played by one server.
  ReplyScript Script() {
    return [this](const ServedRequest& request) { return Serve(request); };
  }
  static ScriptedReply GrpcReply(int code, const std::string& message = "",
                                 const std::string& response = "");
  // The message ExportTraceServiceResponse.
  static std::string PartialSuccess(int64_t rejected, const std::string& message);

  // By gRPC: code 0 and an empty response; by HTTP: 200.
  std::function<ScriptedReply(const ServedRequest&)> answer;
  std::vector<ServedRequest> requests;
  std::map<std::string, std::string> resource;  // of the last request
  // Of the requests that were answered with success.
  std::vector<ReceivedSpan> spans;
  std::vector<std::string> problems;  // what is wrong with requests

  // Those of the name.
  std::vector<ReceivedSpan> Named(const std::string& name) const;

 private:
  ScriptedReply Serve(const ServedRequest& request);
  std::vector<ReceivedSpan> Read(const ServedRequest& request);
  void Check(bool good, const std::string& problem) {
    if (!good) problems.push_back(problem);
  }
};

}  // namespace tributary

// The checks between the options of one section: what Prometheus' Validate and UnmarshalYAML
// refuse. Each reports every problem it sees; none reads the clock or the environment, and but for
// the last ones none a file.
#pragma once

#include <optional>
#include <string>

#include "common/config/model.h"
#include "common/config/options.h"
#include "common/config/value.h"
#include "common/file/file_system.h"

namespace tributary {

void CheckHttpClient(SectionValue& section, CheckContext& context);
void CheckTls(SectionValue& section, CheckContext& context);
void CheckHttpHeaders(const Value& headers, CheckContext& context);

void CheckScrapeConfig(SectionValue& section, CheckContext& context);
void CheckGlobal(SectionValue& section, CheckContext& context);
void CheckFile(SectionValue& section, CheckContext& context);
void CheckReceive(SectionValue& section, CheckContext& context);
void CheckTributary(SectionValue& section, CheckContext& context);
void CheckAggregate(SectionValue& section, CheckContext& context);
void CheckDownsample(SectionValue& section, CheckContext& context);
void CheckRelabel(SectionValue& section, CheckContext& context);

void CheckRemoteWrite(SectionValue& section, CheckContext& context);
void CheckRemoteErrors(SectionValue& section, CheckContext& context);
void CheckRemoteShare(SectionValue& section, CheckContext& context);
// Whether the members of each group agree. `errors`: the section `tributary` of all remotes, or
// null.
void CheckRemoteShares(const Value& remotes, const SectionValue* errors, CheckContext& context);
// What holds for a remote of its options of `tributary`; null: nothing is said.
const SectionValue* OwnOrCommon(const SectionValue& remote, const SectionValue* errors);
void CheckQueue(SectionValue& section, CheckContext& context);
void CheckMetadata(SectionValue& section, CheckContext& context);
void CheckSigv4(SectionValue& section, CheckContext& context);
void CheckAzureAd(SectionValue& section, CheckContext& context);

void CheckRetention(SectionValue& section, CheckContext& context);
void CheckTracing(SectionValue& section, CheckContext& context);
// The endpoint as an address: without the "dns:///" that gRPC's clients take, and with a host.
std::string TracingAddress(const SectionValue& tracing);
void CheckOtlp(SectionValue& section, CheckContext& context);

void CheckFileSd(SectionValue& section, CheckContext& context);
void CheckHttpSd(SectionValue& section, CheckContext& context);
void CheckDnsSd(SectionValue& section, CheckContext& context);
void CheckKubernetesSd(SectionValue& section, CheckContext& context);
void CheckAwsSd(SectionValue& section, CheckContext& context);
void CheckEc2Sd(SectionValue& section, CheckContext& context);
void CheckEcsSd(SectionValue& section, CheckContext& context);
void CheckEcsTaskSd(SectionValue& section, CheckContext& context);
void CheckConsulSd(SectionValue& section, CheckContext& context);
void CheckAzureSd(SectionValue& section, CheckContext& context);
void CheckMarathonSd(SectionValue& section, CheckContext& context);
void CheckOutscaleSd(SectionValue& section, CheckContext& context);
void CheckScalewaySd(SectionValue& section, CheckContext& context);
void CheckStackitSd(SectionValue& section, CheckContext& context);
void CheckPuppetDbSd(SectionValue& section, CheckContext& context);
void CheckOciSd(SectionValue& section, CheckContext& context);
void CheckZookeeperSd(SectionValue& section, CheckContext& context);
void CheckServerUrl(SectionValue& section, CheckContext& context);

// Of "SRV", "a" and so on; nullopt for any other text.
std::optional<DnsSdType> ParseDnsSdType(const std::string& text);
// Of "sum" and so on.
std::optional<AggregateOutput> ParseAggregateOutput(const std::string& text);
// Of "pod" and so on.
std::optional<KubeRole> ParseKubeRole(const std::string& text);

// These look at files, as far as promtool and Prometheus' start do: LoadOptions::check_files.
// A remote is whatever has a tls_config: `tracing` too.
void CheckJobFiles(const SectionValue& job, FileSystem& files, CheckContext& context);
void CheckRemoteFiles(const SectionValue& remote, FileSystem& files, CheckContext& context);

}  // namespace tributary

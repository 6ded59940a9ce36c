// Puts a file together: what jobs inherit from global, the rules between entries, the environment
// in external labels; then makes a Config of it.
//
// Follows prometheus/prometheus config/config.go: Load, GetScrapeConfigs and the Validate
// functions.
#pragma once

#include <string>
#include <vector>

#include "common/config/loader.h"
#include "common/config/value.h"

namespace tributary {

// Replaces $NAME, ${NAME} and $$ in the values of external_labels as Go's os.Expand does.
void ExpandExternalLabels(SectionValue& global, const LoadOptions& options, CheckContext& context);
std::string ExpandEnvironment(const std::string& text, const LoadOptions& options,
                              std::vector<std::string>* missing);

// Fills in what a job inherits, and checks what needs both.
void ResolveJob(const SectionValue& global, SectionValue& job, const LoadOptions& options,
                CheckContext& context);
// Fills in what jobs and remotes have from the section `tributary` of the top level.
void ResolveScrapeLimits(const SectionValue& limits, SectionValue& job);
void ResolveRemoteErrors(const SectionValue& errors, Value& remotes, CheckContext& context);
void CheckRelabelRules(const Value& rules, NameValidation validation, CheckContext& context);

// Of a section that has passed all checks.
GlobalConfig MakeGlobal(const SectionValue& global);
// `file`: where it stands.
// `limits`: what the top level says of them; null: nothing.
ScrapeConfig MakeScrapeConfig(const SectionValue& job, const SectionValue* limits,
                              const LoadOptions& options, const std::string& file);
// `errors`: what the top level says of them; null: nothing.
RemoteWriteConfig MakeRemoteWrite(const SectionValue& remote, const SectionValue* errors,
                                  const std::string& file);
HttpClientConfig MakeHttpClient(const SectionValue& section);
TracingConfig MakeTracing(const SectionValue& tracing);
ReceiveConfig MakeReceive(const SectionValue& receive);
AggregateConfig MakeAggregate(const SectionValue& aggregate);
DownsampleConfig MakeDownsample(const SectionValue& downsample);
std::vector<RelabelConfig> MakeRelabels(const Value& rules, const std::string& file);
NameValidation ValidationOf(const SectionValue& section);

}  // namespace tributary

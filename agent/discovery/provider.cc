#include "agent/discovery/provider.h"

#include <algorithm>
#include <utility>

#include "agent/discovery/aws/ec2_provider.h"
#include "agent/discovery/aws/ecs_provider.h"
#include "agent/discovery/aws/ecs_task_provider.h"
#include "agent/discovery/dns_provider.h"
#include "agent/discovery/file_provider.h"
#include "agent/discovery/http_provider.h"
#include "agent/discovery/kubernetes_provider.h"

namespace tributary {

std::vector<SdConfig> SdConfigs(const ScrapeConfig& config) {
  std::vector<SdConfig> all;
  const auto append = [&all](const auto& configs) {
    for (const auto& entry : configs) {
      SdConfig one(entry);
      if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
    }
  };
  append(config.file_sd_configs);
  append(config.http_sd_configs);
  append(config.dns_sd_configs);
  append(config.ec2_sd_configs);
  append(config.ecs_sd_configs);
  append(config.ecs_task_sd_configs);
  append(config.kubernetes_sd_configs);
  return all;
}

std::unique_ptr<Provider> MakeProvider(const SdConfig& config, const std::string& job,
                                       SdEnvironment& environment, std::function<void()> changed) {
  struct Maker {
    std::unique_ptr<Provider> operator()(const FileSdConfig& file) const {
      return std::make_unique<FileProvider>(environment, file, changed);
    }
    std::unique_ptr<Provider> operator()(const HttpSdConfig& http) const {
      return std::make_unique<HttpProvider>(environment, http, job, changed);
    }
    std::unique_ptr<Provider> operator()(const DnsSdConfig& dns) const {
      return std::make_unique<DnsProvider>(environment, dns, job, changed);
    }
    std::unique_ptr<Provider> operator()(const Ec2SdConfig& ec2) const {
      return std::make_unique<Ec2Provider>(environment, ec2, job, changed);
    }
    std::unique_ptr<Provider> operator()(const EcsSdConfig& ecs) const {
      return std::make_unique<EcsProvider>(environment, ecs, job, changed);
    }
    std::unique_ptr<Provider> operator()(const EcsTaskSdConfig& task) const {
      return std::make_unique<EcsTaskProvider>(environment, task, job, changed);
    }
    std::unique_ptr<Provider> operator()(const KubernetesSdConfig& kubernetes) const {
      return std::make_unique<KubernetesProvider>(environment, kubernetes, changed);
    }
    const std::string& job;
    SdEnvironment& environment;
    const std::function<void()>& changed;
  };
  return std::visit(Maker{job, environment, changed}, config);
}

}  // namespace tributary

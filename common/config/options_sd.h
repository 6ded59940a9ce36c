// The sections of service discovery, named so that the list of mechanisms can gather them.
#pragma once

#include <string_view>

#include "common/config/options.h"

namespace tributary {

const Section& FilterSection();
Option FiltersOption();
Option PortOption(std::string_view fallback);
Option RefreshIntervalOption(std::string_view fallback);

const Section& AwsSdSection();
const Section& AzureSdSection();
const Section& ConsulSdSection();
const Section& DigitalOceanSdSection();
const Section& DnsSdSection();
const Section& DockerSdSection();
const Section& DockerSwarmSdSection();
const Section& Ec2SdSection();
const Section& EcsSdSection();
const Section& EcsTaskSdSection();
const Section& ElasticacheSdSection();
const Section& EurekaSdSection();
const Section& FileSdSection();
const Section& GceSdSection();
const Section& HetznerSdSection();
const Section& HttpSdSection();
const Section& IonosSdSection();
const Section& KubernetesSdSection();
const Section& KumaSdSection();
const Section& LightsailSdSection();
const Section& LinodeSdSection();
const Section& MarathonSdSection();
const Section& MskSdSection();
const Section& NerveSdSection();
const Section& NomadSdSection();
const Section& OciSdSection();
const Section& OpenstackSdSection();
const Section& OutscaleSdSection();
const Section& OvhCloudSdSection();
const Section& PuppetDbSdSection();
const Section& RdsSdSection();
const Section& ScalewaySdSection();
const Section& ServersetSdSection();
const Section& StackitSdSection();
const Section& TritonSdSection();
const Section& UyuniSdSection();
const Section& VultrSdSection();

}  // namespace tributary

// What each role makes of objects; the objects and their labels are those of
// prometheus/prometheus discovery/kubernetes/*_test.go (3.16).
#include "agent/discovery/kubernetes/roles.h"

#include "test/support/catch.h"
#include "test/unit/agent/discovery/kubernetes/kubernetes_world.h"

namespace tributary {
namespace {

const std::string kPod = R"({
  "metadata": {"name": "testpod", "namespace": "default", "uid": "abc123",
    "labels": {"test/label": "testvalue"}, "annotations": {"test/annotation": "testannotationvalue"},
    "ownerReferences": [{"kind": "No", "name": "no"}, {"kind": "testcontrollerkind",
      "name": "testcontrollername", "controller": true}]},
  "spec": {"nodeName": "testnode", "containers": [
    {"name": "testcontainer0", "image": "testcontainer0:latest", "ports": [
      {"name": "testport0", "protocol": "TCP", "containerPort": 9000},
      {"name": "testport1", "protocol": "UDP", "containerPort": 9001}]},
    {"name": "testcontainer1", "image": "testcontainer1:latest"}],
    "initContainers": [{"name": "init", "image": "init:latest", "ports": null}]},
  "status": {"podIP": "1.2.3.4", "hostIP": "2.3.4.5", "phase": "Running",
    "conditions": [{"type": "Initialized", "status": "False"}, {"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "testcontainer0", "containerID": "docker://a1"},
                          {"name": "testcontainer1", "containerID": "containerd://6f"}],
    "initContainerStatuses": [{"name": "init", "containerID": "containerd://in"}]}})";

const std::string kPodLabels =
    "pod_controller_kind=testcontrollerkind pod_controller_name=testcontrollername "
    "pod_host_ip=2.3.4.5 pod_ip=1.2.3.4 pod_label_test_label=testvalue "
    "pod_labelpresent_test_label=true pod_name=testpod pod_node_name=testnode pod_phase=Running ";

TEST_CASE("kubernetes pods: a target for each port of each container") {
  KubernetesWorld world;
  world.api.Put("pods", kPod);
  world.Discover(KubernetesJob(KubeRole::kPod));
  const std::string annotations =
      "pod_annotation_test_annotation=testannotationvalue "
      "pod_annotationpresent_test_annotation=true ";
  const std::string end = kPodLabels + "pod_ready=true pod_uid=abc123\n";
  CHECK(world.Lines() ==
        "pod/default/testpod 1.2.3.4 namespace=default " + annotations +
            "pod_container_id=containerd://6f pod_container_image=testcontainer1:latest "
            "pod_container_init=false pod_container_name=testcontainer1 " +
            end + "pod/default/testpod 1.2.3.4 namespace=default " + annotations +
            "pod_container_id=containerd://in pod_container_image=init:latest "
            "pod_container_init=true pod_container_name=init " +
            end + "pod/default/testpod 1.2.3.4:9000 namespace=default " + annotations +
            "pod_container_id=docker://a1 pod_container_image=testcontainer0:latest "
            "pod_container_init=false pod_container_name=testcontainer0 "
            "pod_container_port_name=testport0 pod_container_port_number=9000 "
            "pod_container_port_protocol=TCP " +
            end + "pod/default/testpod 1.2.3.4:9001 namespace=default " + annotations +
            "pod_container_id=docker://a1 pod_container_image=testcontainer0:latest "
            "pod_container_init=false pod_container_name=testcontainer0 "
            "pod_container_port_name=testport1 pod_container_port_number=9001 "
            "pod_container_port_protocol=UDP " +
            end);
  CHECK(world.Events("pod", "add") == 1);
}

TEST_CASE("kubernetes pods: no target without an address; IPv6 addresses get brackets") {
  KubernetesWorld world;
  world.api.Put("pods", PodJson("a", "starting", ""));
  world.api.Put("pods", PodJson("a", "six", "fd00::1"));
  world.Discover(KubernetesJob(KubeRole::kPod));
  CHECK(world.Lines() ==
        "pod/a/six [fd00::1]:80 namespace=a pod_container_image=i pod_container_init=false "
        "pod_container_name=c pod_container_port_number=80 pod_container_port_protocol=TCP "
        "pod_ip=fd00::1 pod_name=six pod_node_name=n1 pod_phase=Running pod_ready=unknown\n");
}

// The labels of the line that are about `kind`.
std::string About(const std::string& line, const std::string& kind) {
  std::string about;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find_first_of(" \n", at), line.size());
    const std::string word = line.substr(at, end - at);
    if (word.starts_with(kind)) about += word + " ";
    at = end + 1;
  }
  return about;
}

TEST_CASE("kubernetes pods: metadata of node, namespace, deployment, job and cron job") {
  KubernetesWorld world;
  const auto owned = [](const std::string& kind, const std::string& name) {
    return R"(, "ownerReferences": [{"kind": ")" + kind + R"(", "name": ")" + name +
           R"(", "controller": true}])";
  };
  world.api.Put("pods", PodJson("a", "web", "1.1.1.1", "n1", owned("ReplicaSet", "web-1")));
  world.api.Put("pods", PodJson("a", "run", "2.2.2.2", "n1", owned("Job", "run-1")));
  world.api.Put("pods", PodJson("a", "elsewhere", "3.3.3.3", "n2"));
  world.api.Put("nodes", R"({"metadata": {"name": "n1", "labels": {"zone": "z"}}})");
  world.api.Put("namespaces", R"({"metadata": {"name": "a", "annotations": {"team": "t"}}})");
  world.api.Put("replicasets", R"({"metadata": {"namespace": "a", "name": "web-1")" +
                                   owned("Deployment", "web") + "}}");
  world.api.Put("jobs", R"({"metadata": {"namespace": "a", "name": "run-1")" +
                            owned("CronJob", "run") + "}}");
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  KubernetesSdConfig& sd = job.kubernetes_sd_configs[0];
  sd.attach_node = sd.attach_namespace = true;
  sd.attach_deployment = sd.attach_job = sd.attach_cronjob = true;
  world.Discover(job);
  const std::string lines = world.Lines();
  const std::string run = lines.substr(0, lines.find('\n'));
  const std::string web = lines.substr(run.size() + 1);
  // The pod on a node that is not known is none.
  REQUIRE(std::count(lines.begin(), lines.end(), '\n') == 2);
  CHECK(About(web, "node") == "node_label_zone=z node_labelpresent_zone=true node_name=n1 ");
  CHECK(About(web, "namespace") ==
        "namespace=a namespace_annotation_team=t namespace_annotationpresent_team=true ");
  CHECK(About(web, "pod_dep") == "pod_deployment_name=web ");
  CHECK(About(run, "pod_job") == "pod_job_name=run-1 ");
  CHECK(About(run, "pod_cronjob") == "pod_cronjob_name=run ");

  // What they come from changes: so do they.
  world.api.Put("nodes", R"({"metadata": {"name": "n2"}})");
  world.api.Put("nodes", R"({"metadata": {"name": "n1", "labels": {"zone": "y"}}})");
  world.api.Put("namespaces", R"({"metadata": {"name": "a"}})");
  world.api.Delete("replicasets", "a/web-1");
  world.api.Delete("jobs", "a/run-1");
  world.Run(seconds(3));
  const std::string after = world.Lines();
  CHECK(std::count(after.begin(), after.end(), '\n') == 3);
  CHECK(About(after, "node_label_") == "node_label_zone=y node_label_zone=y ");
  CHECK(About(after, "namespace_") == "");
  CHECK(About(after, "pod_dep") == "");
  CHECK(About(after, "pod_cronjob") == "");
  CHECK(About(after, "pod_job") == "pod_job_name=run-1 ");
}

TEST_CASE("kubernetes nodes: the preferred address, all kinds of addresses, and conditions") {
  KubernetesWorld world;
  world.api.Put("nodes", R"({"metadata": {"name": "test", "labels": {"test-label": "testvalue"}},
    "spec": {"providerID": "aws:///i-0"},
    "status": {"addresses": [{"type": "Hostname", "address": "host"},
        {"type": "ExternalIP", "address": "9.9.9.9"}, {"type": "InternalIP", "address": "1.2.3.4"},
        {"type": "InternalIP", "address": "1.2.3.5"}],
      "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
      "conditions": [{"type": "Ready", "status": "True"}, {"type": "My.Own", "status": "Unknown"}]}})");
  world.api.Put("nodes", R"({"metadata": {"name": "homeless"}})");
  world.Discover(KubernetesJob(KubeRole::kNode));
  CHECK(world.Lines() ==
        "node/test 1.2.3.4:10250 node_address_ExternalIP=9.9.9.9 node_address_Hostname=host "
        "node_address_InternalIP=1.2.3.4 node_condition_my_own=unknown node_condition_ready=true "
        "node_label_test_label=testvalue node_labelpresent_test_label=true node_name=test "
        "node_provider_id=aws:///i-0 instance=test\n");
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("\"homeless\" has no address") != std::string::npos);
  world.api.Put("nodes", R"({"metadata": {"name": "test"},
    "status": {"addresses": [{"type": "Hostname", "address": "host"},
      {"type": "ExternalDNS", "address": "dns"}]}})");
  world.Run(seconds(3));
  CHECK(world.Lines().starts_with("node/test dns:0 "));
}

TEST_CASE("kubernetes services: ports, external names, load balancers") {
  KubernetesWorld world;
  const auto put = [&](const std::string& name, const std::string& spec,
                       const std::string& status = "{}") {
    world.api.Put("services", R"({"metadata": {"namespace": "default", "name": ")" + name +
                                  R"("}, "status": )" + status + R"(, "spec": {"ports": [
        {"name": "testport", "protocol": "TCP", "port": 30900}], )" +
                                  spec + "}}");
  };
  put("cluster", R"("type": "ClusterIP", "clusterIP": "10.0.0.1")");
  put("external", R"("type": "ExternalName", "externalName": "Foo")");
  put("lb", R"("type": "LoadBalancer", "loadBalancerIP": "127.0.0.1", "clusterIP": "10.0.0.1")");
  put("lb2", R"("type": "LoadBalancer", "loadBalancerIP": "127.0.0.1")",
      R"({"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"hostname": "h"}, {"ip": "::1"}]}})");
  world.api.Put("namespaces", R"({"metadata": {"name": "default", "labels": {"l": "v"}}})");
  ScrapeConfig job = KubernetesJob(KubeRole::kService);
  job.kubernetes_sd_configs[0].attach_namespace = true;
  world.Discover(job);
  const std::string space = " namespace=default namespace_label_l=v namespace_labelpresent_l=true ";
  const std::string port =
      "service_port_name=testport service_port_number=30900 service_port_protocol=TCP ";
  CHECK(world.Lines() ==
        "svc/default/cluster cluster.default.svc:30900" + space +
            "service_cluster_ip=10.0.0.1 service_name=cluster " + port +
            "service_type=ClusterIP\nsvc/default/external external.default.svc:30900" + space +
            "service_external_name=Foo service_name=external " + port +
            "service_type=ExternalName\nsvc/default/lb lb.default.svc:30900" + space +
            "service_cluster_ip=10.0.0.1 service_loadbalancer_ip=127.0.0.1 service_name=lb " +
            port + "service_type=LoadBalancer\nsvc/default/lb2 lb2.default.svc:30900" + space +
            "service_loadbalancer_ip=1.1.1.1,::1 service_name=lb2 " + port +
            "service_type=LoadBalancer\n");
}

const std::string kEndpointPod = R"({
  "metadata": {"name": "testpod", "namespace": "default", "uid": "deadbeef"},
  "spec": {"nodeName": "testnode", "containers": [
    {"name": "c1", "image": "c1:latest", "ports": [
      {"name": "mainport", "containerPort": 9000, "protocol": "TCP"}]},
    {"name": "c2", "image": "c2:latest", "ports": [
      {"name": "sideport", "containerPort": 9001, "protocol": "SCTP"}]}]},
  "status": {"hostIP": "2.3.4.5", "podIP": "1.2.3.4"}})";
const std::string kEndpointPodLabels =
    "pod_host_ip=2.3.4.5 pod_ip=1.2.3.4 pod_name=testpod pod_node_name=testnode "
    "pod_ready=unknown pod_uid=deadbeef";
const std::string kMainPort =
    "pod_container_image=c1:latest pod_container_init=false pod_container_name=c1 "
    "pod_container_port_name=mainport pod_container_port_number=9000 "
    "pod_container_port_protocol=TCP ";
const std::string kSidePort =
    "pod_container_image=c2:latest pod_container_init=false pod_container_name=c2 "
    "pod_container_port_name=sideport pod_container_port_number=9001 "
    "pod_container_port_protocol=SCTP ";

TEST_CASE("kubernetes endpoints: addresses, pods behind them and their other ports, services") {
  KubernetesWorld world;
  world.api.Put("endpoints", R"({"metadata": {"name": "e", "namespace": "default",
      "annotations": {"a": "b"}},
    "subsets": [{"ports": [{"name": "testport", "port": 9000, "protocol": "TCP"}],
      "addresses": [{"ip": "4.3.2.1", "targetRef": {"kind": "Pod", "name": "testpod",
        "namespace": "default"}}, {"ip": "5.5.5.5", "hostname": "h", "nodeName": "n"},
        {"ip": "6.6.6.6", "targetRef": {"kind": "Node", "name": "n"}}],
      "notReadyAddresses": [{"ip": "7.7.7.7"}]}, {"ports": null, "addresses": [{"ip": "8.8.8.8"}]}]})");
  world.api.Put("pods", kEndpointPod);
  world.api.Put("services", R"({"metadata": {"name": "e", "namespace": "default",
    "labels": {"app": "x"}}, "spec": {}})");
  world.api.Put("nodes", R"({"metadata": {"name": "n", "labels": {"zone": "z"}}})");
  ScrapeConfig job = KubernetesJob(KubeRole::kEndpoints);
  job.kubernetes_sd_configs[0].attach_node = true;
  world.Discover(job);
  const std::string port = "endpoint_port_name=testport endpoint_port_protocol=TCP ";
  const std::string object =
      "endpoints_annotation_a=b endpoints_annotationpresent_a=true endpoints_name=e "
      "namespace=default ";
  const std::string node = "node_label_zone=z node_labelpresent_zone=true node_name=n ";
  const std::string service = "service_label_app=x service_labelpresent_app=true service_name=e\n";
  CHECK(world.Lines() ==
        "endpoints/default/e 1.2.3.4:9001 " + object + kSidePort + kEndpointPodLabels + " " +
            service +
            "endpoints/default/e 4.3.2.1:9000 endpoint_address_target_kind=Pod "
            "endpoint_address_target_name=testpod " +
            port + "endpoint_ready=true " + object + kMainPort + kEndpointPodLabels + " " +
            service + "endpoints/default/e 5.5.5.5:9000 endpoint_hostname=h endpoint_node_name=n " +
            port + "endpoint_ready=true " + object + node + service +
            "endpoints/default/e 6.6.6.6:9000 endpoint_address_target_kind=Node "
            "endpoint_address_target_name=n " +
            port + "endpoint_ready=true " + object + node + service +
            "endpoints/default/e 7.7.7.7:9000 " + port + "endpoint_ready=false " + object +
            service);
  CHECK(world.Events("endpoints", "add") == 1);
  CHECK(world.Events("service", "add") == 1);
  CHECK(world.Events("pod", "add") == 0);
  world.api.Delete("services", "default/e");
  world.api.Delete("pods", "default/testpod");
  world.Run(seconds(3));
  CHECK(world.Lines().find("service_") == std::string::npos);
  CHECK(world.Lines().find("pod_") == std::string::npos);
}

const std::string kSlice = R"({
  "metadata": {"name": "testendpoints", "namespace": "default",
    "labels": {"kubernetes.io/service-name": "svc"}},
  "addressType": "IPv4",
  "ports": [{"name": "testport", "port": 9000, "protocol": "TCP", "appProtocol": "http"},
            {"name": "all"}],
  "endpoints": [
    {"addresses": ["1.1.1.1"], "conditions": {"ready": true, "serving": true, "terminating": false},
     "hostname": "h", "targetRef": {}, "nodeName": "foobar", "zone": "us-east-1a",
     "deprecatedTopology": {"topology.k/x": "value"}},
    {"addresses": ["4.3.2.1"], "targetRef": {"kind": "Pod", "name": "testpod",
      "namespace": "default"}, "conditions": {"ready": false}},
    {"addresses": ["2.2.2.2"], "conditions": {}, "nodeName": "foobar",
     "targetRef": {"kind": "Node", "name": "barbaz"}}]})";

TEST_CASE("kubernetes endpoint slices: conditions, topology, ports without number, pods") {
  KubernetesWorld world;
  world.api.Put("endpointslices", kSlice);
  world.api.Put("pods", kEndpointPod);
  world.api.Put("nodes", R"({"metadata": {"name": "barbaz"}})");
  ScrapeConfig job = KubernetesJob(KubeRole::kEndpointSlice);
  job.kubernetes_sd_configs[0].attach_node = true;
  world.Discover(job);
  const auto labels = [](const std::string& endpoint, const std::string& port) {
    return "endpointslice_address_" + endpoint +
           "endpointslice_label_kubernetes_io_service_name=svc "
           "endpointslice_labelpresent_kubernetes_io_service_name=true "
           "endpointslice_name=testendpoints " +
           port + "namespace=default";
  };
  const std::string numbered =
      "endpointslice_port=9000 endpointslice_port_app_protocol=http "
      "endpointslice_port_name=testport endpointslice_port_protocol=TCP ";
  const std::string first =
      "type=IPv4 endpointslice_endpoint_conditions_ready=true "
      "endpointslice_endpoint_conditions_serving=true "
      "endpointslice_endpoint_conditions_terminating=false endpointslice_endpoint_hostname=h "
      "endpointslice_endpoint_node_name=foobar "
      "endpointslice_endpoint_topology_present_topology_k_x=true "
      "endpointslice_endpoint_topology_topology_k_x=value "
      "endpointslice_endpoint_zone=us-east-1a ";
  const std::string pod =
      "target_kind=Pod endpointslice_address_target_name=testpod "
      "endpointslice_address_type=IPv4 endpointslice_endpoint_conditions_ready=false ";
  const std::string node =
      "target_kind=Node endpointslice_address_target_name=barbaz "
      "endpointslice_address_type=IPv4 endpointslice_endpoint_node_name=foobar ";
  const std::string source = "endpointslice/default/testendpoints ";
  CHECK(world.Lines() ==
        source + "1.1.1.1 " + labels(first, "endpointslice_port_name=all ") + "\n" + source +
            "1.1.1.1:9000 " + labels(first, numbered) + "\n" + source + "1.2.3.4:9001 " +
            labels("type=IPv4 ", "") + " " + kSidePort + kEndpointPodLabels + "\n" + source +
            "2.2.2.2 " + labels(node, "endpointslice_port_name=all ") + " node_name=barbaz\n" +
            source + "2.2.2.2:9000 " + labels(node, numbered) + " node_name=barbaz\n" + source +
            "4.3.2.1 " + labels(pod, "endpointslice_port_name=all ") + " " + kEndpointPodLabels +
            "\n" + source + "4.3.2.1:9000 " + labels(pod, numbered) + " " + kMainPort +
            kEndpointPodLabels + "\n");
}

TEST_CASE("kubernetes endpoint slices: the second family of a service is left out") {
  KubernetesWorld world;
  world.api.Put("endpointslices", kSlice);
  const auto service = [](const std::string& spec) {
    return R"({"metadata": {"name": "svc", "namespace": "default"}, "spec": {)" + spec + "}}";
  };
  world.api.Put("services", service(R"("ipFamilyPolicy": "RequireDualStack",
                                       "ipFamilies": ["IPv6", "IPv4"])"));
  world.Discover(KubernetesJob(KubeRole::kEndpointSlice));
  CHECK(world.Lines().empty());
  for (const std::string spec :
       {R"("ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"])",
        R"("ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"])",
        R"("ipFamilyPolicy": "PreferDualStack")", R"("ipFamilies": ["IPv6"])"}) {
    world.api.Put("services", service(spec));
    world.Run(seconds(3));
    CHECK(world.Lines().find("service_name=svc") != std::string::npos);
  }
}

TEST_CASE("kubernetes ingresses: rules, paths, TLS and wildcards") {
  KubernetesWorld world;
  const auto put = [&](const std::string& name, const std::string& tls, const std::string& rules) {
    world.api.Put("ingresses", R"({"metadata": {"namespace": "default", "name": ")" + name +
                                   R"("}, "spec": {"ingressClassName": "nginx", "tls": )" + tls +
                                   R"(, "rules": )" + rules + "}}");
  };
  put("a", R"([{"hosts": ["t.example.com", "*.w.example.com"]}])",
      R"([{"host": "t.example.com", "http": {"paths": [{"path": "/"}, {"path": "/foo"}, {}]}},
          {"host": "x.w.example.com"}, {"host": "w.example.com"}, {"host": "a.b.w.example.com"},
          {"host": "none", "http": {"paths": []}}, {"host": "none", "http": {}}, {}])");
  world.Discover(KubernetesJob(KubeRole::kIngress));
  const auto line = [](const std::string& host, const std::string& path,
                       const std::string& scheme) {
    const std::string host_label = host.empty() ? "" : "ingress_host=" + host + " ";
    return "ingress/default/a " + host + " ingress_class_name=nginx " + host_label +
           "ingress_name=a ingress_path=" + path + " ingress_scheme=" + scheme +
           " namespace=default\n";
  };
  CHECK(world.Lines() ==
        line("", "/", "http") + line("a.b.w.example.com", "/", "http") +
            line("t.example.com", "/", "https") + line("t.example.com", "/", "https") +
            line("t.example.com", "/foo", "https") + line("w.example.com", "/", "http") +
            line("x.w.example.com", "/", "https"));
}

TEST_CASE("kubernetes: names of labels keep letters, digits and _ only") {
  CHECK(SanitizeLabelName("app.kubernetes.io/name-1_x") == "app_kubernetes_io_name_1_x");
  CHECK(SanitizeLabelName("é€") == "__");
}

}  // namespace
}  // namespace tributary

"""The rules find what they are for: each mutation breaks the templates in one way, and the rule that is named says so."""

import unittest

import rules
from case import Case, resolve, templates
from resolver import Unresolved

PROMETHEUS, GRAFANA = "templates/prometheus-replica.yaml", "templates/grafana.yaml"
ALERTMANAGER, STORAGE = "templates/alertmanager-replica.yaml", "templates/storage.yaml"
SECURITY, BALANCER = "templates/security.yaml", "templates/loadbalancer.yaml"
HOST, ROOT = "templates/prometheus-host.yaml", "platform.yaml"


def props(all_, file, resource):
    return all_[file]["Resources"][resource]["Properties"]


def container(all_, file, name):
    return next(c for c in props(all_, file, "TaskDefinition")["ContainerDefinitions"] if c["Name"] == name)


# (rule, what is done, how, environment, storage)
MUTATIONS = []


def mutation(rule, environment="production", storage="efs", backend="prometheus", **parameters):
    def note(function):
        MUTATIONS.append((rule, function.__name__.replace("_", " "), function, environment, storage, backend, parameters))
        return function
    return note


@mutation("images_have_versions")
def latest(t):
    container(t, PROMETHEUS, "prometheus")["Image"] = "quay.io/prometheus/prometheus:latest"


@mutation("images_have_versions")
def no_tag(t):
    container(t, GRAFANA, "grafana")["Image"] = "docker.io/grafana/grafana"


@mutation("one_task_per_folder")
def two_tasks(t):
    props(t, PROMETHEUS, "Service")["DesiredCount"] = 2


@mutation("one_task_per_folder")
def rolling_update_with_ecs_defaults(t):
    del props(t, ALERTMANAGER, "Service")["DeploymentConfiguration"]


@mutation("one_task_per_folder")
def new_before_old(t):
    props(t, PROMETHEUS, "Service")["DeploymentConfiguration"]["MaximumPercent"] = 200


@mutation("one_task_per_folder")
def rebalancing_by_default(t):
    del props(t, PROMETHEUS, "Service")["AvailabilityZoneRebalancing"]


@mutation("one_task_per_folder", environment="dev")
def rebalancing_of_a_grafana_with_sqlite(t):
    props(t, GRAFANA, "Service")["AvailabilityZoneRebalancing"] = "ENABLED"


@mutation("one_task_per_folder", storage="ebs")
def two_tasks_on_ebs(t):
    props(t, PROMETHEUS, "Service")["DesiredCount"] = 2


@mutation("one_task_per_folder")
def replaceable_service(t):
    del props(t, PROMETHEUS, "Service")["ServiceName"]


@mutation("single_writers_never_scale")
def autoscaled_prometheus(t):
    t[PROMETHEUS]["Resources"]["Scaling"] = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {"ResourceId": {"Fn::Sub": "service/${ClusterName}/prometheus-${ReplicaIndex}"}}}


@mutation("folders_have_one_access_point")
def same_folder_for_all(t):
    props(t, PROMETHEUS, "AccessPoint")["RootDirectory"]["Path"] = "/prometheus"


@mutation("folders_have_one_access_point")
def a_folder_within_another(t):
    props(t, ALERTMANAGER, "AccessPoint")["RootDirectory"]["Path"] = {
        "Fn::If": ["IsClustered", {"Fn::Sub": "/alertmanager/replica-${ReplicaIndex}"}, "/"]}
    t[ALERTMANAGER]["Resources"]["Whole"] = {
        "Type": "AWS::EFS::AccessPoint", "Properties": {
            "FileSystemId": {"Ref": "FileSystemId"}, "PosixUser": {"Uid": "1", "Gid": "1"},
            "RootDirectory": {"Path": "/"}}}


@mutation("folders_have_one_access_point")
def access_point_as_root(t):
    props(t, PROMETHEUS, "AccessPoint")["PosixUser"]["Uid"] = "0"


@mutation("folders_have_one_service")
def file_system_without_access_point(t):
    volumes = props(t, PROMETHEUS, "TaskDefinition")["Volumes"]
    del volumes[1]["Fn::If"][1]["EFSVolumeConfiguration"]["AuthorizationConfig"]


@mutation("folders_have_one_service")
def file_system_in_clear_text(t):
    volumes = props(t, PROMETHEUS, "TaskDefinition")["Volumes"]
    volumes[1]["Fn::If"][1]["EFSVolumeConfiguration"]["TransitEncryption"] = "DISABLED"


@mutation("folders_have_one_service")
def one_access_point_for_all_replicas(t):
    volumes = props(t, PROMETHEUS, "TaskDefinition")["Volumes"]
    volumes[1]["Fn::If"][1]["EFSVolumeConfiguration"]["AuthorizationConfig"]["AccessPointId"] = "fsap-0123"


@mutation("instances_are_told_apart", storage="ec2")
def replicas_placed_anywhere(t):
    del props(t, PROMETHEUS, "Service")["PlacementConstraints"]


@mutation("instances_are_told_apart", storage="ec2")
def replicas_placed_alike(t):
    props(t, PROMETHEUS, "Service")["PlacementConstraints"]["Fn::If"][1][0]["Expression"] = "attribute:prometheus exists"


@mutation("instances_are_told_apart", storage="ec2")
def a_second_instance(t):
    props(t, HOST, "Group")["MaxSize"] = "2"


@mutation("instances_are_told_apart", storage="ec2")
def a_replica_without_instance(t):
    t[ROOT]["Conditions"]["Host2"] = {"Fn::Not": [{"Condition": "Ec2"}]}


@mutation("mounts_have_volumes")
def mount_of_nothing(t):
    container(t, GRAFANA, "grafana")["MountPoints"][1]["SourceVolume"] = "temp"


@mutation("mounts_have_volumes")
def configuration_that_is_never_mounted(t):
    for c in props(t, PROMETHEUS, "TaskDefinition")["ContainerDefinitions"]:
        c["MountPoints"] = [m for m in c["MountPoints"] if m["SourceVolume"] != "config"]


@mutation("containers_wait_for_their_configuration")
def no_waiting(t):
    del container(t, PROMETHEUS, "prometheus")["DependsOn"]


@mutation("containers_wait_for_their_configuration")
def waiting_for_the_start_only(t):
    container(t, PROMETHEUS, "prometheus")["DependsOn"][0]["Condition"] = "START"


@mutation("containers_are_confined")
def writable_image(t):
    container(t, ALERTMANAGER, "alertmanager")["ReadonlyRootFilesystem"] = False


@mutation("containers_are_confined")
def root(t):
    container(t, PROMETHEUS, "prometheus")["User"] = "0:0"


@mutation("containers_are_confined")
def configuration_that_can_be_written(t):
    container(t, PROMETHEUS, "prometheus")["MountPoints"][0]["ReadOnly"] = False


@mutation("secrets_are_references")
def password_in_the_environment(t):
    container(t, GRAFANA, "grafana")["Environment"].append({"Name": "GF_SECURITY_ADMIN_PASSWORD", "Value": "admin"})


@mutation("secrets_are_references")
def password_in_a_command(t):
    container(t, PROMETHEUS, "prometheus")["Command"].append("--password=admin")


@mutation("iam_is_narrow")
def all_of_ecs(t):
    policy = props(t, PROMETHEUS, "TaskRole")["Policies"][0]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "ecs:*", "Resource": "*"})


@mutation("iam_is_narrow")
def every_secret(t):
    policy = props(t, PROMETHEUS, "ExecutionRole")["Policies"][0]["PolicyDocument"]
    policy["Statement"][1]["Resource"] = "*"


@mutation("iam_is_narrow")
def the_file_system_is_open(t):
    policy = props(t, STORAGE, "PrometheusFileSystem")["FileSystemPolicy"]
    policy["Statement"][0]["Principal"] = {"AWS": "*"}


@mutation("iam_is_narrow")
def confused_deputy(t):
    del props(t, PROMETHEUS, "TaskRole")["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]


@mutation("file_systems_are_ready", EfsPerformanceMode="maxIO", EfsThroughputMode="provisioned", EfsProvisionedMibps="100")
def provisioned_without_a_rate(t):
    del props(t, STORAGE, "PrometheusFileSystem")["ProvisionedThroughputInMibps"]


@mutation("file_systems_are_ready")
def clear_text_on_disk(t):
    props(t, STORAGE, "PrometheusFileSystem")["Encrypted"] = False


@mutation("file_systems_are_ready")
def clear_text_on_the_wire(t):
    props(t, STORAGE, "PrometheusFileSystem")["FileSystemPolicy"]["Statement"].pop()


@mutation("data_outlives_mistakes")
def file_system_goes_with_the_stack(t):
    t[STORAGE]["Resources"]["PrometheusFileSystem"]["DeletionPolicy"] = "Delete"


@mutation("data_outlives_mistakes", storage="ec2")
def volume_goes_with_the_stack(t):
    del t[HOST]["Resources"]["Volume"]["UpdateReplacePolicy"]


@mutation("logs_end")
def logs_for_ever(t):
    del props(t, PROMETHEUS, "LogGroup")["RetentionInDays"]


@mutation("logs_end")
def logs_in_clear_text(t):
    del props(t, PROMETHEUS, "LogGroup")["KmsKeyId"]


@mutation("listeners_speak_tls")
def writes_in_clear_text(t):
    props(t, BALANCER, "InternalListener").update(Protocol="HTTP", Port=80)


@mutation("listeners_speak_tls")
def old_tls(t):
    props(t, BALANCER, "PublicListener")["SslPolicy"] = "ELBSecurityPolicy-2016-08"


@mutation("rules_do_not_collide")
def one_priority_for_all(t):
    props(t, PROMETHEUS, "Rule")["Priority"] = 100


@mutation("rules_do_not_collide")
def too_many_values(t):
    props(t, PROMETHEUS, "Rule")["Conditions"][1]["PathPatternConfig"]["Values"].append("/graph")


@mutation("nothing_is_open_to_the_world")
def open_to_the_world(t):
    props(t, SECURITY, "PublicAlb")["SecurityGroupIngress"][0]["CidrIp"] = "0.0.0.0/0"


@mutation("nothing_is_open_to_the_world")
def everything_may_leave(t):
    del props(t, SECURITY, "Prometheus")["SecurityGroupEgress"]


@mutation("nothing_is_open_to_the_world")
def every_port(t):
    props(t, SECURITY, "GrafanaToAlertmanager9093In")["IpProtocol"] = "-1"


@mutation("tasks_fit_fargate")
def a_size_that_fargate_does_not_have(t):
    t[ROOT]["Mappings"]["Environments"]["production"]["PrometheusMemory"] = 65536


@mutation("spot_is_for_the_replaceable", environment="dev")
def prometheus_on_spot(t):
    props(t, PROMETHEUS, "Service")["CapacityProviderStrategy"] = [{"CapacityProvider": "FARGATE_SPOT"}]


@mutation("load_balancers_find_containers")
def another_port(t):
    props(t, GRAFANA, "Service")["LoadBalancers"][0]["ContainerPort"] = 3001


@mutation("alarms_reach_somebody")
def a_silent_alarm(t):
    del props(t, PROMETHEUS, "NotRunning")["AlarmActions"]


@mutation("alarms_reach_somebody")
def silence_means_nothing(t):
    del props(t, "templates/observability.yaml", "HeartbeatMissing")["TreatMissingData"]


# What the resolver itself refuses.
BROKEN = []


def broken(text, **parameters):
    def note(function):
        BROKEN.append((text, function.__name__.replace("_", " "), function, parameters))
        return function
    return note


@broken("no resource Nat")
def a_reference_to_nothing(t):
    props(t, "templates/network.yaml", "PublicDefaultRoute")["GatewayId"] = {"Ref": "Nat"}


@broken("no output KeyArnn")
def an_output_that_is_not_there(t):
    props(t, ROOT, "Cluster")["Parameters"]["KeyArn"] = {"Fn::GetAtt": ["Foundation", "Outputs.KeyArnn"]}


@broken("leaves out")
def a_resource_that_its_condition_leaves_out(t):
    t[ROOT]["Outputs"]["AmpWorkspaceArn"].pop("Condition")


@broken("has no parameter ['Platforms']")
def a_parameter_that_is_not_there(t):
    props(t, ROOT, "Cluster")["Parameters"]["Platforms"] = "x"


@broken("is not given")
def a_parameter_that_is_forgotten(t):
    del props(t, ROOT, "Cluster")["Parameters"]["KeyArn"]


@broken("goes in a circle")
def a_circle(t):
    props(t, SECURITY, "Efs")["GroupDescription"] = {"Ref": "Database"}
    props(t, SECURITY, "Database")["GroupDescription"] = {"Ref": "Efs"}


@broken("in the mappings")
def an_environment_without_values(t):
    del t[ROOT]["Mappings"]["Environments"]["dev"]["GrafanaCpu"]


@broken("there is no condition")
def a_condition_that_is_not_there(t):
    t[ROOT]["Resources"]["Backups"]["Condition"] = "Backed"


@broken("Select 2 of 2", PrometheusReplicas="3", Storage="ec2")
def a_third_zone_where_there_are_two(t):
    props(t, ROOT, "PrometheusHost2")["Parameters"]["SubnetId"] = {
        "Fn::Select": [2, {"Fn::Split": [",", {"Fn::GetAtt": ["Network", "Outputs.PrivateSubnetIds"]}]}]}


@broken("depends on")
def waiting_for_nothing(t):
    t[GRAFANA]["Resources"]["Service"]["DependsOn"] = ["Listener"]


class Rules(Case):
    def test_each_mutation_is_found_by_its_rule(self):
        for rule, name, change, environment, storage, backend, more in MUTATIONS:
            with self.subTest(name):
                changed = templates()
                change(changed)
                found = rules.findings_of(rule, resolve(environment, storage, backend, changed, **more))
                self.assertTrue(found, f"{rule} does not see: {name}")

    def test_each_rule_has_a_mutation(self):
        self.assertEqual({rule.__name__ for rule in rules.RULES}, {m[0] for m in MUTATIONS})

    def test_what_does_not_resolve_is_refused(self):
        for text, name, change, more in BROKEN:
            with self.subTest(name):
                changed = templates()
                change(changed)
                with self.assertRaises(Unresolved) as raised:
                    resolve("dev", **{"changed": changed, **{k.lower() if k == "Storage" else k: v
                                                             for k, v in more.items()}})
                self.assertIn(text, str(raised.exception))

    def test_parameters_that_take_anything_are_found(self):
        good = {"Type": "String", "Description": "x", "AllowedPattern": "x", "ConstraintDescription": "x"}
        self.assertEqual(list(rules.parameters_are_validated("t", {"Parameters": {"P": good}})), [])
        for key in ("Description", "AllowedPattern", "ConstraintDescription"):
            bad = {k: v for k, v in good.items() if k != key}
            self.assertEqual(len(list(rules.parameters_are_validated("t", {"Parameters": {"P": bad}}))), 1, key)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Targets for the local platform: serves what Kubernetes, services and CloudWatch would, of a cluster that is not there.

Usage: exporter.py PORT    on 127.0.0.1

  /kubernetes/<part>   cadvisor, nodes, service-endpoints (kube-state-metrics), pods (a service's requests)
  /metrics             what yet-another-cloudwatch-exporter says of ECS and load balancers
  /sink                what was POSTed to any path so far, one line of JSON each

Counters grow with the time since the start, so rates are known: 1.5 of 8 cores, 20 requests/s of which 1% fail, one
restart every 40 s.
"""

import http.server
import sys
import threading
import time

START = time.time()
GIB = 1 << 30
BUCKETS = [("0.1", 0.6), ("0.5", 0.9), ("1", 0.98), ("2.5", 1.0), ("+Inf", 1.0)]


def cadvisor(age):
    for pod, cores, memory in (("cart-1", 0.5, 0.5), ("search-1", 1.0, 1.5)):
        labels = f'namespace="shop",pod="{pod}"'
        for container in (pod[:-2], ""):  # the pod's own cgroup as well, as cAdvisor has it
            yield f'container_cpu_usage_seconds_total{{{labels},container="{container}"}} {cores * age:.3f}'
            yield f'container_memory_usage_bytes{{{labels},container="{container}"}} {memory * 1.2 * GIB:.0f}'
            yield f'container_memory_working_set_bytes{{{labels},container="{container}"}} {memory * GIB:.0f}'
    yield f'container_memory_working_set_bytes{{id="/"}} {3 * GIB}'


def nodes(age):
    yield f"node_memory_MemTotal_bytes {16 * GIB}"
    yield f"node_memory_MemAvailable_bytes {10 * GIB}"
    for mode, cores in (("idle", 6.2), ("user", 1.5), ("system", 0.3)):
        yield f'node_cpu_seconds_total{{cpu="0",mode="{mode}"}} {cores / 8 * age:.3f}'
    yield f'node_filesystem_size_bytes{{mountpoint="/",fstype="ext4"}} {100 * GIB}'
    yield f'node_filesystem_avail_bytes{{mountpoint="/",fstype="ext4"}} {60 * GIB}'


def kube_state(age):
    for resource, capacity, allocatable in (("cpu", 8, 7.5), ("memory", 16 * GIB, 15 * GIB)):
        yield f'kube_node_status_capacity{{node="n1",resource="{resource}"}} {capacity}'
        yield f'kube_node_status_allocatable{{node="n1",resource="{resource}"}} {allocatable}'
    for pod in ("cart-1", "search-1"):
        yield f'kube_pod_info{{namespace="shop",pod="{pod}"}} 1'
        restarts = int(age / 40) if pod == "cart-1" else 0
        yield f'kube_pod_container_status_restarts_total{{namespace="shop",pod="{pod}",container="{pod[:-2]}"}} {restarts}'


def service(age):
    for status, rate in (("200", 19.8), ("500", 0.2)):
        yield f'http_requests_total{{service="cart",status="{status}"}} {rate * age:.3f}'
    for bound, share in BUCKETS:
        yield f'http_request_duration_seconds_bucket{{service="cart",le="{bound}"}} {share * 20 * age:.3f}'


def cloudwatch(_):
    where = 'account_id="1",region="us-east-1"'
    ecs = f'{where},name="arn:cart",dimension_ClusterName="shop",dimension_ServiceName="cart"'
    for name, value in (("ecs_cpuutilization_average", 41), ("ecs_memory_utilization_average", 63),
                        ("ecs_containerinsights_running_task_count_average", 3),
                        ("ecs_containerinsights_desired_task_count_average", 3),
                        ("ecs_containerinsights_network_rx_bytes_average", 20000),
                        ("ecs_containerinsights_network_tx_bytes_average", 90000)):
        yield f"aws_{name}{{{ecs}}} {value}"
    balancer = f'{where},name="arn:lb",dimension_LoadBalancer="app/shop/1"'
    for name, value in (("request_count_sum", 1200), ("httpcode_target_5_xx_count_sum", 12),
                        ("target_response_time_p95", 0.4)):
        yield f"aws_applicationelb_{name}{{{balancer}}} {value}"


PAGES = {"/kubernetes/cadvisor": cadvisor, "/kubernetes/nodes": nodes, "/kubernetes/service-endpoints": kube_state,
         "/kubernetes/pods": service, "/metrics": cloudwatch}


class Handler(http.server.BaseHTTPRequestHandler):
    received, lock = [], threading.Lock()

    def answer(self, text, status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path in PAGES:
            self.answer("\n".join(PAGES[self.path](time.time() - START + 1000)) + "\n")
        elif self.path == "/sink":
            with self.lock:
                self.answer("\n".join(self.received) + "\n")
        else:
            self.answer("not found\n", 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with self.lock:
            self.received.append(body.replace("\n", " "))
        self.answer("")

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

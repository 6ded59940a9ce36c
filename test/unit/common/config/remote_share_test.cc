// What the loader makes of remotes that share the series.
#include <string>
#include <vector>

#include "test/support/catch.h"
#include "test/unit/common/config/load_text.h"

namespace tributary {
namespace {

using Names = std::vector<std::string>;

std::string Two(const std::string& first, const std::string& second) {
  return "remote_write:\n- url: http://a\n  tributary: {share: {" + first +
         "}}\n- url: http://b\n  tributary: {share: {" + second + "}}\n";
}

TEST_CASE("config: the members of a share know each other, whatever their order") {
  auto config = Good(R"(
remote_write:
- {url: "http://b", name: b, tributary: {share: {group: g, replicas: 2, ignore_labels: [le, a]}}}
- url: http://a
  tributary: {share: {group: g, replicas: 2, ignore_labels: [a, le]}}
- {url: "http://x", tributary: {share: {group: other}}}
- {url: "http://y", tributary: {share: {group: other}}}
- url: http://alone
)");
  RemoteShareConfig share;
  share.group = "g";
  share.replicas = 2;
  share.ignore_labels = {"a", "le"};
  share.members = {"name b", "url http://a 0"};
  CHECK(config->remote_write.at(0).share == share);
  CHECK(config->remote_write.at(1).share == share);
  CHECK(config->remote_write.at(2).share.members == Names{"url http://x 0", "url http://y 0"});
  CHECK(config->remote_write.at(2).share.replicas == 1);
  CHECK(config->remote_write.at(4).share == RemoteShareConfig{});
}

TEST_CASE("config: a share of all remotes stands at the top, and one may stay out of it") {
  auto config = Good(R"(
tributary: {remote_write: {share: {group: all, labels: [job, instance]}}}
remote_write:
- url: http://a
- {url: "http://b", tributary: {retry_auth_errors: false}}
- {url: "http://c", tributary: {share: {group: ""}}}
)");
  for (const size_t i : {0, 1}) {
    const RemoteShareConfig& share = config->remote_write.at(i).share;
    CHECK(share.members == Names{"url http://a 0", "url http://b 0"});
    CHECK(share.labels == Names{"instance", "job"});
  }
  CHECK(config->remote_write.at(2).share == RemoteShareConfig{});
}

TEST_CASE("config: what cannot be shared is said where it stands") {
  CHECK(Bad("remote_write:\n- url: http://a\n  tributary:\n    share: {group: g}\n") ==
        "prometheus.yml:4:20: error: only one remote is in the group 'g': there is none to share "
        "with\n");
  CHECK(Bad(Two("group: g, replicas: 3", "group: g, replicas: 3")) ==
        "prometheus.yml:3:43: error: each series is to go to 3 remotes, and the group 'g' has 2\n");
  CHECK(Bad(Two("group: g", "group: g, replicas: 2")) ==
        "prometheus.yml:5:43: error: 'replicas' is another than that of the group's first remote "
        "(all of 'g' have to say the same; the first does in line 3)\n");
  CHECK(Bad(Two("group: g, labels: [job]", "group: g, labels: [instance]")) ==
        "prometheus.yml:5:41: error: 'labels' is another than that of the group's first remote "
        "(all of 'g' have to say the same; the first does in line 3)\n");
  CHECK(
      Bad(Two("group: g, labels: [job]", "group: g, labels: [job], ignore_labels: [le]"))
          .find("prometheus.yml:5:63: error: 'labels' and 'ignore_labels' exclude each other\n") !=
      std::string::npos);
  CHECK(Bad(Two("group: g, replicas: 0", "group: g"))
            .find("prometheus.yml:3:43: error: 'replicas' has to be above 0\n") !=
        std::string::npos);
  CHECK(Bad(Two("replicas: 1", "labels: [a]")) ==
        "prometheus.yml:3:33: error: 'replicas' needs group\n"
        "prometheus.yml:5:31: error: 'labels' needs group\n");
  CHECK(Bad(Two("group: g, labels: [job, job]", "group: g, labels: [job, \"\"]")) ==
        "prometheus.yml:3:47: error: the label 'job' stands twice\n"
        "prometheus.yml:5:41: error: 'labels' is another than that of the group's first remote "
        "(all of 'g' have to say the same; the first does in line 3)\n"
        "prometheus.yml:5:47: error: a label's name cannot be empty\n");
  CHECK(Bad(Two("group: g, replica: 1", "group: g")).find("replica") != std::string::npos);
}

}  // namespace
}  // namespace tributary

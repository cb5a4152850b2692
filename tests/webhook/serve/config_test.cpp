// Flags -> configuration, and what is wrong with flags.
#include "webhook/serve/config.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "webhook/admission/review_reader.h"

using namespace belay::webhook;
using namespace belay::webhook::serve;

namespace {

/// The default flags but for one.
template <class T, class V>
ServerFlags with(T ServerFlags::* flag, V value) {
  ServerFlags flags;
  flags.*flag = value;
  return flags;
}

}  // namespace

TEST_CASE("an address is a host and a port") {
  const auto text = [](std::string_view typed) {
    const auto address = parse_address(typed);
    return address ? to_string(*address) : "";
  };
  CHECK(text("0.0.0.0:8443") == "0.0.0.0:8443");
  CHECK(text(":8443") == "0.0.0.0:8443");
  CHECK(text("localhost:0") == "localhost:0");
  CHECK(text("[::1]:8443") == "[::1]:8443");
  for (const std::string_view bad : {"", "8443", "localhost", "host:", "host:x", "host:65536",
                                     "host:-1", "host:80 ", "::1:80"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_address(bad));
  }
}

TEST_CASE("an extra template names group, kind and path") {
  const auto row = parse_extra_template("argoproj.io/Rollout:spec.template");
  REQUIRE(row);
  CHECK(row->group == "argoproj.io");
  CHECK(row->kind == "Rollout");
  CHECK(row->path == "spec.template");
  for (const std::string_view bad :
       {"", "Rollout", "a/B", "a/B:", "/B:c", "a/:c", "a/B:c..d", "a/B:c.", "a:b/C", "a/B/C:d"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_extra_template(bad));
  }
}

TEST_CASE("there is a limit to extra templates, within which each of them is evaluated") {
  ServerFlags flags;
  for (std::size_t i = 0; i < admission::kMaxExtraTemplates; ++i) {
    const std::string number = std::to_string(i);
    flags.extra_templates.push_back("x.io/Kind" + number + ":spec.at" + number);
  }
  const auto config = read_config(flags, false);
  REQUIRE(config);
  admission::ReviewReader reader(config->extra_templates);
  for (const admission::ExtraTemplate& extra : config->extra_templates) {
    std::string body =
        R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u",)"
        R"("operation":"CREATE","kind":{"group":"x.io","kind":")" +
        extra.kind + R"("},"object":{"spec":{")" + extra.path.substr(5) +
        R"(":{"spec":{"containers":[{"name":"c","image":")" + extra.kind + R"("}]}}}}}})";
    const auto review = reader.read({body.data(), body.size()});
    REQUIRE(review);
    REQUIRE((*review)->workload.pod.images.size() == 1);
    CHECK((*review)->workload.pod.images[0].image == extra.kind);
  }
  flags.extra_templates.push_back("x.io/OneMore:spec.more");
  CHECK(read_config(flags, false).error() ==
        std::vector<std::string>{"--extra-template: at most 50 of them"});
}

TEST_CASE("defaults make a configuration without any flag") {
  const auto config = read_config({}, false);
  REQUIRE(config);
  CHECK(to_string(config->listen) == "0.0.0.0:8443");
  CHECK(to_string(config->admin_listen) == "0.0.0.0:8080");
  CHECK(config->policy_paths.empty());
  CHECK(config->log.format == LogFormat::kJson);
  CHECK(config->shutdown_delay == std::chrono::seconds(10));
  CHECK(read_config({}, true)->log.format == LogFormat::kText);
  CHECK(read_config(with(&ServerFlags::log_format, "json"), true)->log.format == LogFormat::kJson);
}

TEST_CASE("a duration is a number with its unit") {
  using std::chrono::seconds;
  CHECK(parse_duration("60s") == seconds(60));
  CHECK(parse_duration("5m") == seconds(300));
  CHECK(parse_duration("12h") == seconds(43'200));
  CHECK(parse_duration("90d") == seconds(7'776'000));
  for (const std::string_view bad : {"", "s", "60", "0s", "-1s", "1.5h", "60 s", "1w", "90dd",
                                     "99999999999999999999s", "36601d"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("a kubeconfig is a cluster, and cluster flags want one") {
  CHECK_FALSE(read_config({}, false)->cluster.has_value());
  CHECK(read_config(with(&ServerFlags::cluster, true), false)->cluster.has_value());
  const auto config = read_config(with(&ServerFlags::kubeconfig, "admin.conf"), false);
  REQUIRE(config);
  REQUIRE(config->cluster);
  CHECK(config->cluster->kubeconfig == "admin.conf");
  CHECK(config->cluster->lease == "belay");
  CHECK(config->cluster->ca_overlap == std::chrono::seconds(60));
  const auto problem_of = [](const ServerFlags& flags) {
    const auto read = read_config(flags, false);
    return read || read.error().empty() ? std::string() : read.error().front();
  };
  CHECK(problem_of(with(&ServerFlags::tls_secret, "belay-tls")) ==
        "--tls-secret needs --cluster or --kubeconfig");
  ServerFlags flags = with(&ServerFlags::cluster, true);
  flags.tls_secret = "belay-tls";
  flags.self_signed = "pki";
  CHECK(problem_of(flags).find("give only one of ") != std::string::npos);
  flags.self_signed = "";
  flags.cert_duration = "10d";
  flags.ca_duration = "1d";
  CHECK(problem_of(flags) == "--cert-duration is longer than --ca-duration");
  flags.ca_duration = "soon";
  CHECK(problem_of(flags).find("is not a duration") != std::string::npos);
}

TEST_CASE("everything that is wrong with the flags is said at once") {
  ServerFlags flags;
  flags.listen = "x";
  flags.admin_listen = "y";
  flags.tls_cert = "c";
  flags.self_signed = "d";
  flags.tls_names = {"n"};
  flags.namespace_labels = {"shop"};
  flags.extra_templates = {"z"};
  flags.threads = 1000;
  flags.log_level = "loud";
  flags.log_format = "xml";
  flags.shutdown_delay_seconds = 60;
  const auto config = read_config(flags, false);
  REQUIRE_FALSE(config);
  CHECK(config.error().size() == 11);
  CHECK(config.error()[2] == "--tls-cert needs --tls-key");
}

TEST_CASE("the log level warn is warning, as other programs of a cluster say it") {
  ServerFlags flags;
  flags.log_level = "warn";
  const auto config = read_config(flags, false);
  REQUIRE(config);
  CHECK(config->log.level == LogLevel::kWarning);
}

TEST_CASE("the longest shutdown fits into 25 seconds") {
  CHECK(kMaxShutdownDelay + kDrainGrace < std::chrono::seconds(25));
  CHECK(read_config(with(&ServerFlags::shutdown_delay_seconds, 14), false));
  CHECK_FALSE(read_config(with(&ServerFlags::shutdown_delay_seconds, 15), false));
}

TEST_CASE("flags about registries hang together") {
  ServerFlags flags;
  flags.registries = "registries.yaml";
  flags.docker_configs = {"a.json", "b.json"};
  flags.tag_history = "tags.txt";
  const auto alone = read_config(flags, false);
  REQUIRE(alone);
  CHECK(alone->registry.registries_file == "registries.yaml");
  CHECK(alone->registry.docker_config_files == flags.docker_configs);
  CHECK(alone->registry.tag_history_file == "tags.txt");
  flags.tag_history = "";
  flags.cluster = true;
  flags.pull_secrets = true;
  const auto in_cluster = read_config(flags, false);
  REQUIRE(in_cluster);
  CHECK(in_cluster->registry.pull_secrets);
  CHECK(in_cluster->cluster->tag_history);
  flags.registries = "";
  const auto without = read_config(flags, false);
  REQUIRE_FALSE(without);
  CHECK(without.error() ==
        std::vector<std::string>{"--docker-config needs --registries: credentials are sent only to "
                                 "registries in that list",
                                 "--pull-secrets needs --registries: credentials are sent only to "
                                 "registries in that list"});
  flags = {};
  flags.registries = "registries.yaml";
  flags.pull_secrets = true;
  CHECK(read_config(flags, false).error() ==
        std::vector<std::string>{"--pull-secrets needs --cluster or --kubeconfig"});
  flags.pull_secrets = false;
  flags.cluster = true;
  flags.tag_history = "tags.txt";
  CHECK(read_config(flags, false).error() ==
        std::vector<std::string>{
            "--tag-history: not with --cluster, which stores the tag history in ConfigMaps"});
  CHECK_FALSE(read_config(with(&ServerFlags::cluster, true), false)->cluster->tag_history);
}

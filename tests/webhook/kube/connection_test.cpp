#include "webhook/kube/connection.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

using namespace belay::webhook::kube;

namespace {

constexpr const char* kPem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-conn-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// A kubeconfig of one cluster and one user.
std::string kubeconfig(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
         "contexts:\n- name: here\n  context: {cluster: c, user: u, namespace: shop}\n"
         "- name: there\n  context: {cluster: none, user: u}\n"
         "clusters:\n- name: c\n  cluster: {" +
         cluster +
         "}\n"
         "users:\n- name: u\n  user: {" +
         user + "}\n";
}

std::string problem_of(const std::string& cluster, const std::string& user,
                       const std::string& context = "") {
  const Folder folder;
  folder.write("pki/ca.crt", kPem);
  const auto read =
      kubeconfig_connection(folder.write("config", kubeconfig(cluster, user)), context);
  return read ? "" : read.error();
}

const std::string kCluster = "server: 'https://10.0.0.1:6443/', certificate-authority: pki/ca.crt";

}  // namespace

TEST_CASE("a kubeconfig's current context is read, its files beside it") {
  const Folder folder;
  folder.write("pki/ca.crt", kPem);
  folder.write("pki/token", "file-token\n");
  const auto read = kubeconfig_connection(folder.write(
      "config", kubeconfig(kCluster + ", tls-server-name: api.example", "tokenFile: pki/token")));
  REQUIRE(read);
  CHECK(read->server == "https://10.0.0.1:6443");
  CHECK(read->server_name == "api.example");
  CHECK(read->ca_pem == kPem);
  CHECK(read->token == "");
  CHECK(read->token_file == folder.path() + "/pki/token");
  CHECK(read->namespace_name == "shop");
}

TEST_CASE("data in a kubeconfig wins over files, and JSON is read like YAML") {
  const Folder folder;
  const std::string data = "LS0tLS1CRUdJTiBYLS0tLS0=";  // -----BEGIN X-----
  const auto read = kubeconfig_connection(folder.write(
      "config",
      R"({"current-context":"a","contexts":[{"name":"a","context":{"cluster":"c","user":"u"}}],)"
      R"("clusters":[{"name":"c","cluster":{"server":"https://[fd00::1]:6443","certificate-authority":"absent",)"
      R"("certificate-authority-data":")" +
          data +
          R"("}}],"users":[{"name":"u","user":{)"
          R"("client-certificate-data":")" +
          data + R"(","client-key-data":")" + data + R"("}}]})"));
  REQUIRE(read);
  CHECK(read->server == "https://[fd00::1]:6443");
  CHECK(read->ca_pem == "-----BEGIN X-----");
  CHECK(read->client_cert_pem == "-----BEGIN X-----");
  CHECK(read->client_key_pem == "-----BEGIN X-----");
  CHECK(read->namespace_name == "");
}

TEST_CASE("what belay does not do is refused by its name") {
  CHECK(problem_of(kCluster, "token: t") == "");
  CHECK(problem_of(kCluster, "exec: {command: aws-iam}").contains("exec plugin \"aws-iam\""));
  CHECK(problem_of(kCluster, "auth-provider: {name: oidc}").contains("auth-provider \"oidc\""));
  CHECK(problem_of(kCluster, "username: a, password: b").contains("basic authentication"));
  CHECK(problem_of(kCluster, "token: t, as: admin").contains("has as"));
  CHECK(problem_of(kCluster + ", insecure-skip-tls-verify: true", "token: t")
            .contains("insecure-skip-tls-verify"));
  CHECK(problem_of(kCluster + ", insecure-skip-tls-verify: false", "token: t") == "");
  CHECK(problem_of(kCluster + ", proxy-url: 'http://p'", "token: t").contains("proxy-url"));
}

TEST_CASE("a kubeconfig that lacks something says what, and where") {
  CHECK(problem_of("server: 'http://10.0.0.1'", "token: t").contains("needs https://"));
  CHECK(problem_of("server: 'https://10.0.0.1'", "token: t").contains("no certificate-authority"));
  CHECK(problem_of("server: 'https://h', certificate-authority: no.crt", "token: t")
            .contains("no.crt: No such file"));
  CHECK(problem_of("server: 'https://h', certificate-authority-data: '*'", "token: t")
            .contains("certificate-authority-data is not base64"));
  CHECK(problem_of("server: 'https://h', certificate-authority-data: aGVsbG8=", "token: t")
            .contains("no PEM"));
  CHECK(problem_of(kCluster, "").contains("neither token, tokenFile nor client-certificate"));
  CHECK(problem_of(kCluster, "client-certificate: pki/ca.crt").contains("only one of"));
  CHECK(problem_of(kCluster, "token: t", "other").contains("no context \"other\""));
  CHECK(problem_of(kCluster, "token: t", "there").contains("no cluster \"none\""));
  CHECK(kubeconfig_connection("/absent/config").error().contains("/absent/config: No such file"));
  const Folder folder;
  CHECK(kubeconfig_connection(folder.write("a", "[1]")).error().contains("is not a kubeconfig"));
  CHECK(kubeconfig_connection(folder.write("a", "a: 1")).error().contains("no current-context"));
  CHECK(kubeconfig_connection(folder.write("a", "a: [")).error().contains("/a:1:"));
}

TEST_CASE("a pod's ServiceAccount is read where the kubelet mounts it") {
  const Folder folder;
  const std::string mount = "var/run/secrets/kubernetes.io/serviceaccount/";
  ::unsetenv("KUBERNETES_SERVICE_HOST");
  CHECK(in_cluster_connection(folder.path()).error().contains("--kubeconfig"));
  ::setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  CHECK(in_cluster_connection(folder.path()).error().contains("automountServiceAccountToken"));
  folder.write(mount + "ca.crt", kPem);
  folder.write(mount + "token", "t");
  folder.write(mount + "namespace", "belay-system\n");
  const auto read = in_cluster_connection(folder.path());
  ::unsetenv("KUBERNETES_SERVICE_HOST");
  ::unsetenv("KUBERNETES_SERVICE_PORT");
  REQUIRE(read);
  CHECK(read->server == "https://[fd00::1]:443");
  CHECK(read->ca_pem == kPem);
  CHECK(read->token_file == folder.path() + "/" + mount + "token");
  CHECK(read->namespace_name == "belay-system");
}

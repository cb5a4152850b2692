#include "webhook/kube/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "policy/document.h"
#include "policy/text/base64.h"
#include "webhook/system/file.h"

namespace belay::webhook::kube {
namespace {

using policy::Node;

constexpr std::size_t kMaxFile = std::size_t{4} << 20U;

/// What is wrong with a kubeconfig; ends in this file.
struct KubeconfigFault {
  std::string message;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// \throws KubeconfigFault
std::string file_text(const std::string& path) {
  auto text = read_file(AT_FDCWD, path, kMaxFile);
  if (!text) {
    throw KubeconfigFault{
        fmt::format("cannot read {}: {}", path,
                    std::error_code(text.error(), std::generic_category()).message())};
  }
  return *std::move(text);
}

/// A kubeconfig while it is read. Every function throws KubeconfigFault.
class Kubeconfig {
 public:
  explicit Kubeconfig(const std::string& path)
      : path_(path), folder_(std::filesystem::path(path).parent_path()) {
    auto documents = policy::read_documents(file_text(path));
    if (!documents) {
      throw KubeconfigFault{fmt::format("{}:{}:{}: {}", path, documents.error().position.line,
                                        documents.error().position.column,
                                        documents.error().message)};
    }
    if (documents->size() != 1 || documents->front().root.kind != Node::Kind::kMapping) {
      throw KubeconfigFault{fmt::format("{} is not a kubeconfig", path)};
    }
    root_ = std::move(documents->front().root);
  }

  /// The mapping `inside` of the entry called `name` of a list, such as `clusters`.
  const Node& entry(std::string_view list, std::string_view inside, std::string_view name) const {
    const Node* const entries = root_.find(list);
    if (entries != nullptr && entries->kind == Node::Kind::kSequence) {
      for (const Node& candidate : entries->items) {
        const Node* const called = candidate.find("name");
        const Node* const value = candidate.find(inside);
        if (called == nullptr || called->text != name) continue;
        if (value == nullptr || value->kind != Node::Kind::kMapping) break;
        return *value;
      }
    }
    throw KubeconfigFault{fmt::format("{} has no {} \"{}\"", path_, inside, name)};
  }

  std::string text(const Node& node, std::string_view key) const {
    const Node* const value = node.find(key);
    if (value == nullptr || value->kind == Node::Kind::kNull) return {};
    if (value->kind != Node::Kind::kScalar) {
      throw KubeconfigFault{
          fmt::format("{}:{}: {} is not a string", path_, value->position.line, key)};
    }
    return value->text;
  }
  std::string root_text(std::string_view key) const { return text(root_, key); }

  /// `<key>-data` decoded, else the text of the file that `key` names, else "".
  std::string pem(const Node& node, std::string_view key) const {
    const std::string data_key = fmt::format("{}-data", key);
    if (const std::string data = text(node, data_key); !data.empty()) {
      auto decoded = policy::base64_decode(data);
      if (!decoded) throw KubeconfigFault{fmt::format("{}: {} is not base64", path_, data_key)};
      return checked(*std::move(decoded), data_key);
    }
    const std::string file = text(node, key);
    return file.empty() ? std::string() : checked(file_text(resolved(file)), resolved(file));
  }

  std::string resolved(const std::string& file) const { return (folder_ / file).string(); }
  const std::string& path() const { return path_; }

 private:
  std::string checked(std::string pem, const std::string& where) const {
    if (!pem.contains("-----BEGIN ")) {
      throw KubeconfigFault{fmt::format("{}: {} contains no PEM data", path_, where)};
    }
    return pem;
  }

  std::string path_;
  std::filesystem::path folder_;
  Node root_;
};

struct Refused {
  std::string_view key;
  std::string_view why;
};
constexpr Refused kRefusedOfCluster[] = {
    {"proxy-url", "belay talks to the API server directly"},
};
constexpr Refused kRefusedOfUser[] = {
    {"auth-provider", "use a token, a token file or a client certificate"},
    {"username", "Kubernetes has no basic authentication any more"},
    {"as", "belay acts as itself; use the identity's own token or certificate"},
};

template <std::size_t kRows>
void refuse(const Kubeconfig& file, const Node& node, std::string_view whose,
            const Refused (&rows)[kRows]) {
  for (const auto& [key, why] : rows) {
    const Node* const value = node.find(key);
    if (value == nullptr || value->kind == Node::Kind::kNull) continue;
    const std::string name =
        value->kind == Node::Kind::kMapping ? file.text(*value, "name") : std::string();
    throw KubeconfigFault{fmt::format("{}: {} has {}{}, which is not supported: {}", file.path(),
                                      whose, key, name.empty() ? "" : fmt::format(" \"{}\"", name),
                                      why)};
  }
}

void read_cluster(const Kubeconfig& file, const std::string& name, Connection& connection) {
  const Node& cluster = file.entry("clusters", "cluster", name);
  const std::string whose = fmt::format("cluster \"{}\"", name);
  refuse(file, cluster, whose, kRefusedOfCluster);
  if (const Node* const skip = cluster.find("insecure-skip-tls-verify");
      skip != nullptr && skip->kind != Node::Kind::kNull &&
      !(skip->is_bool() && !skip->bool_value())) {
    throw KubeconfigFault{
        fmt::format("{}: {} sets insecure-skip-tls-verify, which belay refuses: anyone on the way "
                    "could take its token. Give certificate-authority instead",
                    file.path(), whose)};
  }
  connection.server = file.text(cluster, "server");
  while (connection.server.ends_with('/')) connection.server.pop_back();
  if (!connection.server.starts_with("https://")) {
    throw KubeconfigFault{fmt::format("{}: {} has the server \"{}\"; belay needs https://",
                                      file.path(), whose, connection.server)};
  }
  connection.server_name = file.text(cluster, "tls-server-name");
  connection.ca_pem = file.pem(cluster, "certificate-authority");
  if (connection.ca_pem.empty()) {
    throw KubeconfigFault{fmt::format(
        "{}: {} has no certificate-authority; belay trusts no other CA", file.path(), whose)};
  }
}

void read_user(const Kubeconfig& file, const std::string& name, Connection& connection) {
  const Node& user = file.entry("users", "user", name);
  const std::string whose = fmt::format("user \"{}\"", name);
  if (const Node* const plugin = user.find("exec");
      plugin != nullptr && plugin->kind != Node::Kind::kNull) {
    throw KubeconfigFault{fmt::format(
        "{}: {} signs in with the exec plugin \"{}\", which is not supported: belay starts no "
        "programs. Use a token (kubectl create token), a token file or a client certificate",
        file.path(), whose, file.text(*plugin, "command"))};
  }
  refuse(file, user, whose, kRefusedOfUser);
  connection.client_cert_pem = file.pem(user, "client-certificate");
  connection.client_key_pem = file.pem(user, "client-key");
  if (connection.client_cert_pem.empty() != connection.client_key_pem.empty()) {
    throw KubeconfigFault{fmt::format("{}: {} has only one of client-certificate and client-key",
                                      file.path(), whose)};
  }
  connection.token = trimmed(file.text(user, "token"));
  if (const std::string token_file = file.text(user, "tokenFile"); !token_file.empty()) {
    connection.token_file = file.resolved(token_file);
    if (trimmed(file_text(connection.token_file)).empty()) {
      throw KubeconfigFault{fmt::format("{} is empty", connection.token_file)};
    }
  }
  if (connection.token.empty() && connection.token_file.empty() &&
      connection.client_cert_pem.empty()) {
    throw KubeconfigFault{fmt::format("{}: {} has neither token, tokenFile nor client-certificate",
                                      file.path(), whose)};
  }
}

/// \throws KubeconfigFault
Connection from_kubeconfig(const std::string& path, const std::string& wanted) {
  const Kubeconfig file(path);
  const std::string name = wanted.empty() ? file.root_text("current-context") : wanted;
  if (name.empty()) throw KubeconfigFault{fmt::format("{} has no current-context", path)};
  const Node& context = file.entry("contexts", "context", name);
  Connection connection;
  connection.namespace_name = file.text(context, "namespace");
  read_cluster(file, file.text(context, "cluster"), connection);
  read_user(file, file.text(context, "user"), connection);
  return connection;
}

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// \throws KubeconfigFault
Connection from_pod(const std::string& root) {
  const std::string_view host = environment("KUBERNETES_SERVICE_HOST");
  const std::string_view port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    throw KubeconfigFault{
        "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set. "
        "Outside of a cluster, name a kubeconfig with --kubeconfig"};
  }
  const std::string folder = root + "/var/run/secrets/kubernetes.io/serviceaccount";
  Connection connection;
  connection.server = host.contains(':') ? fmt::format("https://[{}]:{}", host, port)
                                         : fmt::format("https://{}:{}", host, port);
  try {
    connection.ca_pem = file_text(folder + "/ca.crt");
    connection.token_file = folder + "/token";
    if (trimmed(file_text(connection.token_file)).empty()) {
      throw KubeconfigFault{connection.token_file + " is empty"};
    }
  } catch (const KubeconfigFault& fault) {
    throw KubeconfigFault{fmt::format(
        "{}. The pod has no ServiceAccount token mounted; see automountServiceAccountToken",
        fault.message)};
  }
  // An unusual mount may lack it; --namespace says it then.
  if (const auto name = read_file(AT_FDCWD, folder + "/namespace", kMaxFile)) {
    connection.namespace_name = trimmed(*name);
  }
  return connection;
}

}  // namespace

std::expected<Connection, std::string> in_cluster_connection(const std::string& root) {
  try {
    return from_pod(root);
  } catch (const KubeconfigFault& fault) {
    return std::unexpected(fault.message);
  }
}

std::expected<Connection, std::string> kubeconfig_connection(const std::string& path,
                                                             const std::string& context) {
  try {
    return from_kubeconfig(path, context);
  } catch (const KubeconfigFault& fault) {
    return std::unexpected(fault.message);
  }
}

std::expected<Connection, std::string> usual_connection(const std::string& kubeconfig,
                                                        bool* in_pod) {
  const auto environment = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (in_pod != nullptr) *in_pod = false;
  if (!kubeconfig.empty()) return kubeconfig_connection(kubeconfig);
  // kubectl takes several files from $KUBECONFIG; belay takes the first.
  const std::string files = environment("KUBECONFIG");
  if (!files.empty()) return kubeconfig_connection(files.substr(0, files.find(':')));
  if (auto found = in_cluster_connection()) {
    if (in_pod != nullptr) *in_pod = true;
    return found;
  }
  const std::string usual = environment("HOME") + "/.kube/config";
  if (::access(usual.c_str(), R_OK) == 0) return kubeconfig_connection(usual);
  return std::unexpected("no cluster is configured: give --kubeconfig FILE");
}

}  // namespace belay::webhook::kube

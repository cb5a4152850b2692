// The file of --registries: document -> values, every error with its position.
#include "webhook/registry/registries.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "policy/document.h"
#include "policy/image_reference.h"
#include "policy/settings_reader.h"
#include "policy/text/ascii.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

using policy::Node;
using policy::PolicyError;
using policy::PolicyVisitor;
using policy::TextForm;

constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubEndpoint = "https://registry-1.docker.io";
constexpr std::string_view kDockerHubTokens = "auth.docker.io";

/// What is written of one endpoint; `node` is its mapping.
struct Written {
  const Node* node = nullptr;
  std::string path;
  std::string host, endpoint, ca, client_certificate, client_key;
  std::vector<std::string> token_hosts, blob_hosts;
  bool plain_http = false, allow_private = false;
  std::vector<Written> mirrors;
};

void visit_endpoint(PolicyVisitor& visitor, Written& value) {
  visitor.flag({.name = "plainHttp", .summary = "Use http, without TLS"}, value.plain_http);
  visitor.flag({.name = "allowPrivate", .summary = "Allow private and loopback addresses"},
               value.allow_private);
  visitor.text({.name = "ca", .summary = "File of CA certificates to trust"}, TextForm::kAny,
               value.ca);
  visitor.text({.name = "clientCertificate", .summary = "File of a client certificate"},
               TextForm::kAny, value.client_certificate);
  visitor.text({.name = "clientKey", .summary = "File of its key"}, TextForm::kAny,
               value.client_key);
  visitor.texts({.name = "tokenHosts", .summary = "Hosts of token services"}, TextForm::kAny,
                value.token_hosts);
  visitor.texts(
      {.name = "blobHosts", .summary = "Hosts of blob stores that allowPrivate is for, too"},
      TextForm::kAny, value.blob_hosts);
}

void visit_registry(PolicyVisitor& visitor, Written& value) {
  visitor.text({.name = "host", .summary = "The registry, as references name it", .required = true},
               TextForm::kAny, value.host);
  visitor.text({.name = "endpoint", .summary = "URL of the registry; default: https://<host>"},
               TextForm::kAny, value.endpoint);
  visit_endpoint(visitor, value);
  visitor.sections({.name = "mirrors", .summary = "Asked first, in this order"},
                   [&](PolicyVisitor& inner, std::size_t) {
                     Written& mirror = value.mirrors.emplace_back();
                     inner.text({.name = "endpoint", .summary = "URL to ask", .required = true},
                                TextForm::kAny, mirror.endpoint);
                     visit_endpoint(inner, mirror);
                   });
}

/// Host without its port.
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return host.ends_with(']') ? host : host.substr(0, colon);
}

/// Whether references can name this host.
bool is_host(const std::string& host) {
  const std::string text = host + "/x:1";
  const auto reference = policy::parse_image_reference(text);
  return reference && policy::lower_case(reference->registry) == policy::lower_case(host);
}

/// Turns what is written into what is asked, and collects what is wrong.
class Builder {
 public:
  Builder(std::vector<PolicyError>& errors, ReadFile read_file)
      : errors_(errors), read_file_(read_file) {}

  Registry registry(const Written& value) {
    Registry registry;
    registry.host = policy::lower_case(value.host);
    if (registry.host == "index.docker.io") registry.host = kDockerHub;
    if (!value.host.empty()) check_host(value, registry.host);
    for (const Written& mirror : value.mirrors) registry.endpoints.push_back(endpoint(mirror, {}));
    const bool hub = registry.host == kDockerHub;
    const std::string usual =
        hub ? std::string(kDockerHubEndpoint)
            : fmt::format("{}://{}", value.plain_http ? "http" : "https", registry.host);
    registry.endpoints.push_back(endpoint(value, usual));
    if (hub && value.endpoint.empty()) {
      registry.endpoints.back().token_hosts.emplace_back(kDockerHubTokens);
    }
    return registry;
  }

 private:
  void fail(const Written& value, std::string_view key, std::string message) {
    const Node* node = value.node == nullptr ? nullptr : value.node->find(key);
    if (node == nullptr) node = value.node;
    errors_.push_back({node == nullptr ? policy::Position{} : node->position,
                       fmt::format("{}.{}", value.path, key), std::move(message)});
  }

  void check_host(const Written& value, const std::string& host) {
    if (is_odd_number(without_port(host))) {
      fail(value, "host",
           fmt::format("\"{}\" is an ambiguous spelling of an address; write "
                       "a name, or four decimal numbers",
                       value.host));
    } else if (!is_host(host) || !parse_url("https://" + host)) {
      fail(value, "host",
           fmt::format("\"{}\" is not a registry as image references name it, such as docker.io, "
                       "registry.corp or registry:5000",
                       value.host));
    } else if (!hosts_.insert(host).second) {
      fail(value, "host", fmt::format("\"{}\" is listed twice", value.host));
    }
  }

  Endpoint endpoint(const Written& value, const std::string& usual) {
    Endpoint endpoint;
    std::string text = value.endpoint.empty() ? usual : value.endpoint;
    while (text.ends_with('/')) text.pop_back();
    const auto url = parse_url(text);
    if (url && text.find('?') == std::string::npos) {
      endpoint.url = url->text();
      if (!url->https && !value.plain_http) {
        fail(value, "endpoint", "is http; use https, or add plainHttp: true");
      } else if (url->https && value.plain_http) {
        fail(value, "plainHttp", "is true, but the endpoint is https; leave one of them out");
      }
    } else if (!value.endpoint.empty()) {
      fail(value, "endpoint",
           fmt::format("\"{}\" is not a URL of the form https://host[:port][/path]",
                       value.endpoint));
    }
    endpoint.allow_private = value.allow_private;
    endpoint.ca_pem = file(value, "ca", value.ca);
    endpoint.client_cert_pem = file(value, "clientCertificate", value.client_certificate);
    endpoint.client_key_pem = file(value, "clientKey", value.client_key);
    if (value.client_certificate.empty() != value.client_key.empty()) {
      fail(value, value.client_key.empty() ? "clientCertificate" : "clientKey",
           "needs both clientCertificate and clientKey");
    }
    endpoint.token_hosts = hosts(value, "tokenHosts", value.token_hosts);
    endpoint.blob_hosts = hosts(value, "blobHosts", value.blob_hosts);
    return endpoint;
  }

  std::vector<std::string> hosts(const Written& value, std::string_view key,
                                 const std::vector<std::string>& written) {
    std::vector<std::string> hosts;
    for (const std::string& host : written) {
      if (parse_url("https://" + host) && host.find('/') == std::string::npos) {
        hosts.push_back(policy::lower_case(host));
      } else {
        fail(value, key, fmt::format("\"{}\" is not host or host:port", host));
      }
    }
    return hosts;
  }

  std::string file(const Written& value, std::string_view key, const std::string& path) {
    if (path.empty()) return {};
    auto text = read_file_(path);
    if (!text) {
      fail(value, key, text.error());
      return {};
    }
    if (text->find("-----BEGIN ") == std::string::npos) {
      fail(value, key, fmt::format("{} contains no PEM data", path));
    }
    return std::move(*text);
  }

  std::vector<PolicyError>& errors_;
  const ReadFile read_file_;
  std::set<std::string> hosts_;
};

/// Hands every entry its mapping, so that errors about values know their place.
void place(std::vector<Written>& values, const Node* list, const std::string& path) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (list != nullptr && i < list->items.size()) values[i].node = &list->items[i];
    values[i].path = fmt::format("{}[{}]", path, i);
    if (values[i].node == nullptr) continue;
    place(values[i].mirrors, values[i].node->find("mirrors"), values[i].path + ".mirrors");
  }
}

Registries read_document(const Node& root, std::vector<PolicyError>& errors, ReadFile read_file) {
  policy::ReadState state;
  policy::SettingsReader reader(root, {}, state);
  std::vector<Written> values;
  reader.constant({.name = "apiVersion", .summary = "Version of the format", .required = true},
                  policy::kApiVersion);
  reader.constant({.name = "kind", .summary = "Kind of the document", .required = true},
                  "Registries");
  // An entry that is no mapping is reported and gets no visit, so entries go by their index.
  reader.sections({.name = "registries", .summary = "What belay may ask", .required = true},
                  [&](PolicyVisitor& inner, std::size_t index) {
                    if (values.size() <= index) values.resize(index + 1);
                    visit_registry(inner, values[index]);
                  });
  reader.finish();
  errors.insert(errors.end(), std::make_move_iterator(state.errors.begin()),
                std::make_move_iterator(state.errors.end()));
  place(values, root.find("registries"), "registries");
  Registries registries;
  Builder builder(errors, read_file);
  for (const Written& value : values) registries.list.push_back(builder.registry(value));
  return registries;
}

}  // namespace

const Registry* Registries::find(std::string_view host) const {
  const auto same = [host](const Registry& registry) {
    return std::ranges::equal(registry.host, host, {}, {}, policy::to_lower);
  };
  const auto found = std::ranges::find_if(list, same);
  return found == list.end() ? nullptr : &*found;
}

std::expected<Registries, std::vector<std::string>> read_registries(std::string_view text,
                                                                    const std::string& name,
                                                                    ReadFile read_file) {
  std::vector<PolicyError> errors;
  std::vector<policy::DocumentError> duplicates;
  Registries registries;
  const policy::DocumentLimits limits{
      .max_bytes = std::size_t{1} << 20U, .max_depth = 16, .max_nodes = 100'000};
  const auto documents = policy::read_documents(text, limits, &duplicates);
  if (!documents) {
    errors.push_back({documents.error().position, {}, documents.error().message});
  } else if (documents->size() != 1 || documents->front().root.kind != Node::Kind::kMapping) {
    errors.push_back(
        {{}, {}, "must hold one mapping with apiVersion, kind: Registries and registries"});
  } else {
    registries = read_document(documents->front().root, errors, read_file);
  }
  for (policy::DocumentError& duplicate : duplicates) {
    errors.push_back({duplicate.position, std::move(duplicate.path), std::move(duplicate.message)});
  }
  if (errors.empty()) return registries;
  std::stable_sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) {
    return a.position.offset < b.position.offset;
  });
  std::vector<std::string> texts;
  texts.reserve(errors.size());
  for (const PolicyError& error : errors) texts.push_back(error.format(name));
  return std::unexpected(std::move(texts));
}

}  // namespace belay::webhook::registry

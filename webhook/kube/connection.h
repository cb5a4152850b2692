// Where the API server is and who we are: from a pod's mounted ServiceAccount or from a kubeconfig.
// Reading is done at start-up; a token file is read again when it changes (the kubelet renews it).
#pragma once

#include <expected>
#include <string>

namespace belay::webhook::kube {

/// Everything that is needed to open a connection. Plain value.
struct Connection {
  std::string server = {};  ///< "https://10.96.0.1:443", "https://[fd00::1]:6443"; no trailing "/"
  std::string server_name = {};  ///< tls-server-name of a kubeconfig; "" for the host of `server`
  std::string ca_pem = {};       ///< authorities to trust; never the system's
  std::string token = {};        ///< fixed bearer token; "" where a file or a certificate speaks
  std::string token_file = {};   ///< read again at least every minute; "" where there is none
  std::string client_cert_pem = {};
  std::string client_key_pem = {};
  std::string namespace_name = {};  ///< the ServiceAccount's, or the context's; "" where unknown
};

/// From /var/run/secrets/kubernetes.io/serviceaccount and KUBERNETES_SERVICE_HOST and _PORT.
/// \param root  in front of the directory; "" but in tests
/// \return why the process is not in a pod, as a sentence with the way out
std::expected<Connection, std::string> in_cluster_connection(const std::string& root = "");

/// From a kubeconfig's current context (or `context`). Exec and auth-provider plugins are refused
/// by name; relative file names are relative to the kubeconfig, as kubectl takes them.
std::expected<Connection, std::string> kubeconfig_connection(const std::string& path,
                                                             const std::string& context = "");

/// As a person's kubectl finds the cluster: `kubeconfig` where one is given, else the first file of
/// $KUBECONFIG, else this pod's ServiceAccount, else ~/.kube/config.
/// \param in_pod  set to whether the ServiceAccount was taken; may be nullptr
std::expected<Connection, std::string> usual_connection(const std::string& kubeconfig,
                                                        bool* in_pod = nullptr);

}  // namespace belay::webhook::kube

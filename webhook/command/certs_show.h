// `belay certs show`: what stands in certificates, in a file, a directory of `certs create`, or the
// Secret in which a cluster keeps them. Reads only; stateless.
#pragma once

#include <string>
#include <string_view>

#include "certs/key_pair.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {

struct CertsShowOptions {
  std::string path;  ///< file or directory; "-" for standard input
  std::string output = "text";
  bool ca_bundle = false;
};

/// \return kExitFindings where a certificate is not valid now, or a Secret's do not fit together
int run_certs_show(const CertsShowOptions& options, Streams& streams);

/// "2026-11-22"
std::string day_text(certs::TimePoint time);

/// Says why a `belay certs` command failed. \return kExitError
int fail_certs(Streams& streams, std::string_view problem);

}  // namespace belay::webhook::command

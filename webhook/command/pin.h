// `belay pin`: tags of manifests become tags with digests. Not thread-safe.
#pragma once

#include <string>

#include "webhook/command/command.h"
#include "webhook/command/evaluation_options.h"
#include "webhook/command/manifest_inputs.h"
#include "webhook/command/registry_options.h"

namespace belay::webhook::command {

struct PinOptions {
  EvaluationOptions evaluation;  ///< no policy: every image with a tag is meant
  ManifestOptions manifests;
  RegistryOptions registries;
  bool write = false;
  bool check = false;
  bool diff = false;
  std::string output = "text";
};

/// \param make_reader  how registries are asked
int run_pin(const PinOptions& options, const MakeReader& make_reader, Streams& streams);

}  // namespace belay::webhook::command

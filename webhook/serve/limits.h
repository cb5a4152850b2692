// The limits of the server that an admin may set: one table, from which the options of
// `belay serve`, their variables and errors, and the table in docs/operations.md follow. A default
// stands where the limit is used: in the options of the part that keeps it.
//
// Plain values and pure functions; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/evaluation_budget.h"
#include "webhook/admission/image_lookups.h"
#include "webhook/admission/namespace_lookups.h"
#include "webhook/http/server.h"
#include "webhook/registry/registry_client.h"
#include "webhook/registry/resolver.h"

namespace belay::webhook::serve {

/// The options of the parts whose limits can be set.
struct Limits {
  http::ServerOptions server;
  admission::EvaluationBudget::Limits evaluation;
  admission::NamespaceLookups::Options namespaces;
  admission::ImageLookups::Options images;
  registry::RegistryClientOptions registries;
  registry::ResolverOptions digests;
};

enum class LimitUnit : std::uint8_t { kNumber, kBytes, kMilliseconds };

/// A row of the table. Figures are in its unit.
struct Limit {
  std::string_view name;  ///< of the option: "--max-body-bytes"
  LimitUnit unit;
  std::uint64_t least, most;  ///< that may be set, inclusive
  std::string_view text;      ///< what it is, for help and docs: no full stop at its end
  std::uint64_t (*get)(const Limits&);
  void (*set)(Limits&, std::uint64_t);

  std::string_view type_name() const;  ///< of its value in help: "SIZE"
  std::string bounds() const;          ///< "1Ki to 1Mi"
};
std::span<const Limit> limit_rows();

/// As a user writes it: "64", "16Ki", "2500ms", "20m".
std::string limit_text(LimitUnit unit, std::uint64_t value);

/// The defaults as text, one for each row.
std::vector<std::string> default_limit_texts();

/// \param texts     one for each row
/// \param problems  gets what is wrong with them, by the names of the options
Limits read_limits(std::span<const std::string> texts, std::vector<std::string>& problems);

}  // namespace belay::webhook::serve

// Findings with the place in a file where each stands, and printing them. What `check` gathers;
// every format is one row of the table in report.cpp.
//
// Plain values and pure functions; thread-safe where values are not shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/verdict.h"

namespace belay::webhook::report {

/// Where something stands in a file; line and column count from 1, 0 where only the file is known.
struct Place {
  std::string file;  ///< as the user named or would name it; "<stdin>" for standard input
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// A finding with the object it belongs to.
struct PlacedFinding {
  Place place;
  std::string kind;
  std::string ns;    ///< namespace under which it was evaluated
  std::string name;  ///< metadata.name, "" where absent
  policy::Finding finding;
};

/// What could not be read.
struct InputError {
  Place place;
  std::string message;
};

struct Report {
  std::size_t files = 0;
  std::size_t objects = 0;    ///< of any kind
  std::size_t evaluated = 0;  ///< of these: of a kind with pods in it
  std::size_t unmatched = 0;  ///< of those: in a namespace that no policy matches
  std::set<std::string, std::less<>> unmatched_namespaces;
  std::size_t passed_over = 0;  ///< documents of a directory that are no Kubernetes objects
  std::vector<PlacedFinding> findings;
  std::vector<InputError> errors;

  std::size_t count(policy::Mode mode) const;
};

/// How to print: a row of the table in report.cpp. Findings and the summary go to the output;
/// `color` paints for a terminal.
struct Format {
  std::string_view name;  ///< of --output
  std::string_view use;   ///< for help: "for programs"
  void (*print)(const Report& report, bool color, std::ostream& out);
};
std::span<const Format> formats();
/// The format of that name, or nullptr.
const Format* find_format(std::string_view name);

/// `deploy.yaml:12:9`, without what is not known. Escaped for people.
std::string to_string(const Place& place);

/// "checked 12 objects in 3 files: 2 problems, 1 warning"
std::string summary(const Report& report);

}  // namespace belay::webhook::report

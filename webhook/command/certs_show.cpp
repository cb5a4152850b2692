#include "webhook/command/certs_show.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "certs/rotation.h"
#include "policy/document.h"
#include "policy/text/base64.h"
#include "policy/text/time_text.h"
#include "webhook/certificates/certificate_secret.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/command/standard_input.h"
#include "webhook/kube/object.h"

namespace belay::webhook::command {
namespace {

constexpr std::chrono::days kExpirySoon{14};
constexpr std::string_view kStandardInputPath = "-";

certs::TimePoint now() { return std::chrono::system_clock::now(); }

long days_left(const certs::CertificateFacts& certificate) {
  return std::chrono::floor<std::chrono::days>(certificate.not_after - now()).count();
}

/// "89 days", "5 hours", "40 seconds": the largest unit of which there are two, else the smallest.
std::string span_text(certs::TimePoint::duration span) {
  struct Unit {
    std::string_view name;
    std::chrono::seconds length;
  };
  constexpr std::array<Unit, 4> kUnits{{{"day", std::chrono::days(1)},
                                        {"hour", std::chrono::hours(1)},
                                        {"minute", std::chrono::minutes(1)},
                                        {"second", std::chrono::seconds(1)}}};
  const auto* const unit =
      std::ranges::find_if(kUnits, [&](const Unit& one) { return span >= 2 * one.length; });
  const Unit& found = unit == kUnits.end() ? kUnits.back() : *unit;
  const auto count = span / found.length;
  return fmt::format("{} {}{}", count, found.name, count == 1 ? "" : "s");
}

std::string validity_text(const certs::CertificateFacts& certificate) {
  const std::string span =
      fmt::format("{} to {}", day_text(certificate.not_before), day_text(certificate.not_after));
  switch (certs::validity(certificate, now())) {
    case certs::Validity::kNotYet:
      return fmt::format("{}, NOT VALID YET, valid in {}", span,
                         span_text(certificate.not_before - now()));
    case certs::Validity::kExpired:
      return fmt::format("{}, EXPIRED {} ago", span, span_text(now() - certificate.not_after));
    case certs::Validity::kValid:
      break;
  }
  // A CA is followed by the next one long before.
  const bool soon = certificate.not_after - now() < kExpirySoon;
  return fmt::format("{}, {} left{}", span, span_text(certificate.not_after - now()),
                     soon ? ", EXPIRES SOON" : "");
}

/// Certificates that stand in one place.
struct Shown {
  std::string place;  ///< a file, or a key of a Secret
  std::vector<certs::CertificateFacts> certificates;
};

/// Everything that is shown by one call.
struct Show {
  std::vector<Shown> places;
  const certs::Holding* holding = nullptr;  ///< of a Secret: what each CA is there for
};

/// What a CA of a Secret is there for.
std::string use_of(const certs::CertificateFacts& facts, const certs::Holding& holding) {
  const auto is = [&](const certs::Bundle& bundle) { return holds(bundle, facts.fingerprint); };
  if (is(certs::read_bundle(holding.next_authority).value_or(certs::Bundle{}))) {
    return "issues next, once every API server trusts it";
  }
  for (const certs::Authority& one :
       certs::read_bundle(holding.authorities).value_or(certs::Bundle{})) {
    if (one.facts.fingerprint != facts.fingerprint) continue;
    return certs::KeyPair::from_pem(one.pem, holding.authority_key)
               ? "issues tls.crt"
               : "still trusted, until no replica serves a certificate from it";
  }
  return "";
}

void print_shown(const Show& show, std::ostream& out) {
  for (const Shown& shown : show.places) {
    for (const certs::CertificateFacts& facts : shown.certificates) {
      out << fmt::format("{}  {}\n", shown.place, facts.is_ca ? "CA certificate" : "certificate");
      const auto row = [&out](std::string_view name, const std::string& value) {
        if (!value.empty()) out << fmt::format("  {:<12} {}\n", name, value);
      };
      row("subject", facts.subject);
      row("issuer", facts.issuer);
      row("names", fmt::format("{}", fmt::join(facts.names, ", ")));
      if (show.holding != nullptr && facts.is_ca) row("use", use_of(facts, *show.holding));
      row("valid", validity_text(facts));
      row("key", facts.key);
      row("serial", facts.serial);
      row("fingerprint", "SHA-256 " + facts.fingerprint);
    }
  }
}

void print_shown_json(const Show& show, std::ostream& out) {
  for (const Shown& shown : show.places) {
    for (const certs::CertificateFacts& facts : shown.certificates) {
      const auto seconds = [](certs::TimePoint time) {
        return std::chrono::system_clock::to_time_t(time);
      };
      const nlohmann::ordered_json row{
          {"file", shown.place},
          {"subject", facts.subject},
          {"issuer", facts.issuer},
          {"names", facts.names},
          {"ca", facts.is_ca},
          {"key", facts.key},
          {"serial", facts.serial},
          {"fingerprint", facts.fingerprint},
          {"notBefore", seconds(facts.not_before)},
          {"notAfter", seconds(facts.not_after)},
          {"daysLeft", days_left(facts)},
          {"valid", certs::validity(facts, now()) == certs::Validity::kValid}};
      out << row.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    }
  }
}

bool is_directory(const std::string& path) {
  std::error_code ignored;  // what can't be looked at is none
  return std::filesystem::is_directory(path, ignored);
}

std::expected<std::string, certs::Error> read_text(const std::string& path, std::istream& in) {
  if (path != kStandardInputPath) return certificates::read_pem_file(path);
  auto text = read_standard_input(in);
  if (!text) return std::unexpected(certs::Error{text.error()});
  return std::move(*text);
}

/// What a Secret's manifest holds, JSON or YAML; nothing where the text is something else.
std::optional<kube::Object> read_secret(const std::string& text) {
  const auto documents = policy::read_documents(text);
  if (!documents || documents->empty()) return std::nullopt;
  const policy::Node& root = documents->front().root;
  const policy::Node* const kind = root.find("kind");
  if (kind == nullptr || kind->text != "Secret") return std::nullopt;
  kube::Object secret;
  if (const policy::Node* const metadata = root.find("metadata")) {
    if (const policy::Node* const name = metadata->find("name")) secret.name = name->text;
  }
  if (const policy::Node* const data = root.find("data")) {
    for (std::size_t i = 0; i < data->keys.size(); ++i) {
      secret.data[data->keys[i].text] =
          policy::base64_decode(data->items[i].text).value_or("not base64");
    }
  }
  return secret;
}

bool all_valid(const Show& show) {
  return std::ranges::all_of(show.places, [](const Shown& shown) {
    return std::ranges::all_of(shown.certificates, [](const auto& facts) {
      return certs::validity(facts, now()) == certs::Validity::kValid;
    });
  });
}

int show_secret(const kube::Object& secret, const CertsShowOptions& options, Streams& streams) {
  const certs::Holding holding = certificates::holding_of(secret);
  Show show{.places = {}, .holding = &holding};
  const std::array places{std::pair{certificates::kAuthoritiesKey, &holding.authorities},
                          std::pair{certificates::kLeafKey, &holding.certificate}};
  bool good = true;
  const auto complain = [&](const std::string& problem) {
    streams.err << fmt::format("belay certs: Secret {}: {}\n", secret.name, problem);
    good = false;
  };
  for (const auto& [key, pem] : places) {
    if (pem->empty()) {
      complain(fmt::format("{} is empty", key));
      continue;
    }
    auto read = certs::read_certificates(*pem);
    if (!read) {
      complain(fmt::format("{} {}", key, read.error().message));
      continue;
    }
    show.places.push_back({std::string(key), std::move(*read)});
  }
  if (good) {
    if (const auto fits = certs::pair_to_serve(holding, nullptr, now()); !fits) {
      complain(fits.error().message);
    }
  }
  (options.output == "json" ? print_shown_json : print_shown)(show, streams.out);
  return good && all_valid(show) ? kExitClean : kExitFindings;
}

int show_ca_bundle(const CertsShowOptions& options, Streams& streams) {
  const std::string file = is_directory(options.path)
                               ? fmt::format("{}/{}", options.path, certificates::kCaFile)
                               : options.path;
  auto pem = read_text(file, streams.in);
  if (!pem) return fail_certs(streams, pem.error().message);
  if (const auto secret = read_secret(*pem)) *pem = certificates::holding_of(*secret).authorities;
  if (const auto read = certs::read_certificates(*pem); !read) {
    return fail_certs(streams, fmt::format("{}: {}", file, read.error().message));
  }
  streams.out << policy::base64_encode(*pem) << '\n';
  return kExitClean;
}

/// The certificate files that `path` stands for.
std::vector<std::string> certificate_files(const std::string& path) {
  if (!is_directory(path)) return {path};
  return {fmt::format("{}/{}", path, certificates::kCaFile),
          fmt::format("{}/{}", path, certificates::kCertificateFile)};
}

}  // namespace

std::string day_text(certs::TimePoint time) {
  return policy::day_text(std::chrono::floor<std::chrono::seconds>(time));
}

int fail_certs(Streams& streams, std::string_view problem) {
  streams.err << fmt::format("belay certs: {}\n", problem);
  return kExitError;
}

int run_certs_show(const CertsShowOptions& options, Streams& streams) {
  if (options.ca_bundle) return show_ca_bundle(options, streams);
  Show show;
  for (const std::string& path : certificate_files(options.path)) {
    const auto text = read_text(path, streams.in);
    if (!text) return fail_certs(streams, text.error().message);
    if (const auto secret = read_secret(*text)) return show_secret(*secret, options, streams);
    const std::string place = path == kStandardInputPath ? "standard input" : path;
    auto read = certs::read_certificates(*text);
    if (!read) return fail_certs(streams, fmt::format("{}: {}", place, read.error().message));
    show.places.push_back({place, std::move(*read)});
  }
  (options.output == "json" ? print_shown_json : print_shown)(show, streams.out);
  return all_valid(show) ? kExitClean : kExitFindings;
}

}  // namespace belay::webhook::command

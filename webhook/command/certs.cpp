// `belay certs`: creates and renews the certificates of a directory, as `serve --self-signed` keeps
// them. What `certs show` does stands in certs_show.cpp.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <ostream>

#include "certs/key_pair.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/command/certs_show.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

namespace fs = std::filesystem;

struct CertsOptions {
  std::string directory;
  std::vector<std::string> names;
  unsigned days = 90;
  CertsShowOptions show;
};

int run_ensure(const CertsOptions& options, bool renew, Streams& streams) {
  std::error_code ignored;  // what can't be looked at is not there
  const fs::file_status directory = fs::status(options.directory, ignored);
  if (renew && !fs::is_directory(directory)) {
    return fail_certs(streams,
                      fmt::format("{} is no directory; create it with: belay certs create --dir {}",
                                  options.directory, options.directory));
  }
  if (fs::exists(directory) && !fs::is_directory(directory)) {
    return fail_certs(streams, fmt::format("{} is no directory", options.directory));
  }
  // A directory that was named by mistake would get a CA that no cluster trusts.
  if (renew && !fs::exists(fs::path(options.directory) / certificates::kAuthorityFile, ignored)) {
    return fail_certs(
        streams, fmt::format("{} holds no {} to renew under; create it with: belay certs create "
                             "--dir {}",
                             options.directory, certificates::kAuthorityFile, options.directory));
  }
  const auto done = certificates::ensure_directory_certificates(
      options.directory,
      {.names = options.names, .life = std::chrono::days(options.days), .renew = renew},
      std::chrono::system_clock::now());
  if (!done) return fail_certs(streams, done.error().message);
  const auto leaf = certs::read_certificates(done->leaf.certificate);
  if (!leaf) return fail_certs(streams, leaf.error().message);
  if (done->new_authority) {
    streams.out << fmt::format("{}/{}: new CA\n", options.directory, certificates::kAuthorityFile);
  }
  streams.out << fmt::format(
      "{}/{}: {}, for {}, until {}\n", options.directory, certificates::kCertificateFile,
      done->new_leaf ? "issued" : "kept, it is valid", fmt::join(leaf->front().names, ", "),
      day_text(leaf->front().not_after));
  if (done->new_authority) {
    streams.out << fmt::format(
        "\nPut the CA into the webhook configurations' clientConfig.caBundle:\n"
        "  belay certs show --ca-bundle {}\n",
        options.directory);
  }
  return kExitClean;
}

/// --dir, --name and --days of the commands that issue.
CLI::App* add_issuing(CLI::App& app, const char* name, const char* summary, CertsOptions& options) {
  CLI::App* const sub = app.add_subcommand(name, summary);
  sub->add_option("-d,--dir", options.directory, "Directory of ca.crt, ca.key, tls.crt, tls.key")
      ->type_name("DIR")
      ->required();
  repeatable(sub->add_option("-n,--name", options.names,
                             "DNS name or address to issue for; repeatable; left out: those of the "
                             "certificate that is there, else the chart's service and localhost")
                 ->type_name("NAME"));
  sub->add_option("--days", options.days, "Days that the certificate is valid")
      ->type_name("N")
      ->check(CLI::Range(1U, 3650U))
      ->capture_default_str();
  return sub;
}

}  // namespace

Run define_certs(CLI::App& app) {
  auto options = std::make_shared<CertsOptions>();
  const CLI::App* const create =
      add_issuing(app, "create", "makes a CA and a serving certificate in a directory", *options);
  const CLI::App* const renew =
      add_issuing(app, "renew", "issues a new serving certificate under the CA there", *options);
  CLI::App* const show =
      app.add_subcommand("show", "tells what stands in certificates and how long they last");
  show->add_option(
          "PATH", options->show.path,
          "Certificates in PEM, a Secret's manifest, or a directory of certs create; - for "
          "standard input")
      ->type_name("PATH")
      ->required();
  show->add_option("-o,--output", options->show.output, "Format of the output")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  show->add_flag("--ca-bundle", options->show.ca_bundle,
                 "Print only the CA in base64, for clientConfig.caBundle");
  app.require_subcommand(1);
  return [options, create, renew](Streams& streams) {
    if (create->parsed() || renew->parsed()) {
      return run_ensure(*options, renew->parsed(), streams);
    }
    return run_certs_show(options->show, streams);
  };
}

}  // namespace belay::webhook::command

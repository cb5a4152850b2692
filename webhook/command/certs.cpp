// `belay certs`: creates and renews the certificates of a directory, as `serve --self-signed` keeps
// them. What `certs show` does stands in certs_show.cpp.
#include <fmt/format.h>

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
    return fail_certs(
        streams, fmt::format("{} is not a directory; create it with: belay certs create --dir {}",
                             options.directory, options.directory));
  }
  if (fs::exists(directory) && !fs::is_directory(directory)) {
    return fail_certs(streams, fmt::format("{} is not a directory", options.directory));
  }
  // A directory that was named by mistake would get a CA that no cluster trusts.
  if (renew && !fs::exists(fs::path(options.directory) / certificates::kCaFile, ignored)) {
    return fail_certs(
        streams,
        fmt::format("{} contains no {}, which renewal needs; create it with: belay certs create "
                    "--dir {}",
                    options.directory, certificates::kCaFile, options.directory));
  }
  const auto done = certificates::ensure_directory_certificates(
      options.directory,
      {.names = options.names, .life = std::chrono::days(options.days), .renew = renew},
      std::chrono::system_clock::now());
  if (!done) return fail_certs(streams, done.error().message);
  const auto leaf = certs::read_certificates(done->leaf.certificate);
  if (!leaf) return fail_certs(streams, leaf.error().message);
  if (done->new_ca) {
    streams.out << fmt::format("{}/{}: new CA\n", options.directory, certificates::kCaFile);
  }
  streams.out << fmt::format(
      "{}/{}: {}, for {}, until {}\n", options.directory, certificates::kCertificateFile,
      done->new_leaf ? "issued" : "kept, because it is valid", fmt::join(leaf->front().names, ", "),
      day_text(leaf->front().not_after));
  if (done->new_ca) {
    streams.out << fmt::format(
        "\nPut the CA into the webhook configurations' clientConfig.caBundle:\n"
        "  belay certs show --ca-bundle {}\n",
        options.directory);
  }
  return kExitClean;
}

/// --dir, --name and --days of the commands that issue.
CommandLine add_issuing(const CommandLine& line, const char* name, const char* summary,
                        CertsOptions& options) {
  const CommandLine sub = line.subcommand(name, summary);
  sub.option("-d,--dir", options.directory, "Directory of ca.crt, ca.key, tls.crt, tls.key")
      .type_name("DIR")
      .required();
  sub.option("-n,--name", options.names,
             "DNS name or address to issue for; repeatable; default: those of the existing "
             "certificate, else the chart's Service and localhost")
      .type_name("NAME")
      .repeatable();
  sub.option("--days", options.days, "Days that the certificate is valid")
      .type_name("N")
      .range(1, 3650)
      .show_default();
  return sub;
}

}  // namespace

Run define_certs(const CommandLine& line) {
  auto options = std::make_shared<CertsOptions>();
  const CommandLine create =
      add_issuing(line, "create", "makes a CA and a serving certificate in a directory", *options);
  const CommandLine renew = add_issuing(
      line, "renew", "issues a new serving certificate from the CA in a directory", *options);
  const CommandLine show = line.subcommand("show", "shows certificates and when they expire");
  show.option("PATH", options->show.path,
              "Certificates in PEM, a Secret's manifest, or a directory of certs create; - for "
              "standard input")
      .type_name("PATH")
      .required();
  show.option("-o,--output", options->show.output, "Format of the output")
      .type_name("FORMAT")
      .choices({"text", "json"})
      .show_default();
  show.flag("--ca-bundle", options->show.ca_bundle,
            "Print only the CA in base64, for clientConfig.caBundle");
  line.require_subcommand();
  return [options, create, renew](Streams& streams) {
    if (create.given() || renew.given()) {
      return run_ensure(*options, renew.given(), streams);
    }
    return run_certs_show(options->show, streams);
  };
}

}  // namespace belay::webhook::command

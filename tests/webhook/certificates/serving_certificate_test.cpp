// The serving certificate stays fresh: issued, renewed by the clock, swapped with its files, and
// the last good one kept.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/folder.h"
#include "webhook/certificates/serving_certificate.h"

namespace {

using namespace belay;
using namespace belay::webhook;
using namespace belay::webhook::certificates;
using namespace std::chrono_literals;

const certs::TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};

/// A source over a directory of its own, with a clock that the test moves.
struct Fixture : tests::Folder {
  ServingCertificate make(ServingCertificateOptions options) {
    options.poll = std::chrono::hours(1);  // the test looks, not the thread
    return ServingCertificate(
        std::move(options), store, [this] { return now; },
        [this](const CertificateEvent& event) {
          if (!event.pair) failures.push_back(event.message);
          ca_expiry = event.ca_expiry;
        });
  }
  std::string serial() const { return store->current()->leaf().serial; }

  certs::TimePoint now = kNow;
  std::shared_ptr<certs::Store> store = std::make_shared<certs::Store>();
  std::vector<std::string> failures;
  std::optional<certs::TimePoint> ca_expiry;
};

ServingCertificateOptions in_directory(const std::string& directory) {
  ServingCertificateOptions options;
  options.directory = directory;
  options.names = {"belay.test"};
  return options;
}

}  // namespace

TEST_CASE("a self-signed directory is filled, kept over a restart, and renewed after two thirds") {
  Fixture fixture;
  std::string first;
  {
    auto source = fixture.make(in_directory(fixture.path()));
    REQUIRE(source.start());
    first = fixture.serial();
  }
  auto source = fixture.make(in_directory(fixture.path()));
  REQUIRE(source.start());
  CHECK(fixture.serial() == first);
  const std::string ca = source.ca();
  CHECK(fixture.ca_expiry == certs::read_certificates(ca)->front().not_after);

  fixture.now = fixture.store->current()->renew_at() - 1s;
  source.look();
  CHECK(fixture.serial() == first);
  fixture.now += 1s;
  source.look();
  CHECK(fixture.serial() != first);
  CHECK(source.ca() == ca);
  CHECK(fixture.failures.empty());
}

TEST_CASE("another name on the command line makes another certificate under the same CA") {
  Fixture fixture;
  REQUIRE(fixture.make(in_directory(fixture.path())).start());
  auto options = in_directory(fixture.path());
  options.names = {"belay.test", "other.test"};
  auto source = fixture.make(options);
  REQUIRE(source.start());
  CHECK(fixture.store->current()->leaf().names == options.names);
}

TEST_CASE("a CA that has expired is replaced together with its certificate") {
  Fixture fixture;
  auto source = fixture.make(in_directory(fixture.path()));
  REQUIRE(source.start());
  const std::string ca = source.ca();
  fixture.now += certs::kDefaultCaDuration + 1h;
  source.look();
  CHECK(source.ca() != ca);
  CHECK(fixture.store->current()->validity(fixture.now) == certs::Validity::kValid);
}

TEST_CASE("files that change are swapped in; a pair that does not fit leaves the last good one") {
  Fixture fixture;
  const auto ca = certs::create_authority("test", kNow).value();
  const auto one = certs::issue_leaf(ca, {"one.test"}, kNow).value();
  const auto two = certs::issue_leaf(ca, {"two.test"}, kNow).value();
  fixture.write("tls.crt", one.certificate);
  fixture.write("tls.key", one.key);
  ServingCertificateOptions options;
  options.certificate_file = fixture.path("tls.crt");
  options.key_file = fixture.path("tls.key");
  auto source = fixture.make(options);
  REQUIRE(source.start());
  CHECK(fixture.store->current()->leaf().names.front() == "one.test");
  CHECK(fixture.ca_expiry == std::nullopt);

  fixture.write("tls.crt", two.certificate);  // its key is still to come
  source.look();
  source.look();
  CHECK(fixture.store->current()->leaf().names.front() == "one.test");
  REQUIRE(fixture.failures.size() == 1);  // said once, not at every look
  CHECK(fixture.failures[0].find("do not belong together") != std::string::npos);

  fixture.write("tls.key", two.key);
  source.look();
  CHECK(fixture.store->current()->leaf().names.front() == "two.test");

  std::filesystem::remove(fixture.path("tls.key"));
  source.look();
  CHECK(fixture.store->current()->leaf().names.front() == "two.test");
  CHECK(fixture.failures.size() == 2);
}

TEST_CASE("without files a certificate lives in memory and is renewed there") {
  Fixture fixture;
  auto source = fixture.make({});
  REQUIRE(source.start());
  const std::string first = fixture.serial();
  CHECK(fixture.store->current()->leaf().names == default_certificate_names());
  fixture.now += certs::kDefaultCertDuration;
  source.look();
  CHECK(fixture.serial() != first);
}

TEST_CASE("a certificate that cannot be had is an error that names the file") {
  Fixture fixture;
  ServingCertificateOptions options;
  options.certificate_file = fixture.path("absent.crt");
  options.key_file = fixture.path("absent.key");
  const auto started = fixture.make(options).start();
  REQUIRE_FALSE(started);
  CHECK(started.error().message ==
        "cannot read " + options.certificate_file + ": No such file or directory");
}

// What the reactors of one server share. Immutable but for the atomics.
#pragma once

#include <atomic>
#include <utility>

#include "webhook/http/framing.h"
#include "webhook/http/input_buffer.h"
#include "webhook/http/server.h"
#include "webhook/http/tls_context.h"

namespace belay::webhook::http {

struct ServerState {
  ServerState(const ServerOptions& given, SslContext context, ServerEvents told)
      : options(given),
        tls(std::move(context)),
        events(std::move(told)),
        limits{options.max_header_bytes, options.max_headers, options.max_body_bytes,
               options.paths},
        bytes(options.max_bytes_in_flight) {}

  const ServerOptions options;
  const SslContext tls;
  const ServerEvents events;
  const FramingLimits limits;
  BytesInFlight bytes;
  std::atomic<bool> draining{false};
};

}  // namespace belay::webhook::http

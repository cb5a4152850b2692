# The image of belay: the program, the libraries it links and the CA certificates. No shell, no package
# manager, nothing that is written to: it runs with a read-only root as its own user.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t belay:0.1.0 .
#
# `podman build` and `buildah build` take the same words; `make image` takes whichever is here. Every
# architecture that Debian has works: none is named.
ARG BASE=docker.io/library/debian:trixie-slim

FROM ${BASE} AS tools
WORKDIR /src
COPY scripts/packages.txt scripts/
RUN apt-get update -qq \
 && awk '/^\[/ { on = ($0 == "[build]") } on && /^[a-z0-9]/' scripts/packages.txt \
    | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*

FROM tools AS build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY certs certs
COPY policy policy
COPY webhook webhook
ARG REVISION=unknown
RUN cmake --preset release --log-level=WARNING -DBELAY_TESTS=OFF -DBELAY_COMMIT="${REVISION}" \
 && cmake --build --preset release --target belay
COPY scripts/image_root scripts/
RUN scripts/image_root build/release/belay /image

FROM scratch
COPY --from=build /image /
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="belay" \
      org.opencontainers.image.description="Kubernetes admission webhook that validates image references and tags" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["/usr/bin/belay"]

# What people type. Each target does its own set-up on Debian 12, Debian 13 and Ubuntu 24.04.
.DEFAULT_GOAL := help
.PHONY: help build demo unit test test-cluster test-sanitizers test-speed test-all image cluster bench fuzz lint \
        format coverage install clean
SHELL := /bin/bash
export GOTOOLCHAIN ?= auto
JOBS ?= $(shell nproc)
prefix ?= /usr/local

help:             ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

build:            ## the program, at build/release/belay
	@scripts/setup build
	@[ build/release/build.ninja -nt CMakePresets.json ] || cmake --preset release --log-level=WARNING -DBELAY_TESTS=OFF >/dev/null
	@cmake --build --preset release -j $(JOBS) --target belay
	@echo "Built build/release/belay ($$(du -h build/release/belay | cut -f1 | tr -d ' '))"

demo: build       ## start the server, see a bad review refused and a good one admitted
	@scripts/setup demo
	@scripts/demo build/release/belay

unit:             ## unit tests of a debug build, room by room; ROOM=policy for one of them
	@scripts/test unit $(ROOM)

test:             ## everything that needs neither cluster nor sanitizer
	@scripts/test test

test-cluster:     ## a real Kubernetes API server, and belay's life on a whole node
	@scripts/test cluster

test-sanitizers:  ## ASan + UBSan, TSan, fuzz corpora, coverage; then short fuzzing and clang-tidy
	@scripts/test sanitizers
	@scripts/test fuzz

test-speed:       ## the figures that a change may not make worse
	@scripts/test speed

test-all:         ## every test there is, as CI runs it
	@.ci/run

image:            ## the image as build/image/belay.tar, for kind, minikube or a registry
	@scripts/image $(IMAGE)

cluster:          ## a Kubernetes node on this machine, with belay; then plain kubectl
	@scripts/setup node
	@tests/cluster/node.py belay

bench:            ## belay compared with nginx, a Go program and kubeconform, as a table of ratios
	@scripts/setup build test bench
	@cmake --preset release --log-level=WARNING -DBELAY_TESTS=ON -DBELAY_BENCH=ON >/dev/null
	@cmake --build --preset release -j $(JOBS) --target belay
	@/usr/bin/python3 -B tests/bench/side_by_side.py --program build/release/belay

fuzz:             ## every fuzz target for FUZZ_SECONDS (60)
	@scripts/setup build test
	@cmake --preset fuzz --log-level=WARNING >/dev/null
	@cmake --build --preset fuzz -j $(JOBS)
	@ctest --preset fuzz -L '^fuzz$$' -j $(JOBS) --output-on-failure

lint:             ## clang-format, shellcheck, the layering rules and clang-tidy
	@scripts/setup build test
	@scripts/lint all

format:           ## lay the sources out anew with clang-format
	@scripts/lint format-in-place

coverage:         ## unit and protocol tests, and what they ran; fails below the bars
	@scripts/setup build test
	@/usr/bin/python3 -B scripts/coverage.py all

install: build    ## into $(prefix), also as kubectl-belay
	@cmake --install build/release --prefix $(prefix)

clean:            ## remove every build tree
	@rm -rf build

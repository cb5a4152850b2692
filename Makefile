# What people type. Each target does its own set-up on a fresh Debian 12 or 13.
.DEFAULT_GOAL := help
.PHONY: help build demo test cluster bench fuzz lint format coverage install clean
SHELL := /bin/bash
export GOTOOLCHAIN ?= auto
JOBS ?= $(shell nproc)
prefix ?= /usr/local

help:             ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

build:            ## the program, at build/release/belay
	@scripts/setup build
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release -j $(JOBS) --target belay
	@echo "Built build/release/belay ($$(du -h build/release/belay | cut -f1 | tr -d ' '))"

demo: build       ## start the server, see a bad review refused and a good one admitted
	@scripts/setup demo
	@scripts/demo build/release/belay

test:             ## everything: all build trees, then one ctest run
	@scripts/test

cluster:          ## a real Kubernetes node on this machine, with belay; then plain kubectl
	@scripts/setup node
	@tests/cluster/node.py up
	@tests/cluster/node.py belay

bench:            ## belay beside nginx, a Go stand-in and kubeconform, as a table of ratios
	@scripts/setup build bench
	@cmake --preset release --log-level=WARNING -DBELAY_BENCH=ON
	@cmake --build --preset release -j $(JOBS)
	@/usr/bin/python3 -B tests/bench/side_by_side.py --program build/release/belay

fuzz:             ## every fuzz target for FUZZ_SECONDS (60)
	@scripts/setup build test
	@cmake --preset fuzz --log-level=WARNING
	@cmake --build --preset fuzz -j $(JOBS)
	@ctest --preset fuzz -L fuzz -j $(JOBS) --output-on-failure

lint:             ## clang-format, clang-tidy, shellcheck and the layering rules
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

# Modelworks: `make demo` shows it, `make test` proves it, `make help` lists the rest.
.DEFAULT_GOAL := help
SWIFT ?= swift
SEED ?= 1
binary := .build/release/modelworks
sources := Sources Tests Benchmarks Package.swift

export SEED

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## install what is missing; nothing to do takes under 2 s and no network
	@scripts/setup

.PHONY: build
build: setup ## build the release binaries, .build/release/modelworks and modelworks-edge beside it
	$(SWIFT) build -c release --product modelworks
	$(SWIFT) build -c release --product modelworks-edge

.PHONY: demo
demo: build ## run the whole loop on real flights; DEMO_KEEP=1 leaves the server up
	$(binary) demo $(if $(filter-out 0,$(DEMO_KEEP)),--keep)

.PHONY: demo-engines
demo-engines: build ## run the same loop on PostgreSQL, S3, Redis and Kafka, and compare what came of it
	@scripts/demo-engines

.PHONY: test
test: build ## run every test
	@scripts/test all

.PHONY: test-fast
test-fast: setup ## run the tests that need neither the release binary nor patience: under 2 minutes once built
	@scripts/test fast

.PHONY: soak
soak: build ## run the long proofs (kill storms, replays under load); SEED=n repeats one
	@scripts/soak

.PHONY: fuzz
fuzz: setup ## feed mutated input to every parser; SEED=n repeats a run, FUZZ_SECONDS=n sets its length
	@scripts/fuzz
	@scripts/fuzz-wire

.PHONY: bench
bench: build ## measure speed and size, with the command and the machine
	@scripts/bench

.PHONY: protobuf
protobuf: ## make the C of the protocol's messages anew, after a change of their .proto
	@scripts/protobuf

.PHONY: format
format: ## rewrite the sources in the house format
	$(SWIFT) format -i -r $(sources)

.PHONY: lint
lint: setup ## check format, the direction of imports and the house rules
	$(SWIFT) format lint --strict -r $(sources)
	@scripts/check-imports
	@scripts/check-imports-test

.PHONY: clean
clean: ## remove what build and demo made; .deps/ and the download cache stay
	rm -rf .build demo

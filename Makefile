# swavd: `make help` lists what can be made. Everything installs itself.
.DEFAULT_GOAL := build
SHELL := /bin/bash

# Jobs at once: one per core, but no more than memory bears (a compiler that
# reads LibTorch's headers takes up to 1.5 GB).
JOBS ?= $(shell awk -v cores="$$(nproc)" '/^MemAvailable/ {m = int($$2 / 1500000); \
	print m < 1 ? 1 : m < cores ? m : cores}' /proc/meminfo)

SETUP := ops/setup/setup
STAMPS := /usr/share/tuxpaint/stamps
PROGRAMS := swavd swavd-decode swavctl swavd-crawl
# For `make fuzz`: how long each target is fuzzed.
SECONDS_EACH ?= 60
# build_preset,NAME[,TARGETS]: configures when the presets are newer (ninja sees
# all other changes by itself), then builds all, or these targets.
build_preset = { [ build/$(1)/build.ninja -nt CMakePresets.json ] || cmake --preset $(1); } && \
	ninja -C build/$(1) -j $(JOBS) $(2)

.PHONY: all build setup cuda demo test faults fuzz interop bench check format clean help

all: build

help: ## this list
	@sed -nE 's/^([a-z]+):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | expand -t 10
	@echo
	@echo 'Variables: JOBS=N (now $(JOBS)); for demo IMAGES=PATH, FRESH=1, ARGS="..."; for fuzz SECONDS_EACH=N'

setup: ## install what the build needs (build does this by itself)
	@$(SETUP) build

build: ## install what is missing, then build the programs into build/bin
	@$(SETUP) build
	@$(call build_preset,dev,$(PROGRAMS))

cuda: ## build the plugin for NVIDIA GPUs into build/bin (no GPU needed)
	@$(SETUP) cuda
	@$(call build_preset,cuda,swavd_cuda)

demo: ## crawl, stream, train and show it, all on this machine
	@$(if $(IMAGES),,test -d $(STAMPS) || $(SETUP) demo)
	@$(SETUP) build
	@$(call build_preset,dev,$(PROGRAMS))
	@build/bin/swavd demo $(if $(IMAGES),--images "$(IMAGES)") $(if $(FRESH),--fresh) $(ARGS)

test: ## every test, the torch-free ones also under address and thread sanitizers
	@$(SETUP) build test
	@$(call build_preset,dev)
	@$(call build_preset,asan)
	@$(call build_preset,tsan)
	@python3 ops/checks/run_tests.py build/dev build/asan build/tsan

faults: ## inject every fault, print the matrix; DOCS=1 puts it into the docs
	@$(SETUP) build test
	@$(call build_preset,dev)
	@tests/faults/run build/dev $(if $(DOCS),--docs)

fuzz: ## search for inputs that break the decoders: SECONDS_EACH=60 for each target
	@$(SETUP) build fuzz
	@$(call build_preset,fuzz,fuzz)
	@tests/fuzz/run build/fuzz $(SECONDS_EACH)

interop: ## open what swavd writes with transformers, torchvision and timm
	@$(SETUP) build interop
	@$(call build_preset,dev,$(PROGRAMS))
	@tests/interop/run

bench: ## run the benchmarks
	@$(SETUP) build
	@$(call build_preset,dev)
	@found=; for bench in build/bin/bench/*; do [ -x "$$bench" ] || continue; \
	  found=1; echo "== $$bench"; "$$bench" $(ARGS) || exit 1; done; \
	  [ "$$found" ] || { echo 'bench: no benchmark was built' >&2; exit 1; }

check: ## layers, format, docs, words, units: seconds
	@$(SETUP) check
	@ops/checks/run

format: ## clang-format over all C++ files
	@$(SETUP) check
	@ops/checks/check_format.sh --fix

clean: ## remove build/ (.deps stays)
	rm -rf build

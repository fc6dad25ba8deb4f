# SPDX-License-Identifier: MIT
# A front door to Meson: `make run` gives a mounted volume, `make test` proves the tree.
.DEFAULT_GOAL := all
.PHONY: all run stop demo test sim determinism bench fuzz soak clean install format lint sanitize deps help

BUILD  := build
HOME_DIR := $(CURDIR)/.pactfs
MOUNT  := $(CURDIR)/mnt
PACTFS := $(BUILD)/pactfs
JOBS   := $(shell nproc 2>/dev/null || echo 2)

all: ## build build/pactfs
	@scripts/deps build
	@scripts/build $(BUILD)

run: ## start a volume in this folder, mounted at ./mnt
	@[ -x $(PACTFS) ] && $(PACTFS) status "$(HOME_DIR)" >/dev/null 2>&1 || $(MAKE) --no-print-directory all
	@$(PACTFS) up "$(HOME_DIR)" --mount "$(MOUNT)"

demo: all ## three nodes on this machine, a volume with three copies, mounted at ./demo
	@$(PACTFS) demo

stop: ## unmount and stop what `make run` started
	@if [ -x $(PACTFS) ]; then $(PACTFS) down "$(HOME_DIR)"; else echo "nothing is built, so nothing runs"; fi

test: ## build (plain and with sanitizers) and run every test; ends with "N passed, N failed"
	@scripts/deps build test
	@scripts/test

bench: ## compare with bare FUSE passthrough on the same disk
	@scripts/deps build test bench
	@scripts/build $(BUILD)
	@bench/compare.sh

failover: all ## machines that fail, TRIALS of them (default 100): how long programs wait
	@scripts/deps build test
	@bench/failover.py --trials $(or $(TRIALS),100)

fuzz: ## the decoders under libFuzzer, FUZZ_SECONDS each (default 60)
	@scripts/deps build test fuzz
	@scripts/fuzz

sim: all ## every scenario of the simulated world with fresh seeds, for a minute
	@$(PACTFS) sim --minutes 1

determinism: ## the same seeds give the same runs, from both compilers
	@scripts/deps build test fuzz
	@scripts/build $(BUILD)
	@tests/sim/determinism.py $(PACTFS) .

soak: ## the long versions of all tests; with HOURS=n the scenarios for so long, and every mark
	@scripts/deps build test
	@if [ -n "$(HOURS)" ]; then scripts/soak $(HOURS); else scripts/test --soak; fi

sanitize: ## unit and fuzz tests under AddressSanitizer and UBSan only
	@scripts/deps build test
	@scripts/test --only sanitize

lint: ## style, purity, clang-tidy and cppcheck
	@scripts/deps build test lint
	@scripts/lint

format: ## clang-format every C file in place
	@scripts/deps lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all ## install under PREFIX (default /usr/local), honouring DESTDIR
	@meson configure $(BUILD) -Dprefix=$(or $(PREFIX),/usr/local)
	@meson install -C $(BUILD)

deps: ## install every Debian package that any target needs
	@scripts/deps build test bench fuzz lint

clean: ## remove what was built; volumes (.pactfs, mnt) stay
	@if [ -x $(PACTFS) ] && [ -d "$(HOME_DIR)" ]; then $(PACTFS) down "$(HOME_DIR)"; fi
	rm -rf $(BUILD) build-asan build-fuzz

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

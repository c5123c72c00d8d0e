# The commands a developer types are the commands CI types. Rust, by rustup (https://rustup.rs), is the one prerequisite;
# each target installs what else it needs: Debian packages, npm packages and cargo-deny.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: up build test check bench sqlx clean rust node packages tools

# Debian packages, each with a file that tells whether it is there.
# build: the linker and a C compiler (for bundled C of a few crates); run: Postgres, and what makes networks for containers; test: what the whole-system tests drive.
BUILD_PACKAGES := gcc:/usr/bin/gcc mold:/usr/bin/mold nodejs:/usr/bin/node npm:/usr/bin/npm
RUN_PACKAGES := postgresql:/usr/lib/postgresql/*/bin/initdb iproute2:/usr/sbin/ip nftables:/usr/sbin/nft conntrack:/usr/sbin/conntrack
TEST_PACKAGES := busybox-static:/bin/busybox e2fsprogs:/sbin/mkfs.ext4 qemu-system-x86:/usr/bin/qemu-system-x86_64 chromium:/usr/bin/chromium fonts-dejavu-core:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf python3-venv:/usr/lib/python3.*/ensurepip/__init__.py \
  python3-http-parser:/usr/lib/python3/dist-packages/http_parser golang-go:/usr/bin/go \
  golang-github-mesos-mesos-go-dev:/usr/share/gocode/src/github.com/mesos/mesos-go \
  docker-registry:/usr/bin/docker-registry
# Also for `attica up --zookeeper`, which says so when they are missing.
ZOOKEEPER_PACKAGES := zookeeper:/usr/share/java/zookeeper.jar default-jre-headless:/usr/bin/java

# A Docker daemon for tests: Debian's own, unpacked and not installed, since an installed one would be started.
DOCKER := target/docker

# Prometheus for a test that it finds what runs here: unpacked for the same reason.
PROMETHEUS := target/prometheus

# The kernel of a small virtual machine, which tests of cgroups v2 run on: Debian's own, unpacked and not installed.
KERNEL := target/kernel

CARGO_DENY_VERSION := 0.20.2

# Debian 12 has Node 18, the console is built with 20 or later: where it is missing, npm brings one, to this directory.
NODE_DIRECTORY := $(CURDIR)/target/node
export PATH := $(NODE_DIRECTORY)/node_modules/node/bin:$(PATH)

# The console's files, which the binary embeds, and all that they are made of.
CONSOLE := web/dist/index.html
CONSOLE_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/tests -prune -o -type f -print) paas/api/openapi.json

up: build
	@$(MAKE) --no-print-directory packages PACKAGES="$(RUN_PACKAGES)"
	@exec target/release/attica up $(ARGS)

build: rust
	@$(MAKE) --no-print-directory packages PACKAGES="$(BUILD_PACKAGES)"
	@$(MAKE) --no-print-directory $(CONSOLE)
	cargo build --release --locked

$(CONSOLE): $(CONSOLE_SOURCES) web/node_modules/.package-lock.json | node
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json | node
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

test: check
	@$(MAKE) --no-print-directory packages PACKAGES="$(RUN_PACKAGES) $(TEST_PACKAGES) $(ZOOKEEPER_PACKAGES)"
	@$(MAKE) --no-print-directory $(KERNEL) || echo "no kernel for a virtual machine: the tests that need one say so"
	@$(MAKE) --no-print-directory $(DOCKER) || echo "no Docker daemon: the tests that need one say so"
	@$(MAKE) --no-print-directory $(PROMETHEUS) || echo "no Prometheus: the test that needs it says so"
	tests/leave-nothing cargo test --workspace --locked

$(DOCKER):
	@rm -rf $@.part && mkdir -p $@.part && cd $@.part && \
	apt-get download -qq docker.io containerd runc libdevmapper1.02.1 && \
	for package in *.deb; do dpkg -x $$package . && rm $$package; done
	@mv $@.part $@

$(PROMETHEUS):
	@rm -rf $@.part && mkdir -p $@.part && cd $@.part && \
	apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb
	@mv $@.part $@

$(KERNEL):
	@rm -rf $@.part && mkdir -p $@.part && cd $@.part && \
	apt-get download -qq $$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $$2 }') && \
	dpkg -x linux-image-*.deb . && rm linux-image-*.deb
	@mv $@.part $@

check: rust tools
	@$(MAKE) --no-print-directory packages PACKAGES="$(BUILD_PACKAGES)"
	@$(MAKE) --no-print-directory $(CONSOLE)
	cd web && npm run --silent check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@# The committed OpenAPI description says what the types say. Write it anew: UPDATE_EXPECT=1 cargo test -p attica-paas-api
	cargo test --quiet --locked -p attica-paas-api openapi
	cargo deny --log-level error check licenses bans sources
	@# Advisories need their database from the network: a machine without it goes on.
	cargo deny --log-level error check advisories 2>/dev/null || echo "advisories: not checked, or some found; see: cargo deny check advisories"

# make bench B=a1 runs one row of the benchmarks, make bench all of them.
bench: build
	@$(MAKE) --no-print-directory packages PACKAGES="$(RUN_PACKAGES) $(ZOOKEEPER_PACKAGES) busybox-static:/bin/busybox"
	cargo bench --locked --benches -p attica -- $(B)

# After a change of a query that is checked at build time, or of a migration.
sqlx: rust
	@$(MAKE) --no-print-directory packages PACKAGES="$(BUILD_PACKAGES) $(RUN_PACKAGES)"
	core/store/prepare-queries.sh

clean:
	cargo clean
	rm -rf web/dist web/node_modules

rust:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup, see https://rustup.rs" >&2; exit 1; }

tools: rust
	@cargo deny --version >/dev/null 2>&1 || { \
	  echo "installing cargo-deny $(CARGO_DENY_VERSION)"; \
	  cargo install --quiet --locked cargo-deny --version $(CARGO_DENY_VERSION) \
	    --config profile.release.lto=false --config profile.release.opt-level=1 --config profile.release.codegen-units=16; }

node:
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' || npm install --silent --no-audit --no-fund --prefix $(NODE_DIRECTORY) node@22

# Installs the packages of $(PACKAGES) whose file is missing; asks for root only then. Debian's own Postgres cluster is not created.
packages:
	@missing=(); for entry in $(PACKAGES); do compgen -G "$${entry#*:}" >/dev/null || missing+=("$${entry%%:*}"); done; \
	if [ $${#missing[@]} -gt 0 ]; then \
	  echo "installing $${missing[*]}"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  case " $${missing[*]} " in *" postgresql "*) \
	    $$as_root mkdir -p /etc/postgresql-common; \
	    [ -e /etc/postgresql-common/createcluster.conf ] || \
	      echo "create_main_cluster = false" | $$as_root tee /etc/postgresql-common/createcluster.conf >/dev/null;; esac; \
	  $$as_root apt-get update -qq; \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	fi

# `make help` lists what there is. PYTHON=python3.12 names another Python, ARGS=... hands arguments on.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up down setup test test-provision lint bench-starting bench-milters bench-policyd bench-web lock texts vendor

PYTHON ?= python3
ARGS ?=
STAGES ?= lint unit service daemon system browser
export PYTHON

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

up: ## Set up what is needed, start the whole service, stay until ctrl-C (ARGS="--detach --run-dir DIR")
	@scripts/setup service
	@exec scripts/as-root .venv/bin/smailor up $(ARGS)

down: ## Stop the service (ARGS="--run-dir DIR")
	@test -x .venv/bin/smailor || { echo "Nothing is set up here, so nothing is running from here."; exit 1; }
	@exec scripts/as-root .venv/bin/smailor down $(ARGS)

setup: ## Set up what development needs: packages, .venv with the test tools
	@scripts/setup test

test: setup ## Run lint and every test (STAGES="unit service", ARGS="-k name" for some)
	@exec .venv/bin/python scripts/run-tests.py $(STAGES) -- $(ARGS)

test-provision: setup ## Make servers of fresh Debians, as containers, and try them from outside (root; ARGS="-k trixie")
	@exec scripts/test-provision $(ARGS)

lint: setup ## Check style, types, imports between rooms, shell scripts and roles
	@scripts/lint

bench-starting: setup ## Measure start-up time and memory of the whole service, a minute (ARGS="--rounds 3")
	@exec scripts/as-root .venv/bin/python -m bench.starting $(ARGS)

bench-milters: setup ## Measure the milters beside OpenDKIM and Rspamd, three minutes (ARGS="--rounds 3")
	@scripts/install-packages bench
	@exec .venv/bin/python -m bench.milters $(ARGS)

bench-web: setup ## Measure every page with 1,000 workspaces and 50,000 people, five minutes (ARGS="--database sqlite")
	@exec .venv/bin/python -m bench.web $(ARGS)

bench-policyd: setup ## Measure the policy daemon beside two others, ten minutes (ARGS="--rounds 3")
	@scripts/install-packages bench-policyd
	@test -x .cache/policyd-rate-limit/bin/policyd-rate-limit || { $(PYTHON) -m venv .cache/policyd-rate-limit && \
		.cache/policyd-rate-limit/bin/pip --disable-pip-version-check install --quiet -r bench/policyd-rate-limit.txt; }
	@exec .venv/bin/python -m bench.policyd $(ARGS)

vendor: ## Fetch the front-end packages pinned in webui/static/vendor/packages.toml (needs npm)
	@exec .venv/bin/python scripts/vendor.py $(ARGS)

texts: ## Take new texts into the catalogue of translations, compile it
	@.venv/bin/python scripts/texts.py $(ARGS)

lock: ## Write requirements/*.txt from pyproject.toml (ARGS=--upgrade for newer versions)
	@scripts/lock $(ARGS)

# `make help` lists the targets. docs/settings.md lists the settings, e.g. FIRELINE_WEB_PORT=8080 make demo.

PYTHON := .venv/bin/python
# What others published about the recorded incidents of CASES.
PUBLISHED := docs/published.csv
BENCHES := ingest windows editor accuracy cost detection scale
FAULTS := SHOP_BASE_PORT=$${FIRELINE_SHOP_PORT:-7100} $(PYTHON) -m demo.faults

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo demo-reset fault run user manage test check e2e bench bench-full bench-explain migrations

help:  ## Say what there is
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

setup:  ## Install what is missing: uv and dependencies into the project, Prometheus and Redis from the distribution
	@launcher/setup.sh

setup-tests:  ## The same, and what the tests need: Chromium and PostgreSQL
	@launcher/setup.sh --tests

demo:  ## Start everything with the demo shop; Ctrl-C stops it
	@launcher/setup.sh && exec $(PYTHON) -m launcher demo

demo-reset:  ## Throw the demo's data away, so that the next demo starts anew
	@launcher/setup.sh && exec $(PYTHON) -m launcher reset

fault:  ## List the shop's faults; ON=name or OFF=name switches one
	@$(FAULTS) $(if $(ON),on $(ON),$(if $(OFF),off $(OFF),list))

run:  ## Start Fireline without the shop, against your own Prometheus
	@launcher/setup.sh && exec $(PYTHON) -m launcher run

user:  ## Create a user who may sign in to what `make run` started
	@$(PYTHON) -m launcher manage createsuperuser

manage:  ## Run one of manage.py's commands for `make run`: make manage DO="showmigrations"
	@$(PYTHON) -m launcher manage $(DO)

test: setup-tests check  ## Check the code and run all tests
	@$(PYTHON) -m tests

check: setup-tests  ## Format, lint, types, import rules, missing migrations, templates
	@$(PYTHON) -m tests.check

e2e: setup-tests  ## Drive the whole story in a browser, and take the README's screenshot
	@PICTURES=docs $(PYTHON) -m pytest -s -m e2e tests/e2e

bench: setup-tests  ## Print figures: ingestion, windows, editor, accuracy, cost, detection, scale
	@for name in $(BENCHES); do $(PYTHON) -m bench.$$name || exit; done

bench-explain: setup-tests  ## Print how often explanations are right; SEED=n VARIANTS=n, CASES=folder of recorded incidents
	@$(PYTHON) -m bench.explain $(if $(SEED),--seed $(SEED)) $(if $(VARIANTS),--variants $(VARIANTS)) $(if $(CASES),--cases $(CASES)) --published $(PUBLISHED)
	@$(PYTHON) -m bench.explain speed

bench-full: setup-tests  ## The same of cost with 1,000 objectives and of scale with 10,000: half an hour, 8 GB
	@$(PYTHON) -m bench.cost --objectives 1000
	@$(PYTHON) -m bench.scale --objectives 10000

migrations: setup-tests  ## Write the migrations that the models ask for
	@$(PYTHON) -m launcher manage makemigrations

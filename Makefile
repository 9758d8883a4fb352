# Every target is a thin line over an npm script; packages are installed first where they are missing.
.DEFAULT_GOAL := help
.PHONY: help run cluster kind observe config test bench e2e load verify generate reference clean

packages := node_modules/.package-lock.json

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

run: $(packages) ## start one gateway in development mode; Ctrl-C stops it
	@npm run --silent start

cluster: $(packages) ## start a Redis and three gateway nodes on it; Ctrl-C stops them
	@npm run --silent cluster

kind: ## make a Kubernetes in Docker and install the chart there with its trial values
	@k8s/kind/up

observe: $(packages) ## start three nodes under load, Prometheus, and Grafana if it is there; Ctrl-C stops them
	@npm run --silent observe

config: $(packages) ## print the configuration that `make run` would use, secrets masked
	@npm run --silent config

test: $(packages) ## build and run every suite (one: make test SUITE=unit)
	@npm run --silent test -- $(SUITE)

bench: $(packages) ## measure the gateway against a stock Nest + Socket.IO one
	@npm run --silent bench

load: $(packages) ## put load on it with k6: make load SCENARIO=unicast (SCENARIO=help: more)
	@npm run --silent load

e2e: $(packages) ## test the chart on the cluster of KUBECONFIG (npm run e2e -- --help)
	@npm run --silent e2e

verify: $(packages) ## check format, lint, types, generated files, boards and rules
	@npm run --silent verify

generate: $(packages) ## write the generated files anew
	@npm run --silent generate

reference: $(packages) ## write the protocol reference anew: docs/reference and docs/openapi.json
	@npm run --silent generate -- docs/reference docs/openapi.json

clean: ## remove what was built and fetched
	rm -rf node_modules */node_modules */dist */cjs/dist .cache coverage

# `npm ci` where there is nothing yet; else only what changed, and never the lock file.
$(packages): package-lock.json
	@echo 'Installing packages (about half a minute)'
	@if [ -e $@ ]; then npm install --no-save --loglevel=error; else npm ci --loglevel=error; fi
	@touch $@

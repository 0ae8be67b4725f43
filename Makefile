# The targets are listed by "make help".
SHELL := /bin/bash
GO ?= go
KUBE := build/kube/kube-apiserver build/kube/kube-controller-manager
LINT_VERSION := 2.15.0
LINT := bin/golangci-lint-$(LINT_VERSION)
APT := $(if $(filter 0,$(shell id -u)),,sudo) apt-get

# What "router version" prints. A tag v4.21.0 gives the major and minor version.
TAG = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
NUMBERS = $(if $(filter v%,$(TAG)),$(subst ., ,$(patsubst v%,%,$(TAG))))
VERSION = -X main.versionFromGit=$(TAG) -X main.commitFromGit=$(shell git rev-parse --short HEAD 2>/dev/null) \
  -X main.majorFromGit=$(word 1,$(NUMBERS)) -X main.minorFromGit=$(word 2,$(NUMBERS)) \
  -X main.gitTreeState=$(if $(filter %-dirty,$(TAG)),dirty,clean) -X main.buildDate=$(shell date -u +%FT%TZ)

.PHONY: help
help: ## Lists the targets
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: run
run: haproxy build ## Serves the examples on loopback, with sample pods; hack/run.sh says more
	@./hack/run.sh

.PHONY: build
build: ## Builds the router and the sample pods into bin
	$(GO) build -trimpath -ldflags '$(VERSION)' -o bin/ ./cmd/router ./test/cmd/sample-pods

.PHONY: test
test: test-deps ## Runs every test, on real parts; installs and builds what they need
	$(GO) test -race -timeout 20m ./...

# What tests import shows what they need: HAProxy, a cluster, or root.
NEEDY = router/test/\(haproxies\|kubetest\|netns\|routertest\)\b

.PHONY: test-quick
test-quick: ## Runs the tests that need neither HAProxy, nor a cluster, nor root
	$(GO) test $$($(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep -v '$(NEEDY)\| \[\] \[\]$$' | cut -d' ' -f1)

.PHONY: test-deps
test-deps: haproxy etcd haproxy-3.2 haproxy-3.4 $(KUBE) ## Installs and builds what the tests need

.PHONY: haproxy
haproxy:
	@command -v haproxy >/dev/null && command -v curl >/dev/null || { $(APT) update -qq && $(APT) install -y -qq haproxy curl; }

.PHONY: etcd
etcd:
	@command -v etcd >/dev/null && command -v ip >/dev/null || { $(APT) update -qq && $(APT) install -y -qq etcd-server iproute2; }

.PHONY: haproxy-3.2
haproxy-3.2: ## Unpacks Debian's newer HAProxy into build, beside the system's
	@[ -x build/haproxy-3.2/haproxy ] || { $(APT) update -qq && ./hack/haproxy-newer.sh 3.2 sid; }

.PHONY: haproxy-3.4
haproxy-3.4: ## Unpacks the HAProxy of Debian's experimental suite, if that has it
	@[ -x build/haproxy-3.4/haproxy ] || { $(APT) update -qq && ./hack/haproxy-newer.sh 3.4 experimental; } || \
	  { rm -rf build/haproxy-3.4; echo "WARNING: there is no HAProxy 3.4 to be had; what only it can do is not tested" >&2; }

# The API server and its controllers, built from their module: minutes once.
$(KUBE): test/kube/go.mod test/kube/go.sum
	cd test/kube && $(GO) build -trimpath -ldflags='-s -w' -o ../../$@ k8s.io/kubernetes/cmd/$(notdir $@)

.PHONY: lint
lint: $(LINT) ## Checks formatting and the code, by the rules of .golangci.yml
	$(LINT) run ./...

# Built from its module: minutes once.
$(LINT):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION)
	mv bin/golangci-lint $@

.PHONY: generate
generate: ## Makes the pages of docs that come from the code
	$(GO) generate ./...

.PHONY: verify
verify: generate ## Checks that those pages are fresh
	git diff --exit-code -- docs

.PHONY: image
image: ## Builds the container image, with docker
	docker build -t router -f images/haproxy/Dockerfile .

.PHONY: fuzz
fuzz: ## Fuzzes every parser, a minute each
	@for f in $$(grep -rlE 'func Fuzz' --include=*_test.go pkg); do \
	  for n in $$(grep -oE 'func Fuzz[A-Za-z]+' $$f | cut -c6-); do \
	    $(GO) test ./$$(dirname $$f) -run '^$$' -fuzz "^$$n$$" -fuzztime 1m || exit 1; done; done

.PHONY: soak
soak: test-deps ## Replays 2,000 random sequences of changes on each HAProxy (an hour and more)
	$(GO) test ./pkg/haproxy -run EqualAColdStart -timeout 4h -v -sequences 2000

.PHONY: bench
bench: haproxy haproxy-3.2 ## Measures changes and reloads beside clients, on each HAProxy (half an hour)
	ulimit -n 20000; $(GO) test ./test/bench -run '^$$' -bench . -benchtime 1x -timeout 1h

.PHONY: clean
clean: ## Removes what was built
	rm -rf bin build

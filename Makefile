# One verb per habit. `make` shows them.

# Pinned by version: a linter that changes by itself would fail a build that did not.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

FUZZTIME ?= 30s

# The race detector needs a C compiler; the tests do not. It watches our code and all that our code is in the same memory
# with. SQLite, the C library below it, the hashes of passwords and how hard they are to guess work in memory of their
# own, behind locks that it sees: to watch them takes more than half of the tests' time.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc/... golang.org/x/crypto/... compress/flate postern/passwords
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race $(UNWATCHED:%=-gcflags=%=-race=false))
export TEST_RACE := $(RACE)
# By default a program that it watches sleeps a second when it ends.
export GORACE ?= atexit_sleep_ms=20

.DEFAULT_GOAL := help

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run the server with the account alice, and print commands to paste
	go run . serve --dev

build: ## build the binary ./postern, static
	CGO_ENABLED=0 go build -o postern .

# What has to be installed.
WITHOUT := $(foreach x,POSTGRES PGBOUNCER LITESTREAM SYNAPSE PROXIES SYSTEMD FAIL2BAN SMTP SPECS,TEST_$(x)=off)

test: ## the tests that need only Go, with few rounds: 3 minutes
	@# go test prints in this order: first packages that take seconds, so that something is seen
	$(WITHOUT) go test $(RACE) -short -shuffle=on -timeout 10m \
	  ./tokens ./homeserver/... ./speclab/... ./test/... ./...

# They measure how long a refusal takes, so they run alone and without the race detector.
TIMING := TimeTellsNothing|LoginTimeOfMovers|StopwatchTells

slow: ## every test, with all rounds, and PostgreSQL, Synapse, PgBouncer, nginx, Caddy, fail2ban, Litestream and aiosmtpd if they are there
	go test -count=1 -run '$(TIMING)' ./handlers
	@# first the packages that take minutes, so that both cores have work to the end
	TEST_ROUNDS=gate TEST_TIMING=off go test $(RACE) -count=1 -shuffle=on -timeout 20m -p 3 \
	  ./cli ./test/server/... ./...
	$(if $(RACE),go test -count=1 -run TestLarge ./homeserver/front) # two gibibytes: minutes under the race detector
	go test -count=1 -timeout 10m -run Grow ./db -long

generate: ## make gen/ from api/
	go generate ./...

GENERATED := gen/gen.go gen/introspection/introspection.go gen/admin/admin.go docs/lesson/start/api.go

generate-check: ## fail when what is generated does not fit its contract
	@kept=$$(mktemp -d); tar cf $$kept/before.tar $(GENERATED); before=$$(cat $(GENERATED) | cksum); \
	go generate ./... && after=$$(cat $(GENERATED) | cksum); \
	if [ "$$before" = "$$after" ]; then rm -r $$kept; echo "$(GENERATED): fit their contracts"; \
	else tar xf $$kept/before.tar; rm -r $$kept; echo "$(GENERATED): stale: run make generate and commit"; exit 1; fi

watch: ## on each save of api/login.yaml or a handler generate, compile, test what is touched, and say what is owed
	@go run . spec watch

specs: ## specs of other projects' packages, Kubernetes', GitHub's and Stripe's too: docs/specs-tried.md; 10 minutes
	test/specs/install large
	go test -count=1 -timeout 60m -v ./test/specs -large

fuzz: ## every fuzz target for FUZZTIME (default 30s)
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | sed 's,/[^/]*:func , ,' | while read -r package target; do \
	  echo "fuzz $$package $$target $(FUZZTIME)"; \
	  sh test/fuzz.sh -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package || exit 1; \
	done

lint: ## gofmt, lines of 120 columns, vet, staticcheck, and govulncheck where its data can be reached
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "run gofmt on: $$unformatted"; exit 1; }
	@go test -count=1 -run TestLines ./test/house
	@! git grep -nE '^(<<<<<<<|>>>>>>>) ' || { echo "a merge is not finished"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1) && echo "$$out" || { status=$$?; \
	  if [ $$status -eq 3 ]; then echo "$$out"; exit 1; fi; \
	  echo "!! NOT RUN: govulncheck cannot reach its data: $$(echo "$$out" | grep -m1 '^govulncheck:' || echo "$$out" | head -n 1)"; }

check: lint generate-check ## lint, generate-check, and a short fuzz
	$(MAKE) fuzz FUZZTIME=8s

clients: ## real clients (matrix-js-sdk, matrix-nio) against the built binary
	test/clients/run

browser: ## the spec lab's page in real Chromium: phone and desktop, light and dark, keyboard alone
	test/browser/run

page-assets: ## fetch Swagger UI for the page again, by npm
	speclab/page/assets/renew

bench: ## the figures of BENCHMARKS.md, as ratios to a bare Echo handler in the same run
	go run ./test/bench

crash: ## a part of slow: kill, starve and confuse the real server, 400 times on SQLite and 100 on PostgreSQL; replicas
	TEST_ROUNDS=gate go test $(RACE) -count=1 -timeout 20m -v ./test/server/crash ./test/server/replicas

ha: ## Patroni, etcd, HAProxy and nginx: the leader is taken away in four ways, twice; ten minutes
	go run ./test/ha

postgres-versions: ## the suites of db, handlers and others on PostgreSQL 16, 17 and 18, which npm brings; 10 minutes
	for version in 16 17 18; do \
	  bin=$$(test/rig/postgres/install $$version) && $$bin/postgres --version && \
	  TEST_POSTGRES_BIN=$$bin TEST_POSTGRES=required go test -count=1 -timeout 20m -v ./test/server/postgres || exit 1; done

load: ## five minutes of checks, refreshes and logins on each engine: percentiles, errors, leaks
	go run ./test/load

flood: ## how long an honest login takes while 0, 50, 200 and 400 at a time guess at passwords
	go run ./test/load -flood 0,50,200,400

release: ## a static, trimmed, reproducible binary in dist/
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$$(git describe --tags --always)" -o dist/postern .

.PHONY: help run build test slow generate generate-check watch fuzz lint check clients browser page-assets bench crash ha postgres-versions specs load flood release

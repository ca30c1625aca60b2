# haul: one Makefile for the whole tree. `make help` lists the targets.
#
# Objects are found by wildcard, so a new file needs no entry here. Everything that is built lies under
# build/$(MODE): release (default), asan, tsan, fuzz.

VERSION = 0.1.0

MODE   ?= release
PREFIX ?= /usr/local
BINDIR  = $(PREFIX)/bin
MANDIR  = $(PREFIX)/share/man
UNITDIR     = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
TMPFILESDIR = $(PREFIX)/lib/tmpfiles.d
CONFDIR     = /etc/haul
BASHCOMPDIR = $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR  = $(PREFIX)/share/zsh/site-functions
EXAMPLESDIR = $(PREFIX)/share/doc/haul/examples
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)

B := build/$(MODE)
.DEFAULT_GOAL := all

# ---------------------------------------------------------------------------------------------------
# Flags

ifeq ($(origin CC),default)
CC = gcc
endif
# Who only builds is not stopped by a warning of another compiler; who tests is.
ifneq ($(MODE)-$(CI),release-)
WERROR ?= 1
endif

PKG_CONFIG ?= pkg-config
PKGS       = libcurl libmicrohttpd libisal zlib libzstd yajl sqlite3 libpcre2-8 gnutls libsystemd
TEST_PKGS  = check

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	   -Wvla -Wformat=2
HARDENING_release = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	   -fstack-clash-protection

MODE_CFLAGS_release = -O2 $(HARDENING_release)
MODE_CFLAGS_asan    = -O1 -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fsanitize=address,undefined \
		      -fno-sanitize-recover=all -DHAUL_STRICT
MODE_CFLAGS_tsan    = -O1 -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fsanitize=thread -DHAUL_STRICT
MODE_CFLAGS_fuzz    = $(MODE_CFLAGS_asan) -fsanitize=fuzzer-no-link
MODE_LDFLAGS_release = -Wl,-z,relro,-z,now
MODE_LDFLAGS_asan    = -fsanitize=address,undefined
MODE_LDFLAGS_tsan    = -fsanitize=thread
MODE_LDFLAGS_fuzz    = -fsanitize=address,undefined

ifeq ($(MODE_CFLAGS_$(MODE)),)
$(error MODE is one of release, asan, tsan, fuzz)
endif
ifeq ($(MODE),fuzz)
CC = clang
endif

# pkg-config is asked when first needed, not when the Makefile is read: `make deps` installs it.
pkg = $(shell $(PKG_CONFIG) $(1) $(2))
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(call pkg,--cflags,$$(PKGS)))$(PKG_CFLAGS)

CFLAGS ?= -g
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHAUL_VERSION='"$(VERSION)"' $(PKG_CFLAGS) \
	       $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu11 $(WARNINGS) $(if $(filter 1,$(WERROR)),-Werror) -fPIE -pthread \
	       $(MODE_CFLAGS_$(MODE)) $(CFLAGS)
ALL_LDFLAGS  = -pie -pthread -Wl,--as-needed $(MODE_LDFLAGS_$(MODE)) $(LDFLAGS)

# ---------------------------------------------------------------------------------------------------
# Sources

COMMON_SRC    := $(sort $(wildcard common/*.c))
AGENT_SRC     := $(sort $(filter-out agent/main.c,$(wildcard agent/*.c agent/*/*.c)))
STORE_SRC     := $(sort $(wildcard collector/store/*.c))
COLLECTOR_SRC := $(sort $(filter-out collector/main.c,$(wildcard collector/*.c collector/ingest/*.c)))
QUERY_SRC     := $(sort $(filter-out collector/query/main.c,$(wildcard collector/query/*.c)))
MAIN_SRC      := $(wildcard agent/main.c collector/main.c collector/query/main.c)
TESTLIB_SRC   := $(sort $(wildcard tests/lib/*.c))
UNIT_SRC      := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRC      := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_DRIVER   := $(wildcard tests/fuzz/driver.c)
BENCH_SRC     := $(sort $(wildcard tests/bench/*.c))
BENCH_PARTS   := $(sort $(wildcard tests/bench/*/*.c))
FAKES_SRC     := $(sort $(wildcard tests/lib/fakes/*.c))
PRELOAD_SRC   := $(sort $(wildcard tests/lib/preload/*.c))

SRC := $(COMMON_SRC) $(AGENT_SRC) $(STORE_SRC) $(COLLECTOR_SRC) $(QUERY_SRC) $(MAIN_SRC)
TEST_SRC := $(TESTLIB_SRC) $(FAKES_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(FUZZ_DRIVER) $(BENCH_SRC) $(BENCH_PARTS)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

# A library stands for the folder of the same name; one without sources is left out.
LIBS := $(if $(COMMON_SRC),$(B)/libcommon.a)
AGENT_LIBS     := $(if $(AGENT_SRC),$(B)/libagent.a) $(LIBS)
COLLECTOR_LIBS := $(if $(COLLECTOR_SRC),$(B)/libcollector.a) $(if $(STORE_SRC),$(B)/libstore.a) $(LIBS)
QUERY_LIBS     := $(if $(QUERY_SRC),$(B)/libquery.a) $(if $(STORE_SRC),$(B)/libstore.a) $(LIBS)
TESTLIB        := $(if $(TESTLIB_SRC),$(B)/libtest.a)
ALL_LIBS := $(sort $(AGENT_LIBS) $(COLLECTOR_LIBS) $(QUERY_LIBS))

# A test belongs to the program whose headers it includes, and is linked with that program's libraries: two
# programs may use the same name for a thing of their own.
test_files  := $(wildcard tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)
AGENT_TESTS := $(if $(test_files),$(shell grep -lE '"(agent/|tests/lib/(host|one_host|flow))' $(test_files)))
QUERY_TESTS := $(if $(test_files),$(shell grep -lE '"collector/query/' $(test_files)))
libs_of = $(if $(filter $(1),$(AGENT_TESTS)),$(AGENT_LIBS),$(if $(filter $(1),$(QUERY_TESTS)),$(QUERY_LIBS),$(COLLECTOR_LIBS)))

# What stands in for a part of a program comes before that part, to the tests that ask for it.
FAKES_TESTS := $(if $(test_files),$(shell grep -lE '"tests/lib/fakes/' $(test_files)))
fakes_of = $(if $(filter $(1),$(FAKES_TESTS)),$(B)/libfakes.a)

# A program whose main.c is not there is not built.
PROGRAMS := $(if $(wildcard agent/main.c),$(B)/haul-agent) \
	    $(if $(wildcard collector/main.c),$(B)/haul-collector) \
	    $(if $(wildcard collector/query/main.c),$(B)/haul)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRC))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))

all: $(PROGRAMS) $(ALL_LIBS) ## build the programs into build/$(MODE) (MODE=release, asan or tsan)

# ---------------------------------------------------------------------------------------------------
# Rules

# One short line a command; V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)';)

# Changed flags and removed files rebuild what they touch: the stamps change only when their text does.
stamp = @mkdir -p $(@D); printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@

$(B)/.flags: FORCE
	@$(PKG_CONFIG) --exists --print-errors "$(PKGS)" || \
	{ echo 'make: libraries are missing; `make deps` installs them' >&2; exit 1; }
	$(call stamp,'$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS))')
$(B)/.sources: FORCE
	$(call stamp,$(SRC) $(TEST_SRC))
FORCE:

$(B)/obj/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

archive = $(call say,AR $(@F))rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
$(B)/libcommon.a:    $(call obj,$(COMMON_SRC)) $(B)/.sources
	$(archive)
$(B)/libagent.a:     $(call obj,$(AGENT_SRC)) $(B)/.sources
	$(archive)
$(B)/libstore.a:     $(call obj,$(STORE_SRC)) $(B)/.sources
	$(archive)
$(B)/libcollector.a: $(call obj,$(COLLECTOR_SRC)) $(B)/.sources
	$(archive)
$(B)/libquery.a:     $(call obj,$(QUERY_SRC)) $(B)/.sources
	$(archive)
$(B)/libtest.a:      $(call obj,$(TESTLIB_SRC)) $(B)/.sources
	$(archive)
$(B)/libfakes.a:     $(call obj,$(FAKES_SRC)) $(B)/.sources
	$(archive)

# --as-needed keeps of these what a program really uses.
LDLIBS_all = $(call pkg,--libs,$(PKGS)) -linotifytools -lm
link = $(call say,LD $(@F))$(CC) $(ALL_LDFLAGS) $(MODE_CFLAGS_$(MODE)) -o $@ $(filter %.o,$^) \
       -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(B)/haul-agent: $(call obj,agent/main.c) $(AGENT_LIBS)
	$(link) $(LDLIBS_all)
$(B)/haul-collector: $(call obj,collector/main.c) $(COLLECTOR_LIBS)
	$(link) $(LDLIBS_all)
$(B)/haul: $(call obj,collector/query/main.c) $(QUERY_LIBS)
	$(link) $(LDLIBS_all)

.SECONDEXPANSION:
$(B)/tests/%: $(B)/obj/tests/unit/%.o $$(call fakes_of,tests/unit/$$*.c) $(TESTLIB) $$(call libs_of,tests/unit/$$*.c)
	@mkdir -p $(@D)
	$(link) $(call pkg,--libs,$(TEST_PKGS)) $(LDLIBS_all)

# The parts of a program lie in the folder of its name.
$(B)/bench/%: $(B)/obj/tests/bench/%.o $$(call obj,$$(wildcard tests/bench/$$*/*.c)) $$(call libs_of,tests/bench/$$*.c)
	@mkdir -p $(@D)
	$(link) $(LDLIBS_all)

# What is preloaded into programs that are tested carries no sanitizer of its own.
PRELOADS := $(patsubst tests/lib/preload/%.c,build/preload/%.so,$(PRELOAD_SRC))
build/preload/%.so: tests/lib/preload/%.c
	@mkdir -p $(@D)
	$(call say,LD $(@F))$(CC) -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -O1 -g -fPIC -shared -o $@ $<

# A fuzz target is built twice: for libFuzzer (MODE=fuzz), and with a plain main that runs a corpus.
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(if $(filter fuzz,$(MODE)),,$(call obj,$(FUZZ_DRIVER))) \
	     $$(call fakes_of,tests/fuzz/$$*.c) $(TESTLIB) $$(call libs_of,tests/fuzz/$$*.c)
	@mkdir -p $(@D)
	$(link) $(LDLIBS_all) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer)

.SECONDARY:
-include $(patsubst %.o,%.d,$(call obj,$(SRC) $(TEST_SRC)))

# ---------------------------------------------------------------------------------------------------
# Tests

# A sub-make for another mode brings its own jobs unless the user's -j reaches it.
submake = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

# Threads are the collector's: its tests are those that TSan can tell something about.
TSAN_TESTS = $(patsubst tests/unit/%.c,$(B)/tests/%,$(if $(UNIT_SRC),\
	     $(shell grep -ls '"collector/' $(UNIT_SRC) /dev/null)))

tests-build: $(UNIT_TESTS) $(FUZZERS)
	@:
tsan-build: $(TSAN_TESTS) $(B)/haul-collector $(B)/haul
	@:

# Daemons that write logs, and logrotate: unpacked, not installed. Without them their scenario is skipped.
writers = packaging/deps.sh --unpack build/writers writers || true

check: ## install what is missing, build with sanitizers, run all tests
	@packaging/deps.sh build test bench
	@$(submake) MODE=asan all tests-build
	@$(submake) MODE=tsan tsan-build
	@$(submake) MODE=release all $(BENCHES) $(PRELOADS)
	@$(writers)
	@tests/run.sh

unit: ## run the unit tests under ASan and UBSan (ONLY=unit/NOUN for one)
	@$(submake) MODE=asan tests-build
	@tests/run.sh unit

e2e: ## run the scenarios on the real programs (ONLY='e2e/03-*' for some)
	@$(submake) MODE=asan all
	@$(submake) MODE=release all $(PRELOADS)
	@$(writers)
	@tests/run.sh e2e

tsan: ## run the collector's unit tests and all scenarios under ThreadSanitizer
	@$(submake) MODE=tsan all tsan-build
	@BUILD=build/tsan tests/run.sh tsan e2e

# Kills, faults, power cuts, damage, rotation and bad networks; what they draw is printed as a seed. ONLY= picks.
torture: ## run the hard tests ten times as hard: half an hour and more (HAUL_TORTURE=N, SEED=, ONLY='*/72-*')
	@packaging/deps.sh build test
	@$(submake) MODE=asan all tests-build
	@$(submake) MODE=release all $(PRELOADS)
	@$(writers)
	@HAUL_TORTURE=$${HAUL_TORTURE:-10} TIME_LIMIT=$${TIME_LIMIT:-7200} tests/run.sh torture

# What libFuzzer finds grows in build/fuzz/corpus; an input that mattered (build/fuzz/found) is copied by hand
# into the committed corpus, under a name that tells what it is.
fuzz: ## run each fuzz target for FUZZ_SECONDS=60 with clang's libFuzzer (FUZZ='a b' for some)
	@packaging/deps.sh build fuzz
	@$(submake) MODE=fuzz $(patsubst %,build/fuzz/fuzz/fuzz_%,$(FUZZ))
	@for noun in $(FUZZ); do \
		mkdir -p build/fuzz/corpus/$$noun build/fuzz/found tests/fuzz/corpus/$$noun || exit 1; \
		echo "fuzz $$noun, $(FUZZ_SECONDS) s"; \
		build/fuzz/fuzz/fuzz_$$noun -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 \
			-artifact_prefix=build/fuzz/found/$$noun- build/fuzz/corpus/$$noun \
			tests/fuzz/corpus/$$noun || exit 1; \
	done
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC))

BENCHES := $(patsubst tests/bench/%.c,build/release/bench/%,$(BENCH_SRC))

bench: ## measure beside the bare limit and Debian's peers (PARTS='agent search' for some)
	@$(submake) MODE=release all $(BENCHES)
	@tests/bench/run.sh $(PARTS)

cost: ## count instructions on the hot paths and hold them against their budgets
	@packaging/deps.sh build test
	@$(submake) MODE=release all $(BENCHES) $(PRELOADS)
	@tests/bench/cost.sh

# ---------------------------------------------------------------------------------------------------
# Lint: silent when clean; what passed once is not looked at again before it changes

L := build/lint
SHELL_SRC := $(sort $(wildcard .ci/run packaging/*.sh packaging/completion/*.bash tests/*.sh tests/lib/*.sh \
	     tests/e2e/*.sh tests/bench/*.sh tests/install/*.sh))
MAN_SRC   := $(sort $(wildcard man/*.[1-8]))
C_SRC     := $(SRC) $(TEST_SRC) $(PRELOAD_SRC)
C_ALL     := $(C_SRC) $(sort $(wildcard common/*.h agent/*.h agent/*/*.h collector/*.h collector/*/*.h tests/*/*.h tests/*/*/*.h))
TIDY      := $(patsubst %.c,$(L)/%.tidy,$(C_SRC))

lint: ## clang-format, clang-tidy, cppcheck, shellcheck, mandoc, layering and what is included for nothing
	@packaging/deps.sh build lint
	@$(submake) lint-all
lint-all: $(L)/format $(TIDY) $(L)/cppcheck $(L)/shellcheck $(L)/man
	@tests/lib/layers.sh
	@tests/lib/includes.sh
	@twice=$$(ls tests/e2e | sed -n 's/^\([0-9]*\)-.*\.sh$$/\1/p' | uniq -d); \
	[ -z "$$twice" ] || { echo "a number of tests/e2e is that of two scenarios:" $$twice; exit 1; }

$(L)/format: $(C_ALL) .clang-format
	@mkdir -p $(@D)
	@bad=; for f in $(C_ALL); do \
		clang-format "$$f" | cmp -s - "$$f" || bad="$$bad $$f"; done; \
	[ -z "$$bad" ] || { echo "not laid out as .clang-format says (make format):$$bad"; exit 1; }
	@touch $@
$(L)/%.tidy: %.c .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- -std=gnu11 $(ALL_CPPFLAGS) 2>$@.err || { cat $@.err; exit 1; }
	@rm -f $@.err
	@$(CC) $(ALL_CPPFLAGS) -std=gnu11 -MM -MP -MT $@ -MF $@.d $<
	@touch $@
# The tests are left to clang-tidy and the sanitizers: cppcheck does not understand check's macros.
$(L)/cppcheck: $(C_ALL) tests/lib/cppcheck.txt
	@mkdir -p $(L)/cppcheck.d
	@cppcheck --quiet --std=c11 --language=c -D__GNUC__ -I. -j $(JOBS) --cppcheck-build-dir=$(L)/cppcheck.d \
		--enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppressions-list=tests/lib/cppcheck.txt $(SRC)
	@touch $@
$(L)/shellcheck: $(SHELL_SRC)
	@mkdir -p $(@D)
	@shellcheck -x $(SHELL_SRC)
	@touch $@
$(L)/man: $(MAN_SRC)
	@mkdir -p $(@D)
	@$(if $(MAN_SRC),mandoc -Tlint -W warning $(MAN_SRC))
	@touch $@
-include $(wildcard $(patsubst %,%.d,$(TIDY)))

format: ## lay out all C code with clang-format
	@packaging/deps.sh lint
	@clang-format -i $(C_ALL)

# For editors and for clang-tidy by hand.
compile_commands.json: $(B)/.sources $(B)/.flags ## write the compile commands for editors
	@{ echo '['; sep=' '; for f in $(C_SRC); do \
		printf '%s{"directory":"%s","file":"%s","command":"%s"}\n' "$$sep" '$(CURDIR)' "$$f" \
			'$(subst ",\",$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS)) -c '"$$f"; sep=,; done; echo ']'; } >$@

# ---------------------------------------------------------------------------------------------------
# What people run

deps: ## install the Debian packages that building and testing need
	@packaging/deps.sh build test

demo: ## see it work: collector and agent on this machine, data under ./demo
	@packaging/deps.sh build
	@$(submake) -s MODE=release all
	@packaging/demo.sh

# Everything goes below PREFIX, but the configuration, which is never overwritten, to /etc/haul.
UNITS    = $(wildcard packaging/systemd/*.service)
SYSUSERS = $(wildcard packaging/sysusers.d/*.conf)
TMPFILES = $(wildcard packaging/tmpfiles.d/*.conf)
COMPLETE = $(patsubst packaging/completion/%.bash,%,$(wildcard packaging/completion/*.bash))
EXAMPLES = $(wildcard packaging/container/* packaging/grafana/*.json packaging/prometheus/*.yml packaging/lnav/*.json)
installed = $(foreach p,$(PROGRAMS),$(BINDIR)/$(notdir $(p))) \
	    $(foreach m,$(MAN_SRC),$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m))) \
	    $(foreach f,$(UNITS),$(UNITDIR)/$(notdir $(f))) \
	    $(foreach f,$(SYSUSERS),$(SYSUSERSDIR)/$(notdir $(f))) \
	    $(foreach f,$(TMPFILES),$(TMPFILESDIR)/$(notdir $(f))) \
	    $(foreach c,$(COMPLETE),$(BASHCOMPDIR)/$(c) $(ZSHCOMPDIR)/_$(c)) \
	    $(foreach f,$(EXAMPLES),$(EXAMPLESDIR)/$(notdir $(f)))

install: all ## install into DESTDIR, PREFIX=/usr/local
	@for f in $(PROGRAMS); do \
		install -D -m 0755 "$$f" "$(DESTDIR)$(BINDIR)/$$(basename "$$f")" || exit 1; done
	@for f in $(MAN_SRC); do \
		install -D -m 0644 "$$f" "$(DESTDIR)$(MANDIR)/man$${f##*.}/$$(basename "$$f")" || exit 1; done
	@for f in $(UNITS); do \
		install -d "$(DESTDIR)$(UNITDIR)" && \
		sed 's|@BINDIR@|$(BINDIR)|g' "$$f" >"$(DESTDIR)$(UNITDIR)/$$(basename "$$f")" || exit 1; done
	@install -d "$(DESTDIR)$(SYSUSERSDIR)" "$(DESTDIR)$(TMPFILESDIR)" "$(DESTDIR)$(EXAMPLESDIR)"
	@install -m 0644 $(SYSUSERS) "$(DESTDIR)$(SYSUSERSDIR)/"
	@install -m 0644 $(TMPFILES) "$(DESTDIR)$(TMPFILESDIR)/"
	@install -m 0644 $(EXAMPLES) "$(DESTDIR)$(EXAMPLESDIR)/"
	@for c in $(COMPLETE); do \
		install -D -m 0644 "packaging/completion/$$c.bash" "$(DESTDIR)$(BASHCOMPDIR)/$$c" && \
		install -D -m 0644 "packaging/completion/_$$c" "$(DESTDIR)$(ZSHCOMPDIR)/_$$c" || exit 1; done
	@for f in packaging/conf/*.conf; do to="$(DESTDIR)$(CONFDIR)/$$(basename "$$f")"; \
		[ -e "$$to" ] || install -D -m 0644 "$$f" "$$to" || exit 1; done

uninstall: ## remove what install put there (not /etc/haul)
	@for f in $(installed); do rm -f "$(DESTDIR)$$f"; done

# ---------------------------------------------------------------------------------------------------
# Packages: built in a copy of the tree, where packaging/debian stands as debian/. Its tests are `make check`'s.

deb: ## build the Debian packages into build/deb, and check them with lintian
	@packaging/deps.sh build deb
	@packaging/deb.sh $(VERSION)

rpm: ## build the RPM packages into build/rpm
	@packaging/deps.sh build rpm
	@packaging/rpm.sh $(VERSION)

check-install: deb ## as root: install the packages in a fresh Debian 12 (debootstrap) and run what README says
	@packaging/deps.sh install
	@tests/install/fresh-debian.sh

dist: ## pack the committed tree as build/haul-VERSION.tar.gz
	@mkdir -p build
	git archive --format=tar.gz --prefix=haul-$(VERSION)/ -o build/haul-$(VERSION).tar.gz HEAD

clean: ## remove what was built
	rm -rf build demo compile_commands.json

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9_.-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | sort | \
	while IFS="$$(printf '\t')" read -r name text; do printf '  make %-22s %s\n' "$$name" "$$text"; done

.PHONY: all check unit e2e tsan torture fuzz bench cost lint lint-all format deps demo install uninstall deb rpm \
	check-install dist clean help tests-build tsan-build FORCE

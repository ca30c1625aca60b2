# haul: one Makefile for the whole tree. `make help` lists the targets.
#
# Objects are found by wildcard, so a new file needs no entry here. Everything that is built lies under
# build/$(MODE): release (default), asan, tsan, fuzz.

VERSION = 0.1.0

MODE   ?= release
PREFIX ?= /usr/local
BINDIR  = $(PREFIX)/bin
MANDIR  = $(PREFIX)/share/man
UNITDIR     = /usr/lib/systemd/system
SYSUSERSDIR = /usr/lib/sysusers.d
TMPFILESDIR = /usr/lib/tmpfiles.d
CONFDIR     = /etc/haul
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
PKGS       = libcurl libmicrohttpd libisal zlib libzstd yajl sqlite3 libpcre2-8 gnutls
TEST_PKGS  = check

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	   -Wvla -Wformat=2
HARDENING_release = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	   -fstack-clash-protection

MODE_CFLAGS_release = -O2 $(HARDENING_release)
MODE_CFLAGS_asan    = -O1 -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fsanitize=address,undefined \
		      -fno-sanitize-recover=all
MODE_CFLAGS_tsan    = -O1 -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fsanitize=thread
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
AGENT_SRC     := $(sort $(filter-out agent/main.c,$(wildcard agent/*.c)))
STORE_SRC     := $(sort $(wildcard collector/store/*.c))
COLLECTOR_SRC := $(sort $(filter-out collector/main.c,$(wildcard collector/*.c collector/ingest/*.c)))
QUERY_SRC     := $(sort $(filter-out collector/query/main.c,$(wildcard collector/query/*.c)))
MAIN_SRC      := $(wildcard agent/main.c collector/main.c collector/query/main.c)
TESTLIB_SRC   := $(sort $(wildcard tests/lib/*.c))
UNIT_SRC      := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRC      := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_DRIVER   := $(wildcard tests/fuzz/driver.c)

SRC := $(COMMON_SRC) $(AGENT_SRC) $(STORE_SRC) $(COLLECTOR_SRC) $(QUERY_SRC) $(MAIN_SRC)
TEST_SRC := $(TESTLIB_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(FUZZ_DRIVER)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

# A library stands for the folder of the same name; one without sources is left out.
LIBS := $(if $(COMMON_SRC),$(B)/libcommon.a)
AGENT_LIBS     := $(if $(AGENT_SRC),$(B)/libagent.a) $(LIBS)
COLLECTOR_LIBS := $(if $(COLLECTOR_SRC),$(B)/libcollector.a) $(if $(STORE_SRC),$(B)/libstore.a) $(LIBS)
QUERY_LIBS     := $(if $(QUERY_SRC),$(B)/libquery.a) $(if $(STORE_SRC),$(B)/libstore.a) $(LIBS)
TESTLIB        := $(if $(TESTLIB_SRC),$(B)/libtest.a)
ALL_LIBS := $(sort $(AGENT_LIBS) $(COLLECTOR_LIBS) $(QUERY_LIBS))

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

$(B)/tests/%: $(B)/obj/tests/unit/%.o $(TESTLIB) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(link) $(call pkg,--libs,$(TEST_PKGS)) $(LDLIBS_all)

# A fuzz target is built twice: for libFuzzer (MODE=fuzz), and with a plain main that runs a corpus.
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(if $(filter fuzz,$(MODE)),,$(call obj,$(FUZZ_DRIVER))) \
	     $(TESTLIB) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(link) $(LDLIBS_all) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer)

.SECONDARY:
-include $(patsubst %.o,%.d,$(call obj,$(SRC) $(TEST_SRC)))

# ---------------------------------------------------------------------------------------------------
# Tests

# A sub-make for another mode brings its own jobs unless the user's -j reaches it.
submake = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

tests-build: $(UNIT_TESTS) $(if $(FUZZ_DRIVER),$(FUZZERS))

deps: ## install the Debian packages that building and testing need
	@packaging/deps.sh build test

clean: ## remove what was built
	rm -rf build compile_commands.json

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | sort | \
	while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: all tests-build deps clean help FORCE

/* A registry in a directory of its own, with its table: what the tests of it have in common.
 *
 * Included by one file of a test program. */
#ifndef HAUL_TESTS_LIB_ONE_REGISTRY_H
#define HAUL_TESTS_LIB_ONE_REGISTRY_H

#include "agent/files/registry.h"
#include "common/crc64.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static struct source_table *table;
static struct registry *registry;
static struct input input = {.name = "logs", .service = "", .rotated_dir = ""};

static void open_it(void)
{
	table = source_table_new();
	ck_assert_int_eq(registry_open(dir, table, &registry), 0);
}

static void close_it(void)
{
	registry_close(registry);
	source_table_free(table);
	registry = NULL;
	table = NULL;
}

static void shell(const char *what)
{
	char command[512];
	(void)snprintf(command, sizeof(command), "cd %s && { %s; }", dir, what);
	ck_assert_int_eq(system(command), 0);
}

static void set_up(void)
{
	/* In memory where that is possible: these tests sync thousands of times. */
	(void)snprintf(dir, sizeof(dir), "%s/haul-test.XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void tear_down(void)
{
	if (registry)
		close_it();
	shell("chmod -R u+rwx . && rm -rf registry* identity* lock");
	(void)rmdir(dir);
}

static struct source *add_in(unsigned n, enum source_state state)
{
	char path[128];
	struct source *s;
	(void)snprintf(path, sizeof(path), "/var/log/a file %u%%\n\xff.log", n);
	struct source_config c = {.path = path,
				  .service = "shop",
				  .instance = n % 2 ? "pod-1" : "",
				  .ino = n,
				  .btime_ns = 1000 + n,
				  .dev = 7,
				  .input = &input};
	ck_assert_int_eq(stream_id_random(&c.id), 0);
	ck_assert_int_eq(source_add(table, &c, &s), 0);
	source_move(table, s, state);
	return s;
}

static struct source *add(unsigned n)
{
	return add_in(n, SOURCE_FOLLOWING);
}

static void advance(struct source *s, const char *bytes)
{
	struct position to = s->cursor;
	to.offset += strlen(bytes);
	to.crc = crc64_add(to.crc, bytes, strlen(bytes));
	to.frame.outputs[0].has_stamps = true;
	to.frame.outputs[0].head_us = 1795327401225242;
	s->cursor = to;
	s->tail_at = s->size = s->sure_size = to.offset;
	source_commit(table, s, &to);
}

#endif

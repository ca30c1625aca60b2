/* The registry: what it remembers, when it is written, and that it needs no room and no
 * directory. */
#include "agent/files/descriptor.h"
#include "agent/files/past.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "tests/lib/one_registry.h"

#include <errno.h>
#include <sys/stat.h>

static void same_source(const struct source *a, const struct source *b)
{
	ck_assert_str_eq(a->path, b->path);
	ck_assert_str_eq(a->service, b->service);
	ck_assert_str_eq(a->instance, b->instance);
	ck_assert(a->ino == b->ino && a->btime_ns == b->btime_ns && a->dev == b->dev);
	ck_assert(a->start == b->start && a->born == b->born && a->created_ns == b->created_ns);
	ck_assert_uint_eq(a->committed.offset, b->committed.offset);
	ck_assert_uint_eq(a->committed.base, b->committed.base);
	ck_assert_uint_eq(a->committed.crc, b->committed.crc);
	ck_assert_int_eq(a->committed.frame.outputs[0].head_us,
			 b->committed.frame.outputs[0].head_us);
	ck_assert(a->committed.frame.outputs[0].has_stamps ==
		  b->committed.frame.outputs[0].has_stamps);
	ck_assert_uint_eq(a->sure_size, b->sure_size);
}

START_TEST(remembers)
{
	struct source kept[3];
	struct stream_id ids[3];
	open_it();
	ck_assert(registry_is_first_start(registry));
	char uuid[UUID_LEN + 1];
	(void)snprintf(uuid, sizeof(uuid), "%s", registry_agent_uuid(registry));
	ck_assert_uint_eq(strlen(uuid), UUID_LEN);
	ck_assert_str_eq(registry_collector_uuid(registry), "");
	ck_assert_int_eq(registry_set_collector_uuid(registry, uuid), 0);
	ck_assert_int_eq(registry_set_collector_uuid(registry, "no uuid"), -EINVAL);
	for (unsigned i = 0; i < 3; i++) {
		struct source *s = add(i + 1);
		s->created_ns = 5 + i;
		for (unsigned k = 0; k < 10 * i; k++)
			advance(s, "some line\n");
		ids[i] = s->id;
	}
	registry_announce(registry);
	ck_assert(source_first(table)->announced);
	advance(source_first(table), "one more\n");
	struct source *s = source_first(table);
	for (unsigned i = 0; i < 3; i++, s = source_after(table, s)) {
		kept[i] = *s;
		kept[i].path = strdup(s->path);
		kept[i].service = strdup(s->service);
		kept[i].instance = strdup(s->instance);
	}
	close_it();
	open_it();
	ck_assert(!registry_is_first_start(registry));
	ck_assert_str_eq(registry_agent_uuid(registry), uuid);
	ck_assert_str_eq(registry_collector_uuid(registry), uuid);
	ck_assert_int_gt(registry_last_alive_ns(registry), 0);
	ck_assert_uint_eq(source_count(table), 3);
	for (unsigned i = 0; i < 3; i++) {
		s = source_by_id(table, &ids[i]);
		ck_assert_ptr_nonnull(s);
		ck_assert_int_eq(s->state, SOURCE_MISSING);
		ck_assert_str_eq(s->input_name, "logs");
		ck_assert(s->was == SOURCE_FOLLOWING && s->announced);
		same_source(s, &kept[i]);
		if (i)
			ck_assert_uint_gt(s->ladder.n, 5);
		free(kept[i].path);
		free(kept[i].service);
		free(kept[i].instance);
	}
}
END_TEST

/* Also while its file stays away: a restart is not what makes it something else. */
START_TEST(remembers_what_each_was)
{
	static const enum source_state was[] = {SOURCE_STRAY, SOURCE_COPY, SOURCE_ROTATED,
						SOURCE_UNLINKED};
	enum { N = sizeof(was) / sizeof(was[0]) };
	struct stream_id ids[N];
	open_it();
	for (unsigned i = 0; i < N; i++) {
		struct source *s = add_in(i + 1, was[i] == SOURCE_COPY ? SOURCE_STRAY : was[i]);
		source_move(table, s, was[i]);
		advance(s, "some line\n");
		ids[i] = s->id;
	}
	for (unsigned restart = 0; restart < 2; restart++) {
		close_it();
		open_it();
		for (unsigned i = 0; i < N; i++) {
			struct source *s = source_by_id(table, &ids[i]);
			ck_assert_ptr_nonnull(s);
			ck_assert_int_eq(s->state, SOURCE_MISSING);
			ck_assert_int_eq(s->was, was[i]);
			ck_assert_int_eq(source_was_stray(s), i < 2);
			source_redefine(table, s); /* it is written again, as it is now */
		}
	}
}
END_TEST

START_TEST(forgets_and_remembers_what_has_ended)
{
	open_it();
	struct source *a = add(1), *b = add(2);
	struct past p = {.id = b->id,
			 .family = 77,
			 .ino = 2,
			 .btime_ns = 1002,
			 .head = {64, 1},
			 .end = {1000, 2},
			 .ended_s = 3};
	advance(a, "x\n");
	advance(b, "x\n");
	registry_announce(registry);
	registry_forget(registry, a, NULL);
	source_drop(table, a);
	past_add(source_past(table), &p);
	registry_forget(registry, b, &p);
	source_drop(table, b);
	for (int pass = 0; pass < 3; pass++) {
		close_it();
		if (pass == 1)
			shell("rm -f registry.damaged; tail -c 20 registry >>registry"); /* rewritten */
		open_it();
		ck_assert_uint_eq(source_count(table), 0);
		ck_assert_uint_eq(source_past(table)->n, 1);
		const struct past *back = past_by_file(source_past(table), 2, 1002);
		ck_assert_ptr_nonnull(back);
		ck_assert_mem_eq(back, &p, sizeof(p));
		ck_assert(!registry_is_first_start(registry));
	}
}
END_TEST

START_TEST(grows_and_is_replaced)
{
	struct stat st;
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/registry", dir);
	open_it();
	struct source *s = add(1);
	int64_t now_ns = clock_mono_ns();
	off_t largest = 0, last = 0;
	for (unsigned i = 0; i < 30000; i++) {
		advance(s, "line\n");
		now_ns += INT64_C(1000000001);
		(void)registry_tick(registry, now_ns);
		(void)registry_tick(registry, now_ns + INT64_C(1000000001));
		ck_assert_int_eq(stat(path, &st), 0);
		largest = st.st_size > largest ? st.st_size : largest;
		last = st.st_size;
	}
	ck_assert_int_gt(largest, 1024 * 1024);
	ck_assert_int_lt(largest, 1200 * 1024);
	ck_assert_int_lt(last, largest);
	close_it();
	open_it();
	ck_assert_uint_eq(source_first(table)->committed.offset, 150000);
}
END_TEST

START_TEST(wakes_only_when_something_changed)
{
	open_it();
	int64_t now_ns = clock_mono_ns();
	(void)registry_tick(registry, now_ns);
	now_ns += INT64_C(120000000000);
	(void)registry_tick(registry, now_ns);
	ck_assert_int_eq(registry_tick(registry, now_ns), INT64_MAX);
	struct source *s = add(1);
	advance(s, "x\n");
	int64_t due_ns = registry_tick(registry, now_ns);
	ck_assert_int_eq(due_ns, now_ns + INT64_C(1000000000));
	int64_t sync_ns = registry_tick(registry, due_ns);
	ck_assert_int_eq(sync_ns, due_ns + INT64_C(30000000000));
	ck_assert_int_eq(registry_tick(registry, sync_ns), INT64_MAX);
}
END_TEST

START_TEST(another_agent)
{
	struct source_table *other = source_table_new();
	struct registry *r;
	open_it();
	ck_assert_int_eq(registry_open(dir, other, &r), -EWOULDBLOCK);
	source_table_free(other);
}
END_TEST

/* A full disk, made of a file system of one page. */
START_TEST(disk_full)
{
	char command[256];
	(void)snprintf(command, sizeof(command), "mount -t tmpfs -o size=16k none %s 2>/dev/null",
		       dir);
	if (geteuid() != 0 || system(command) != 0) {
		printf("test_registry: skipped: a file system cannot be mounted here\n");
		return;
	}
	open_it();
	struct source *s = add(1);
	registry_announce(registry);
	ck_assert_ptr_null(registry_problem(registry));
	shell("head -c 1000000 /dev/zero >ballast 2>/dev/null || true");
	int64_t now_ns = clock_mono_ns();
	for (unsigned i = 0; i < 200; i++) {
		advance(s, "line\n");
		(void)registry_tick(registry, now_ns += INT64_C(2000000000));
	}
	ck_assert_ptr_nonnull(registry_problem(registry));
	ck_assert_ptr_nonnull(strstr(registry_problem(registry), "No space left"));
	ck_assert(s->announced);
	shell("rm ballast");
	for (unsigned i = 0; i < 4; i++)
		(void)registry_tick(registry, now_ns += INT64_C(6000000000));
	ck_assert_ptr_null(registry_problem(registry));
	close_it();
	open_it();
	ck_assert_uint_eq(source_first(table)->committed.offset, 1000);
	close_it();
	/* Read-only. */
	(void)snprintf(command, sizeof(command), "mount -o remount,ro %s", dir);
	ck_assert_int_eq(system(command), 0);
	open_it();
	ck_assert_uint_eq(source_count(table), 1);
	ck_assert_ptr_nonnull(registry_problem(registry));
	s = source_first(table);
	ck_assert_uint_eq(strlen(registry_agent_uuid(registry)), UUID_LEN);
	advance(s, "line\n");
	registry_announce(registry);
	(void)snprintf(command, sizeof(command), "mount -o remount,rw %s", dir);
	ck_assert_int_eq(system(command), 0);
	now_ns = clock_mono_ns();
	(void)registry_tick(registry, now_ns + INT64_C(6000000000));
	ck_assert_ptr_null(registry_problem(registry));
	close_it();
	open_it();
	ck_assert_uint_eq(source_first(table)->committed.offset, 1005);
	close_it();
	(void)snprintf(command, sizeof(command), "umount %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(no_directory_at_all)
{
	char path[80];
	(void)snprintf(path, sizeof(path), "%s/file/state", dir);
	shell("echo x >file");
	table = source_table_new();
	ck_assert_int_eq(registry_open(path, table, &registry), 0);
	ck_assert_ptr_nonnull(registry_problem(registry));
	ck_assert_uint_eq(strlen(registry_agent_uuid(registry)), UUID_LEN);
	struct source *s = add(1);
	registry_announce(registry);
	ck_assert(s->announced);
	shell("rm file");
	(void)registry_tick(registry, clock_mono_ns() + INT64_C(6000000000));
	ck_assert_ptr_null(registry_problem(registry));
	shell("test -s file/state/registry && test -s file/state/identity && rm -r file");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tcase = tcase_create("registry");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, remembers);
	tcase_add_test(tcase, remembers_what_each_was);
	tcase_add_test(tcase, forgets_and_remembers_what_has_ended);
	tcase_add_test(tcase, grows_and_is_replaced);
	tcase_add_test(tcase, wakes_only_when_something_changed);
	tcase_add_test(tcase, another_agent);
	tcase_add_test(tcase, disk_full);
	tcase_add_test(tcase, no_directory_at_all);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

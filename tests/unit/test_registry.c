/* The registry: what it remembers, and that no damage keeps an agent from starting. */
#include "agent/files/descriptor.h"
#include "agent/files/past.h"
#include "agent/files/registry.h"
#include "agent/files/registry_format.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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
	shell("chmod -R u+rwx . && rm -rf registry* identity lock");
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
	char uuid[REGISTRY_UUID_LEN + 1];
	(void)snprintf(uuid, sizeof(uuid), "%s", registry_agent_uuid(registry));
	ck_assert_uint_eq(strlen(uuid), REGISTRY_UUID_LEN);
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

/* The line that says so may be one of those that are damaged. */
START_TEST(does_not_trust_an_unborn_one_when_damaged)
{
	open_it();
	struct source *born = add(1), *unborn = add(2);
	born->born = true;
	advance(born, "x\n");
	registry_touch(registry, unborn);
	registry_announce(registry);
	close_it();
	open_it();
	ck_assert_uint_eq(source_count(table), 2);
	close_it();
	shell("echo rubbish >>registry");
	open_it();
	ck_assert_uint_eq(source_count(table), 1);
	ck_assert(source_first(table)->born);
}
END_TEST

/* A file of some sources with some commits each. */
static void fill(unsigned sources, unsigned commits)
{
	open_it();
	for (unsigned i = 0; i < sources; i++)
		add(i + 1);
	registry_announce(registry);
	for (unsigned k = 0; k < commits; k++) {
		for (struct source *s = source_first(table); s; s = source_after(table, s))
			advance(s, "line\n");
		registry_announce(registry);
	}
	close_it();
}

static void read_file(struct buf *out)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/registry", dir);
	ck_assert_int_eq(file_read(AT_FDCWD, path, 1 << 20, out), 0);
}

static void write_file(struct span bytes)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/registry", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_eq(file_write_all(fd, bytes), 0);
	close(fd);
}

/* Whatever stands in the file: it opens, every source that it gives is one that was written, at a place where it
 * was, and it can be written again. */
static void survives(unsigned sources, unsigned commits)
{
	open_it();
	ck_assert_uint_le(source_count(table), sources);
	for (struct source *s = source_first(table); s; s = source_after(table, s)) {
		ck_assert_uint_le(s->committed.offset, 5 * commits);
		ck_assert_uint_eq(s->committed.offset % 5, 0);
		ck_assert_str_eq(s->service, "shop");
	}
	ck_assert_ptr_null(registry_problem(registry));
	close_it();
}

START_TEST(damage_at_every_byte)
{
	struct buf whole = BUF_EMPTY, copy = BUF_EMPTY;
	fill(2, 3);
	read_file(&whole);
	for (size_t at = 0; at < whole.len; at++) {
		static const unsigned char flips[] = {0x01, 0x80, 0xff};
		for (size_t i = 0; i < sizeof(flips); i++) {
			buf_clear(&copy);
			ck_assert_int_eq(buf_add_span(&copy, buf_span(&whole)), 0);
			copy.ptr[at] = (char)((unsigned char)copy.ptr[at] ^ flips[i]);
			write_file(buf_span(&copy));
			survives(2, 3);
		}
	}
	buf_free(&whole);
	buf_free(&copy);
}
END_TEST

START_TEST(cut_at_every_byte)
{
	struct buf whole = BUF_EMPTY;
	fill(2, 3);
	read_file(&whole);
	for (size_t len = 0; len < whole.len; len++) {
		write_file(span_first(buf_span(&whole), len));
		survives(2, 3);
		/* The end zeroed, as after a power cut. */
		struct buf copy = BUF_EMPTY;
		ck_assert_int_eq(buf_add_span(&copy, buf_span(&whole)), 0);
		memset(copy.ptr + len, 0, copy.len - len);
		write_file(buf_span(&copy));
		survives(2, 3);
		buf_free(&copy);
	}
	buf_free(&whole);
}
END_TEST

static int64_t first_run_ns(void)
{
	char path[128];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/lock", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mtim.tv_sec * NUM_SEC_NS + st.st_mtim.tv_nsec + REGISTRY_CLOCK_SLACK_NS + 1;
}

static int64_t seen_until_ns(struct span bytes)
{
	write_file(bytes);
	open_it();
	int64_t ns = registry_last_alive_ns(registry);
	close_it();
	return ns;
}

/* Of a file that was seen the line may be gone: then the time behind it is, too. */
START_TEST(seen_until)
{
	struct buf first = BUF_EMPTY, whole = BUF_EMPTY;
	open_it();
	ck_assert_int_eq(registry_last_alive_ns(registry), 0);
	add(1);
	registry_alive(registry, 1000);
	close_it();
	read_file(&first);
	open_it();
	ck_assert_int_eq(registry_last_alive_ns(registry), 1000);
	add(2);
	registry_alive(registry, 2000);
	registry_announce(registry);
	close_it();
	read_file(&whole);
	ck_assert_uint_gt(whole.len, first.len);
	ck_assert_mem_eq(whole.ptr, first.ptr, first.len);
	ck_assert_int_eq(seen_until_ns(buf_span(&whole)), 2000);
	for (size_t at = 0; at < whole.len; at++) {
		ck_assert_int_eq(seen_until_ns(span_make(whole.ptr, at)),
				 at < first.len ? first_run_ns() : 1000);
		whole.ptr[at] ^=
			1; /* the last line, without its LF, is one that was not written whole */
		ck_assert_int_eq(seen_until_ns(buf_span(&whole)),
				 at < whole.len - 1 ? first_run_ns() : 1000);
		whole.ptr[at] ^= 1;
	}
	shell("rm registry");
	open_it();
	ck_assert_int_eq(registry_last_alive_ns(registry), first_run_ns());
	close_it();
	buf_free(&first);
	buf_free(&whole);
}
END_TEST

/* It lasts until all was seen once, whatever is written meanwhile. */
START_TEST(first_start)
{
	open_it();
	ck_assert(registry_is_first_start(registry));
	add(1);
	close_it();
	shell("printf torn >>registry"); /* it is written anew */
	for (unsigned i = 0; i < 2; i++) {
		open_it();
		ck_assert_uint_eq(source_count(table), 1);
		ck_assert(registry_is_first_start(registry));
		ck_assert_int_eq(registry_last_alive_ns(registry), first_run_ns());
		if (i)
			registry_alive(registry, 1000);
		close_it();
	}
	open_it();
	ck_assert(!registry_is_first_start(registry));
	ck_assert_int_eq(registry_last_alive_ns(registry), 1000);
}
END_TEST

START_TEST(damaged_file_is_set_aside)
{
	fill(2, 2);
	shell("printf 'rubbish\\n' >>registry");
	open_it();
	ck_assert_uint_eq(source_count(table), 2);
	ck_assert(!registry_is_first_start(registry));
	close_it();
	shell("grep -q rubbish registry.damaged && ! grep -q rubbish registry");
	/* A last line that was not written whole is an ordinary end. */
	shell("rm registry.damaged; printf 'half' >>registry");
	open_it();
	close_it();
	shell("test ! -e registry.damaged && ! grep -q half registry");
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
	ck_assert_uint_eq(strlen(registry_agent_uuid(registry)), REGISTRY_UUID_LEN);
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
	ck_assert_uint_eq(strlen(registry_agent_uuid(registry)), REGISTRY_UUID_LEN);
	struct source *s = add(1);
	registry_announce(registry);
	ck_assert(s->announced);
	shell("rm file");
	(void)registry_tick(registry, clock_mono_ns() + INT64_C(6000000000));
	ck_assert_ptr_null(registry_problem(registry));
	shell("test -s file/state/registry && test -s file/state/identity && rm -r file");
}
END_TEST

static const char *const wrong_lines[] = {
	"",
	"x",
	"s",
	"s 0123456789abcdef0123456789abcdef",
	"x 0123456789abcdef0123456789abcde",
	"x 0123456789abcdef0123456789abcdef ",
	"x 0123456789abcdef0123456789abcdef more",
	"q 0123456789abcdef0123456789abcdef",
	"a",
	"a x",
	"a 5 5",
	"c 0123456789abcdef0123456789abcdef 5 6 0000000000000000 5 1 %",
	"c 0123456789abcdef0123456789abcdef 5 0 0000000000000000 5 2 %",
	"c 0123456789abcdef0123456789abcdef 5 0 000000000000000 5 1 %",
	"c 0123456789abcdef0123456789abcdef 5 0 0000000000000000 5 1 %zz",
	"c 0123456789abcdef0123456789abcdef 5 0 0000000000000000 5 1 2%20x",
	"r 0123456789abcdef0123456789abcdef 0 5",
	"s 0123456789abcdef0123456789abcdef following -b 0 0 1 2 3 4 logs /a%00 svc %",
	"s 0123456789abcdef0123456789abcdef followed -b 0 0 1 2 3 4 logs /a svc %",
	"s 0123456789abcdef0123456789abcdef following -b 0 0 1 2 3 4 logs /a svc",
};

START_TEST(lines_that_are_wrong)
{
	char line[512], hex[17] = "";
	table = source_table_new();
	const char *text = wrong_lines[_i];
	uint64_t crc = crc64_add(CRC64_EMPTY, text, strlen(text));
	for (int i = 0; i < 16; i++)
		hex[i] = "0123456789abcdef"[crc >> (60 - 4 * i) & 15];
	(void)snprintf(line, sizeof(line), "%s %s", hex, text);
	int64_t alive_ns = 0;
	ck_assert_msg(registry_take_line(span_of(line), table, &alive_ns) == -EBADMSG, "%s", text);
	ck_assert_uint_eq(source_count(table), 0);
	source_table_free(table);
	table = NULL;
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
	tcase_add_test(tcase, does_not_trust_an_unborn_one_when_damaged);
	tcase_add_test(tcase, damage_at_every_byte);
	tcase_add_test(tcase, cut_at_every_byte);
	tcase_add_test(tcase, seen_until);
	tcase_add_test(tcase, first_start);
	tcase_add_test(tcase, damaged_file_is_set_aside);
	tcase_add_test(tcase, grows_and_is_replaced);
	tcase_add_test(tcase, wakes_only_when_something_changed);
	tcase_add_test(tcase, another_agent);
	tcase_add_test(tcase, disk_full);
	tcase_add_test(tcase, no_directory_at_all);
	tcase_add_loop_test(tcase, lines_that_are_wrong, 0,
			    sizeof(wrong_lines) / sizeof(wrong_lines[0]));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

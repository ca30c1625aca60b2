/* Reading at the cursor, the ladder, gzip by offsets, and comparing files with what is
 * remembered. */
#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/probe.h"
#include "agent/files/sniff.h"
#include "agent/files/zreader.h"
#include "common/crc64.h"
#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = FOLLOW_CHECK_BYTES + 64 * 1024 };

static char dir[64], path[96];
static struct source_table *table;
static struct source *source;
static char buffer[SIZE];
static struct input input = {.name = "logs", .service = "", .rotated_dir = ""};

static void shell(const char *what)
{
	char command[1024];
	(void)snprintf(command, sizeof(command), "cd %s && { %s; }", dir, what);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void append(const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_eq(file_write_all(fd, span_make(bytes, len)), 0);
	close(fd);
}

static struct source *add_source(void)
{
	struct source *s;
	struct identity id;
	struct source_config c = {.path = path, .service = "a", .instance = "", .input = &input};
	ck_assert_int_eq(identity_of_path(path, true, &id), 0);
	c.ino = id.ino;
	c.btime_ns = id.btime_ns;
	c.dev = id.dev;
	ck_assert_int_eq(stream_id_random(&c.id), 0);
	ck_assert_int_eq(source_add(table, &c, &s), 0);
	source_move(table, s, SOURCE_FOLLOWING);
	s->names = 1;
	return s;
}

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/haul-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/f", dir);
	append("", 0);
	table = source_table_new();
	source = add_source();
}

static void tear_down(void)
{
	char command[96];
	source_table_free(table);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct span in;
static uint64_t hole;

static int rd(void)
{
	in = (struct span){0};
	return follow_read(table, source, buffer, SIZE, &in, &hole);
}

/* The first `n` bytes of what was read are consumed. */
static void consume(size_t n)
{
	struct position to = source->cursor;
	to.offset += n;
	to.crc = crc64_add(to.crc, in.ptr, n);
	follow_advance(source, span_first(in, n), &to);
}

static void take_all(size_t expected)
{
	while (expected) {
		ck_assert_int_eq(rd(), FOLLOW_DATA);
		ck_assert_uint_le(in.len, expected);
		expected -= in.len;
		consume(in.len);
	}
	ck_assert_int_eq(rd(), FOLLOW_END);
}

#define READS(text)                                                                                \
	do {                                                                                       \
		ck_assert_int_eq(rd(), FOLLOW_DATA);                                               \
		ck_assert_msg(span_is(in, text), "%.*s", (int)in.len, in.ptr);                     \
	} while (0)

START_TEST(reads_on)
{
	ck_assert_int_eq(rd(), FOLLOW_END);
	append("one\ntw", 6);
	READS("one\ntw");
	consume(4);
	READS("tw");
	append("o\n", 2);
	READS("two\n");
	consume(4);
	ck_assert_int_eq(rd(), FOLLOW_END);
	ck_assert_uint_eq(source->size, 8);
	ck_assert_uint_eq(source->cursor.crc, crc64_add(0, "one\ntwo\n", 8));
}
END_TEST

START_TEST(large)
{
	shell("seq 200000 >f");
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	take_all((size_t)st.st_size);
	ck_assert_uint_eq(source->cursor.offset, (uint64_t)st.st_size);
	ck_assert_uint_le(source->ladder.n, LADDER_MAX);
}
END_TEST

START_TEST(changes_are_noticed)
{
	static const char *const ways[] = {
		": >f",                        /* truncated */
		"head -c 4999 f >g; cat g >f", /* one byte less */
		"tr 4 5 <f >g; cat g >f",      /* rewritten, same size */
		"tr 4 5 <f >g; cat g g >f",    /* rewritten, longer */
		": >f; seq 99999 >>f",
	};
	shell("seq -w 1000 >f");
	take_all(5000);
	shell(ways[_i]);
	append("more\n", 5);
	ck_assert_int_eq(rd(), FOLLOW_GONE);
	ck_assert(source->cut);
	ck_assert_ptr_eq(source_next_noticed(table), source);
	ck_assert_int_eq(rd(), FOLLOW_GONE);
}
END_TEST

START_TEST(after_a_restart_the_ladder_is_asked)
{
	shell("seq -w 100000 >f");
	take_all(700000);
	struct ladder l = source->ladder;
	struct position at = source->cursor;
	source->ladder = (struct ladder){0};
	source_drop(table, source);
	if (_i == 1)
		shell("printf X | dd of=f bs=1 seek=690000 conv=notrunc 2>/dev/null");
	if (_i == 2)
		shell("printf X | dd of=f bs=1 seek=100 conv=notrunc 2>/dev/null");
	source = add_source();
	source->ladder = l;
	source_place(table, source, &at);
	append("more\n", 5);
	if (_i == 1) {
		ck_assert_int_eq(rd(), FOLLOW_GONE);
	} else {
		READS("more\n"); /* far before the cursor nothing is compared */
		ck_assert(source->tail_known);
	}
}
END_TEST

START_TEST(what_comes_back_is_read_first)
{
	append("one\ntwo\nthree\n", 14);
	READS("one\ntwo\nthree\n");
	consume(8);
	ck_assert_int_eq(source_rewind(table, source, SPAN_LITERAL("one\ntwo\n")), 0);
	ck_assert_uint_eq(source->cursor.offset, 0);
	READS("one\ntwo\nthree\n");
	consume(4);
	READS("two\nthree\n");
	/* Again, from the middle of what had come back. */
	ck_assert_int_eq(source_rewind(table, source, SPAN_LITERAL("one\n")), 0);
	READS("one\ntwo\nthree\n");
	consume(8);
	struct position two = source->cursor;
	source_commit(table, source, &two);
	READS("three\n");
	consume(6);
	ck_assert_int_eq(rd(), FOLLOW_END);
	/* The file goes; what was not acknowledged is still there. */
	ck_assert_int_eq(source_rewind(table, source, SPAN_LITERAL("three\n")), 0);
	shell(": >f; echo x >>f");
	READS("three\n");
	consume(6);
	ck_assert_int_eq(rd(), FOLLOW_GONE);
	ck_assert_uint_eq(source->cursor.offset, 14);
}
END_TEST

START_TEST(large_replay)
{
	shell("seq -w 100000 >f");
	struct buf raw = BUF_EMPTY;
	uint64_t crc;
	while (rd() == FOLLOW_DATA) {
		ck_assert_int_eq(buf_add_span(&raw, in), 0);
		consume(in.len);
	}
	ck_assert_uint_eq(raw.len, 700000);
	crc = source->cursor.crc;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(source_rewind(table, source,
					       span_first(buf_span(&raw), source->cursor.offset)),
				 0);
		append("another\n", 8);
		while (rd() == FOLLOW_DATA && source->cursor.offset < 300000)
			consume(in.len < 1000 ? in.len : 1000);
	}
	while (rd() == FOLLOW_DATA)
		consume(in.len);
	ck_assert_uint_eq(source->cursor.offset, 700024);
	ck_assert_uint_eq(source->cursor.crc, crc64_add(crc, "another\nanother\nanother\n", 24));
	buf_free(&raw);
}
END_TEST

START_TEST(replay_up_to_a_hole)
{
	append("one\n", 4);
	shell("truncate -s 10000 f; echo two >>f");
	READS("one\n");
	consume(4);
	ck_assert_int_eq(rd(), FOLLOW_HOLE);
	ck_assert_uint_eq(hole, 9996);
	struct position to = source->cursor;
	to.offset += hole;
	to.crc = crc64_add_zeros(to.crc, hole);
	follow_skip(source, &to);
	READS("two\n");
	consume(4);
	/* Batches have only what is before the hole. */
	ck_assert_int_eq(source_rewind(table, source, SPAN_LITERAL("one\n")), 0);
	READS("one\n");
	consume(4);
	ck_assert_int_eq(rd(), FOLLOW_HOLE);
	follow_skip(source, &to);
	READS("two\n");
	consume(4);
	ck_assert_int_eq(rd(), FOLLOW_END);
}
END_TEST

START_TEST(over_a_loss)
{
	append("one\nbad\ntwo\n", 12);
	source->lost_from = 4;
	source->lost_to = 8;
	source->lost_cause = "refused";
	READS("one\n");
	consume(4);
	struct position to = source->cursor;
	to.offset = to.base = 8;
	to.crc = 0;
	source->lost_from = source->lost_to = 0;
	follow_skip(source, &to);
	READS("two\n");
	consume(4);
	ck_assert_uint_eq(source->cursor.crc, crc64_add(0, "two\n", 4));
	ck_assert_int_eq(rd(), FOLLOW_END);
	append("three\n", 6);
	READS("three\n");
	consume(6);
}
END_TEST

START_TEST(the_last_line)
{
	append("one\nun", 6);
	READS("one\nun");
	consume(4);
	READS("un");
	source_move(table, source, SOURCE_UNLINKED);
	READS("un");
	source->closing = true;
	ck_assert_int_eq(rd(), FOLLOW_LAST);
	ck_assert(span_is(in, "un"));
	consume(2);
	ck_assert_int_eq(rd(), FOLLOW_LAST);
	ck_assert_uint_eq(in.len, 0);
}
END_TEST

START_TEST(nul_bytes)
{
	static const char few[] = "a\0b\n\0\0\0c\n";
	append(few, sizeof(few) - 1);
	ck_assert_int_eq(rd(), FOLLOW_DATA);
	ck_assert_uint_eq(in.len, sizeof(few) - 1); /* parts of lines */
	consume(in.len);
	char many[300] = {0};
	memcpy(many + 100, "line\n", 5);
	append(many, 105);
	ck_assert_int_eq(rd(), FOLLOW_HOLE);
	ck_assert_uint_eq(hole, 100);
	append(many, 100); /* up to the end: not yet */
	struct position to = source->cursor;
	to.offset += hole;
	to.crc = crc64_add_zeros(to.crc, hole);
	follow_skip(source, &to);
	READS("line\n");
	consume(5);
	ck_assert_int_eq(rd(), FOLLOW_END);
	source_move(table, source, SOURCE_UNLINKED);
	source->closing = true;
	ck_assert_int_eq(rd(), FOLLOW_HOLE);
	ck_assert_uint_eq(hole, 100);
}
END_TEST

START_TEST(opened_again_by_another_name)
{
	append("one\n", 4);
	READS("one\n");
	consume(4);
	descriptor_limit(table, 1);
	shell("echo x >g");
	struct source *first = source;
	(void)snprintf(path, sizeof(path), "%s/g", dir);
	source = add_source();
	READS("x\n");
	ck_assert_int_eq(first->fd, -1);
	shell("mv f h; echo other >f; echo two >>h");
	source->size = source->tail_at = 2;
	source = first;
	READS("two\n");
	consume(4);
	ck_assert_int_eq(rd(), FOLLOW_END);
}
END_TEST

START_TEST(not_there)
{
	shell("rm f");
	ck_assert_int_eq(rd(), -ENOENT);
	ck_assert_int_eq(source->last_error, ENOENT);
	shell("mkdir f");
	ck_assert_int_lt(rd(), 0);
	shell("rmdir f; mkfifo f");
	ck_assert_int_lt(rd(), 0);
}
END_TEST

/* --- the ladder --- */

START_TEST(ladder)
{
	struct ladder l = {0};
	ck_assert_ptr_null(ladder_find(&l, 100));
	ladder_add(&l, 0, 0, 0); /* offset 0 is no rung */
	ck_assert_uint_eq(l.n, 0);
	for (uint64_t i = 1; i <= 100000; i++)
		ladder_add(&l, 0, i * 10, i);
	ck_assert_uint_le(l.n, LADDER_MAX);
	ck_assert_uint_eq(l.rungs[0].offset, 10);
	for (uint16_t i = 1; i < l.n; i++)
		ck_assert_uint_gt(l.rungs[i].offset, l.rungs[i - 1].offset);
	ck_assert_uint_eq(ladder_find(&l, UINT64_MAX)->crc, 100000);
	/* Near the end rungs are dense: a copy that is 1 % shorter finds one within another 1 %. */
	ck_assert_uint_gt(ladder_find(&l, 990000)->offset, 980000);
	ladder_add(&l, 0, 500, 7); /* not above */
	ck_assert_uint_eq(ladder_find(&l, UINT64_MAX)->crc, 100000);
	ladder_add(&l, 5000000, 5000010, 1);
	ck_assert_uint_eq(l.n, 1);
	ladder_free(&l);
	ladder_free(&l);
}
END_TEST

/* --- gzip --- */

static int open_path(const char *name)
{
	char text[128];
	(void)snprintf(text, sizeof(text), "%s/%s", dir, name);
	int fd = open(text, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(gzip_by_offsets)
{
	struct zreader *z;
	static char plain[1400000], back[70000];
	shell("seq 200000 >p; head -c 500000 p | gzip >z; tail -c +500001 p | gzip >>z; "
	      "head -c 100 /dev/zero >>z");
	int p = open_path("p"), fd = open_path("z");
	ssize_t size = file_pread_full(p, plain, sizeof(plain), 0);
	ck_assert_int_eq(zreader_new(fd, &z), 0);
	uint64_t seed = 1;
	for (int i = 0; i < 300; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t at = i < 100 ? (uint64_t)i * 5000 : (seed >> 33) % (uint64_t)(size + 1000);
		size_t len = (size_t)(seed >> 17) % sizeof(back);
		size_t expected = at >= (uint64_t)size        ? 0
				  : (uint64_t)size - at < len ? (size_t)((uint64_t)size - at)
							      : len;
		ck_assert_int_eq(zreader_read(z, back, len, at), (ssize_t)expected);
		ck_assert_int_eq(memcmp(back, plain + at, expected), 0);
	}
	ck_assert_int_eq(zreader_read(z, back, 10, (uint64_t)size), 0);
	ck_assert(zreader_complete(z));
	zreader_free(z);
	zreader_free(NULL);
	close(p);
	close(fd);
}
END_TEST

START_TEST(gzip_that_grows)
{
	struct zreader *z;
	static char back[2000000];
	shell("seq 200000 | gzip >whole; head -c 1 whole >z");
	int fd = open_path("z");
	ck_assert_int_eq(zreader_new(fd, &z), 0);
	ssize_t before = 0;
	for (int i = 0; i < 30; i++) {
		ssize_t n = zreader_read(z, back, sizeof(back), 0);
		ck_assert_int_ge(n, before);
		before = n;
		ck_assert(!zreader_complete(z));
		shell("s=$(stat -c %s z); head -c $((s + 10000)) whole | tail -c +$((s + 1)) >>z");
	}
	shell("cat whole >z");
	ck_assert_int_eq(zreader_read(z, back, sizeof(back), 0), 1288895);
	ck_assert(zreader_complete(z));
	shell("printf 'XXXXXXXX' | dd of=z bs=1 seek=1000 conv=notrunc 2>/dev/null");
	zreader_free(z);
	ck_assert_int_eq(zreader_new(fd, &z), 0);
	ck_assert_int_eq(zreader_read(z, back, sizeof(back), 0), -EBADMSG);
	zreader_free(z);
	close(fd);
}
END_TEST

/* --- copies --- */

static enum probe_result probe_file(const char *name, const struct ladder *l, struct rung *ret)
{
	struct probe *p;
	struct stat st;
	int fd = open_path(name), r;
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(probe_new(fd, (uint64_t)st.st_size, l->base, l->rungs, l->n, &p), 0);
	do {
		size_t budget = 100000;
		r = probe_step(p, &budget);
		ck_assert_int_ge(r, 0);
	} while (r == PROBE_MORE);
	*ret = probe_matched(p);
	probe_free(p);
	close(fd);
	return (enum probe_result)r;
}

START_TEST(copies)
{
	static const struct {
		const char *make;
		enum probe_result result;
		bool whole;
	} cases[] = {
		{"cp f c", PROBE_COPY, true},
		{"cp f c; echo more >>c", PROBE_COPY, true},
		{"head -c 650000 f >c", PROBE_COPY, false},
		{"gzip -c f >c", PROBE_COPY, true},
		{"head -c 650000 f | gzip >c", PROBE_COPY, false},
		{"gzip -c f >z; head -c 100000 z >c", PROBE_UNFINISHED, false},
		{"tr 7 8 <f >c", PROBE_NO, false},
		{"cp f c; printf X | dd of=c bs=1 seek=699000 conv=notrunc 2>/dev/null", PROBE_NO,
		 false},
		{": >c", PROBE_NO, false},
		{"head -c 10 f >c", PROBE_NO, false},
		{"gzip -c f >c; printf XXXX | dd of=c bs=1 seek=5000 conv=notrunc 2>/dev/null",
		 PROBE_NO, false},
		{"head -c 650000 f >c; cat c c >d; mv d c", PROBE_NO, false},
	};
	struct rung matched;
	shell("seq -w 100000 >f");
	shell(cases[_i].make);
	take_all(700000);
	enum probe_result r = probe_file("c", &source->ladder, &matched);
	ck_assert_msg(r == cases[_i].result, "%s: %d", cases[_i].make, r);
	ck_assert_msg((matched.offset == 700000) == cases[_i].whole, "%s", cases[_i].make);
	if (r == PROBE_COPY)
		ck_assert_uint_gt(matched.offset, 580000);
}
END_TEST

/* --- text --- */

START_TEST(text_or_not)
{
	char nuls[400] = {1, 2};
	memcpy(nuls + 100, "tty1", 4);
	ck_assert_ptr_null(sniff(SPAN_LITERAL("")));
	ck_assert_ptr_null(sniff(SPAN_LITERAL("a line\n")));
	ck_assert_ptr_null(sniff(SPAN_LITERAL("a\0b\n")));
	ck_assert_ptr_null(sniff(SPAN_LITERAL("\xff\xfe\x80 \x1b[31m\n")));
	ck_assert_ptr_null(sniff(SPAN_LITERAL("BZhang logs in\n")));
	ck_assert_ptr_null(sniff(SPAN_LITERAL("PK is an abbreviation\n")));
	ck_assert_ptr_nonnull(sniff(span_make(nuls, sizeof(nuls))));
	ck_assert_ptr_nonnull(sniff(SPAN_LITERAL("\x1f\x8b\x08")));
	ck_assert_ptr_nonnull(sniff(SPAN_LITERAL("BZh91AY&SY")));
	ck_assert_ptr_nonnull(sniff(SPAN_LITERAL("LPKSHHRH")));
	ck_assert_ptr_nonnull(sniff(SPAN_LITERAL("\x28\xb5\x2f\xfd")));
	ck_assert(sniff_gzip(SPAN_LITERAL("\x1f\x8b\x08\x00")));
	ck_assert(!sniff_gzip(SPAN_LITERAL("\x1f\x8b")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("follow");
	TCase *tcase = tcase_create("follow");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, reads_on);
	tcase_add_test(tcase, large);
	tcase_add_loop_test(tcase, changes_are_noticed, 0, 5);
	tcase_add_loop_test(tcase, after_a_restart_the_ladder_is_asked, 0, 3);
	tcase_add_test(tcase, what_comes_back_is_read_first);
	tcase_add_test(tcase, large_replay);
	tcase_add_test(tcase, replay_up_to_a_hole);
	tcase_add_test(tcase, over_a_loss);
	tcase_add_test(tcase, the_last_line);
	tcase_add_test(tcase, nul_bytes);
	tcase_add_test(tcase, opened_again_by_another_name);
	tcase_add_test(tcase, not_there);
	tcase_add_test(tcase, ladder);
	tcase_add_test(tcase, gzip_by_offsets);
	tcase_add_test(tcase, gzip_that_grows);
	tcase_add_loop_test(tcase, copies, 0, 12);
	tcase_add_test(tcase, text_or_not);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

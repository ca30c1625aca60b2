/* A day read in rounds gives the same lines in the same order as `sort -s -k1,1` over its files,
 * each once, however the times lie in them, and its first lines before all is read. */
#include "collector/query/hits.h"
#include "common/file.h"

#include <check.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES = 4, FILE_BYTES = 3 << 19 }; /* six chunks each */

static char dir[64];
static uint64_t random_state;
static atomic_bool stop;

static unsigned below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned)(random_state >> 33) % n;
}

static void setup(void)
{
	(void)strcpy(dir, "/tmp/haul-test-rounds-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	random_state = 1;
}

static void teardown(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* Lines of a file: times that go up and, with `disorder`, jump back now and then; some with
 * continuations. */
static void make_lines(struct buf *out, unsigned file, unsigned disorder)
{
	int64_t us = below(1000000), step = 40000000000 / (FILE_BYTES / 130);
	for (unsigned n = 0; out->len < FILE_BYTES; n++) {
		char time[CIVIL_TIME_LEN];
		int64_t at = us;
		us += below((unsigned)(2 * step));
		if (disorder && below(20) == 0)
			at = at > (int64_t)disorder * 1000000 ? at - disorder * INT64_C(1000000)
							      : 0;
		civil_format_us(time, INT64_C(1795305600000000) + at);
		ck_assert_int_eq(buf_printf(out, "%.27s h%u app F line %u %0*u\n", time, file, n,
					    (int)below(150) + 1, 0),
				 0);
		for (unsigned k = below(12) ? 0 : below(4); k; k--)
			ck_assert_int_eq(
				buf_printf(out, "%.27s h%u app +   more %u\n", time, file, k), 0);
	}
}

static void write_file(unsigned file, const struct buf *lines)
{
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/2026-11-22/app", dir);
	ck_assert_int_eq(file_make_dirs(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/2026-11-22/app/h%u.log", dir, file);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_write_all(fd, buf_span(lines)), 0);
	file_close(&fd);
}

struct found {
	struct buf lines;
	size_t rounds, first; /* in all; the one that gave the first line */
};

static int take(void *user, const struct record *record)
{
	struct found *f = user;
	struct span line;
	size_t at = 0;
	bool matched;
	while (record_next_line(record, &at, &line, &matched)) {
		ck_assert_int_eq(buf_add_span(&f->lines, line), 0);
		ck_assert_int_eq(buf_add_char(&f->lines, '\n'), 0);
	}
	return 0;
}

static int end_round(void *user)
{
	struct found *f = user;
	f->rounds++;
	if (!f->first && f->lines.len)
		f->first = f->rounds;
	return 0;
}

/* What hits_rounds gives of the archive for a pattern, whole events or single lines. */
static struct found read_rounds(const char *pattern, bool events)
{
	const struct options o = {.data_dir = dir, .since_us = INT64_MIN, .until_us = INT64_MAX};
	struct search search;
	struct hits hits;
	struct segments *segments;
	struct found f = {.rounds = 0};
	ck_assert_int_eq(search_open(&search, &o, pattern, true, &stop), 0);
	ck_assert_int_eq(hits_open(&hits, &search, HITS_LINES, events, RECORD_BY_TIME, 0), 0);
	ck_assert_int_eq(search_list(&search, 0, &segments), 0);
	hits.times = true;
	ck_assert_int_eq(hits_rounds(&hits, segments, take, end_round, &f), 0);
	segments_free(segments);
	hits_close(&hits);
	search_close(&search);
	return f;
}

static void expect(const struct found *f, const char *command)
{
	char text[512];
	struct buf wanted = BUF_EMPTY;
	(void)snprintf(text, sizeof(text),
		       "cd %s/2026-11-22 && %s | LC_ALL=C sort -s -k1,1 >../wanted", dir, command);
	ck_assert_int_eq(system(text), 0);
	(void)snprintf(text, sizeof(text), "%s/wanted", dir);
	ck_assert_int_eq(file_read(AT_FDCWD, text, (size_t)1 << 30, &wanted), 0);
	ck_assert_uint_eq(f->lines.len, wanted.len);
	ck_assert(span_equal(buf_span(&f->lines), buf_span(&wanted)));
	buf_free(&wanted);
}

static void make_archive(unsigned disorder)
{
	for (unsigned i = 0; i < FILES; i++) {
		struct buf lines = BUF_EMPTY;
		make_lines(&lines, i, disorder);
		write_file(i, &lines);
		buf_free(&lines);
	}
}

START_TEST(all_lines_in_order)
{
	static const unsigned disorders[] = {0, 5, 30000}; /* seconds */
	make_archive(disorders[_i]);
	struct found f = read_rounds("", false);
	expect(&f, "cat app/*.log");
	ck_assert_uint_gt(f.rounds, 1);
	ck_assert_uint_le(f.first, disorders[_i] > 5 ? f.rounds : 1);
	buf_free(&f.lines);
}
END_TEST

START_TEST(whole_events)
{
	make_archive(5);
	struct found f = read_rounds("more 1", true);
	/* A line and what continues it, when one of its continuations is wanted. */
	expect(&f, "awk '/ F /{head=$0; n=0; next} {held[n++]=$0} / more 1$/{print head;"
		   " for (i=0;i<n;i++) print held[i]; n=0}' app/*.log");
	buf_free(&f.lines);
}
END_TEST

/* It could stand anywhere: its file is read before anything is given. */
START_TEST(a_line_without_a_time)
{
	make_archive(5);
	char command[256];
	(void)snprintf(command, sizeof(command),
		       "sed -i '1000s/^/who wrote this? /; 2000s/.*//' %s/2026-11-22/app/h2.log",
		       dir);
	ck_assert_int_eq(system(command), 0);
	struct found f = read_rounds("line", false);
	expect(&f, "cat app/*.log | grep -F line");
	ck_assert_uint_gt(f.rounds, 1);
	buf_free(&f.lines);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_rounds");
	TCase *c = tcase_create("rounds");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, all_lines_in_order, 0, 3);
	tcase_add_test(c, whole_events);
	tcase_add_test(c, a_line_without_a_time);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

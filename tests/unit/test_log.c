/* A program's own messages, as they come out of stderr. */
#include "common/log.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int real_stderr;
static int64_t now_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

/* From here on stderr is a file in memory. */
static void setup(void)
{
	real_stderr = dup(STDERR_FILENO);
	int fd = memfd_create("stderr", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	unsetenv("JOURNAL_STREAM");
	log_start("prog", LOG_LEVEL_INFO);
	now_ns = 1000;
	clock_replace(test_clock, NULL);
}

static void teardown(void)
{
	clock_replace(NULL, NULL);
	ck_assert_int_eq(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO);
	close(real_stderr);
}

/* What stderr got since the last call. Valid until the next. */
static const char *told(void)
{
	static char text[65536];
	ssize_t n = file_pread_full(STDERR_FILENO, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_int_eq(ftruncate(STDERR_FILENO, 0), 0);
	ck_assert_int_eq(lseek(STDERR_FILENO, 0, SEEK_SET), 0);
	return text;
}

START_TEST(levels)
{
	log_error("e %d", 1);
	log_warning("w %s", "x");
	log_notice("n");
	log_info("i");
	log_debug("d");
	ck_assert_str_eq(told(), "prog: e 1\nprog: w x\nprog: n\nprog: i\n");
	log_start("prog", LOG_LEVEL_DEBUG);
	log_debug("d");
	ck_assert_str_eq(told(), "prog: d\n");
	log_start("prog", LOG_LEVEL_ERROR);
	log_warning("w");
	log_error("e");
	ck_assert_str_eq(told(), "prog: e\n");
}
END_TEST

static void set_journal(uint64_t dev, uint64_t ino)
{
	char text[64];
	(void)snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, dev, ino);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", text, 1), 0);
	log_start("prog", LOG_LEVEL_DEBUG);
}

START_TEST(the_journal_gets_priorities)
{
	struct stat st;
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	set_journal(st.st_dev, st.st_ino);
	log_error("e");
	log_warning("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
	ck_assert_str_eq(told(), "<3>e\n<4>w\n<5>n\n<6>i\n<7>d\n");

	/* Another file: stderr was redirected since. */
	set_journal(st.st_dev, st.st_ino + 1);
	log_error("e");
	ck_assert_str_eq(told(), "prog: e\n");
	set_journal(st.st_dev + 1, st.st_ino);
	log_error("e");
	ck_assert_str_eq(told(), "prog: e\n");
	static const char *const odd[] = {"", ":", "1", "1:", ":1", "x:y", "1:2:3"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		ck_assert_int_eq(setenv("JOURNAL_STREAM", odd[i], 1), 0);
		log_start("prog", LOG_LEVEL_DEBUG);
		log_error("e");
		ck_assert_str_eq(told(), "prog: e\n");
	}
}
END_TEST

START_TEST(a_message_is_one_harmless_line)
{
	static const struct {
		const char *message, *line;
	} table[] = {
		{"", "prog: \n"},
		{"a\nb", "prog: a\\x0ab\n"},
		{"\x1b[31mred\x7f", "prog: \\x1b[31mred\\x7f\n"},
		{"tab\t", "prog: tab\\x09\n"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "prog: caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n"},
		{"\xc2\x9b"
		 "31m",
		 "prog: \\xc2\\x9b31m\n"}, /* CSI as one character */
		{"\x9b"
		 "31m",
		 "prog: \\x9b31m\n"},
		{"cut \xe2\x82", "prog: cut \\xe2\\x82\n"},
		{"\xc0\xaf \xed\xa0\x80", "prog: \\xc0\\xaf \\xed\\xa0\\x80\n"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		log_error("%s", table[i].message);
		ck_assert_str_eq(told(), table[i].line);
	}
}
END_TEST

START_TEST(long_messages_are_cut)
{
	static char path[4097], longer[100001];
	memset(path, 'p', sizeof(path) - 1);
	memset(longer, '\x01', sizeof(longer) - 1);
	log_error("cannot open %s: %s", path, "no");
	const char *line = told();
	ck_assert_uint_eq(strlen(line), strlen("prog: cannot open : no\n") + strlen(path));
	log_error("%s", longer);
	line = told();
	ck_assert(span_starts_with(span_of(line), span_of("prog: \\x01\\x01")));
	ck_assert(span_ends_with(span_of(line), span_of("\\x01...\n")));
	ck_assert_uint_lt(strlen(line), 32768);
	/* A program's name that is too long does no harm either. */
	log_start(path, LOG_LEVEL_DEBUG);
	log_error("%s", longer);
	ck_assert(span_ends_with(span_of(told()), span_of("\\x01...\n")));
}
END_TEST

START_TEST(errno_stays)
{
	errno = ENOSPC;
	log_error("no room");
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_str_eq(told(), "prog: no room\n");
	int out = dup(STDERR_FILENO);
	close(STDERR_FILENO);
	errno = EINTR;
	log_error("nobody hears");
	int after = errno;
	ck_assert_int_eq(dup2(out, STDERR_FILENO), STDERR_FILENO);
	close(out);
	ck_assert_int_eq(after, EINTR);
}
END_TEST

/* Calls the gate `calls` times without time passing. */
static void repeat(struct log_gate *gate, int calls)
{
	for (int i = 0; i < calls; i++)
		log_gated(gate, LOG_LEVEL_WARNING, "disk full on %s", "/x");
}

START_TEST(a_repeated_error_is_told_once_and_then_in_sums)
{
	struct log_gate gate = {0};
	repeat(&gate, 1);
	ck_assert_str_eq(told(), "prog: disk full on /x\n");
	repeat(&gate, 41);
	ck_assert_str_eq(told(), "");
	now_ns += 60 * NUM_SEC_NS - 1;
	repeat(&gate, 1);
	ck_assert_str_eq(told(), "");
	now_ns += 1;
	repeat(&gate, 1);
	ck_assert_str_eq(told(), "prog: disk full on /x (43 times since last told)\n");

	/* Two minutes, four, ... and an hour for good. */
	static const int minutes[] = {2, 4, 8, 16, 32, 60, 60, 60};
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		repeat(&gate, 2);
		now_ns += NUM_SEC_NS * 60 * minutes[i] - 1;
		repeat(&gate, 1);
		ck_assert_str_eq(told(), "");
		now_ns += 1;
		repeat(&gate, 1);
		ck_assert_str_eq(told(), "prog: disk full on /x (4 times since last told)\n");
	}
}
END_TEST

START_TEST(the_end_of_a_condition_is_told_when_its_start_was)
{
	struct log_gate gate = {0};
	log_gate_clear(&gate, "room again on %s", "/x");
	ck_assert_str_eq(told(), "");
	repeat(&gate, 1);
	(void)told();
	log_gate_clear(&gate, "room again on %s", "/x");
	ck_assert_str_eq(told(), "prog: room again on /x\n");
	log_gate_clear(&gate, "room again on %s", "/x");
	ck_assert_str_eq(told(), "");

	/* What was only counted comes with it, and a new start is told at once. */
	repeat(&gate, 6);
	ck_assert_str_eq(told(), "prog: disk full on /x\n");
	log_gate_clear(&gate, "room again on %s", "/x");
	ck_assert_str_eq(told(), "prog: room again on /x (5 times since last told)\n");
	repeat(&gate, 1);
	ck_assert_str_eq(told(), "prog: disk full on /x\n");
	ck_assert_int_eq(gate.pause_ns, 60 * NUM_SEC_NS);
}
END_TEST

static void file_fails(int i)
{
	struct log_gate gate = {0};
	log_gated(&gate, LOG_LEVEL_WARNING, "file %d cannot be read", i);
}

/* Each of many things has a gate of its own: together they are bounded all the same. */
START_TEST(many_things_fail_at_once)
{
	log_limit();
	for (int i = 0; i < 1000; i++)
		file_fails(i);
	log_warning("another message");
	const char *text = told();
	ck_assert_ptr_nonnull(strstr(text, "prog: file 0 cannot be read\n"));
	ck_assert_ptr_nonnull(strstr(text,
				     "prog: file 19 cannot be read; what more there is like this "
				     "is left out for a minute\n"));
	ck_assert_ptr_null(strstr(text, "file 20 "));
	ck_assert_ptr_nonnull(strstr(text, "prog: another message\n"));
	now_ns += 61 * NUM_SEC_NS;
	file_fails(1000);
	file_fails(1001);
	text = told();
	ck_assert_ptr_nonnull(strstr(
		text, "prog: file 1000 cannot be read (980 more like this were left out)\n"));
	ck_assert_ptr_nonnull(strstr(text, "prog: file 1001 cannot be read\n"));
}
END_TEST

/* Of what is gone for good each line is told. */
START_TEST(no_deed_is_left_out)
{
	log_limit();
	for (int i = 0; i < 100; i++) {
		char wanted[64];
		(void)snprintf(wanted, sizeof(wanted), "prog: day %d is deleted\n", i);
		log_deed("day %d is deleted", i);
		ck_assert_str_eq(told(), wanted);
	}
	log_start("prog", LOG_LEVEL_ERROR);
	log_deed("quiet");
	ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(a_gate_keeps_to_the_level)
{
	struct log_gate gate = {0};
	log_gated(&gate, LOG_LEVEL_DEBUG, "quiet");
	ck_assert_str_eq(told(), "");
	log_start("prog", LOG_LEVEL_ERROR);
	log_gate_clear(&gate, "over");
	ck_assert_str_eq(told(), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, levels);
	tcase_add_test(tcase, the_journal_gets_priorities);
	tcase_add_test(tcase, a_message_is_one_harmless_line);
	tcase_add_test(tcase, long_messages_are_cut);
	tcase_add_test(tcase, errno_stays);
	tcase_add_test(tcase, a_repeated_error_is_told_once_and_then_in_sums);
	tcase_add_test(tcase, the_end_of_a_condition_is_told_when_its_start_was);
	tcase_add_test(tcase, many_things_fail_at_once);
	tcase_add_test(tcase, no_deed_is_left_out);
	tcase_add_test(tcase, a_gate_keeps_to_the_level);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

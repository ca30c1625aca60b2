/* The pure parts of journals: cursors, records, the window, streams and their state. */
#include "agent/journal/record.h"
#include "agent/journal/stream.h"
#include "common/civil.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define CURSOR                                                                                     \
	"s=233aeebe7ece4e01bd695ab368157dfe;i=1f;b=5b2d1f0c5b2d1f0c5b2d1f0c5b2d1f0c;"              \
	"m=3e8;t=660d73c016c1a;x=cc3e366d37b810ee"

static struct cursor cursor_of(const char *text)
{
	struct cursor c;
	ck_assert_int_eq(cursor_parse(span_of(text), &c), 0);
	return c;
}

/* --- cursors --- */

START_TEST(cursor_there_and_back)
{
	struct buf out = BUF_EMPTY;
	struct cursor c = cursor_of(CURSOR);
	ck_assert_uint_eq(c.seqnum, 31);
	ck_assert_uint_eq(c.monotonic_us, 1000);
	ck_assert_uint_eq(c.realtime_us, 1795327401225242);
	ck_assert_uint_eq(c.seqnum_id[0], 0x23);
	ck_assert_uint_eq(c.boot_id[15], 0x0c);
	ck_assert_int_eq(cursor_format(&c, &out), 0);
	ck_assert_str_eq(buf_cstr(&out), CURSOR);
	ck_assert_uint_le(out.len, CURSOR_TEXT_MAX);
	buf_free(&out);
}
END_TEST

static const char *const wrong_cursors[] = {
	"",
	"s=233aeebe7ece4e01bd695ab368157dfe",
	CURSOR ";",
	CURSOR ";x=1",
	";" CURSOR,
	"s=233aeebe7ece4e01bd695ab368157df;i=1f;b=5b2d1f0c5b2d1f0c5b2d1f0c5b2d1f0c;m=3e8;t=6;x=c",
	"s=233aeebe7ece4e01bd695ab368157dfe;i=;b=5b2d1f0c5b2d1f0c5b2d1f0c5b2d1f0c;m=3e8;t=6;x=c",
	"s=233aeebe7ece4e01bd695ab368157dfe;i=G;b=5b2d1f0c5b2d1f0c5b2d1f0c5b2d1f0c;m=3e8;t=6;x=c",
	"s=233aeebe7ece4e01bd695ab368157dfe;i=11112222333344445;b=5b2d1f0c5b2d1f0c5b2d1f0c5b2d1f0c;"
	"m=3e8;t=6;x=c",
};

START_TEST(cursor_that_is_none)
{
	struct cursor c;
	ck_assert_int_eq(cursor_parse(span_of(wrong_cursors[_i]), &c), -EINVAL);
}
END_TEST

START_TEST(cursor_of_a_copied_entry)
{
	struct cursor a = cursor_of(CURSOR), b = a, later = a;
	b.seqnum_id[3]++;
	b.seqnum = 7;
	later.seqnum++;
	ck_assert(cursor_equal(&a, &b));
	ck_assert(!cursor_equal(&a, &later));
	b.xor_hash++;
	ck_assert(!cursor_equal(&a, &b));
}
END_TEST

/* --- records --- */

static const struct {
	const char *fields[6];
	const char *template, *service, *instance;
} names[] = {
	{{"_SYSTEMD_UNIT=nginx.service", "SYSLOG_IDENTIFIER=x"}, "", "nginx", ""},
	{{"SYSLOG_IDENTIFIER=sudo", "_SYSTEMD_UNIT=session-3.scope"}, "", "sudo", ""},
	{{"_SYSTEMD_UNIT=user@1000.service", "_SYSTEMD_USER_UNIT=app.service"}, "", "app", ""},
	{{"_SYSTEMD_UNIT=getty@tty1.service"}, "", "getty", "tty1"},
	{{"_SYSTEMD_UNIT=.service", "_COMM=sh"}, "", "sh", ""},
	{{"_COMM=cat"}, "", "cat", ""},
	{{"MESSAGE=x"}, "", "unknown", ""},
	{{"SYSLOG_IDENTIFIER=../../etc"}, "", "0.._.._etc", ""},
	{{"CONTAINER_NAME=shop", "CONTAINER_ID=0123456789ab", "_SYSTEMD_UNIT=d.service"},
	 "",
	 "shop",
	 "0123456789ab"},
	{{"CONTAINER_ID=0123456789ab", "_SYSTEMD_UNIT=d@1.service"}, "", "0123456789ab", ""},
	{{"_SYSTEMD_UNIT=cron.service", "SYSLOG_IDENTIFIER=CRON"}, "{identifier}", "CRON", ""},
	{{"_SYSTEMD_UNIT=cron.service", "SYSLOG_IDENTIFIER=CRON"}, "j.{unit}", "j.cron", ""},
	{{"_SYSTEMD_UNIT=cron.service"}, "{identifier}", "cron", ""},
	{{"_SYSTEMD_UNIT=a.service", "_SYSTEMD_UNIT=b.service"}, "", "a", ""},
};

START_TEST(record_names)
{
	struct record r = {0};
	struct input in = {.service = names[_i].template};
	struct buf service = BUF_EMPTY, instance = BUF_EMPTY;
	for (size_t i = 0; names[_i].fields[i]; i++)
		ck_assert_int_eq(record_take(&r, span_of(names[_i].fields[i])), 0);
	ck_assert_int_eq(record_service(&r, &in, &service), 0);
	ck_assert_int_eq(record_instance(&r, &instance), 0);
	ck_assert_str_eq(buf_cstr(&service), names[_i].service);
	ck_assert_str_eq(buf_cstr(&instance), names[_i].instance);
	record_free(&r);
	buf_free(&service);
	buf_free(&instance);
}
END_TEST

START_TEST(record_times)
{
	static const struct {
		const char *source;
		uint64_t realtime;
		int64_t us;
	} times[] = {
		{"", 5, 5},
		{"_SOURCE_REALTIME_TIMESTAMP=7", 5, 7},
		{"_SOURCE_REALTIME_TIMESTAMP=0", 5, 5},
		{"_SOURCE_REALTIME_TIMESTAMP=-1", 5, 5},
		{"_SOURCE_REALTIME_TIMESTAMP=253402300800000000", 5, 5},
		{"_SOURCE_REALTIME_TIMESTAMP=253402300799999999", 5, CIVIL_MAX_US},
		{"", UINT64_MAX, INT64_MIN},
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct record r = {.cursor.realtime_us = times[i].realtime};
		ck_assert_int_eq(record_take(&r, span_of(times[i].source)), 0);
		ck_assert_int_eq(record_time_us(&r), times[i].us);
		record_free(&r);
	}
}
END_TEST

START_TEST(record_priorities)
{
	static const char *const texts[] = {"0", "3", "4", "7", "", "33", "x"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct record r = {0};
		struct buf field = BUF_EMPTY;
		ck_assert_int_eq(buf_printf(&field, "PRIORITY=%s", texts[i]), 0);
		ck_assert_int_eq(record_take(&r, buf_span(&field)), 0);
		ck_assert_int_eq(record_is_error(&r), i < 2);
		record_free(&r);
		buf_free(&field);
	}
}
END_TEST

START_TEST(record_used_again)
{
	struct record r = {0};
	ck_assert_int_eq(record_take(&r, span_make("MESSAGE=a\0=b", 12)), 0);
	ck_assert_int_eq(record_take(&r, SPAN_LITERAL("MESSAGE=second")), 0);
	ck_assert_int_eq(record_take(&r, SPAN_LITERAL("CONTAINER_PARTIAL_MESSAGE=true")), 0);
	ck_assert_int_eq(record_take(&r, SPAN_LITERAL("no field")), 0);
	ck_assert(r.has_message && r.partial);
	ck_assert_uint_eq(r.message.len, 4);
	record_clear(&r);
	ck_assert(!r.has_message && !r.partial);
	ck_assert_uint_eq(r.message.len, 0);
	ck_assert_int_eq(record_take(&r, SPAN_LITERAL("MESSAGE=")), 0);
	ck_assert(r.has_message);
	record_free(&r);
}
END_TEST

/* --- window and streams --- */

static struct journal_entry *put(struct window *w, struct journal_stream *s, uint64_t number,
				 const char *text)
{
	struct journal_entry *e;
	ck_assert_int_eq(window_add(w, span_of(text), &e), 0);
	e->point.number = number;
	e->count = 1;
	stream_add(s, e);
	return e;
}

/* Two streams by turns; they are acknowledged one behind the other. */
START_TEST(window_moves_with_the_oldest)
{
	struct window w = {0};
	struct journal_stream *a = stream_new(), *b = stream_new();
	a->window = b->window = &w;
	for (uint64_t n = 1; n <= 10000; n++)
		put(&w, n % 2 ? a : b, n, "some text of an entry");
	ck_assert_uint_eq(stream_at(a, 4999)->point.number, 9999);
	ck_assert_ptr_null(stream_at(a, 5000));
	ck_assert_uint_eq(stream_at(a, 0)->point.number, 1);
	stream_committed(a, 5000);
	ck_assert_uint_eq(w.upto.number, 1); /* b's first is missing */
	ck_assert_uint_eq(a->committed.last.number, 9999);
	ck_assert_uint_eq(a->committed.upto.number, 1);
	stream_committed(b, 100);
	ck_assert_uint_eq(w.upto.number, 201); /* and what a has behind b's hundredth */
	ck_assert_uint_eq(stream_at(b, 100)->point.number, 202);
	stream_committed(b, 5000);
	ck_assert_uint_eq(w.upto.number, 10000);
	ck_assert(window_empty(&w));
	put(&w, a, 10001, "");
	ck_assert_uint_eq(stream_at(a, 5000)->at, 5000);
	window_clear(&w);
	stream_free(a);
	stream_free(b);
}
END_TEST

/* A loss covers many offsets; a commit in its middle is none of it. */
START_TEST(stream_with_a_loss)
{
	struct window w = {0};
	struct journal_stream *s = stream_new();
	struct journal_entry *e;
	s->window = &w;
	ck_assert_int_eq(window_add(&w, SPAN_LITERAL(""), &e), 0);
	e->point.number = 1;
	e->count = 70;
	stream_add(s, e);
	put(&w, s, 2, "behind");
	ck_assert_uint_eq(stream_at(s, 70)->point.number, 2);
	stream_committed(s, 69);
	ck_assert_uint_eq(w.upto.number, 0);
	stream_committed(s, 70);
	ck_assert_uint_eq(w.upto.number, 1);
	stream_reset(s, 71);
	ck_assert_ptr_null(stream_at(s, 71));
	window_clear(&w);
	stream_free(s);
}
END_TEST

START_TEST(window_of_a_long_message)
{
	struct window w = {0};
	struct journal_entry *e;
	size_t len = (size_t)3 * 1024 * 1024;
	char *text = malloc(len);
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', len);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(window_add(&w, span_make(text, len), &e), 0);
		ck_assert_mem_eq(e->text, text, len);
		e->done = true;
		ck_assert_int_eq(window_add(&w, SPAN_LITERAL("short"), &e), 0);
		e->done = true;
	}
	window_trim(&w);
	ck_assert(window_empty(&w));
	free(text);
}
END_TEST

/* --- state --- */

START_TEST(state_there_and_back)
{
	struct journal_place p = {{3, cursor_of(CURSOR)}, {UINT64_MAX, cursor_of(CURSOR)}}, q;
	struct frame_state f, g;
	struct buf out = BUF_EMPTY;
	frame_state_init(&f);
	for (int i = 0; i < 4; i++) {
		if (i & 1)
			f.outputs[0].has_stamps = true;
		if (i & 2)
			p.upto = (struct journal_point){0};
		buf_clear(&out);
		ck_assert_int_eq(stream_state_encode(&p, &f, &out), 0);
		ck_assert_int_eq(stream_state_decode(buf_span(&out), &q, &g), 0);
		ck_assert_uint_eq(q.upto.number, p.upto.number);
		ck_assert_uint_eq(q.last.number, p.last.number);
		ck_assert(cursor_equal(&q.last.cursor, &p.last.cursor));
		ck_assert_int_eq(g.outputs[0].has_stamps, f.outputs[0].has_stamps);
	}
	buf_free(&out);
}
END_TEST

static const char *const wrong_states[] = {
	"",        "j1",           "j1 -",       "j2 - -", "j1 0:" CURSOR " -",
	"j1 - 1:", "j1 - " CURSOR, "j1 - - 2 x", "1 s",
};

START_TEST(state_that_is_none)
{
	struct journal_place p;
	struct frame_state f;
	ck_assert_int_eq(stream_state_decode(span_of(wrong_states[_i]), &p, &f), -EINVAL);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tc = tcase_create("journal");
	tcase_add_test(tc, cursor_there_and_back);
	tcase_add_loop_test(tc, cursor_that_is_none, 0, COUNT(wrong_cursors));
	tcase_add_test(tc, cursor_of_a_copied_entry);
	tcase_add_loop_test(tc, record_names, 0, COUNT(names));
	tcase_add_test(tc, record_times);
	tcase_add_test(tc, record_priorities);
	tcase_add_test(tc, record_used_again);
	tcase_add_test(tc, window_moves_with_the_oldest);
	tcase_add_test(tc, stream_with_a_loss);
	tcase_add_test(tc, window_of_a_long_message);
	tcase_add_loop_test(tc, state_there_and_back, 0, 1);
	tcase_add_loop_test(tc, state_that_is_none, 0, COUNT(wrong_states));
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

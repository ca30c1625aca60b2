/* Templates of lines, and what becomes of templates that differ in a word. */
#include "collector/query/cluster.h"
#include "collector/query/severity.h"
#include "collector/query/template.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text, *template;
} TEXTS[] = {
	{"", ""},
	{"stock reserved", "stock reserved"},
	{"took 12 ms", "took <num> ms"},
	{"took 12ms", "took <num>ms"},
	{"took 1.5s, 99%", "took <num>s, <num>%"},
	{"balance -12.50 EUR", "balance <num> EUR"},
	{"retry 3/5", "retry <num>/<num>"},
	{"from 10.0.0.1:8080 to 10.0.0.2", "from <ip> to <ip>"},
	{"version 1.2.3", "version <num>"},
	{"peer fe80::1ff:fe23:4567:890a gone", "peer <ip> gone"},
	{"id 5d9d0c3e-8902-4cc1-aeeb-8da1658eec67.", "id <id>."},
	{"commit deadbeef01 at 0x7ffe12", "commit <id> at <id>"},
	{"the added facade", "the added facade"},
	{"2026-11-22T05:40:00.123Z started", "<time> started"},
	{"2026-11-22 05:40:00,123 started", "<time> started"},
	{"2026-11-22T05:40:00+02:00 started", "<time> started"},
	{"on 2026-11-22", "on <time>"},
	{"at 05:40:00", "at <time>"},
	{"Dec 10 06:55:46 host sshd[24200]: x", "<time> host sshd[<num>]: x"},
	{"[Sun Dec  4 04:47:44 2005] [notice] x", "[<time>] [notice] x"},
	{"- - [10/Oct/2000:13:55:36 -0700] \"GET /", "- - [<time> <num>] \"GET /"},
	{"17/06/09 20:10:40 INFO x", "<time> INFO x"},
	{"Sunday in December", "Sunday in December"},
	{"user u044435 in", "user <*> in"},
	{"block blk_38865049064139660 of blk_-160899", "block <*> of <*>"},
	{"worker-3 on web-01", "worker-<num> on web-<num>"},
	{"utf8 sha256 v2 http2", "utf8 sha256 v2 http2"},
	{"token aGVsbG8gd29ybGQ0Mjk0OTY3 seen", "token <*> seen"},
	{"grüße 3 café", "grüße <num> café"},
	{"tab\there\r", "tab here"},
	{"a=1, b=-2", "a=<num>, b=<num>"},
	{"12abcdef", "<id>"},
	{"3rd time", "<num>rd time"},
	{"1234567890", "<num>"},
};

START_TEST(texts)
{
	struct buf out = BUF_EMPTY;
	size_t len = strlen(TEXTS[_i].text);
	char *text = malloc(len ? len : 1);
	memcpy(text, TEXTS[_i].text, len);
	ck_assert_int_eq(template_of_text(span_make(text, len), &out), 0);
	ck_assert_ptr_nonnull(buf_cstr(&out));
	ck_assert_str_eq(out.ptr, TEXTS[_i].template);
	buf_free(&out);
	free(text);
}
END_TEST

#define LINE(flags, message) "2026-11-22T05:40:00.123456Z web-01 cart " flags " " message

static const struct {
	const char *line, *template;
} LINES[] = {
	{LINE("F", "plain 12"), "plain <num>"},
	{LINE("F", "{\"level\":\"info\",\"msg\":\"order 12 accepted\"}"),
	 "info\torder <num> accepted"},
	{LINE("F", "{\"message\":\"x 1\"}"), "x <num>"},
	/* The better name wins, whatever comes first. */
	{LINE("F", "{\"error\":\"boom\",\"msg\":\"failed\",\"severity\":\"ERROR\"}"),
	 "ERROR\tfailed"},
	{LINE("F", "{\"msg\":\"say \\\"x\\\" 5\"}"), "say \"x\" <num>"},
	{LINE("F", "{\"msg\":\"two\\nlines\"}"), "two"},
	{LINE("F", "{\"a\":1,\"b\":{\"msg\":\"inner\"}}"), "{a, b}"},
	{LINE("F", "{\"level\":\"warn\",\"a\":1}"), "warn\t{level, a}"},
	{LINE("F", "{not json 5}"), "{not json <num>}"},
	{LINE("F", "level=info msg=\"order 12\" id=7"), "info\torder <num>"},
	{LINE("F", "user=anna id=7"), "user=anna id=<num>"},
	{LINE("Fx", "\\x1b[1mred 5"), "red <num>"},
	{LINE("+", "\tat com.acme.Cart.add(Cart.java:12)"),
	 " at com.acme.Cart.add(Cart.java:<num>)"},
};

START_TEST(lines)
{
	struct buf out = BUF_EMPTY;
	struct field_scratch s = {.value = BUF_EMPTY};
	ck_assert_int_eq(template_of_line(span_of(LINES[_i].line), &s, &out), 0);
	ck_assert_ptr_nonnull(buf_cstr(&out));
	ck_assert_str_eq(out.ptr, LINES[_i].template);
	buf_free(&out);
	field_scratch_free(&s);
}
END_TEST

/* --- clusters --- */

static struct leaders leaders_of(size_t max)
{
	struct leaders l;
	ck_assert_int_eq(leaders_init(&l, max), 0);
	return l;
}

static void offer(struct leaders *l, uint64_t count, const char *text)
{
	const struct tally_value v = {
		.count = count, .first_us = (int64_t)count, .last_us = (int64_t)count};
	ck_assert_int_eq(leaders_offer(l, span_of(text), &v), 0);
}

static uint64_t count_of(const struct leaders *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (span_is(buf_span(&l->items[i].text), text))
			return l->items[i].value.count;
	return 0;
}

START_TEST(a_place_that_varies)
{
	struct leaders l = leaders_of(100);
	char text[64];
	for (int i = 0; i < CLUSTER_WORDS; i++) {
		snprintf(text, sizeof(text), "info\tuser n%c logged in", 'a' + i);
		offer(&l, 10, text);
		snprintf(text, sizeof(text), "warn\tuser n%c logged in", 'a' + i);
		if (i < CLUSTER_WORDS - 1)
			offer(&l, 1, text);
	}
	offer(&l, 5, "info\tconnection opened");
	offer(&l, 7, "info\tconnection closed");
	ck_assert_int_eq(cluster_leaders(&l), 0);
	ck_assert_uint_eq(count_of(&l, "info\tuser <*> logged in"), UINT64_C(10) * CLUSTER_WORDS);
	ck_assert_uint_eq(count_of(&l, "info\tconnection opened"), 5);
	ck_assert_uint_eq(count_of(&l, "info\tconnection closed"), 7);
	/* One word less is not enough, and a level is no place. */
	ck_assert_uint_eq(l.n, 3 + CLUSTER_WORDS - 1);
	ck_assert_uint_eq(l.items[0].value.count, UINT64_C(10) * CLUSTER_WORDS);
	leaders_free(&l);
}
END_TEST

START_TEST(something_is_left_that_tells)
{
	struct leaders l = leaders_of(100);
	char text[64];
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%c%c <num>", 'a' + i, 'b' + i);
		offer(&l, 1, text);
	}
	ck_assert_int_eq(cluster_leaders(&l), 0);
	ck_assert_uint_eq(l.n, 20);
	leaders_free(&l);
}
END_TEST

/* Several places that vary freely, in so many templates that they cannot be different messages. */
START_TEST(places_that_vary_freely)
{
	struct leaders l = leaders_of(1000);
	char text[64];
	uint64_t sum = 0;
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "user n%c%c from c%c%c logged in", 'a' + i % 26,
			 'a' + i / 26, 'a' + i * 7 % 26, 'a' + i * 11 % 26);
		offer(&l, 1, text);
		sum++;
	}
	ck_assert_int_eq(cluster_leaders(&l), 0);
	ck_assert_uint_eq(l.n, 1);
	ck_assert_uint_eq(count_of(&l, "user <*> from <*> logged in"), sum);
	leaders_free(&l);
}
END_TEST

/* The same set in another order gives the same clusters, and counts always add up. */
START_TEST(order_does_not_matter)
{
	struct leaders a = leaders_of(500), b = leaders_of(500);
	char text[64];
	uint64_t sum = 0, found = 0;
	for (int i = 0; i < 300; i++) {
		for (int k = 0; k < 2; k++) {
			int n = k ? 299 - i : i;
			snprintf(text, sizeof(text), "%s w%c to %c%c done",
				 n % 3 ? "moved" : "copied", 'a' + n % 13, 'a' + n % 26,
				 'a' + n / 26);
			offer(k ? &b : &a, (uint64_t)n % 5 + 1, text);
		}
		sum += (uint64_t)i % 5 + 1;
	}
	ck_assert_int_eq(cluster_leaders(&a), 0);
	ck_assert_int_eq(cluster_leaders(&b), 0);
	ck_assert_uint_eq(a.n, b.n);
	for (size_t i = 0; i < a.n; i++) {
		ck_assert(span_equal(buf_span(&a.items[i].text), buf_span(&b.items[i].text)));
		ck_assert_uint_eq(a.items[i].value.count, b.items[i].value.count);
		found += a.items[i].value.count;
	}
	ck_assert_uint_eq(found, sum);
	leaders_free(&a);
	leaders_free(&b);
}
END_TEST

START_TEST(leaders)
{
	struct leaders l = leaders_of(3);
	offer(&l, 5, "a");
	offer(&l, 9, "b");
	offer(&l, 1, "c");
	offer(&l, 5, "d");
	offer(&l, 5, "e");
	leaders_sort(&l);
	ck_assert_uint_eq(l.n, 3);
	ck_assert(span_is(buf_span(&l.items[0].text), "b"));
	ck_assert(span_is(buf_span(&l.items[1].text), "a"));
	ck_assert(span_is(buf_span(&l.items[2].text), "d"));
	leaders_free(&l);
}
END_TEST

/* --- errors --- */

static const struct {
	const char *message;
	bool is_error;
} SEVERITIES[] = {
	{"{\"level\":\"error\"}", true},
	{"{\"level\":\"info\",\"msg\":\"ERROR\"}", false},
	{"{\"severity\":\"CRITICAL\"}", true},
	{"{\"level\":50}", true},
	{"{\"level\":30}", false},
	{"{\"level\":3}", true},
	{"level=fatal x", true},
	{"level=warn ERROR", false},
	{"2026 ERROR [main] x", true},
	{"no ERRORS here", false},
	{"TERROR", false},
	{"all is well", false},
};

START_TEST(severities)
{
	struct field_scratch s = {.value = BUF_EMPTY};
	char line[256];
	snprintf(line, sizeof(line), LINE("F", "%s"), SEVERITIES[_i].message);
	ck_assert_int_eq(severity_is_error(span_of(line), &s), SEVERITIES[_i].is_error);
	field_scratch_free(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_template");
	TCase *c = tcase_create("template");
	tcase_add_loop_test(c, texts, 0, LEN(TEXTS));
	tcase_add_loop_test(c, lines, 0, LEN(LINES));
	tcase_add_test(c, a_place_that_varies);
	tcase_add_test(c, something_is_left_that_tells);
	tcase_add_test(c, places_that_vary_freely);
	tcase_add_test(c, order_does_not_matter);
	tcase_add_test(c, leaders);
	tcase_add_loop_test(c, severities, 0, LEN(SEVERITIES));
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

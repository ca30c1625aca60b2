/* Answers and rows, there and back, and what is refused. */
#include "common/chunk.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof(*(table))))

/* The example of haul-protocol(7). */
#define STREAM "9f2c00ff10a1b2c3d4e5f60718293a4b"

/* ---- Answers ---- */

static const char ANSWER[] =
	"{\"chunks\":["
	"{\"stream\":\"" STREAM "\",\"status\":\"committed\",\"offset\":5120,\"crc\":"
	"\"995dc9bbdf1939fa\"},"
	"{\"stream\":\"" STREAM
	"\",\"status\":\"duplicate\",\"offset\":18446744073709551615,\"crc\":"
	"\"0000000000000000\"},"
	"{\"stream\":\"" STREAM "\",\"status\":\"conflict\",\"offset\":0,\"crc\":"
	"\"0000000000000001\"},"
	"{\"stream\":\"" STREAM "\",\"status\":\"refused\",\"offset\":0,\"crc\":"
	"\"0000000000000002\",\"error\":\"a \\\"bad\\\" name\"}]}\n";

static struct chunk_verdict VERDICTS[4] = {
	{.status = CHUNK_COMMITTED, .offset = 5120, .crc = UINT64_C(0x995dc9bbdf1939fa)},
	{.status = CHUNK_DUPLICATE, .offset = UINT64_MAX},
	{.status = CHUNK_CONFLICT, .crc = 1},
	{.status = CHUNK_REFUSED, .crc = 2, .error = "a \"bad\" name"},
};

static int compare_verdict(void *user, size_t index, const struct chunk_verdict *v)
{
	size_t *n = user;
	const struct chunk_verdict *w = &VERDICTS[index];
	ck_assert_uint_eq(index, *n);
	ck_assert(stream_id_equal(&v->stream, &w->stream));
	ck_assert_int_eq(v->status, w->status);
	ck_assert_uint_eq(v->offset, w->offset);
	ck_assert_uint_eq(v->crc, w->crc);
	ck_assert_int_eq(v->error != NULL, w->error != NULL);
	if (v->error)
		ck_assert_str_eq(v->error, w->error);
	++*n;
	return 0;
}

START_TEST(answers_both_ways)
{
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(stream_id_parse(SPAN_LITERAL(STREAM), &VERDICTS[i].stream), 0);
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(chunk_encode_answer(VERDICTS, 4, &out), 0);
	ck_assert(span_is(buf_span(&out), ANSWER));
	size_t n = 0;
	ck_assert_int_eq(chunk_decode_answer(buf_span(&out), compare_verdict, &n), 0);
	ck_assert_uint_eq(n, 4);
	buf_clear(&out);
	ck_assert_int_eq(chunk_encode_answer(NULL, 0, &out), 0);
	ck_assert(span_is(buf_span(&out), "{\"chunks\":[]}\n"));
	ck_assert_int_eq(chunk_decode_answer(buf_span(&out), compare_verdict, &n), 0);
	ck_assert_uint_eq(n, 4);
	buf_free(&out);
	out = (struct buf){.max = 120};
	ck_assert_int_eq(chunk_encode_answer(VERDICTS, 4, &out), -EMSGSIZE);
	ck_assert_uint_eq(out.len, 0);
	buf_free(&out);
}
END_TEST

static int count_until(void *user, size_t index, const struct chunk_verdict *v)
{
	(void)v;
	++*(size_t *)user;
	return index == 1 ? -ECANCELED : 0;
}

START_TEST(the_callers_error_stops)
{
	size_t n = 0;
	ck_assert_int_eq(chunk_decode_answer(span_of(ANSWER), count_until, &n), -ECANCELED);
	ck_assert_uint_eq(n, 2);
}
END_TEST

#define GOOD                                                                                       \
	"{\"stream\":\"" STREAM                                                                    \
	"\",\"status\":\"committed\",\"offset\":1,\"crc\":\"0000000000000000\"}"

static const char *const BAD_ANSWERS[] = {
	"",
	"{}",
	"[]",
	"null",
	"<html>502 Bad Gateway</html>",
	"{\"chunks\":{}}",
	"{\"chunks\":null}",
	"{\"chunks\":\"[]\"}",
	"{\"chunks\":[],\"chunks\":[]}",
	"{\"chunks\":[]",
	"{\"chunks\":[]}}",
	"{\"chunks\":[1]}",
	"{\"chunks\":[[]]}",
	"{\"chunks\":[{}]}",
	"{\"chunks\":[" GOOD "," GOOD "}",
	"{\"chunks\":[" GOOD ",]}\n",
	"{\"chunks\":[{\"stream\":\"" STREAM
	"\",\"status\":\"committed\",\"offset\":01,\"crc\":\"0000000000000000\"}]}\n",
	"{\"chunks\":[\"{\\\"stream\\\":\\\"" STREAM
	"\\\",\\\"status\\\":\\\"committed\\\",\\\"offset\\\":1,\\\"crc\\\":"
	"\\\"0000000000000000\\\"}\"]}",
	"{\"chunks\":[{\"stream\":\"" STREAM "\",\"offset\":1,\"crc\":\"0000000000000000\"}]}",
	"{\"chunks\":[{\"stream\":\"" STREAM
	"\",\"status\":\"ok\",\"offset\":1,\"crc\":\"0000000000000000\"}]}",
	"{\"chunks\":[{\"stream\":\"" STREAM
	"\",\"status\":\"committed\",\"offset\":-1,\"crc\":\"0000000000000000\"}]}",
	"{\"chunks\":[{\"stream\":\"" STREAM
	"\",\"status\":\"committed\",\"offset\":1,\"crc\":\"0\"}]}",
	"{\"chunks\":[{\"stream\":\"" STREAM
	"\",\"status\":\"committed\",\"offset\":1,\"offset\":1,\"crc\":\"0000000000000000\"}]}",
	"{\"chunks\":[{\"stream\":\"" STREAM "\",\"status\":\"refused\",\"offset\":1,\"crc\":"
	"\"0000000000000000\",\"error\":\"a\\u0000\"}]}",
};

static int ignore(void *user, size_t index, const struct chunk_verdict *v)
{
	(void)user;
	(void)index;
	(void)v;
	return 0;
}

START_TEST(bad_answers_are_refused)
{
	ck_assert_int_eq(chunk_decode_answer(span_of(BAD_ANSWERS[_i]), ignore, NULL), -EBADMSG);
}
END_TEST

START_TEST(unknown_keys_of_an_answer_are_ignored)
{
	size_t n = 0;
	struct span text = SPAN_LITERAL("{\"server\":[1],\"chunks\":[ " GOOD " ],\"took_ms\":4}");
	ck_assert_int_eq(chunk_decode_answer(text, count_until, &n), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

struct verdicts {
	size_t n;
	struct chunk_verdict v[4];
};

static int keep_verdict(void *user, size_t index, const struct chunk_verdict *v)
{
	struct verdicts *all = user;
	ck_assert_uint_eq(index, all->n);
	all->v[all->n++] = *v;
	return 0;
}

/* As it is written, and laid out otherwise. */
START_TEST(an_answer_means_the_same_however_it_is_laid_out)
{
	static const char answer[] =
		"{\"chunks\":[" GOOD ",{\"stream\":\"" STREAM "\",\"status\":\"duplicate\","
		"\"offset\":18446744073709551615,\"crc\":\"995dc9bbdf1939fa\"},{\"stream\":"
		"\"" STREAM
		"\",\"status\":\"conflict\",\"offset\":0,\"crc\":\"0000000000000001\"}]}\n";
	char blank[sizeof(answer) + 1];
	struct verdicts one = {0}, other = {0};
	(void)snprintf(blank, sizeof(blank), " %s", answer);
	ck_assert_int_eq(chunk_decode_answer(span_of(answer), keep_verdict, &one), 0);
	ck_assert_int_eq(chunk_decode_answer(span_of(blank), keep_verdict, &other), 0);
	ck_assert_uint_eq(one.n, 3);
	ck_assert_uint_eq(other.n, 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(stream_id_equal(&one.v[i].stream, &other.v[i].stream));
		ck_assert(one.v[i].status == other.v[i].status);
		ck_assert(one.v[i].offset == other.v[i].offset && one.v[i].crc == other.v[i].crc);
	}
	ck_assert_uint_eq(one.v[1].offset, UINT64_MAX);
	ck_assert(one.v[2].status == CHUNK_CONFLICT);
}
END_TEST

/* Where the list of verdicts is cut short, none of them is told. */
START_TEST(answers_cut_short_are_refused)
{
	size_t n = 0;
	struct span text = span_of(ANSWER);
	for (size_t len = 0; len < text.len - strlen("]}\n"); len++)
		ck_assert_int_eq(chunk_decode_answer(span_first(text, len), count_until, &n),
				 -EBADMSG);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* ---- Rows ---- */

static const char ROW[] =
	"{\"stream\":\"" STREAM "\",\"service\":\"checkout\",\"instance\":\"i\","
	"\"path\":\"/a\\\"b\",\"ino\":\"131\",\"btime\":\"-5\",\"start\":1,\"base\":2,"
	"\"offset\":3,\"crc\":\"995dc9bbdf1939fa\",\"state\":\"s\",\"ended\":true}\n";

START_TEST(rows_both_ways)
{
	struct stream_row row = {
		.service = SPAN_LITERAL("checkout"),
		.instance = SPAN_LITERAL("i"),
		.path = SPAN_LITERAL("/a\"b"),
		.ino = 131,
		.btime_ns = -5,
		.start = 1,
		.base = 2,
		.offset = 3,
		.crc = UINT64_C(0x995dc9bbdf1939fa),
		.state = SPAN_LITERAL("s"),
		.ended = true,
	};
	ck_assert_int_eq(stream_id_parse(SPAN_LITERAL(STREAM), &row.stream), 0);
	struct buf out = BUF_EMPTY, scratch = BUF_EMPTY;
	ck_assert_int_eq(stream_row_encode(&row, &out), 0);
	ck_assert(span_is(buf_span(&out), ROW));
	struct stream_row back;
	const char *why = "";
	int r = stream_row_decode(buf_span(&out), &scratch, &back, &why);
	ck_assert_msg(r == 0, "%s", why);
	ck_assert(stream_id_equal(&back.stream, &row.stream));
	ck_assert(span_equal(back.service, row.service) && span_equal(back.instance, row.instance));
	ck_assert(span_equal(back.path, row.path) && span_equal(back.state, row.state));
	ck_assert(back.ino == 131 && back.btime_ns == -5 && back.start == 1 && back.base == 2);
	ck_assert(back.offset == 3 && back.crc == row.crc && back.ended);
	row.ended = false;
	buf_clear(&out);
	ck_assert_int_eq(stream_row_encode(&row, &out), 0);
	ck_assert_int_eq(stream_row_decode(buf_span(&out), &scratch, &back, &why), 0);
	ck_assert(!back.ended);
	buf_free(&out);
	buf_free(&scratch);
}
END_TEST

static const struct {
	const char *find, *replace;
} BAD_ROWS[] = {
	{"\"ended\":true", "\"ended\":1"},
	{"\"offset\":3", "\"offset\":0"},
	{"\"base\":2", "\"base\":4"},
	{"\"crc\"", "\"crd\""},
	{"\"ino\":\"131\"", "\"ino\":131"},
	{"}", ""},
	{"\"start\":1", "\"start\":1,\"start\":1"},
};

START_TEST(bad_rows_are_refused)
{
	struct buf text = BUF_EMPTY, scratch = BUF_EMPTY;
	const char *at = strstr(ROW, BAD_ROWS[_i].find);
	ck_assert_int_eq(buf_printf(&text, "%.*s%s%s", (int)(at - ROW), ROW, BAD_ROWS[_i].replace,
				    at + strlen(BAD_ROWS[_i].find)),
			 0);
	struct stream_row row;
	const char *why = NULL;
	ck_assert_int_eq(stream_row_decode(buf_span(&text), &scratch, &row, &why), -EBADMSG);
	ck_assert_ptr_nonnull(why);
	buf_free(&text);
	buf_free(&scratch);
}
END_TEST

START_TEST(status_names)
{
	ck_assert_str_eq(chunk_status_name(CHUNK_COMMITTED), "committed");
	ck_assert_str_eq(chunk_status_name(CHUNK_DUPLICATE), "duplicate");
	ck_assert_str_eq(chunk_status_name(CHUNK_CONFLICT), "conflict");
	ck_assert_str_eq(chunk_status_name(CHUNK_REFUSED), "refused");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("chunk_answer");
	tcase_add_test(tc, answers_both_ways);
	tcase_add_test(tc, the_callers_error_stops);
	tcase_add_loop_test(tc, bad_answers_are_refused, 0, COUNT(BAD_ANSWERS));
	tcase_add_test(tc, unknown_keys_of_an_answer_are_ignored);
	tcase_add_test(tc, an_answer_means_the_same_however_it_is_laid_out);
	tcase_add_test(tc, answers_cut_short_are_refused);
	tcase_add_test(tc, rows_both_ways);
	tcase_add_loop_test(tc, bad_rows_are_refused, 0, COUNT(BAD_ROWS));
	tcase_add_test(tc, status_names);
	Suite *s = suite_create("chunk_answer");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

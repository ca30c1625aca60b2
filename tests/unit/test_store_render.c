/* Batches cut and checked, payload lines made stored lines: golden lines, days, times that are not
 * admitted, what is refused alone and what spoils the batch. */
#include "collector/store/render.h"

#include "common/civil.h"
#include "common/crc64.h"
#include "common/line.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define NOON INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z */

static struct render_terms terms(void)
{
	return (struct render_terms){.received_us = NOON + 5,
				     .oldest_day = civil_day_of_us(NOON) - 30,
				     .newest_us = NOON + NUM_DAY_SEC * NUM_SEC_US};
}

static void add_line(struct buf *out, int64_t us, const char *flags, const char *message)
{
	char time[CIVIL_TIME_LEN];
	civil_format_us(time, us);
	ck_assert_int_eq(buf_printf(out, "%.*s%s %s\n", CIVIL_TIME_LEN, time, flags, message), 0);
}

static void add_chunk(struct buf *out, const char *instance, const struct buf *payload,
		      uint64_t lines)
{
	struct chunk c = {.host = SPAN_LITERAL("web-01"),
			  .service = SPAN_LITERAL("checkout"),
			  .instance = span_of(instance),
			  .path = SPAN_LITERAL("/var/log/a.log"),
			  .to = payload->len,
			  .lines = lines,
			  .bytes = payload->len};
	c.stream.bytes[0] = 7;
	ck_assert_int_eq(chunk_encode(&c, out), 0);
	ck_assert_int_eq(buf_add_span(out, buf_span(payload)), 0);
}

static struct batch parse(const struct buf *body)
{
	struct batch b;
	char why[256] = "";
	int r = batch_parse(buf_span(body), &b, why, sizeof(why));
	ck_assert_msg(r == 0, "%s", why);
	return b;
}

static void expect_text(const struct rendered *d, const char *text)
{
	ck_assert_msg(span_is(buf_span(&d->bytes), text), "%.*s", (int)d->bytes.len, d->bytes.ptr);
	ck_assert_uint_eq(d->crc, crc64_add(CRC64_EMPTY, d->bytes.ptr, d->bytes.len));
}

START_TEST(lines_by_day)
{
	struct buf payload = BUF_EMPTY, body = BUF_EMPTY;
	struct rendered_chunk out;
	add_line(&payload, NOON, "F", "one");
	add_line(&payload, NOON - 86400 * NUM_SEC_US, "+e", "  at two");
	add_line(&payload, NOON + 1, "Px", "a\\x00b");
	add_line(&payload, NOON + 2, "F", "");
	/* Too old and too far ahead: the time of receipt, and said so. */
	add_line(&payload, NOON - 31 * 86400 * NUM_SEC_US, "Fe", "old");
	add_line(&payload, NOON + 86400 * NUM_SEC_US + 1, "+x", "far\\\\");
	add_chunk(&body, "pod-1", &payload, 6);
	struct batch b = parse(&body);
	ck_assert_uint_eq(b.n_chunks, 1);
	ck_assert_ptr_null(b.chunks[0].refused);
	ck_assert_int_eq(render_chunk(&b.chunks[0], SPAN_LITERAL("db-1"), terms(), &out), 0);
	ck_assert_uint_eq(out.n_days, 2);
	expect_text(&out.days[0], "2026-11-22T12:00:00.000000Z db-1 checkout/pod-1 F one\n"
				  "2026-11-22T12:00:00.000001Z db-1 checkout/pod-1 Px a\\x00b\n"
				  "2026-11-22T12:00:00.000002Z db-1 checkout/pod-1 F \n"
				  "2026-11-22T12:00:00.000005Z db-1 checkout/pod-1 Fer old\n"
				  "2026-11-22T12:00:00.000005Z db-1 checkout/pod-1 +rx far\\\\\n");
	expect_text(&out.days[1], "2026-11-21T12:00:00.000000Z db-1 checkout/pod-1 +e   at two\n");
	ck_assert_uint_eq(out.days[0].lines, 5);
	ck_assert_int_eq(out.days[0].first_us, NOON);
	ck_assert_int_eq(out.days[0].last_us, NOON + 5);
	/* The same chunk with the same terms gives the same bytes. */
	struct rendered_chunk again;
	ck_assert_int_eq(render_chunk(&b.chunks[0], SPAN_LITERAL("db-1"), terms(), &again), 0);
	ck_assert_uint_eq(again.days[0].crc, out.days[0].crc);
	rendered_chunk_free(&again);
	rendered_chunk_free(&out);
	batch_free(&b);
	buf_free(&body);
	buf_free(&payload);
}
END_TEST

START_TEST(days_are_limited)
{
	for (int more = 0; more < 2; more++) {
		struct buf payload = BUF_EMPTY, body = BUF_EMPTY;
		struct rendered_chunk out;
		for (int day = 0; day < RENDER_DAYS_MAX + more; day++)
			add_line(&payload, NOON - day * 86400 * NUM_SEC_US, "F", "x");
		add_chunk(&body, "", &payload, (uint64_t)RENDER_DAYS_MAX + (uint64_t)more);
		struct batch b = parse(&body);
		struct render_terms t = terms();
		t.oldest_day = INT32_MIN;
		int r = render_chunk(&b.chunks[0], SPAN_LITERAL("h"), t, &out);
		ck_assert_int_eq(r, more ? -E2BIG : 0);
		if (r == 0) {
			ck_assert_uint_eq(out.n_days, RENDER_DAYS_MAX);
			rendered_chunk_free(&out);
		}
		batch_free(&b);
		buf_free(&body);
		buf_free(&payload);
	}
}
END_TEST

/* Lines that are not acceptable spoil their chunk, not the batch. */
static const struct {
	const char *payload;
	uint64_t lines;
} REFUSED[] = {
	{"2026-11-22T12:00:00.000000ZF no end", 1},
	{"2026-11-22T12:00:00.000000ZF one\n", 2},
	{"2026-11-22T12:00:00.000000ZF one\n2026-11-22T12:00:00.000000ZF two\n", 1},
	{"2026-11-22T12:00:00.00000ZF short time\n", 1},
	{"2026-11-22T25:00:00.000000ZF no such hour\n", 1},
	{"2026-11-22T12:00:00.000000ZG flag\n", 1},
	{"2026-11-22T12:00:00.000000ZFxe order\n", 1},
	{"2026-11-22T12:00:00.000000ZF\n", 1},
	{"2026-11-22T12:00:00.000000ZF escape \x1b[0m\n", 1},
	{"2026-11-22T12:00:00.000000ZF not UTF-8 \xff\n", 1},
	{"2026-11-22T12:00:00.000000ZF a CR \r inside\n", 1},
	{"\n", 1},
};

START_TEST(a_refused_chunk_beside_a_good_one)
{
	struct buf payload = BUF_EMPTY, good = BUF_EMPTY, body = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&payload, REFUSED[_i].payload), 0);
	add_line(&good, NOON, "F", "fine");
	add_chunk(&body, "", &payload, REFUSED[_i].lines);
	add_chunk(&body, "", &good, 1);
	struct batch b = parse(&body);
	ck_assert_uint_eq(b.n_chunks, 2);
	ck_assert_ptr_nonnull(b.chunks[0].refused);
	ck_assert_ptr_null(b.chunks[1].refused);
	ck_assert_int_eq(b.chunks[1].first_us, NOON);
	batch_free(&b);
	buf_free(&body);
	buf_free(&good);
	buf_free(&payload);
}
END_TEST

/* What is no batch is taken as a whole or not at all. */
START_TEST(framing)
{
	struct buf payload = BUF_EMPTY, body = BUF_EMPTY;
	char why[256];
	struct batch b;
	add_line(&payload, NOON, "F", "fine");
	add_chunk(&body, "", &payload, 1);
	for (size_t len = 1; len < body.len; len++)
		ck_assert_int_eq(batch_parse(span_make(body.ptr, len), &b, why, sizeof(why)),
				 -EBADMSG);
	ck_assert_int_eq(buf_add_char(&body, '\n'), 0);
	ck_assert_int_eq(batch_parse(buf_span(&body), &b, why, sizeof(why)), -EBADMSG);
	body.len--;
	struct batch whole = parse(&body);
	ck_assert_uint_eq(whole.payload_bytes, payload.len);
	batch_free(&whole);
	buf_free(&body);
	buf_free(&payload);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("render");
	TCase *c = tcase_create("render");
	tcase_add_test(c, lines_by_day);
	tcase_add_test(c, days_are_limited);
	tcase_add_loop_test(c, a_refused_chunk_beside_a_good_one, 0,
			    sizeof(REFUSED) / sizeof(*REFUSED));
	tcase_add_test(c, framing);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

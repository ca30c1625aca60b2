/* Contents of WAL records: coded and decoded again; anything else refused, whatever it is. */
#include "collector/store/walrecord.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static void encode(struct buf *out)
{
	struct walrecord_lines lines[] = {
		{.day = 20779,
		 .place = {7, 4096},
		 .length = 100,
		 .crc = 1,
		 .lines = 2,
		 .first_us = -5,
		 .last_us = INT64_MAX},
		{.day = -1, .place = {UINT32_MAX, 0}, .length = 1, .crc = UINT64_MAX, .lines = 1}};
	struct walrecord_chunk birth = {
		.index = 3,
		.how = STREAM_BIRTH,
		.identity = true,
		.header = {.stream = {{1, 2, 3}},
			   .service = SPAN_LITERAL("checkout"),
			   .instance = SPAN_LITERAL("i-1"),
			   .path = SPAN_LITERAL("/var/log/\0x"),
			   .ino = UINT64_MAX,
			   .btime_ns = INT64_MIN,
			   .start = 1,
			   .from = 1,
			   .to = 2,
			   .base = 1,
			   .crc = 9,
			   .lines = 3,
			   .dropped = 4,
			   .ended = true,
			   .state = SPAN_LITERAL("s\n")},
		.terms = {.received_us = 10, .oldest_day = INT32_MIN, .newest_us = 11},
		.n_lines = 2,
		.lines = lines};
	struct walrecord_chunk loss = {.index = 4,
				       .how = STREAM_APPEND,
				       .header = {.service = SPAN_LITERAL("s"),
						  .from = 5,
						  .to = 6,
						  .loss = SPAN_LITERAL("deleted")}};
	struct walrecord_batch head = {
		.host = SPAN_LITERAL("web-01"), .session = 12, .inflated = 13, .n_chunks = 2};
	ck_assert_int_eq(walrecord_begin_batch(&head, 2, out), 0);
	ck_assert_int_eq(walrecord_add_chunk(&birth, out), 0);
	ck_assert_int_eq(walrecord_add_chunk(&loss, out), 0);
}

START_TEST(batch_and_back)
{
	struct buf meta = BUF_EMPTY;
	encode(&meta);
	struct walrecord_batch b;
	ck_assert_int_eq(walrecord_decode_batch(buf_span(&meta), &b), 0);
	ck_assert(span_is(b.host, "web-01") && b.session == 12 && b.inflated == 13 &&
		  b.n_chunks == 2);
	const struct walrecord_chunk *c = &b.chunks[0];
	ck_assert(c->index == 3 && c->how == STREAM_BIRTH && c->identity && c->header.ended);
	ck_assert(span_is(c->header.instance, "i-1") && c->header.path.len == 11);
	ck_assert(c->header.ino == UINT64_MAX && c->header.btime_ns == INT64_MIN);
	ck_assert(c->terms.oldest_day == INT32_MIN && c->terms.newest_us == 11);
	ck_assert(c->n_lines == 2 && c->lines[0].place.position == 4096 && c->lines[1].day == -1);
	ck_assert(c->lines[0].first_us == -5 && c->lines[1].crc == UINT64_MAX);
	ck_assert(span_is(b.chunks[1].header.loss, "deleted") && b.chunks[1].n_lines == 0);
	walrecord_batch_free(&b);
	buf_free(&meta);
}
END_TEST

/* Cut anywhere, a byte changed anywhere: refused, or something that is a record; never more than
 * that. */
START_TEST(damaged_batches)
{
	struct buf meta = BUF_EMPTY;
	encode(&meta);
	struct walrecord_batch b;
	for (size_t len = 0; len < meta.len; len++)
		ck_assert_int_eq(walrecord_decode_batch(span_first(buf_span(&meta), len), &b),
				 -EBADMSG);
	for (size_t i = 0; i < meta.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			meta.ptr[i] = (char)(meta.ptr[i] ^ (1 << bit));
			if (walrecord_decode_batch(buf_span(&meta), &b) == 0)
				walrecord_batch_free(&b);
			meta.ptr[i] = (char)(meta.ptr[i] ^ (1 << bit));
		}
	}
	ck_assert_int_eq(buf_add_char(&meta, 0), 0);
	ck_assert_int_eq(walrecord_decode_batch(buf_span(&meta), &b), -EBADMSG);
	buf_free(&meta);
}
END_TEST

START_TEST(sessions_and_moves)
{
	struct buf meta = BUF_EMPTY;
	struct session s = {.number = 5,
			    .host = SPAN_LITERAL("h"),
			    .machine = SPAN_LITERAL("m"),
			    .received_us = -1};
	ck_assert_int_eq(walrecord_encode_session(&s, &meta), 0);
	struct session back;
	ck_assert_int_eq(walrecord_decode_session(buf_span(&meta), &back), 0);
	ck_assert(back.number == 5 && span_is(back.machine, "m") && back.received_us == -1);
	struct walrecord_move m = {.day = 3,
				   .service = SPAN_LITERAL("s"),
				   .host = SPAN_LITERAL("h"),
				   .move = {.from = {1, 2}, .to = {3, 4}, .gone = true}},
			      n;
	ck_assert_int_eq(walrecord_decode_move(buf_span(&meta), &n), -EBADMSG);
	buf_clear(&meta);
	ck_assert_int_eq(walrecord_encode_move(&m, &meta), 0);
	ck_assert_int_eq(walrecord_decode_move(buf_span(&meta), &n), 0);
	ck_assert(n.move.from.position == 2 && n.move.to.number == 3 && n.move.gone);
	m.service = SPAN_LITERAL("../x");
	buf_clear(&meta);
	ck_assert_int_eq(walrecord_encode_move(&m, &meta), 0);
	ck_assert_int_eq(walrecord_decode_move(buf_span(&meta), &n), -EBADMSG);
	buf_free(&meta);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_walrecord");
	TCase *tcase = tcase_create("walrecord");
	tcase_add_test(tcase, batch_and_back);
	tcase_add_test(tcase, damaged_batches);
	tcase_add_test(tcase, sessions_and_moves);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Compare and append: the rules, one by one, and what taking a chunk does to its stream. */
#include "collector/store/stream.h"

#include <check.h>
#include <stdlib.h>

/* A stream at [100, 500) with checksum 5, a gap [200, 300) with checksums 2 and 3. */
static struct stream *make(void)
{
	struct chunk birth = {.start = 100,
			      .from = 100,
			      .to = 500,
			      .base = 100,
			      .crc = 5,
			      .service = SPAN_LITERAL("checkout")};
	struct stream *s = stream_new(NULL, &birth);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(stream_apply(s, &birth, STREAM_BIRTH, 0, 1, true), 0);
	ck_assert_int_eq(stream_add_gap(s, (struct gap){.from = 200,
							.to = 300,
							.base = 100,
							.crc_from = 2,
							.crc_to = 3,
							.crc_to_known = true}),
			 0);
	return s;
}

static const struct {
	const char *what;
	uint64_t from, to, crc_from, crc;
	bool repair;
	enum stream_judgement want;
} known[] = {
	{"goes on", 500, 600, 5, 6, false, STREAM_APPEND},
	{"moves state only", 500, 500, 5, 5, false, STREAM_APPEND},
	{"right offset, wrong checksum", 500, 600, 4, 6, false, STREAM_CONFLICT},
	{"state only, wrong checksum", 500, 500, 4, 4, false, STREAM_DUPLICATE},
	{"a repeat of all", 100, 500, 0, 5, false, STREAM_DUPLICATE},
	{"a repeat of a part, cut anew", 150, 400, 9, 9, false, STREAM_DUPLICATE},
	{"reaches over the offset", 400, 600, 4, 6, false, STREAM_CONFLICT},
	{"leaves a hole", 501, 600, 5, 6, false, STREAM_CONFLICT},
	{"from the start beyond the offset", 100, 600, 0, 6, false, STREAM_CONFLICT},
	{"2^63 - 1", 500, INT64_MAX, 5, 6, false, STREAM_APPEND},
	{"at 2^63 - 1", INT64_MAX, INT64_MAX, 5, 5, false, STREAM_CONFLICT},
	{"fills the gap", 200, 300, 2, 3, true, STREAM_REPAIR},
	{"fills its beginning", 200, 250, 2, 8, true, STREAM_REPAIR},
	{"not its beginning", 250, 300, 2, 3, true, STREAM_DUPLICATE},
	{"beyond its end", 200, 301, 2, 3, true, STREAM_DUPLICATE},
	{"other bytes before it", 200, 300, 1, 3, true, STREAM_DUPLICATE},
	{"other bytes at its end", 200, 300, 2, 4, true, STREAM_DUPLICATE},
	{"of nothing", 200, 200, 2, 2, true, STREAM_DUPLICATE},
	{"without saying repair", 200, 300, 2, 3, false, STREAM_DUPLICATE},
	{"a repair at the offset is no append", 500, 600, 5, 6, true, STREAM_CONFLICT},
};

START_TEST(judged)
{
	struct stream *s = make();
	struct chunk c = {.start = 100,
			  .base = 100,
			  .from = known[_i].from,
			  .to = known[_i].to,
			  .crc_from = known[_i].crc_from,
			  .crc = known[_i].crc,
			  .repair = known[_i].repair};
	ck_assert_msg(stream_judge(s, &c) == known[_i].want, "%s: %d", known[_i].what,
		      (int)stream_judge(s, &c));
	stream_free(s);
}
END_TEST

START_TEST(only_the_first_chunk_gives_birth)
{
	struct chunk c = {.start = 100, .from = 100, .to = 200};
	ck_assert_int_eq((int)stream_judge(NULL, &c), STREAM_BIRTH);
	c.from = 150;
	ck_assert_int_eq((int)stream_judge(NULL, &c), STREAM_CONFLICT);
	c.from = 100;
	c.repair = true;
	ck_assert_int_eq((int)stream_judge(NULL, &c), STREAM_CONFLICT);
	c = (struct chunk){.start = 100, .from = 100, .to = 100};
	ck_assert_int_eq((int)stream_judge(NULL, &c), STREAM_BIRTH);
}
END_TEST

START_TEST(a_loss_moves_the_offset_and_sets_base_anew)
{
	struct stream *s = make();
	struct chunk c = {.start = 100,
			  .from = 500,
			  .to = 800,
			  .base = 800,
			  .crc_from = 5,
			  .loss = SPAN_LITERAL("truncated")};
	ck_assert_int_eq((int)stream_judge(s, &c), STREAM_APPEND);
	ck_assert_int_eq(stream_apply(s, &c, STREAM_APPEND, 0, 2, false), 0);
	ck_assert_uint_eq(s->offset, 800);
	ck_assert_uint_eq(s->base, 800);
	ck_assert_uint_eq(s->crc, 0);
	ck_assert_uint_eq(s->lost_bytes, 300);
	stream_free(s);
}
END_TEST

START_TEST(a_repair_in_two_parts_closes_the_gap_and_moves_nothing_else)
{
	struct stream *s = make();
	struct chunk c = {.start = 100,
			  .from = 200,
			  .to = 250,
			  .crc_from = 2,
			  .crc = 8,
			  .lines = 4,
			  .repair = true};
	ck_assert_int_eq(stream_apply(s, &c, STREAM_REPAIR, 10, 2, false), 0);
	ck_assert_uint_eq(s->n_gaps, 1);
	ck_assert_uint_eq(s->gaps[0].from, 250);
	c.from = 250;
	c.to = 300;
	c.crc_from = 8;
	c.crc = 3;
	ck_assert_int_eq((int)stream_judge(s, &c), STREAM_REPAIR);
	ck_assert_int_eq(stream_apply(s, &c, STREAM_REPAIR, 10, 2, false), 0);
	ck_assert_uint_eq(s->n_gaps, 0);
	ck_assert_uint_eq(s->offset, 500);
	ck_assert_uint_eq(s->crc, 5);
	ck_assert_uint_eq(s->lines, 8);
	ck_assert_int_eq((int)stream_judge(s, &c), STREAM_DUPLICATE);
	stream_free(s);
}
END_TEST

START_TEST(an_ended_stream_may_go_on)
{
	struct stream *s = make();
	struct chunk c = {.start = 100,
			  .from = 500,
			  .to = 500,
			  .base = 100,
			  .crc_from = 5,
			  .crc = 5,
			  .ended = true,
			  .state = SPAN_LITERAL("s1")};
	ck_assert_int_eq(stream_prepare(s, &c), 0);
	ck_assert_int_eq(stream_apply(s, &c, STREAM_APPEND, 0, 2, false), 0);
	ck_assert(s->ended && span_is(stream_state(s), "s1"));
	c = (struct chunk){
		.start = 100, .from = 500, .to = 600, .base = 100, .crc_from = 5, .crc = 7};
	ck_assert_int_eq((int)stream_judge(s, &c), STREAM_APPEND);
	ck_assert_int_eq(stream_apply(s, &c, STREAM_APPEND, 0, 2, false), 0);
	ck_assert(!s->ended && stream_state(s).len == 0);
	stream_free(s);
}
END_TEST

START_TEST(a_jump_leaves_a_gap)
{
	struct stream *s = make();
	struct chunk c = {
		.start = 100, .base = 100, .from = 700, .to = 800, .crc_from = 7, .crc = 8};
	ck_assert_int_eq(stream_jump(s, &c), 0);
	ck_assert_uint_eq(s->n_gaps, 2);
	ck_assert_uint_eq(s->gaps[1].from, 500);
	ck_assert_uint_eq(s->gaps[1].to, 700);
	ck_assert(s->gaps[1].crc_to_known);
	ck_assert_int_eq((int)stream_judge(s, &c), STREAM_APPEND);
	stream_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_stream");
	TCase *tcase = tcase_create("stream");
	tcase_add_loop_test(tcase, judged, 0, (int)(sizeof(known) / sizeof(known[0])));
	tcase_add_test(tcase, only_the_first_chunk_gives_birth);
	tcase_add_test(tcase, a_loss_moves_the_offset_and_sets_base_anew);
	tcase_add_test(tcase, a_repair_in_two_parts_closes_the_gap_and_moves_nothing_else);
	tcase_add_test(tcase, an_ended_stream_may_go_on);
	tcase_add_test(tcase, a_jump_leaves_a_gap);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Places: without holes, over segments, and where lines are after they had to move, once, twice,
 * and across a segment that was closed meanwhile. */
#include "collector/store/shard.h"

#include <check.h>
#include <stdlib.h>

static struct shards shards;
static struct shard *s;

static void setup(void)
{
	shards_init(&shards);
	s = shards_get(&shards, 20779, SPAN_LITERAL("checkout"), SPAN_LITERAL("web-01"));
	ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
	shards_free(&shards);
}

static void expect(struct place p, uint32_t number, uint64_t position)
{
	ck_assert_uint_eq(p.number, number);
	ck_assert_uint_eq(p.position, position);
}

static void resolves(uint32_t number, uint64_t position, uint32_t to, uint64_t at)
{
	expect(shard_resolve(s, (struct place){number, position}), to, at);
}

START_TEST(found_by_day_service_and_host)
{
	ck_assert_ptr_eq(
		shards_get(&shards, 20779, SPAN_LITERAL("checkout"), SPAN_LITERAL("web-01")), s);
	ck_assert_ptr_eq(
		shards_find(&shards, 20779, SPAN_LITERAL("checkout"), SPAN_LITERAL("web-01")), s);
	ck_assert_ptr_null(
		shards_find(&shards, 20780, SPAN_LITERAL("checkout"), SPAN_LITERAL("web-01")));
	/* Names that are the same when they are put together. */
	ck_assert_ptr_null(
		shards_find(&shards, 20779, SPAN_LITERAL("checkoutw"), SPAN_LITERAL("eb-01")));
	ck_assert(span_is(shard_service(s), "checkout"));
	ck_assert(span_is(shard_host(s), "web-01"));
	struct segment_name live = shard_segment_name(s, 0), closed = shard_segment_name(s, 3);
	ck_assert_int_eq((int)live.form, SEGMENT_LIVE);
	ck_assert_int_eq((int)closed.form, SEGMENT_CLOSED);
	ck_assert_uint_eq(closed.number, 3);
}
END_TEST

START_TEST(places_have_no_holes)
{
	ck_assert(!list_linked(&s->live));
	expect(shard_place(&shards, s, 0, 1), 1, 0);
	ck_assert(!list_linked(&s->live)); /* nothing is there to be closed */
	expect(shard_place(&shards, s, 100, 2), 1, 0);
	expect(shard_place(&shards, s, 50, 3), 1, 100);
	ck_assert(list_linked(&s->live));
	ck_assert_int_eq(s->last_mono_ns, 3);
	shard_close(s);
	ck_assert(!list_linked(&s->live));
	expect(s->closed_end, 1, 150);
	expect(shard_place(&shards, s, 7, 4), 2, 0);
	shard_set_next(&shards, s, (struct place){9, 70});
	expect(shard_place(&shards, s, 1, 5), 9, 70);
	shard_close(s);
	expect(shard_place(&shards, s, 1, 6), 10, 0);
}
END_TEST

START_TEST(lines_move)
{
	(void)shard_place(&shards, s, 1000, 1);
	resolves(1, 500, 1, 500);
	/* Those from 400 on were not written yet: their file was cut. */
	ck_assert_int_eq(shard_move(&shards, s, (struct place){1, 400}, false), 1);
	resolves(1, 399, 1, 399);
	resolves(1, 400, 2, 0);
	resolves(1, 999, 2, 599);
	expect(shard_place(&shards, s, 10, 2), 2, 600);
	/* And the new one, too, from 100 on. */
	ck_assert_int_eq(shard_move(&shards, s, (struct place){2, 100}, true), 1);
	resolves(1, 450, 2, 50);
	resolves(1, 600, 3, 100);
	resolves(2, 605, 3, 505);
	expect(shard_place(&shards, s, 10, 3), 3, 510);
	shard_forget_moves(s);
	resolves(1, 600, 1, 600);
}
END_TEST

START_TEST(lines_move_across_a_closed_segment)
{
	(void)shard_place(&shards, s, 1000, 1);
	shard_close(s);
	(void)shard_place(&shards, s, 30, 2);
	/* Of the closed one 200 bytes wait, and behind them the 30 of the next: they follow in the
	 * same file. */
	ck_assert_int_eq(shard_move(&shards, s, (struct place){1, 800}, false), 2);
	resolves(1, 799, 1, 799);
	resolves(1, 800, 3, 0);
	resolves(1, 999, 3, 199);
	resolves(2, 0, 3, 200);
	resolves(2, 29, 3, 229);
	ck_assert_uint_eq(s->n_moves, 2);
	ck_assert(!s->moves[0].gone && s->moves[1].gone);
	expect(shard_place(&shards, s, 1, 3), 3, 230);
	/* No number is given twice. */
	shard_close(s);
	expect(shard_place(&shards, s, 1, 4), 4, 0);
}
END_TEST

START_TEST(moves_of_the_log_are_the_same)
{
	(void)shard_place(&shards, s, 1000, 1);
	shard_close(s);
	(void)shard_place(&shards, s, 30, 2);
	ck_assert_int_eq(shard_move(&shards, s, (struct place){1, 800}, false), 2);
	struct shard *other = shards_get(&shards, 1, SPAN_LITERAL("a"), SPAN_LITERAL("b"));
	for (size_t i = 0; i < s->n_moves; i++)
		ck_assert_int_eq(shard_add_move(other, s->moves[i]), 0);
	for (uint64_t at = 0; at < 1000; at += 7) {
		struct place p = {1, at};
		struct place here = shard_resolve(s, p), there = shard_resolve(other, p);
		expect(there, here.number, here.position);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shard");
	TCase *c = tcase_create("shard");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, found_by_day_service_and_host);
	tcase_add_test(c, places_have_no_holes);
	tcase_add_test(c, lines_move);
	tcase_add_test(c, lines_move_across_a_closed_segment);
	tcase_add_test(c, moves_of_the_log_are_the_same);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

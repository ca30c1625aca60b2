/* What is proven of a stream: every byte from its start to its offset is told once, as proven, lost
 * or gap. */
#include "collector/query/proof.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	uint64_t start, offset;
	struct account_gap gaps[3];
	struct account_loss losses[3];
	const char *expected; /* "FROM-TO " and p, l or g, in order */
	bool unknown;
} cases[] = {
	{.name = "nothing", .expected = ""},
	{.name = "all", .offset = 10, .expected = "0-10p"},
	{.name = "from its end on", .start = 5, .offset = 10, .expected = "5-10p"},
	{.name = "a loss", .offset = 10, .losses = {{2, 4, "x", 0}}, .expected = "0-2p 2-4l 4-10p"},
	{.name = "at both ends",
	 .offset = 10,
	 .gaps = {{0, 1}},
	 .losses = {{8, 10, "x", 0}},
	 .expected = "0-1g 1-8p 8-10l"},
	{.name = "side by side",
	 .offset = 10,
	 .gaps = {{2, 4}},
	 .losses = {{4, 6, "x", 0}, {6, 7, "y", 0}},
	 .expected = "0-2p 2-4g 4-6l 6-7l 7-10p"},
	{.name = "a loss within a gap counts once",
	 .offset = 10,
	 .gaps = {{2, 8}},
	 .losses = {{3, 5, "x", 0}, {7, 9, "y", 0}},
	 .expected = "0-2p 2-8g 8-9l 9-10p"},
	{.name = "nothing else", .offset = 10, .losses = {{0, 10, "x", 0}}, .expected = "0-10l"},
	{.name = "only losses are known",
	 .losses = {{3, 5, "x", 0}, {7, 9, "y", 0}},
	 .unknown = true,
	 .expected = "3-5l 7-9l"},
};

START_TEST(ranges)
{
	struct account_stream s = {.start = cases[_i].start,
				   .offset = cases[_i].offset,
				   .known = !cases[_i].unknown,
				   .gaps = cases[_i].gaps,
				   .losses = cases[_i].losses};
	while (s.n_gaps < 3 && cases[_i].gaps[s.n_gaps].to)
		s.n_gaps++;
	while (s.n_losses < 3 && cases[_i].losses[s.n_losses].to)
		s.n_losses++;
	struct proof p = {.n = 0};
	struct buf text = BUF_EMPTY;
	uint64_t sum = 0;
	ck_assert_int_eq(proof_make(&p, &s), 0);
	for (size_t i = 0; i < p.n; i++) {
		const struct proof_range *r = &p.ranges[i];
		char what = r->proven ? 'p' : r->hole == PROOF_LOST ? 'l' : 'g';
		ck_assert_int_eq(buf_printf(&text, "%s%llu-%llu%c", i ? " " : "",
					    (unsigned long long)r->from, (unsigned long long)r->to,
					    what),
				 0);
		sum += r->to - r->from;
	}
	ck_assert_str_eq(buf_cstr(&text), cases[_i].expected);
	ck_assert_uint_eq(sum, p.proven_bytes + p.lost_bytes + p.gap_bytes);
	ck_assert_int_eq(proof_complete(&p), !p.lost_bytes && !p.gap_bytes && !cases[_i].unknown);
	if (s.known)
		ck_assert_uint_eq(sum, s.offset - s.start);
	buf_free(&text);
	proof_free(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_proof");
	TCase *c = tcase_create("proof");
	tcase_add_loop_test(c, ranges, 0, sizeof(cases) / sizeof(*cases));
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

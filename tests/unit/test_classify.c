/* Head or continuation, and under which time. */
#include "agent/lines/classify.h"

#include <check.h>
#include <stdlib.h>

#define READ_US INT64_C(1000000000)

struct step {
	const char *line;
	int64_t stamp_us; /* 0: none */
	enum line_kind kind;
	int64_t time_us;
	bool read_time;
};

static void run(const char *spec, const struct step *steps, size_t n)
{
	struct classifier *c;
	struct frame_state f; /* all lines are of its first output */
	char why[128];
	ck_assert_int_eq(classifier_new(spec, &c, why, sizeof(why)), 0);
	frame_state_init(&f);
	for (size_t i = 0; i < n; i++) {
		struct line_class got = classify(c, &f.outputs[0], span_of(steps[i].line),
						 steps[i].stamp_us ? &steps[i].stamp_us : NULL,
						 (struct line_moment){READ_US + (int64_t)i, true});
		ck_assert_msg(got.kind == steps[i].kind, "%s: step %zu: %c", spec, i,
			      (char)got.kind);
		ck_assert_msg(got.time_us == steps[i].time_us, "%s: step %zu: time", spec, i);
		ck_assert_msg(got.read_time == steps[i].read_time, "%s: step %zu: r", spec, i);
	}
	classifier_free(c);
}
#define RUN(spec, steps) run(spec, steps, sizeof(steps) / sizeof((steps)[0]))

START_TEST(auto_gives_a_stack_trace_its_heads_time)
{
	static const struct step steps[] = {
		{"2026 boom", 7, LINE_HEAD, 7, false},
		{"    at Foo.java", 0, LINE_CONT, 7, false},
		{"Caused by: x", 0, LINE_CONT, 7, false},
		{"", 0, LINE_CONT, 7, false},
		{"2026 next", 9, LINE_HEAD, 9, false},
		{"\tindented, with a time", 10, LINE_CONT, 9, false},
	};
	RUN("auto", steps);
}
END_TEST

START_TEST(auto_without_any_timestamps_makes_every_line_a_head)
{
	static const struct step steps[] = {
		{"hello", 0, LINE_HEAD, READ_US, true},
		{"  indented", 0, LINE_HEAD, READ_US + 1, true},
		{"2026 now one", 5, LINE_HEAD, 5, false},
		{"and none", 0, LINE_CONT, 5, false},
	};
	RUN("auto", steps);
}
END_TEST

START_TEST(auto_gives_up_on_a_stream_whose_timestamps_ended)
{
	struct classifier *c;
	struct frame_state f; /* all lines are of its first output */
	char why[128];
	int64_t stamp_us = 5;
	ck_assert_int_eq(classifier_new("auto", &c, why, sizeof(why)), 0);
	frame_state_init(&f);
	(void)classify(c, &f.outputs[0], SPAN_LITERAL("with"), &stamp_us,
		       (struct line_moment){READ_US, true});
	int conts = 0;
	while (classify(c, &f.outputs[0], SPAN_LITERAL("without"), NULL,
			(struct line_moment){READ_US, true})
		       .kind == LINE_CONT)
		ck_assert_int_lt(++conts, 2 * CLASSIFY_CONTS_MAX);
	ck_assert_int_eq(conts, CLASSIFY_CONTS_MAX - 1);
	struct line_class got = classify(c, &f.outputs[0], SPAN_LITERAL("without"), NULL,
					 (struct line_moment){READ_US, true});
	ck_assert(got.kind == LINE_HEAD && got.read_time);
	classifier_free(c);
}
END_TEST

START_TEST(off_makes_every_line_a_head)
{
	static const struct step steps[] = {
		{"2026 boom", 7, LINE_HEAD, 7, false},
		{"    at Foo.java", 0, LINE_HEAD, READ_US + 1, true},
	};
	RUN("off", steps);
}
END_TEST

START_TEST(regexes_say_what_a_head_or_a_continuation_is)
{
	static const struct step heads[] = {
		{"trailing of before", 0, LINE_HEAD, READ_US, true},
		{"BEGIN a", 0, LINE_HEAD, READ_US + 1, true},
		{"b", 0, LINE_CONT, READ_US + 1, true},
		{"2026 c", 4, LINE_CONT, READ_US + 1, true},
	};
	static const struct step conts[] = {
		{"a", 3, LINE_HEAD, 3, false},
		{"| b", 0, LINE_CONT, 3, false},
		{"c", 0, LINE_HEAD, READ_US + 2, true},
	};
	RUN("head:^BEGIN", heads);
	RUN("continuation:^\\|", conts);
}
END_TEST

START_TEST(wrong_specs_are_said)
{
	struct classifier *c;
	char why[128] = "";
	ck_assert_int_lt(classifier_new("automatic", &c, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(strstr(why, "head:REGEX"));
	ck_assert_int_lt(classifier_new("head:(", &c, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(strstr(why, "offset"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("classify");
	TCase *t = tcase_create("classify");
	tcase_add_test(t, auto_gives_a_stack_trace_its_heads_time);
	tcase_add_test(t, auto_without_any_timestamps_makes_every_line_a_head);
	tcase_add_test(t, auto_gives_up_on_a_stream_whose_timestamps_ended);
	tcase_add_test(t, off_makes_every_line_a_head);
	tcase_add_test(t, regexes_say_what_a_head_or_a_continuation_is);
	tcase_add_test(t, wrong_specs_are_said);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The frame state's text form: what is written is read back, and nothing else is taken. */
#include "agent/lines/position.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static void same(const struct frame_state *a, const struct frame_state *b)
{
	ck_assert(a->at_lf == b->at_lf && a->in_part == b->in_part);
	ck_assert_int_eq(a->first_us, b->first_us);
	ck_assert(a->has_before == b->has_before && stream_id_equal(&a->before, &b->before));
	for (int i = 0; i < OUTPUTS; i++) {
		const struct output_state *x = &a->outputs[i], *y = &b->outputs[i];
		ck_assert_int_eq(x->head_us, y->head_us);
		ck_assert(x->head_read_time == y->head_read_time && x->has_stamps == y->has_stamps);
		ck_assert_uint_eq(x->conts, y->conts);
		ck_assert(x->in_line == y->in_line);
		if (x->in_line) {
			ck_assert(x->in_line_dropped == y->in_line_dropped);
			ck_assert_int_eq(x->in_line_kind, y->in_line_kind);
			ck_assert_int_eq(x->in_line_us, y->in_line_us);
			ck_assert(x->in_line_read_time == y->in_line_read_time);
		}
		ck_assert_uint_eq(x->open_from, y->open_from);
		ck_assert(x->heir == y->heir);
	}
}

START_TEST(round_trip)
{
	static const int64_t times[] = {INT64_MIN, INT64_MIN + 1,    -1,
					0,         1795327401225242, INT64_MAX};
	for (unsigned bits = 0; bits < 2048; bits++) {
		for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
			struct frame_state f, back;
			struct buf text = BUF_EMPTY;
			frame_state_init(&f);
			struct output_state *o = &f.outputs[bits >> 8 & 1];
			f.at_lf = bits & 512;
			f.in_part = bits & 1024;
			f.first_us = times[i];
			f.has_before = bits & 32;
			memset(f.before.bytes, f.has_before ? (int)bits & 255 : 0,
			       sizeof(f.before.bytes));
			o->head_us = times[i];
			o->head_read_time = bits & 1;
			o->has_stamps = bits & 2;
			o->conts = bits & 4 ? UINT32_MAX : 0;
			o->in_line = bits & 8;
			o->in_line_dropped = bits & 16;
			o->in_line_read_time = bits & 32;
			o->in_line_kind = bits & 64 ? LINE_CONT : LINE_HEAD;
			o->in_line_us = times[i];
			o->open_from = bits & 128 ? UINT64_MAX - 1 : UINT64_MAX;
			o->heir = (enum output_heir)(bits % 4);
			ck_assert_int_eq(frame_state_encode(&f, &text), 0);
			ck_assert_int_eq(frame_state_decode(buf_span(&text), &back), 0);
			same(&f, &back);
			buf_free(&text);
		}
	}
}
END_TEST

static const struct {
	const char *text;
	int result;
} forms[] = {
	{"", 0},
	{"1 s", 0},
	{"1 h1795327401225242 r s c3", 0},
	{"1 h-5 l+17 d t o5 j", 0},
	{"1 k m s | c3 o0 i", 0},
	{"1 |", -EINVAL},
	{"1 s |", -EINVAL},
	{"1 s | s | s", -EINVAL},
	{"1 s | k", -EINVAL}, /* not of an output */
	{"1 s |s", -EINVAL},
	{"1 i j", -EINVAL},
	{"1 n", 0},
	{"1", -EINVAL}, /* an initial state is the empty text */
	{"2 s", -EINVAL},
	{"1s", -EINVAL},
	{"1 ", -EINVAL},
	{"1 s ", -EINVAL},
	{"1  s", -EINVAL},
	{"1 s s", -EINVAL},
	{"1 s h5", -EINVAL}, /* order */
	{"1 h", -EINVAL},
	{"1 h5x", -EINVAL},
	{"1 h9223372036854775808", -EINVAL},
	{"1 s1", -EINVAL},
	{"1 c0", -EINVAL},
	{"1 c4294967296", -EINVAL},
	{"1 d", -EINVAL}, /* not inside a line */
	{"1 l", -EINVAL},
	{"1 lF", -EINVAL},
	{"1 lP5", -EINVAL},
	{"1 o18446744073709551615", -EINVAL},
	{"1 o18446744073709551616", -EINVAL},
	{"1 z", -EINVAL},
	{"1 m f5 b00112233445566778899aabbccddeeff j o7", -EINVAL}, /* order */
	{"1 f5 b00112233445566778899aabbccddeef", -EINVAL},
	{"1 f-9223372036854775808", -EINVAL},
	{"1 m f-5 b00112233445566778899aabbccddeeff o7 i | n", 0},
};

START_TEST(decode)
{
	struct frame_state f;
	int r = frame_state_decode(span_of(forms[_i].text), &f);
	ck_assert_msg(r == forms[_i].result, "%s: %d", forms[_i].text, r);
	if (r < 0)
		return;
	struct buf text = BUF_EMPTY;
	ck_assert_int_eq(frame_state_encode(&f, &text), 0);
	ck_assert_msg(span_is(buf_span(&text), forms[_i].text), "%s", forms[_i].text);
	buf_free(&text);
}
END_TEST

START_TEST(nul_is_no_field)
{
	struct frame_state f;
	ck_assert_int_eq(frame_state_decode(SPAN_LITERAL("1 \0"), &f), -EINVAL);
}
END_TEST

START_TEST(begin)
{
	struct position p;
	struct buf text = BUF_EMPTY;
	position_init(&p, 17);
	ck_assert_uint_eq(p.offset, 17);
	ck_assert_uint_eq(p.base, 17);
	ck_assert_uint_eq(p.crc, 0);
	ck_assert_int_eq(frame_state_encode(&p.frame, &text), 0);
	ck_assert_uint_eq(text.len, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("position");
	TCase *c = tcase_create("all");
	tcase_add_test(c, round_trip);
	tcase_add_loop_test(c, decode, 0, sizeof(forms) / sizeof(forms[0]));
	tcase_add_test(c, nul_is_no_field);
	tcase_add_test(c, begin);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

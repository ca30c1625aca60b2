/* Stream ids: text form, refusal of all other forms, randomness that is not constant. */
#include "common/stream_id.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static const char TEXT[] = "9f2c00ff10a1b2c3d4e5f60718293a4b";

START_TEST(text_form_round_trips)
{
	struct stream_id id;
	ck_assert_int_eq(stream_id_parse(span_of(TEXT), &id), 0);
	ck_assert_uint_eq(id.bytes[0], 0x9f);
	ck_assert_uint_eq(id.bytes[2], 0x00);
	ck_assert_uint_eq(id.bytes[3], 0xff);
	ck_assert_uint_eq(id.bytes[15], 0x4b);
	char text[STREAM_ID_HEX];
	stream_id_format(text, &id);
	ck_assert_mem_eq(text, TEXT, STREAM_ID_HEX);
}
END_TEST

static const char *const BAD[] = {
	"",
	"9f2c",
	"9f2c00ff10a1b2c3d4e5f60718293a4",   /* 31 */
	"9f2c00ff10a1b2c3d4e5f60718293a4b0", /* 33 */
	"9F2C00FF10A1B2C3D4E5F60718293A4B",
	"9f2c00ff10a1b2c3d4e5f60718293a4g",
	" f2c00ff10a1b2c3d4e5f60718293a4b",
	"9f2c00ff-10a1-b2c3-d4e5-f6071829",
	"9f2c00ff10a1b2c3d4e5f60718293a\xc3\xa9",
};

START_TEST(other_forms_are_refused)
{
	struct stream_id id = {{1}};
	struct stream_id before = id;
	ck_assert_int_eq(stream_id_parse(span_of(BAD[_i]), &id), -EINVAL);
	ck_assert(stream_id_equal(&id, &before));
}
END_TEST

START_TEST(random_ids_differ)
{
	struct stream_id a, b;
	ck_assert_int_eq(stream_id_random(&a), 0);
	ck_assert_int_eq(stream_id_random(&b), 0);
	ck_assert(!stream_id_equal(&a, &b));
	ck_assert(stream_id_equal(&a, &a));
	ck_assert(stream_id_hash(&a) != stream_id_hash(&b));
	ck_assert(stream_id_hash(&a) == stream_id_hash(&a));
}
END_TEST

START_TEST(equality_looks_at_every_byte)
{
	struct stream_id a = {{0}}, b = {{0}};
	b.bytes[15] = 1;
	ck_assert(!stream_id_equal(&a, &b));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("stream_id");
	tcase_add_test(tc, text_form_round_trips);
	tcase_add_loop_test(tc, other_forms_are_refused, 0, sizeof(BAD) / sizeof(*BAD));
	tcase_add_test(tc, random_ids_differ);
	tcase_add_test(tc, equality_looks_at_every_byte);
	Suite *s = suite_create("stream_id");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

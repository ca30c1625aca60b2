/* CRC-64/XZ: the catalogue's check value, chaining at every place, and zeros that are never read
 * against zeros that are. */
#include "common/crc64.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The definition, a bit at a time. */
static uint64_t by_definition(uint64_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT64_C(0xc96c5795d7870f42) : 0);
	}
	return ~crc;
}

/* A fixed sequence (xorshift) so that failures repeat. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

START_TEST(check_value_of_the_catalogue)
{
	ck_assert_uint_eq(crc64_add(CRC64_EMPTY, "123456789", 9), UINT64_C(0x995dc9bbdf1939fa));
	ck_assert_uint_eq(crc64_add(CRC64_EMPTY, NULL, 0), CRC64_EMPTY);
	ck_assert_uint_eq(crc64_add(UINT64_C(0x1234), NULL, 0), UINT64_C(0x1234));
}
END_TEST

START_TEST(agrees_with_the_definition_and_chains_anywhere)
{
	uint8_t bytes[700];
	uint64_t seed = 88172645463325252u;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)next_random(&seed);
	for (size_t len = 0; len <= sizeof(bytes); len += len < 70 ? 1 : 63)
		ck_assert_uint_eq(crc64_add(CRC64_EMPTY, bytes, len), by_definition(0, bytes, len));
	uint64_t whole = crc64_add(CRC64_EMPTY, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint64_t crc = crc64_add(CRC64_EMPTY, bytes, cut);
		ck_assert_uint_eq(crc64_add(crc, bytes + cut, sizeof(bytes) - cut), whole);
	}
}
END_TEST

START_TEST(zeros_are_as_zeros_that_were_read)
{
	static const uint8_t zeros[70000];
	static const uint64_t begins[] = {0, UINT64_C(0x995dc9bbdf1939fa), ~UINT64_C(0), 1,
					  UINT64_C(1) << 63};
	for (size_t b = 0; b < sizeof(begins) / sizeof(*begins); b++) {
		for (size_t n = 0; n <= sizeof(zeros); n += n < 600 ? 1 : 1237)
			ck_assert_uint_eq(crc64_add_zeros(begins[b], n),
					  crc64_add(begins[b], zeros, n));
	}
}
END_TEST

START_TEST(zeros_between_bytes)
{
	char bytes[4 + 5000 + 4] = "head";
	memcpy(bytes + 5004, "tail", 4);
	uint64_t crc = crc64_add(CRC64_EMPTY, "head", 4);
	crc = crc64_add_zeros(crc, 5000);
	crc = crc64_add(crc, "tail", 4);
	ck_assert_uint_eq(crc, crc64_add(CRC64_EMPTY, bytes, sizeof(bytes)));
}
END_TEST

/* What cannot be read in a test's time: a + b zeros are a zeros and then b zeros. */
START_TEST(long_holes_compose)
{
	uint64_t seed = 362436069;
	for (int round = 0; round < 500; round++) {
		uint64_t crc = next_random(&seed);
		uint64_t a = next_random(&seed) >> (next_random(&seed) % 40 + 23);
		uint64_t b = next_random(&seed) >> (next_random(&seed) % 40 + 23);
		ck_assert_uint_eq(crc64_add_zeros(crc64_add_zeros(crc, a), b),
				  crc64_add_zeros(crc, a + b));
	}
	static const uint8_t zeros[1 << 20];
	uint64_t crc = CRC64_EMPTY;
	for (int i = 0; i < 64; i++)
		crc = crc64_add(crc, zeros, sizeof(zeros));
	ck_assert_uint_eq(crc64_add_zeros(CRC64_EMPTY, UINT64_C(64) << 20), crc);
	/* From there to 2^40 by doubling. */
	for (unsigned log = 26; log < 40; log++) {
		crc = crc64_add_zeros(crc, UINT64_C(1) << log);
		ck_assert_uint_eq(crc64_add_zeros(CRC64_EMPTY, UINT64_C(2) << log), crc);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("crc64");
	tcase_add_test(tc, check_value_of_the_catalogue);
	tcase_add_test(tc, agrees_with_the_definition_and_chains_anywhere);
	tcase_add_test(tc, zeros_are_as_zeros_that_were_read);
	tcase_add_test(tc, zeros_between_bytes);
	tcase_add_test(tc, long_holes_compose);
	Suite *s = suite_create("crc64");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

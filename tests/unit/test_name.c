/* Names: what is valid, and valid names made of anything. */
#include "common/name.h"

#include "common/crc64.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define A8   "abcdefgh"
#define A64  A8 A8 A8 A8 A8 A8 A8 A8
#define A119 A64 A8 A8 A8 A8 A8 A8 "1234567"
#define A128 A64 A64

/* SPAN_LITERAL for tables: a plain initializer. */
#define TEXT(s)                                                                                    \
	{                                                                                          \
		(s), sizeof(s) - 1                                                                 \
	}

static const struct {
	struct span text;
	bool valid, valid_host;
} CHECKS[] = {
	{TEXT("a"), true, true},
	{TEXT("0"), true, true},
	{TEXT("Web-01_x.y"), true, true},
	{TEXT("web-01.example.com"), true, true},
	{TEXT(A128), true, true},
	{TEXT(A128 "a"), false, false},
	{TEXT(""), false, false},
	{TEXT("."), false, false},
	{TEXT(".."), false, false},
	{TEXT(".haul"), false, false},
	{TEXT("-rf"), false, false},
	{TEXT("_a"), false, false},
	{TEXT("a/b"), false, false},
	{TEXT("../../etc/x"), false, false},
	{TEXT("a b"), false, false},
	{TEXT("a\0b"), false, false},
	{TEXT("a\n"), false, false},
	{TEXT("\0"), false, false},
	{TEXT("caf\xc3\xa9"), false, false},
	{TEXT("w\xd0\xb5"
	      "b"),
	 false, false}, /* a Cyrillic e */
	{TEXT("a@"), false, false},
	{TEXT("a["), false, false},
	{TEXT("a`"), false, false},
	{TEXT("a{"), false, false},
	{TEXT("a:"), false, false},
	{TEXT("a,"), false, false},
	/* What looks like a closed segment is no host. */
	{TEXT("web.0001"), true, false},
	{TEXT("web.12345678"), true, false},
	{TEXT("10.0.0.2024"), true, false},
	{TEXT("web.001"), true, true},
	{TEXT("web-0001"), true, true},
	{TEXT("web.0001x"), true, true},
	{TEXT("web.0001.log"), true, true},
	{TEXT("web.0x01"), true, true},
	{TEXT("0001"), true, true},
	{TEXT("10.0.0.1"), true, true},
};

START_TEST(validity)
{
	ck_assert_msg(name_valid(CHECKS[_i].text) == CHECKS[_i].valid, "name %d", _i);
	ck_assert_msg(name_valid_host(CHECKS[_i].text) == CHECKS[_i].valid_host, "host %d", _i);
}
END_TEST

static const struct {
	struct span from;
	const char *name, *host;
} MADE[] = {
	{TEXT("checkout"), "checkout", "checkout"},
	{TEXT("nginx.access"), "nginx.access", "nginx.access"},
	{TEXT(""), "unknown", "unknown"},
	{TEXT("my service/v2"), "my_service_v2", "my_service_v2"},
	{TEXT(".hidden"), "0.hidden", "0.hidden"},
	{TEXT("-rf"), "0-rf", "0-rf"},
	{TEXT("_x"), "0_x", "0_x"},
	{TEXT("/"), "0_", "0_"},
	{TEXT(".."), "0..", "0.."},
	{TEXT("../../etc/x"), "0.._.._etc_x", "0.._.._etc_x"},
	{TEXT("\0"), "0_", "0_"},
	{TEXT("caf\xc3\xa9"), "caf__", "caf__"},
	{TEXT("web.0001"), "web.0001", "web.0001_"},
	{TEXT("web.001"), "web.001", "web.001"},
	{TEXT(A128), A128, A128},
};

START_TEST(names_are_made)
{
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&out, "what stood here"), 0);
	ck_assert_int_eq(name_make(MADE[_i].from, &out), 0);
	ck_assert(span_is(buf_span(&out), MADE[_i].name));
	ck_assert(name_valid(buf_span(&out)));
	ck_assert_int_eq(name_make_host(MADE[_i].from, &out), 0);
	ck_assert(span_is(buf_span(&out), MADE[_i].host));
	ck_assert(name_valid_host(buf_span(&out)));
	buf_free(&out);
}
END_TEST

/* The hash is that of what the name was made of, so that names differ when their sources do. */
static void assert_shortened(struct span from, const char *kept)
{
	struct buf out = BUF_EMPTY;
	char hash[17];
	(void)snprintf(hash, sizeof(hash), "%016llx",
		       (unsigned long long)crc64_add(CRC64_EMPTY, from.ptr, from.len));
	ck_assert_int_eq(name_make(from, &out), 0);
	ck_assert_uint_eq(out.len, NAME_MAX_LEN);
	ck_assert(name_valid(buf_span(&out)));
	ck_assert(span_equal(span_first(buf_span(&out), 119), span_of(kept)));
	ck_assert(out.ptr[119] == '-');
	ck_assert(span_is(span_from(buf_span(&out), 120), hash + 8));
	buf_free(&out);
}

START_TEST(long_names_end_in_a_hash)
{
	assert_shortened(SPAN_LITERAL(A119 "0123456789"), A119);
	assert_shortened(SPAN_LITERAL(A119 "0123456789" A128 A128 "/" A128), A119);
	/* 128 bytes, and the 0 before them makes 129. */
	assert_shortened(SPAN_LITERAL("." A119 "12345678"), "0." A64 A8 A8 A8 A8 A8 A8 "12345");
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	ck_assert_int_eq(name_make(SPAN_LITERAL(A128 A128 "/1"), &a), 0);
	ck_assert_int_eq(name_make(SPAN_LITERAL(A128 A128 "/2"), &b), 0);
	ck_assert(!span_equal(buf_span(&a), buf_span(&b)));
	buf_free(&a);
	buf_free(&b);
}
END_TEST

START_TEST(a_host_of_full_length_that_looks_like_a_segment)
{
	struct buf out = BUF_EMPTY;
	struct span from = SPAN_LITERAL(A119 "1234.5678");
	ck_assert_uint_eq(from.len, NAME_MAX_LEN);
	ck_assert(!name_valid_host(from));
	ck_assert_int_eq(name_make_host(from, &out), 0);
	ck_assert(name_valid_host(buf_span(&out)));
	ck_assert_uint_eq(out.len, NAME_MAX_LEN);
	ck_assert(span_starts_with(buf_span(&out), SPAN_LITERAL(A119 "-")));
	buf_free(&out);
}
END_TEST

START_TEST(anything_makes_a_valid_name)
{
	struct buf out = BUF_EMPTY;
	char bytes[300];
	uint64_t x = 88172645463325252u;
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* Digits and dots often, for the hosts' sake. */
			bytes[i] = x % 3 ? "0123456789.."[x / 3 % 12] : (char)(x >> 32);
		}
		struct span from = span_make(bytes, x % sizeof(bytes));
		bool good = name_make(from, &out) == 0 && name_valid(buf_span(&out)) &&
			    name_make_host(from, &out) == 0 && name_valid_host(buf_span(&out));
		if (!good)
			ck_abort_msg("round %d", round);
	}
	buf_free(&out);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("name");
	tcase_add_loop_test(tc, validity, 0, sizeof(CHECKS) / sizeof(*CHECKS));
	tcase_add_loop_test(tc, names_are_made, 0, sizeof(MADE) / sizeof(*MADE));
	tcase_add_test(tc, long_names_end_in_a_hash);
	tcase_add_test(tc, a_host_of_full_length_that_looks_like_a_segment);
	tcase_add_test(tc, anything_makes_a_valid_name);
	Suite *s = suite_create("name");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The WAL's heads, byte by byte: a golden file head and record head, every flipped bit refused,
 * names both ways. */
#include "collector/store/wal_format.h"

#include "collector/store/le.h"
#include "common/crc64.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define UUID "4e5c4a8e-0a52-4a3e-9f7e-0c4a1f4b2d11"

static struct wal_file_head file_head(void)
{
	struct wal_file_head h = {.sequence = UINT64_C(0x1122334455667788), .first_lsn = 77};
	memcpy(h.uuid, UUID, sizeof(h.uuid));
	return h;
}

static const struct wal_record_head record = {.type = 3,
					      .lsn = UINT64_C(0x0102030405060708),
					      .durable_lsn = 9,
					      .time_us = INT64_C(1795327200000000),
					      .meta_len = 13,
					      .body_len = 70000,
					      .meta_crc = UINT64_C(0xa1a2a3a4a5a6a7a8),
					      .body_crc = 5};

START_TEST(a_file_head)
{
	char bytes[WAL_FILE_HEAD];
	struct wal_file_head h = file_head(), found;
	wal_encode_file_head(bytes, &h);
	ck_assert_mem_eq(
		bytes,
		"haulwal\n\1\0\0\0\200\0\0\0\x88\x77\x66\x55\x44\x33\x22\x11\x4d\0\0\0\0\0\0\0",
		32);
	ck_assert_mem_eq(bytes + 32, UUID, 36);
	for (int i = 68; i < 120; i++)
		ck_assert_int_eq(bytes[i], 0);
	ck_assert_uint_eq(le_get(bytes + 120, 8), crc64_add(CRC64_EMPTY, bytes, 120));
	ck_assert_int_eq(wal_decode_file_head(bytes, &found), 0);
	ck_assert_uint_eq(found.sequence, h.sequence);
	ck_assert_uint_eq(found.first_lsn, 77);
	ck_assert_mem_eq(found.uuid, h.uuid, sizeof(h.uuid));
	for (int bit = 0; bit < 8 * WAL_FILE_HEAD; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		ck_assert_int_eq(wal_decode_file_head(bytes, &found), -EBADMSG);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
}
END_TEST

START_TEST(a_record_head)
{
	char bytes[WAL_RECORD_HEAD];
	struct wal_record_head found;
	wal_encode_record_head(bytes, 42, &record);
	ck_assert_mem_eq(bytes, "hWr1\3\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\0\0\0",
			 24);
	ck_assert_uint_eq(le_get(bytes + 24, 8), 1795327200000000);
	ck_assert_uint_eq(le_get(bytes + 32, 4), 13);
	ck_assert_uint_eq(le_get(bytes + 36, 4), 70000);
	ck_assert_uint_eq(le_get(bytes + 40, 8), UINT64_C(0xa1a2a3a4a5a6a7a8));
	ck_assert_uint_eq(le_get(bytes + 48, 8), 5);
	ck_assert_int_eq(wal_decode_record_head(bytes, 42, &found), 0);
	ck_assert_int_eq(found.type, 3);
	ck_assert_uint_eq(found.lsn, record.lsn);
	ck_assert_uint_eq(found.durable_lsn, 9);
	ck_assert_int_eq(found.time_us, record.time_us);
	ck_assert_uint_eq(found.meta_len, 13);
	ck_assert_uint_eq(found.body_len, 70000);
	ck_assert_uint_eq(found.meta_crc, record.meta_crc);
	ck_assert_uint_eq(found.body_crc, 5);
	/* Of another file it is none. */
	ck_assert_int_eq(wal_decode_record_head(bytes, 43, &found), -EBADMSG);
	for (int bit = 0; bit < 8 * WAL_RECORD_HEAD; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		ck_assert_int_eq(wal_decode_record_head(bytes, 42, &found), -EBADMSG);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
}
END_TEST

START_TEST(sizes)
{
	struct wal_record_head h = {.meta_len = 0, .body_len = 0};
	ck_assert_uint_eq(wal_record_size(&h), 64);
	h.body_len = 1;
	ck_assert_uint_eq(wal_record_size(&h), 72);
	ck_assert_uint_eq(wal_mirror_size(&h), 64);
	h.meta_len = 7;
	ck_assert_uint_eq(wal_record_size(&h), 72);
	ck_assert_uint_eq(wal_mirror_size(&h), 72);
	h.meta_len = h.body_len = UINT32_MAX;
	ck_assert_uint_eq(wal_record_size(&h), 64 + 2 * UINT64_C(0xffffffff) + 2);
}
END_TEST

static const struct {
	const char *name;
	int kind; /* -1: no such name */
	uint64_t sequence;
} NAMES[] = {
	{"00000000000000000001.wal", WAL_RECORDS, 1},
	{"00000000000000000001.meta", WAL_MIRROR, 1},
	{"18446744073709551615.wal", WAL_RECORDS, UINT64_MAX},
	{"18446744073709551616.wal", -1, 0},
	{"1.wal", -1, 0},
	{"000000000000000000001.wal", -1, 0},
	{"00000000000000000001", -1, 0},
	{"00000000000000000001.", -1, 0},
	{"00000000000000000001.wall", -1, 0},
	{"0000000000000000000x.wal", -1, 0},
	{"-0000000000000000001.wal", -1, 0},
	{"", -1, 0},
};

START_TEST(names)
{
	enum wal_kind kind;
	uint64_t sequence;
	char name[WAL_NAME_LEN + 1];
	int r = wal_parse_name(span_of(NAMES[_i].name), &kind, &sequence);
	if (NAMES[_i].kind < 0) {
		ck_assert_int_eq(r, -EINVAL);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq((int)kind, NAMES[_i].kind);
	ck_assert_uint_eq(sequence, NAMES[_i].sequence);
	wal_format_name(name, kind, sequence);
	ck_assert_str_eq(name, NAMES[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wal_format");
	TCase *c = tcase_create("wal_format");
	tcase_add_test(c, a_file_head);
	tcase_add_test(c, a_record_head);
	tcase_add_test(c, sizes);
	tcase_add_loop_test(c, names, 0, sizeof(NAMES) / sizeof(*NAMES));
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The frame of the WAL: see wal_format.h. The writer and the reader of recovery share it. */
#include "collector/store/wal_format.h"

#include "collector/store/le.h"
#include "common/crc64.h"
#include "common/num.h"

#include <errno.h>
#include <stdio.h>

#define FILE_MAGIC    "haulwal\n"
#define FILE_VERSION  1
#define RECORD_MAGIC  "hWr1"
#define FILE_CRC_AT   (WAL_FILE_HEAD - 8)
#define RECORD_CRC_AT (WAL_RECORD_HEAD - 8)

void wal_encode_file_head(char dst[WAL_FILE_HEAD], const struct wal_file_head *h)
{
	memset(dst, 0, WAL_FILE_HEAD);
	memcpy(dst, FILE_MAGIC, 8);
	le_put(dst + 8, FILE_VERSION, 4);
	le_put(dst + 12, WAL_FILE_HEAD, 4);
	le_put(dst + 16, h->sequence, 8);
	le_put(dst + 24, h->first_lsn, 8);
	memcpy(dst + 32, h->uuid, UUID_LEN);
	le_put(dst + FILE_CRC_AT, crc64_add(CRC64_EMPTY, dst, FILE_CRC_AT), 8);
}

int wal_decode_file_head(const char src[WAL_FILE_HEAD], struct wal_file_head *ret)
{
	if (memcmp(src, FILE_MAGIC, 8) != 0 || le_get(src + 8, 4) != FILE_VERSION ||
	    le_get(src + 12, 4) != WAL_FILE_HEAD ||
	    le_get(src + FILE_CRC_AT, 8) != crc64_add(CRC64_EMPTY, src, FILE_CRC_AT))
		return -EBADMSG;
	ret->sequence = le_get(src + 16, 8);
	ret->first_lsn = le_get(src + 24, 8);
	memcpy(ret->uuid, src + 32, UUID_LEN);
	return 0;
}

static uint64_t record_crc(const char *head, uint64_t sequence)
{
	char seed[8];
	le_put(seed, sequence, 8);
	return crc64_add(crc64_add(CRC64_EMPTY, seed, sizeof(seed)), head, RECORD_CRC_AT);
}

void wal_encode_record_head(char dst[WAL_RECORD_HEAD], uint64_t sequence,
			    const struct wal_record_head *h)
{
	memcpy(dst, RECORD_MAGIC, 4);
	le_put(dst + 4, h->type, 4);
	le_put(dst + 8, h->lsn, 8);
	le_put(dst + 16, h->durable_lsn, 8);
	le_put(dst + 24, (uint64_t)h->time_us, 8);
	le_put(dst + 32, h->meta_len, 4);
	le_put(dst + 36, h->body_len, 4);
	le_put(dst + 40, h->meta_crc, 8);
	le_put(dst + 48, h->body_crc, 8);
	le_put(dst + RECORD_CRC_AT, record_crc(dst, sequence), 8);
}

int wal_decode_record_head(const char src[WAL_RECORD_HEAD], uint64_t sequence,
			   struct wal_record_head *ret)
{
	if (memcmp(src, RECORD_MAGIC, 4) != 0 ||
	    le_get(src + RECORD_CRC_AT, 8) != record_crc(src, sequence) || le_get(src + 5, 3) != 0)
		return -EBADMSG;
	*ret = (struct wal_record_head){
		.type = (uint8_t)src[4],
		.lsn = le_get(src + 8, 8),
		.durable_lsn = le_get(src + 16, 8),
		.time_us = (int64_t)le_get(src + 24, 8),
		.meta_len = (uint32_t)le_get(src + 32, 4),
		.body_len = (uint32_t)le_get(src + 36, 4),
		.meta_crc = le_get(src + 40, 8),
		.body_crc = le_get(src + 48, 8),
	};
	return 0;
}

static const char *const suffixes[] = {[WAL_RECORDS] = ".wal", [WAL_MIRROR] = ".meta"};

void wal_format_name(char dst[WAL_NAME_LEN + 1], enum wal_kind kind, uint64_t sequence)
{
	(void)snprintf(dst, WAL_NAME_LEN + 1, "%020llu%s", (unsigned long long)sequence,
		       suffixes[kind]);
}

int wal_parse_name(struct span name, enum wal_kind *ret_kind, uint64_t *ret_sequence)
{
	enum { DIGITS = 20 };
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (name.len <= DIGITS || !span_is(span_from(name, DIGITS), suffixes[i]))
			continue;
		*ret_kind = (enum wal_kind)i;
		return num_parse_u64(span_first(name, DIGITS), ret_sequence) < 0 ? -EINVAL : 0;
	}
	return -EINVAL;
}

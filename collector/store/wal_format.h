/* How WAL files are laid out: a file head, then records one after another, each aligned to 8 bytes.
 * All numbers are little-endian; checksums are CRC-64/XZ. Pure.
 *
 *     file head, 128 bytes                       record head, 64 bytes
 *       0  "haulwal\n"                             0  "hWr1"
 *       8  u32 version, 1                          4  u8  type (walrecord.h), 3 zero bytes
 *      12  u32 128                                 8  u64 LSN
 *      16  u64 sequence number, as in the name    16  u64 greatest LSN known to be durable
 *      24  u64 LSN of the first record            24  i64 time of writing, microseconds
 *      32  36 bytes: the collector's uuid         32  u32 bytes of meta
 *      68  zero                                   36  u32 bytes of body
 *     120  u64 checksum of bytes 0 to 119         40  u64 checksum of the meta
 *                                                 48  u64 checksum of the body
 *                                                 56  u64 checksum of bytes 0 to 55 behind those of
 *                                                         the sequence number
 *                                                 then meta, body, zeros to the next multiple of 8
 *
 * Behind the last record come 64 zeros at least, or the end of the file; bytes behind them mean
 * nothing.
 *
 * LSNs go up by one from record to record, over all files. Head, meta and body have checksums of
 * their own, so that damage to one says nothing about the others. The sequence number in the
 * record's checksum keeps a file from being read under another name.
 *
 * Beside each file stands its mirror, SEQUENCE.meta: the same file head, and of each record head
 * and meta (padded likewise). It is written, but never waited for: when a record is damaged, the
 * mirror most likely still tells what it said, and only its body is lost. */
#ifndef HAUL_COLLECTOR_STORE_WAL_FORMAT_H
#define HAUL_COLLECTOR_STORE_WAL_FORMAT_H

#include "collector/store/store.h"
#include "common/buf.h"

#include <stdint.h>

#define WAL_FILE_HEAD   128
#define WAL_RECORD_HEAD 64
#define WAL_ALIGN       8
#define WAL_NAME_LEN    25 /* at most: 20 digits and ".meta" */

struct wal_file_head {
	uint64_t sequence;
	uint64_t first_lsn;
	char uuid[UUID_LEN];
};

struct wal_record_head {
	uint8_t type;
	uint64_t lsn, durable_lsn;
	int64_t time_us;
	uint32_t meta_len, body_len;
	uint64_t meta_crc, body_crc;
};

void wal_encode_file_head(char dst[WAL_FILE_HEAD], const struct wal_file_head *h);
/* -EBADMSG when it is not one. */
int wal_decode_file_head(const char src[WAL_FILE_HEAD], struct wal_file_head *ret) MUST_CHECK;

void wal_encode_record_head(char dst[WAL_RECORD_HEAD], uint64_t sequence,
			    const struct wal_record_head *h);
/* -EBADMSG when it is not one, or of another file. */
int wal_decode_record_head(const char src[WAL_RECORD_HEAD], uint64_t sequence,
			   struct wal_record_head *ret) MUST_CHECK;

static inline uint64_t wal_aligned(uint64_t size)
{
	return (size + WAL_ALIGN - 1) & ~(uint64_t)(WAL_ALIGN - 1);
}

/* Bytes of a record with its head and padding; and of its part in the mirror. */
static inline uint64_t wal_record_size(const struct wal_record_head *h)
{
	return wal_aligned(WAL_RECORD_HEAD + (uint64_t)h->meta_len + h->body_len);
}

static inline uint64_t wal_mirror_size(const struct wal_record_head *h)
{
	return wal_aligned(WAL_RECORD_HEAD + (uint64_t)h->meta_len);
}

enum wal_kind { WAL_RECORDS, WAL_MIRROR };

/* "00000000000000000001.wal" or ".meta", and back: -EINVAL. */
void wal_format_name(char dst[WAL_NAME_LEN + 1], enum wal_kind kind, uint64_t sequence);
int wal_parse_name(struct span name, enum wal_kind *ret_kind, uint64_t *ret_sequence) MUST_CHECK;

#endif

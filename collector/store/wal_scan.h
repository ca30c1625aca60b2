/* The write-ahead log as recovery finds it: every record that can be told apart, and every stretch
 * of bytes that cannot. Nothing is changed here, and nothing is judged: what damage means is for
 * recovery to say. */
#ifndef HAUL_COLLECTOR_STORE_WAL_SCAN_H
#define HAUL_COLLECTOR_STORE_WAL_SCAN_H

#include "collector/store/wal_format.h"
#include "common/buf.h"

#include <stdint.h>

enum wal_entry_state {
	WAL_ENTRY_GOOD,
	WAL_ENTRY_BODY_BAD, /* the meta is good */
	WAL_ENTRY_META_BAD, /* only the head is */
};

struct wal_entry {
	size_t file; /* index into files */
	uint64_t at; /* of its head */
	enum wal_entry_state state;
	struct wal_record_head head;
	bool mirrored; /* its meta is read from the mirror: */
	uint64_t mirror_sequence, mirror_at;
};

/* Bytes that are no record: torn or damaged, or zeros. */
struct wal_junk {
	size_t file;
	uint64_t from, to;
	uint64_t next_lsn; /* of the record that follows in the log; UINT64_MAX: none does */
};

struct wal_scan_file {
	uint64_t sequence;
	uint64_t size; /* without room behind the last record */
	bool head_good;
	struct wal_file_head head; /* when good */
	uint64_t last_lsn;         /* of its records; 0: none */
};

struct wal_log {
	struct wal_scan_file *files; /* by sequence */
	struct wal_entry *entries;   /* LSNs go up, with holes where records are missing */
	struct wal_junk *junk;
	uint64_t *mirrors; /* sequence numbers, in no order */
	size_t n_files, n_entries, n_junk, n_mirrors;
};

/* Reads all files of the directory. Records whose head or meta is damaged are taken from the
 * mirrors where those have them; a body that cannot be found any more is then what is damaged (at
 * is 0). Bodies of records up to `trusted_lsn` are not read (they are counted as good), for nobody
 * will ask for them. -errno of the directory; -ENOMEM. Blocks that cannot be read are damage like
 * any other. */
int wal_scan(int dir, uint64_t trusted_lsn, struct wal_log *ret) MUST_CHECK;
void wal_log_free(struct wal_log *log);

/* Cuts off each mirror what it says of records behind `lsn`: they have not happened, and their LSNs
 * will be given again. -errno. */
int wal_cut_mirrors(int dir, const struct wal_log *log, uint64_t lsn) MUST_CHECK;

/* The bytes of an entry's meta and body, appended. -errno. */
int wal_read_meta(int dir, const struct wal_log *log, const struct wal_entry *e,
		  struct buf *out) MUST_CHECK;
int wal_read_body(int dir, const struct wal_log *log, const struct wal_entry *e,
		  struct buf *out) MUST_CHECK;

#endif

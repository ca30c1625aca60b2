/* The write-ahead log as recovery finds it: every record that can be told apart, and
 * every stretch of bytes that cannot. Nothing is changed here, and nothing is judged:
 * what damage means is for recovery to say. */
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
};

/* Bytes that are no record: torn or damaged, or zeros. */
struct wal_junk {
	size_t file;
	uint64_t from, to;
	size_t before; /* index of the entry that follows; n_entries: none */
};

struct wal_scan_file {
	uint64_t sequence;
	uint64_t size;
	bool head_good;
	struct wal_file_head head; /* when good */
	uint64_t last_lsn;         /* of its records; 0: none */
	uint64_t records_end;      /* where the last of them ends */
};

struct wal_log {
	struct wal_scan_file *files; /* by sequence */
	struct wal_entry *entries;   /* LSNs go up, with holes where records are missing */
	struct wal_junk *junk;
	size_t n_files, n_entries, n_junk;
};

/* Reads all files of the directory. Bodies of records up to `trusted_lsn` are not read
 * (they are counted as good), for nobody will ask for them. -errno of the directory;
 * -ENOMEM. A file that cannot be read is junk from end to end. */
int wal_scan(int dir, uint64_t trusted_lsn, struct wal_log *ret) MUST_CHECK;
void wal_log_free(struct wal_log *log);

/* The bytes of an entry's meta and body, appended. -errno. */
int wal_read_meta(int dir, const struct wal_log *log, const struct wal_entry *e,
		  struct buf *out) MUST_CHECK;
int wal_read_body(int dir, const struct wal_log *log, const struct wal_entry *e,
		  struct buf *out) MUST_CHECK;

#endif

/* The end of the log: see wal_end.h. Recovery asks once, then acts. */
#include "collector/store/wal_end.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The greatest LSN that the log itself says was durable. */
static uint64_t durable_by_word(const struct wal_log *log, uint64_t base_lsn)
{
	uint64_t lsn = base_lsn;
	for (size_t i = 0; i < log->n_entries; i++)
		lsn = greater(lsn, log->entries[i].head.durable_lsn);
	for (size_t i = 0; i < log->n_files; i++)
		if (log->files[i].head_good && log->files[i].head.first_lsn)
			lsn = greater(lsn, log->files[i].head.first_lsn - 1);
	return lsn;
}

/* The first entry that is not whole or behind a hole, from `first` on; its LSN (or the hole's). */
static size_t find_break(const struct wal_log *log, size_t first, uint64_t expected,
			 uint64_t *ret_lsn)
{
	size_t i = first;
	for (; i < log->n_entries; i++) {
		const struct wal_entry *e = &log->entries[i];
		if (e->head.lsn != expected || e->state != WAL_ENTRY_GOOD)
			break;
		expected++;
	}
	*ret_lsn = expected;
	return i;
}

static size_t skip_to(const struct wal_log *log, uint64_t lsn)
{
	size_t i = 0;
	while (i < log->n_entries && log->entries[i].head.lsn <= lsn)
		i++;
	return i;
}

/* How much of the log is to be cut when its first `keep` entries stay. */
static void set_cut(const struct wal_log *log, size_t keep, struct wal_end *end)
{
	if (log->n_files == 0)
		return;
	/* Entries that only a mirror has are nowhere in the files. */
	size_t last = keep;
	while (last && log->entries[last - 1].at == 0)
		last--;
	if (last) {
		const struct wal_entry *e = &log->entries[last - 1];
		end->file = e->file;
		end->at = e->at + wal_record_size(&e->head);
	} else {
		end->at = log->files[0].head_good ? WAL_FILE_HEAD : 0;
	}
	for (size_t i = end->file; i < log->n_files; i++) {
		uint64_t from = i == end->file ? end->at : 0;
		if (log->files[i].size <= from)
			continue;
		end->cut = true;
		/* A file that was made ready and not used has a size of 0: nothing was torn
		 * there. */
		end->torn_bytes += log->files[i].size - from;
	}
}

struct wal_end wal_find_end(const struct wal_log *log, uint64_t base_lsn,
			    bool (*stands)(void *user, const struct wal_entry *e), void *user)
{
	uint64_t durable = durable_by_word(log, base_lsn), lsn;
	size_t first = skip_to(log, durable);
	size_t at = find_break(log, first, durable + 1, &lsn);
	/* Behind the break nothing is whole by itself; but lines on disk say that it was. */
	for (size_t i = log->n_entries; at < log->n_entries && i > at; i--) {
		const struct wal_entry *e = &log->entries[i - 1];
		if (e->state == WAL_ENTRY_META_BAD || !stands(user, e))
			continue;
		durable = e->head.lsn;
		at = find_break(log, i, durable + 1, &lsn);
	}
	struct wal_end end = {.n_entries = at, .last_lsn = lsn - 1};
	/* What is damaged at the very end of what was durable is kept for a look; what is torn
	 * goes. */
	if (at < log->n_entries || (at ? log->entries[at - 1].head.lsn : base_lsn) >= durable)
		set_cut(log, at, &end);
	return end;
}

static int remove_files(int dir, const struct wal_log *log, size_t keep)
{
	for (size_t i = log->n_files; i > keep; i--) {
		char name[WAL_NAME_LEN + 1];
		wal_format_name(name, WAL_RECORDS, log->files[i - 1].sequence);
		if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int wal_cut(int dir, const struct wal_log *log, const struct wal_end *end)
{
	/* The mirrors first: what is left of them may say too little, never too much. */
	int r = wal_cut_mirrors(dir, log, end->last_lsn);
	if (r < 0 || !end->cut)
		return r;
	/* The last first: what is left is a log at any time. */
	r = remove_files(dir, log, end->file + 1);
	if (r < 0)
		return r;
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, WAL_RECORDS, log->files[end->file].sequence);
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (log->files[end->file].size > end->at && ftruncate(fd, (off_t)end->at) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	file_close(&fd);
	return r == 0 ? file_sync_dir(dir, ".") : r;
}

/* A write-ahead log that was damaged anywhere (wal_script.h): what is found in it can be read, its
 * end is found, and a log that was cut there is whole. */
#include "collector/store/wal_end.h"
#include "tests/fuzz/wal_script.h"

#include <dirent.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int dir = -1;
static char path[] = "/dev/shm/haul-fuzz-wal-XXXXXX";

static void empty_dir(void)
{
	DIR *d = fdopendir(dup(dir));
	assert(d);
	rewinddir(d);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			assert(unlinkat(dir, e->d_name, 0) == 0);
	closedir(d);
}

static void remove_dir(void)
{
	empty_dir();
	(void)rmdir(path);
}

static void make_dir(void)
{
	assert(mkdtemp(path) && atexit(remove_dir) == 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(dir >= 0);
}

/* Some records' lines stand on disk, whatever the log says. */
static bool stands(void *user, const struct wal_entry *e)
{
	const uint8_t *seed = user;
	return (e->head.lsn * 2654435761U + *seed) & 64;
}

static void read_all(const struct wal_log *log)
{
	struct buf bytes = BUF_EMPTY;
	uint64_t last = 0;
	for (size_t i = 0; i < log->n_entries; i++) {
		const struct wal_entry *e = &log->entries[i];
		/* What only a mirror has (`at` is 0) may be in no file. */
		assert(e->head.lsn > last && (e->at == 0 || e->file < log->n_files));
		last = e->head.lsn;
		buf_clear(&bytes);
		if (e->state != WAL_ENTRY_META_BAD)
			assert(wal_read_meta(dir, log, e, &bytes) == 0);
		buf_clear(&bytes);
		if (e->state == WAL_ENTRY_GOOD)
			assert(wal_read_body(dir, log, e, &bytes) == 0);
	}
	for (size_t i = 0; i < log->n_junk; i++)
		assert(log->junk[i].from < log->junk[i].to);
	buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wal_log log, again;
	if (size < 2)
		return 0;
	if (dir < 0)
		make_dir();
	empty_dir();
	uint8_t seed = data[0];
	uint64_t base = data[1] % 4;
	script_run(span_make((const char *)data + 2, size - 2), dir);
	assert(wal_scan(dir, base, &log) == 0);
	read_all(&log);
	struct wal_end end = wal_find_end(&log, base, stands, &seed);
	assert(end.n_entries <= log.n_entries);
	assert(end.n_entries == 0 || log.entries[end.n_entries - 1].head.lsn <= end.last_lsn);
	assert(wal_cut(dir, &log, &end) == 0);
	assert(wal_scan(dir, base, &again) == 0);
	read_all(&again);
	if (end.cut && again.n_entries)
		assert(again.entries[again.n_entries - 1].head.lsn <= end.last_lsn);
	wal_log_free(&log);
	wal_log_free(&again);
	return 0;
}

/* Reads the WAL: see wal_scan.h. Called once, by recovery.
 *
 * A file is walked record by record. Where no valid head stands, the next one is searched
 * for at every multiple of 8, and what lies between is junk; so one damaged record never
 * hides those behind it. A head is trusted by its checksum, which also covers the file's
 * sequence number; its lengths are then used to step over the record even if meta or body
 * are damaged. LSNs must go up: a record that does not is junk.
 *
 * An unreadable block (EIO) reads as zeros: then the checksums say which records it has
 * hit. */
#include "collector/store/wal_scan.h"

#include "common/crc64.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 1 << 20, BLOCK = 4096 };

struct scanner {
	int dir, fd;
	uint64_t trusted_lsn;
	uint64_t last_lsn;
	struct wal_log *log;
	size_t files_capacity, entries_capacity, junk_capacity;
	char *step; /* STEP bytes */
};

/* --- growing arrays --- */

static int grow(void *array, size_t n, size_t *capacity, size_t size)
{
	void **at = array;
	if (n < *capacity)
		return 0;
	size_t more = *capacity ? *capacity * 2 : 64;
	void *bigger = realloc(*at, more * size);
	if (!bigger)
		return -ENOMEM;
	*at = bigger;
	*capacity = more;
	return 0;
}

static int add_file(struct scanner *s, uint64_t sequence)
{
	struct wal_log *log = s->log;
	int r = grow(&log->files, log->n_files, &s->files_capacity, sizeof(*log->files));
	if (r == 0)
		log->files[log->n_files++] = (struct wal_scan_file){.sequence = sequence};
	return r;
}

static int add_entry(struct scanner *s, struct wal_entry e)
{
	struct wal_log *log = s->log;
	int r = grow(&log->entries, log->n_entries, &s->entries_capacity, sizeof(*log->entries));
	if (r == 0)
		log->entries[log->n_entries++] = e;
	return r;
}

static int add_junk(struct scanner *s, size_t file, uint64_t from, uint64_t to)
{
	struct wal_log *log = s->log;
	if (from == to)
		return 0;
	int r = grow(&log->junk, log->n_junk, &s->junk_capacity, sizeof(*log->junk));
	if (r == 0)
		log->junk[log->n_junk++] = (struct wal_junk){
			.file = file, .from = from, .to = to, .before = log->n_entries};
	return r;
}

/* --- reading --- */

/* Fills `dst` whole: what cannot be read, or lies behind the end, is zeros. */
static void read_or_zeros(int fd, char *dst, size_t size, uint64_t at)
{
	ssize_t n = file_pread_full(fd, dst, size, at);
	if (n >= 0) {
		memset(dst + n, 0, size - (size_t)n);
		return;
	}
	for (size_t done = 0; done < size; done += BLOCK) {
		size_t want = size - done < BLOCK ? size - done : BLOCK;
		n = file_pread_full(fd, dst + done, want, at + done);
		size_t have = n < 0 ? 0 : (size_t)n;
		memset(dst + done + have, 0, want - have);
	}
}

static bool crc_matches(struct scanner *s, uint64_t at, uint64_t len, uint64_t want)
{
	uint64_t crc = CRC64_EMPTY;
	while (len) {
		size_t part = len < STEP ? (size_t)len : STEP;
		read_or_zeros(s->fd, s->step, part, at);
		crc = crc64_add(crc, s->step, part);
		at += part;
		len -= part;
	}
	return crc == want;
}

static enum wal_entry_state check_parts(struct scanner *s, uint64_t at,
					const struct wal_record_head *h)
{
	if (h->lsn <= s->trusted_lsn)
		return WAL_ENTRY_GOOD;
	at += WAL_RECORD_HEAD;
	if (!crc_matches(s, at, h->meta_len, h->meta_crc))
		return WAL_ENTRY_META_BAD;
	return crc_matches(s, at + h->meta_len, h->body_len, h->body_crc) ? WAL_ENTRY_GOOD
									  : WAL_ENTRY_BODY_BAD;
}

/* --- one file --- */

/* The first valid head at `at` or behind it; file->size when there is none. */
static uint64_t find_head(struct scanner *s, const struct wal_scan_file *file, uint64_t at,
			  struct wal_record_head *ret)
{
	/* Nearly always the next record is where the last one ended. */
	char head[WAL_RECORD_HEAD];
	read_or_zeros(s->fd, head, sizeof(head), at);
	if (wal_decode_record_head(head, file->sequence, ret) == 0 && ret->lsn > s->last_lsn)
		return at;
	while (at < file->size) {
		uint64_t left = file->size - at;
		size_t part = left < STEP ? (size_t)left : STEP;
		read_or_zeros(s->fd, s->step, part, at);
		size_t i = 0;
		for (; i + WAL_RECORD_HEAD <= part; i += WAL_ALIGN)
			if (wal_decode_record_head(s->step + i, file->sequence, ret) == 0 &&
			    ret->lsn > s->last_lsn)
				return at + i;
		if (part == left)
			break;
		at += i;
	}
	return file->size;
}

static int scan_records(struct scanner *s, size_t index)
{
	struct wal_scan_file *file = &s->log->files[index];
	uint64_t at = WAL_FILE_HEAD < file->size ? WAL_FILE_HEAD : file->size;
	if (!file->head_good) {
		int r = add_junk(s, index, 0, at);
		if (r < 0)
			return r;
	}
	file->records_end = at;
	while (at < file->size) {
		struct wal_entry e = {.file = index};
		e.at = find_head(s, file, at, &e.head);
		int r = add_junk(s, index, at, e.at);
		if (r < 0 || e.at == file->size)
			return r;
		e.state = check_parts(s, e.at, &e.head);
		r = add_entry(s, e);
		if (r < 0)
			return r;
		s->last_lsn = file->last_lsn = e.head.lsn;
		at = e.at + wal_record_size(&e.head);
		file->records_end = at < file->size ? at : file->size;
	}
	return 0;
}

static int open_file(const struct scanner *s, uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, sequence);
	int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int scan_file(struct scanner *s, size_t index)
{
	struct wal_scan_file *file = &s->log->files[index];
	s->fd = open_file(s, file->sequence);
	if (s->fd == -ENOENT || s->fd == -ELOOP)
		return 0;
	if (s->fd < 0)
		return s->fd;
	struct stat st;
	int r = fstat(s->fd, &st) < 0 ? -errno : 0;
	if (r == 0 && S_ISREG(st.st_mode)) {
		file->size = (uint64_t)st.st_size;
		char head[WAL_FILE_HEAD];
		read_or_zeros(s->fd, head, sizeof(head), 0);
		file->head_good = wal_decode_file_head(head, &file->head) == 0 &&
				  file->head.sequence == file->sequence;
		r = scan_records(s, index);
	}
	file_close(&s->fd);
	return r;
}

/* --- the directory --- */

static int by_sequence(const void *a, const void *b)
{
	const struct wal_scan_file *x = a, *y = b;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int list_files(struct scanner *s)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int r = -errno;
		file_close(&fd);
		return r;
	}
	int r = 0;
	errno = 0;
	for (struct dirent *e; r == 0 && (e = readdir(d)); errno = 0) {
		uint64_t sequence;
		if (wal_parse_name(span_of(e->d_name), &sequence) == 0)
			r = add_file(s, sequence);
	}
	if (r == 0)
		r = -errno;
	(void)closedir(d);
	if (s->log->n_files)
		qsort(s->log->files, s->log->n_files, sizeof(*s->log->files), by_sequence);
	return r;
}

int wal_scan(int dir, uint64_t trusted_lsn, struct wal_log *ret)
{
	struct wal_log log = {0};
	struct scanner s = {.dir = dir, .fd = -1, .trusted_lsn = trusted_lsn, .log = &log};
	s.step = malloc(STEP);
	int r = s.step ? list_files(&s) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < log.n_files; i++)
		r = scan_file(&s, i);
	free(s.step);
	if (r < 0) {
		wal_log_free(&log);
		return r;
	}
	*ret = log;
	return 0;
}

void wal_log_free(struct wal_log *log)
{
	free(log->files);
	free(log->entries);
	free(log->junk);
	*log = (struct wal_log){0};
}

static int read_part(int dir, const struct wal_log *log, const struct wal_entry *e, uint64_t at,
		     size_t len, struct buf *out)
{
	struct scanner s = {.dir = dir};
	s.fd = open_file(&s, log->files[e->file].sequence);
	if (s.fd < 0)
		return s.fd;
	int r = buf_reserve(out, len);
	if (r == 0) {
		read_or_zeros(s.fd, out->ptr + out->len, len, at);
		out->len += len;
	}
	file_close(&s.fd);
	return r;
}

int wal_read_meta(int dir, const struct wal_log *log, const struct wal_entry *e, struct buf *out)
{
	return read_part(dir, log, e, e->at + WAL_RECORD_HEAD, e->head.meta_len, out);
}

int wal_read_body(int dir, const struct wal_log *log, const struct wal_entry *e, struct buf *out)
{
	return read_part(dir, log, e, e->at + WAL_RECORD_HEAD + e->head.meta_len, e->head.body_len,
			 out);
}

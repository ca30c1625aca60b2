/* Reads the WAL: see wal_scan.h. Called once, by recovery.
 *
 * A file is walked record by record. Where no valid head stands, the next one is searched for at
 * every multiple of 8, and what lies between is junk; so one damaged record never hides those
 * behind it. A head is trusted by its checksum, which also covers the file's sequence number; its
 * lengths are then used to step over the record even if meta or body are damaged. LSNs must go up:
 * a record that does not is junk. Behind the last record a file may have room, zeros first and then
 * whatever (see wal.h), which is not counted as its own.
 *
 * An unreadable block (EIO) reads as zeros: then the checksums say which records it has hit. */
#include "collector/store/wal_scan.h"

#include "common/array.h"
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
	size_t mirrors_capacity;
	struct wal_entry *mirrored; /* what the mirrors have */
	size_t n_mirrored, mirrored_capacity;
	char *step; /* STEP bytes */
};

static int add_file(struct scanner *s, uint64_t sequence)
{
	struct wal_log *log = s->log;
	int r = array_room(&log->files, log->n_files, &s->files_capacity, sizeof(*log->files));
	if (r == 0)
		log->files[log->n_files++] = (struct wal_scan_file){.sequence = sequence};
	return r;
}

static int add_entry(struct scanner *s, struct wal_entry e)
{
	struct wal_log *log = s->log;
	int r = array_room(&log->entries, log->n_entries, &s->entries_capacity,
			   sizeof(*log->entries));
	if (r == 0)
		log->entries[log->n_entries++] = e;
	return r;
}

static int add_junk(struct scanner *s, size_t file, uint64_t from, uint64_t to)
{
	struct wal_log *log = s->log;
	if (from == to)
		return 0;
	int r = array_room(&log->junk, log->n_junk, &s->junk_capacity, sizeof(*log->junk));
	if (r == 0)
		log->junk[log->n_junk++] = (struct wal_junk){
			.file = file, .from = from, .to = to, .next_lsn = log->n_entries};
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

/* Behind the last record come zeros or the end of the file, unless it is torn or damaged. */
static bool is_room(struct scanner *s, uint64_t at)
{
	static const char zeros[WAL_RECORD_HEAD];
	char bytes[WAL_RECORD_HEAD];
	read_or_zeros(s->fd, bytes, sizeof(bytes), at);
	return memcmp(bytes, zeros, sizeof(zeros)) == 0;
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
	while (at < file->size) {
		struct wal_entry e = {.file = index};
		e.at = find_head(s, file, at, &e.head);
		if (e.at == file->size && is_room(s, at)) {
			file->size = at;
			return 0;
		}
		int r = add_junk(s, index, at, e.at);
		if (r < 0 || e.at == file->size)
			return r;
		e.state = check_parts(s, e.at, &e.head);
		r = add_entry(s, e);
		if (r < 0)
			return r;
		s->last_lsn = file->last_lsn = e.head.lsn;
		at = e.at + wal_record_size(&e.head);
	}
	return 0;
}

static int open_file(int dir, enum wal_kind kind, uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, kind, sequence);
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int scan_file(struct scanner *s, size_t index)
{
	struct wal_scan_file *file = &s->log->files[index];
	s->fd = open_file(s->dir, WAL_RECORDS, file->sequence);
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
		bool whole = wal_decode_file_head(head, &file->head) == 0;
		file->head_good = whole && file->head.sequence == file->sequence;
		size_t n_junk = s->log->n_junk;
		r = scan_records(s, index);
		bool other = whole && !file->head_good;
		if (r == 0 && file->last_lsn == 0 && (other || is_room(s, 0))) {
			/* It was made ready, and nothing has been written to it. */
			s->log->n_junk = n_junk;
			file->size = 0;
		}
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

static int add_mirror(struct scanner *s, uint64_t sequence)
{
	struct wal_log *log = s->log;
	int r = array_room(&log->mirrors, log->n_mirrors, &s->mirrors_capacity,
			   sizeof(*log->mirrors));
	if (r == 0)
		log->mirrors[log->n_mirrors++] = sequence;
	return r;
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
		enum wal_kind kind;
		uint64_t sequence;
		if (wal_parse_name(span_of(e->d_name), &kind, &sequence) < 0)
			continue;
		r = kind == WAL_RECORDS ? add_file(s, sequence) : add_mirror(s, sequence);
	}
	if (r == 0)
		r = -errno;
	(void)closedir(d);
	if (s->log->n_files)
		qsort(s->log->files, s->log->n_files, sizeof(*s->log->files), by_sequence);
	return r;
}

/* --- the mirrors --- */

/* As far as it goes: what comes behind damage to a mirror is not needed enough to search for it. */
static int read_mirror(struct scanner *s, uint64_t sequence)
{
	char head[WAL_RECORD_HEAD];
	struct wal_entry e = {.state = WAL_ENTRY_BODY_BAD,
			      .mirrored = true,
			      .mirror_sequence = sequence,
			      .mirror_at = WAL_FILE_HEAD};
	int r = 0;
	s->fd = open_file(s->dir, WAL_MIRROR, sequence);
	while (s->fd >= 0 && r == 0) {
		read_or_zeros(s->fd, head, sizeof(head), e.mirror_at);
		if (wal_decode_record_head(head, sequence, &e.head) < 0)
			break;
		bool needed = e.head.lsn > s->trusted_lsn;
		if (needed && crc_matches(s, e.mirror_at + WAL_RECORD_HEAD, e.head.meta_len,
					  e.head.meta_crc)) {
			r = array_room(&s->mirrored, s->n_mirrored, &s->mirrored_capacity,
				       sizeof(*s->mirrored));
			if (r == 0)
				s->mirrored[s->n_mirrored++] = e;
		}
		e.mirror_at += wal_mirror_size(&e.head);
	}
	file_close(&s->fd);
	return r;
}

static int by_lsn(const void *a, const void *b)
{
	const struct wal_entry *x = a, *y = b;
	return x->head.lsn < y->head.lsn ? -1 : x->head.lsn > y->head.lsn;
}

static struct wal_entry *find_mirrored(const struct scanner *s, uint64_t lsn)
{
	struct wal_entry key = {.head.lsn = lsn};
	return s->n_mirrored ? bsearch(&key, s->mirrored, s->n_mirrored, sizeof(key), by_lsn)
			     : NULL;
}

static int check_body(struct scanner *s, struct wal_entry *e)
{
	s->fd = open_file(s->dir, WAL_RECORDS, s->log->files[e->file].sequence);
	if (s->fd < 0)
		return s->fd;
	uint64_t at = e->at + WAL_RECORD_HEAD + e->head.meta_len;
	e->state = crc_matches(s, at, e->head.body_len, e->head.body_crc) ? WAL_ENTRY_GOOD
									  : WAL_ENTRY_BODY_BAD;
	file_close(&s->fd);
	return 0;
}

/* A record whose head is there, but not its meta. */
static int mend(struct scanner *s, struct wal_entry *e)
{
	const struct wal_entry *m = find_mirrored(s, e->head.lsn);
	if (!m || m->head.meta_crc != e->head.meta_crc || m->head.body_crc != e->head.body_crc)
		return 0;
	e->mirrored = true;
	e->mirror_sequence = m->mirror_sequence;
	e->mirror_at = m->mirror_at;
	return check_body(s, e);
}

/* The entries that only the mirrors have, put in between. */
static int fill_holes(struct scanner *s)
{
	struct wal_log *log = s->log;
	size_t n = log->n_entries;
	for (size_t i = 0; i < s->n_mirrored; i++) {
		struct wal_entry *m = &s->mirrored[i];
		bool twice = i && s->mirrored[i - 1].head.lsn == m->head.lsn;
		if (twice || (n && bsearch(m, log->entries, n, sizeof(*m), by_lsn)))
			continue;
		/* The file that it was in, or would follow: what is cut there is cut here. */
		while (m->file + 1 < log->n_files &&
		       log->files[m->file].sequence < m->mirror_sequence)
			m->file++;
		int r = add_entry(s, *m);
		if (r < 0)
			return r;
	}
	if (log->n_entries > n)
		qsort(log->entries, log->n_entries, sizeof(*log->entries), by_lsn);
	return 0;
}

static int use_mirrors(struct scanner *s)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < s->log->n_mirrors; i++)
		r = read_mirror(s, s->log->mirrors[i]);
	if (s->n_mirrored)
		qsort(s->mirrored, s->n_mirrored, sizeof(*s->mirrored), by_lsn);
	for (size_t i = 0; r == 0 && i < s->log->n_entries; i++)
		if (s->log->entries[i].state == WAL_ENTRY_META_BAD)
			r = mend(s, &s->log->entries[i]);
	return r == 0 ? fill_holes(s) : r;
}

/* Junk was noted with the index of the entry behind it; indices change, LSNs do not. */
static void name_junk(struct wal_log *log)
{
	for (size_t i = 0; i < log->n_junk; i++) {
		uint64_t index = log->junk[i].next_lsn;
		log->junk[i].next_lsn =
			index < log->n_entries ? log->entries[index].head.lsn : UINT64_MAX;
	}
}

int wal_scan(int dir, uint64_t trusted_lsn, struct wal_log *ret)
{
	struct wal_log log = {0};
	struct scanner s = {.dir = dir, .fd = -1, .trusted_lsn = trusted_lsn, .log = &log};
	s.step = malloc(STEP);
	int r = s.step ? list_files(&s) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < log.n_files; i++)
		r = scan_file(&s, i);
	name_junk(&log);
	if (r == 0)
		r = use_mirrors(&s);
	free(s.step);
	free(s.mirrored);
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
	free(log->mirrors);
	*log = (struct wal_log){0};
}

static int cut_mirror(int fd, uint64_t sequence, uint64_t lsn)
{
	char bytes[WAL_RECORD_HEAD];
	struct wal_record_head head;
	uint64_t at = WAL_FILE_HEAD;
	for (;; at += wal_mirror_size(&head)) {
		read_or_zeros(fd, bytes, sizeof(bytes), at);
		if (wal_decode_record_head(bytes, sequence, &head) < 0)
			return 0;
		if (head.lsn > lsn)
			break;
	}
	return ftruncate(fd, (off_t)at) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int wal_cut_mirrors(int dir, const struct wal_log *log, uint64_t lsn)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < log->n_mirrors; i++) {
		char name[WAL_NAME_LEN + 1];
		wal_format_name(name, WAL_MIRROR, log->mirrors[i]);
		int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0 && errno != ENOENT && errno != ELOOP)
			return -errno;
		r = fd < 0 ? 0 : cut_mirror(fd, log->mirrors[i], lsn);
		file_close(&fd);
	}
	return r;
}

static int read_part(int dir, enum wal_kind kind, uint64_t sequence, uint64_t at, size_t len,
		     struct buf *out)
{
	if (len == 0)
		return 0;
	int fd = open_file(dir, kind, sequence);
	if (fd < 0)
		return fd;
	int r = buf_reserve(out, len);
	if (r == 0) {
		read_or_zeros(fd, out->ptr + out->len, len, at);
		out->len += len;
	}
	file_close(&fd);
	return r;
}

int wal_read_meta(int dir, const struct wal_log *log, const struct wal_entry *e, struct buf *out)
{
	enum wal_kind kind = e->mirrored ? WAL_MIRROR : WAL_RECORDS;
	uint64_t sequence = e->mirrored ? e->mirror_sequence : log->files[e->file].sequence;
	uint64_t at = e->mirrored ? e->mirror_at : e->at;
	return read_part(dir, kind, sequence, at + WAL_RECORD_HEAD, e->head.meta_len, out);
}

int wal_read_body(int dir, const struct wal_log *log, const struct wal_entry *e, struct buf *out)
{
	return read_part(dir, WAL_RECORDS, log->files[e->file].sequence,
			 e->at + WAL_RECORD_HEAD + e->head.meta_len, e->head.body_len, out);
}

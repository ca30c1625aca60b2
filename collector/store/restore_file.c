/* The files of segments as recovery finds them: see restore_file.h. restore.c and its parts call
 * it.
 *
 * Which file is which. A segment's closed name (HOST.0001.log) says its number; the live name does
 * not. Segments of a shard are looked at from the oldest on: one that is not the newest belongs
 * under its closed name, and when it is not there, the file under the live name is it, and the
 * rename that a crash cut short is made up for. (The next one is made only after that rename.) An
 * inode that the ledger knows decides; where the tree was copied from somewhere else, so that
 * inodes mean nothing, length and checksum do. */
#include "collector/store/restore_file.h"

#include "common/crc64.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { OPEN_MAX = 256, STEP = 1 << 16 };

struct key {
	const struct shard *shard;
	uint32_t number;
};

static bool has_key(const void *entry, const void *key)
{
	const struct restore_file *f = entry;
	const struct key *k = key;
	return f->segment->shard == k->shard && f->segment->number == k->number;
}

static uint64_t hash_of(const struct restore *r, const struct key *k)
{
	char bytes[sizeof(k->shard) + sizeof(k->number)];
	memcpy(bytes, &k->shard, sizeof(k->shard));
	memcpy(bytes + sizeof(k->shard), &k->number, sizeof(k->number));
	return map_hash(&r->files, span_make(bytes, sizeof(bytes)));
}

void restore_init(struct restore *r, struct store *s)
{
	*r = (struct restore){.s = s, .waiting = {.fd = -1}};
	map_init(&r->files, has_key);
}

void restore_file_close(struct restore *r, struct restore_file *f)
{
	if (f->fd >= 0)
		r->n_open--;
	file_close(&f->fd);
}

void restore_free(struct restore *r)
{
	size_t cursor = 0;
	for (struct restore_file *f; (f = map_next(&r->files, &cursor));) {
		restore_file_close(r, f);
		segment_free(f->segment);
		free(f);
	}
	map_free(&r->files);
	free(r->sorted);
	waiting_close(&r->waiting);
}

struct restore_file *restore_file_get(struct restore *r, struct shard *shard, uint32_t number)
{
	struct key k = {.shard = shard, .number = number};
	uint64_t hash = hash_of(r, &k);
	struct restore_file *f = map_find(&r->files, hash, &k);
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	struct segment *segment = f ? segment_new(shard, number) : NULL;
	if (!segment) {
		free(f);
		return NULL;
	}
	f->segment = segment;
	f->fd = -1;
	f->blocked = shard->blocked;
	if (map_add(&r->files, hash, f) < 0) {
		segment_free(segment);
		free(f);
		return NULL;
	}
	if (number > shard->last_number)
		shard->last_number = number;
	return f;
}

int restore_file_block(struct restore *r, struct restore_file *f, const struct blocked_place *place)
{
	f->blocked = f->segment->shard->blocked = true;
	return blocked_add(&r->s->blocked, place);
}

/* --- one file --- */

bool restore_file_is_newest(const struct restore_file *f)
{
	return f->segment->number == f->segment->shard->next.number;
}

void restore_file_path(const struct restore_file *f, bool closed, char path[SEGMENT_PATH_MAX])
{
	struct segment_name name =
		shard_segment_name(f->segment->shard, closed ? f->segment->number : 0);
	segment_name_path(path, &name);
}

int restore_file_open(struct restore *r, struct restore_file *f, int flags)
{
	if (f->fd >= 0)
		return 0;
	if (r->n_open >= OPEN_MAX)
		for (size_t i = 0; i < r->n_sorted; i++)
			restore_file_close(r, r->sorted[i]);
	char path[SEGMENT_PATH_MAX];
	restore_file_path(f, f->closed, path);
	int fd = tree_open_file(&r->s->tree, path, O_RDWR | flags);
	if (fd < 0)
		return fd;
	f->fd = fd;
	r->n_open++;
	return 0;
}

/* The checksum of the first `length` bytes; those before them must be there. */
int restore_file_sum(struct restore *r, struct restore_file *f, uint64_t from, uint64_t to,
		     uint64_t *crc, uint64_t *lines, char *last)
{
	int e = restore_file_open(r, f, 0);
	char step[STEP];
	while (e == 0 && from < to) {
		size_t want = to - from < STEP ? (size_t)(to - from) : STEP;
		ssize_t n = file_pread_full(f->fd, step, want, from);
		if (n < 0 || (size_t)n != want)
			return n < 0 ? (int)n : -EIO;
		*crc = crc64_add(*crc, step, want);
		for (const char *at = step; (at = memchr(at, '\n', (size_t)(step + want - at)));
		     at++)
			++*lines;
		*last = step[want - 1];
		from += want;
	}
	return e;
}

/* The ledger knows another inode: a copy of the tree, or somebody else's file? */
static bool has_our_bytes(struct restore *r, struct restore_file *f, uint64_t size)
{
	const struct segment *s = f->segment;
	if (size < s->length)
		return false;
	if (!s->crc_known)
		return true;
	uint64_t crc = CRC64_EMPTY, lines = 0;
	char last;
	bool ours = restore_file_sum(r, f, 0, s->length, &crc, &lines, &last) == 0 && crc == s->crc;
	restore_file_close(r, f);
	return ours;
}

/* Takes the file under this name if it is the segment's. */
static int try_name(struct restore *r, struct restore_file *f, bool closed)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	restore_file_path(f, closed, path);
	int e = tree_stat(&r->s->tree, path, &st);
	if (e < 0)
		return e == -ENOENT || e == -ENOTDIR ? 0 : e;
	if (!S_ISREG(st.st_mode))
		return 0;
	f->closed = closed;
	if (f->known && st.st_ino != f->segment->inode &&
	    !has_our_bytes(r, f, (uint64_t)st.st_size))
		return 0;
	f->touched |= f->known && st.st_ino != f->segment->inode;
	f->present = true;
	f->segment->inode = st.st_ino;
	f->size = (uint64_t)st.st_size;
	return 0;
}

int restore_file_retire(struct restore *r, struct restore_file *f)
{
	restore_file_close(r, f);
	int e = segment_retire(&r->s->tree, f->segment);
	if (e == 0) {
		f->closed = f->touched = true;
		r->s->appender.names_changed = true;
	}
	return e;
}

/* A segment is sealed when no record is ever to be written to it any more; that records of it are
 * left and read again is no reason to make its file anew. */
static bool is_sealed(const struct restore *r, const struct restore_file *f)
{
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP};
	struct segment_name name = shard_segment_name(f->segment->shard, f->segment->number);
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		name.form = forms[i];
		segment_name_path(path, &name);
		if (tree_stat(&r->s->tree, path, &st) == 0 && S_ISREG(st.st_mode))
			return true;
	}
	return false;
}

int restore_file_find(struct restore *r, struct restore_file *f)
{
	int e = try_name(r, f, true);
	f->sealed = e == 0 && !f->present && is_sealed(r, f);
	if (f->sealed)
		return 0;
	if (e == 0 && !f->present && !f->gone)
		e = try_name(r, f, false);
	if (e == 0 && f->present && !f->closed && !restore_file_is_newest(f))
		e = restore_file_retire(r, f);
	return e;
}

struct restore_file *restore_file_at(struct restore *r, struct span service, struct span host,
				     const struct walrecord_lines *lines, struct place *ret)
{
	struct shard *shard = shards_get(&r->s->shards, lines->day, service, host);
	if (!shard)
		return NULL;
	*ret = shard_resolve(shard, lines->place);
	return restore_file_get(r, shard, ret->number);
}

/* --- all of them --- */

static int by_number(const void *a, const void *b)
{
	const struct segment *x = (*(struct restore_file *const *)a)->segment;
	const struct segment *y = (*(struct restore_file *const *)b)->segment;
	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int restore_files_sort(struct restore *r)
{
	struct restore_file **sorted = realloc(r->sorted, (r->files.count + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	r->sorted = sorted;
	r->n_sorted = 0;
	size_t cursor = 0;
	for (struct restore_file *f; (f = map_next(&r->files, &cursor));)
		sorted[r->n_sorted++] = f;
	if (r->n_sorted)
		qsort(sorted, r->n_sorted, sizeof(struct restore_file *), by_number);
	return 0;
}

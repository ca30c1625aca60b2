/* The log's files: see wal_files.h. The writer (wal.c) takes them, the checkpoint drops them, and a
 * thread makes them ready as soon as the log is used in earnest: at first two, more when the writer
 * has found none.
 *
 *     made ready -> current -> old -> needed no more -> removed, or made ready again under the next number
 *
 * A file has its name, and the directory is synced, before a record is written to it: in a file
 * that a crash takes out of its directory a record would be durable for nothing.
 *
 * What can go wrong:
 *   no file can be made       the writer goes on in the one at hand, which grows
 *   the disk is low           nothing is made ready, nothing is kept for its room
 *   a crash                   files that were ready are empty, or zeros, or begin with the head of the file that they
 *                             were: recovery sees that nothing was written to them (wal_scan.c) */
#include "collector/store/wal_files.h"

#include "collector/store/io.h"
#include "collector/store/wal_format.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READY_FIRST = 2, READY_MAX = 4, OLD_FIRST = 64, ZEROS = 4 * WAL_BLOCK };

/* Of what is needed no more, so much is kept for its room. */
#define SPARE_BYTES (UINT64_C(128) << 20)
enum { SPARES_MAX = 16 };

/* From this part of a full file on the log is taken to be in use. */
enum { USED_PART = 256 };

/* Until it is tried again after it has failed. */
static const int64_t PAUSE_NS = NUM_SEC_NS;

static _Alignas(WAL_BLOCK) const char zeros[ZEROS];

/* A file that is written to no more. */
struct old_file {
	uint64_t sequence, last_lsn, size;
};

struct wal_files {
	int dir;
	struct room *room;
	uint64_t file_bytes;
	pthread_t thread;

	/* Held while files are made or removed, so that one thread at a time takes from the front
	 * of `old`. Before `lock`. */
	pthread_mutex_t making;
	uint64_t next_sequence;

	pthread_mutex_t lock; /* guards what follows; never held over a system call that may wait */
	pthread_cond_t wanted; /* for the thread */
	struct wal_file ready[READY_MAX];
	size_t n_ready, want; /* want 0: there is no thread yet */
	struct old_file *old; /* the oldest first */
	size_t n_old, old_capacity;
	size_t n_spares; /* the first so many are there for their room only */
	uint64_t current_size;
	bool stop;
};

/* --- one file --- */

void wal_file_close(struct wal_file *f)
{
	file_close(&f->fd);
	file_close(&f->mirror);
}

/* Zeros from `at` on. Returns where they end. */
static uint64_t write_zeros(int fd, uint64_t at, uint64_t to)
{
	struct iovec vector[64];
	int r = 0;
	while (r == 0 && at < to) {
		struct iovec *iov = vector;
		size_t n = 0;
		for (uint64_t left = to - at; left && n < sizeof(vector) / sizeof(vector[0]); n++) {
			size_t len = left < ZEROS ? (size_t)left : ZEROS;
			vector[n] = (struct iovec){.iov_base = (char *)zeros, .iov_len = len};
			left -= len;
		}
		r = io_pwritev(fd, &iov, &n, at, &at);
	}
	return at;
}

static uint64_t whole_blocks(uint64_t bytes)
{
	return bytes / WAL_BLOCK * WAL_BLOCK;
}

/* Blocks that were only reserved would not do: that they are written is for the journal to note. */
void wal_file_grow(struct wal_file *f, uint64_t bytes)
{
	uint64_t to = whole_blocks(f->end + bytes + WAL_BLOCK - 1);
	f->room = whole_blocks(write_zeros(f->fd, f->end, to));
}

static int make_name(const struct wal_files *f, enum wal_kind kind, uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, kind, sequence);
	int fd = openat(f->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	return fd < 0 ? -errno : fd;
}

static int remove_name(const struct wal_files *f, enum wal_kind kind, uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, kind, sequence);
	return unlinkat(f->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_names(const struct wal_files *f, uint64_t sequence)
{
	int r = remove_name(f, WAL_RECORDS, sequence);
	return r == 0 ? remove_name(f, WAL_MIRROR, sequence) : r;
}

static void discard(const struct wal_files *f, struct wal_file *file)
{
	wal_file_close(file);
	(void)!remove_names(f, file->sequence);
}

/* --- old files --- */

/* With the lock held. */
static int add_old(struct wal_files *f, struct old_file file)
{
	if (f->n_old == f->old_capacity) {
		size_t capacity = f->old_capacity ? f->old_capacity * 2 : OLD_FIRST;
		struct old_file *old = realloc(f->old, capacity * sizeof(*old));
		if (!old)
			return -ENOMEM;
		f->old = old;
		f->old_capacity = capacity;
	}
	f->old[f->n_old++] = file;
	return 0;
}

/* The first spare one, whether to keep it or not; false: there is none. */
static bool first_spare(struct wal_files *f, bool reuse, struct old_file *ret, bool *ret_keep)
{
	(void)pthread_mutex_lock(&f->lock);
	bool any = f->n_spares > 0;
	uint64_t bytes = 0;
	for (size_t i = 0; i < f->n_spares; i++)
		bytes += f->old[i].size;
	if (any)
		*ret = f->old[0];
	*ret_keep = reuse && any && ret->size && bytes <= SPARE_BYTES && f->n_spares <= SPARES_MAX;
	(void)pthread_mutex_unlock(&f->lock);
	return any;
}

static void forget_spare(struct wal_files *f)
{
	(void)pthread_mutex_lock(&f->lock);
	f->n_spares--;
	f->n_old--;
	memmove(f->old, f->old + 1, f->n_old * sizeof(*f->old));
	(void)pthread_mutex_unlock(&f->lock);
}

int wal_files_keep(struct wal_files *f, uint64_t sequence, uint64_t last_lsn, uint64_t size)
{
	(void)pthread_mutex_lock(&f->lock);
	int r = add_old(
		f, (struct old_file){.sequence = sequence, .last_lsn = last_lsn, .size = size});
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

int wal_files_drop(struct wal_files *f, uint64_t lsn, bool reuse)
{
	struct old_file first;
	bool keep;
	int r = 0;
	(void)pthread_mutex_lock(&f->making);
	(void)pthread_mutex_lock(&f->lock);
	while (f->n_spares < f->n_old && f->old[f->n_spares].last_lsn <= lsn)
		f->n_spares++;
	(void)pthread_mutex_unlock(&f->lock);
	while (r == 0 && first_spare(f, reuse, &first, &keep) && !keep) {
		r = remove_names(f, first.sequence);
		if (r == 0)
			forget_spare(f);
	}
	(void)pthread_mutex_unlock(&f->making);
	return r;
}

uint64_t wal_files_count(struct wal_files *f)
{
	(void)pthread_mutex_lock(&f->lock);
	uint64_t n = f->n_old - f->n_spares + (f->current_size ? 1 : 0);
	(void)pthread_mutex_unlock(&f->lock);
	return n;
}

uint64_t wal_files_bytes(struct wal_files *f)
{
	(void)pthread_mutex_lock(&f->lock);
	uint64_t n = f->current_size;
	for (size_t i = f->n_spares; i < f->n_old; i++)
		n += f->old[i].size;
	(void)pthread_mutex_unlock(&f->lock);
	return n;
}

/* --- making ready --- */

/* An old file under a new number. -ENOENT: it has gone. */
static int take_over(const struct wal_files *f, uint64_t from, uint64_t sequence,
		     uint64_t *ret_room)
{
	char old_name[WAL_NAME_LEN + 1], name[WAL_NAME_LEN + 1];
	wal_format_name(old_name, WAL_RECORDS, from);
	wal_format_name(name, WAL_RECORDS, sequence);
	int fd = openat(f->dir, old_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	struct stat st;
	if (fstat(fd, &st) < 0 || renameat2(f->dir, old_name, f->dir, name, RENAME_NOREPLACE) < 0) {
		int r = -errno;
		file_close(&fd);
		return r;
	}
	*ret_room = whole_blocks((uint64_t)st.st_size);
	return fd;
}

/* A descriptor; -ENOENT: there is none. */
static int take_spare(struct wal_files *f, uint64_t sequence, uint64_t *ret_room)
{
	struct old_file first;
	bool keep;
	int fd = -ENOENT;
	while (fd == -ENOENT && first_spare(f, true, &first, &keep)) {
		fd = take_over(f, first.sequence, sequence, ret_room);
		if (fd >= 0 || fd == -ENOENT) {
			(void)!remove_name(f, WAL_MIRROR, first.sequence);
			forget_spare(f);
		}
	}
	return fd;
}

/* Past the page cache where the file system can: that is half of the work, and takes no memory. */
static uint64_t write_zeros_direct(int fd, uint64_t at, uint64_t to)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0) {
		at = write_zeros(fd, at, to);
		(void)fcntl(fd, F_SETFL, flags);
	}
	return at < to ? write_zeros(fd, at, to) : at;
}

/* Sees to it that all its room is written. */
static int fill(struct wal_file *file, uint64_t bytes)
{
	if (file->room >= bytes)
		return 0;
	if (write_zeros_direct(file->fd, file->room, bytes) < bytes)
		return -ENOSPC;
	file->room = bytes;
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

static int make_file(struct wal_files *f, uint64_t bytes, struct wal_file *ret)
{
	struct wal_file file = {.sequence = f->next_sequence++};
	file.mirror = make_name(f, WAL_MIRROR, file.sequence);
	file.fd = take_spare(f, file.sequence, &file.room);
	if (file.fd < 0)
		file.fd = make_name(f, WAL_RECORDS, file.sequence);
	int r = file.fd < 0 ? file.fd : fill(&file, bytes);
	if (r < 0) {
		discard(f, &file);
		return r;
	}
	*ret = file;
	return 0;
}

/* Makes so many, with so much room. With `making` held. */
static int make_ready(struct wal_files *f, size_t n, uint64_t bytes)
{
	struct wal_file made[READY_MAX];
	size_t n_made = 0;
	int r = 0;
	while (n_made < n && (r = make_file(f, bytes, &made[n_made])) == 0)
		n_made++;
	int synced = n_made ? file_sync_dir(f->dir, ".") : r;
	if (synced < 0) {
		while (n_made)
			discard(f, &made[--n_made]);
		return synced;
	}
	(void)pthread_mutex_lock(&f->lock);
	memcpy(f->ready + f->n_ready, made, n_made * sizeof(*made));
	f->n_ready += n_made;
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

/* How many are missing, when the disk has room for them. */
static size_t missing(struct wal_files *f, size_t want)
{
	(void)pthread_mutex_lock(&f->lock);
	size_t n = f->n_ready < want ? want - f->n_ready : 0;
	(void)pthread_mutex_unlock(&f->lock);
	return n;
}

int wal_files_prepare(struct wal_files *f)
{
	(void)pthread_mutex_lock(&f->lock);
	bool others = f->want > 0;
	(void)pthread_mutex_unlock(&f->lock);
	if (others)
		return 0;
	(void)pthread_mutex_lock(&f->making);
	int r = missing(f, 1) ? make_ready(f, 1, 0) : 0;
	(void)pthread_mutex_unlock(&f->making);
	return r;
}

/* --- the thread --- */

/* With the lock held: until there is something to do, or for a while. */
static void wait_wanted(struct wal_files *f, bool failed)
{
	int64_t at = clock_mono_ns() + PAUSE_NS;
	struct timespec until = {.tv_sec = at / NUM_SEC_NS, .tv_nsec = at % NUM_SEC_NS};
	if (failed && !f->stop)
		(void)pthread_cond_timedwait(&f->wanted, &f->lock, &until);
	while (!f->stop && f->n_ready >= f->want)
		(void)pthread_cond_wait(&f->wanted, &f->lock);
}

static void *run(void *arg)
{
	struct wal_files *f = arg;
	bool failed = false;
	(void)pthread_setname_np(pthread_self(), "wal-files");
	(void)pthread_mutex_lock(&f->lock);
	while (!f->stop) {
		size_t want = f->want;
		(void)pthread_mutex_unlock(&f->lock);
		failed = room_check(f->room, READY_MAX * f->file_bytes + SPARE_BYTES) < 0;
		if (!failed) {
			(void)pthread_mutex_lock(&f->making);
			failed = make_ready(f, missing(f, want), f->file_bytes) < 0;
			(void)pthread_mutex_unlock(&f->making);
		}
		(void)pthread_mutex_lock(&f->lock);
		wait_wanted(f, failed);
	}
	(void)pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* --- the writer's --- */

void wal_files_note(struct wal_files *f, uint64_t size)
{
	(void)pthread_mutex_lock(&f->lock);
	f->current_size = size;
	if (f->want == 0 && size >= f->file_bytes / USED_PART &&
	    pthread_create(&f->thread, NULL, run, f) == 0)
		f->want = READY_FIRST;
	(void)pthread_mutex_unlock(&f->lock);
}

/* With the lock held: takes the first that is ready from the list. */
static struct wal_file take_ready(struct wal_files *f)
{
	struct wal_file first = f->ready[0];
	f->n_ready--;
	memmove(f->ready, f->ready + 1, f->n_ready * sizeof(*f->ready));
	return first;
}

/* With the lock held: those that are too small are passed over, for the numbers go up. */
static bool find_ready(struct wal_files *f, uint64_t need, uint64_t last_lsn)
{
	while (f->n_ready > 1 && f->ready[0].room < need) {
		struct old_file unused = {.sequence = f->ready[0].sequence, .last_lsn = last_lsn};
		if (add_old(f, unused) < 0)
			return false;
		struct wal_file first = take_ready(f);
		wal_file_close(&first);
	}
	return f->n_ready && f->ready[0].room >= need;
}

bool wal_files_next(struct wal_files *f, uint64_t need, uint64_t last_lsn, struct wal_file *file)
{
	struct old_file old = {.sequence = file->sequence, .last_lsn = last_lsn, .size = file->end};
	(void)pthread_mutex_lock(&f->lock);
	bool found = find_ready(f, need, last_lsn);
	if (!found && f->want && need && need <= f->file_bytes)
		f->want = f->want * 2 < READY_MAX ? f->want * 2 : READY_MAX;
	found = found && (file->fd < 0 || add_old(f, old) == 0);
	struct wal_file next = found ? take_ready(f) : (struct wal_file){.fd = -1, .mirror = -1};
	if (found)
		f->current_size = 0;
	(void)pthread_cond_signal(&f->wanted);
	(void)pthread_mutex_unlock(&f->lock);
	if (found) {
		wal_file_close(file);
		*file = next;
	}
	return found;
}

/* --- all of them --- */

int wal_files_open(int dir, struct room *room, uint64_t file_bytes, uint64_t sequence,
		   struct wal_files **ret)
{
	struct wal_files *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->dir = dir;
	f->room = room;
	f->file_bytes = whole_blocks(file_bytes);
	f->next_sequence = sequence;
	(void)pthread_mutex_init(&f->making, NULL);
	(void)pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&f->wanted, &attr);
	(void)pthread_condattr_destroy(&attr);
	*ret = f;
	return 0;
}

void wal_files_close(struct wal_files *f)
{
	if (!f)
		return;
	(void)pthread_mutex_lock(&f->lock);
	bool runs = f->want > 0;
	f->stop = true;
	(void)pthread_cond_signal(&f->wanted);
	(void)pthread_mutex_unlock(&f->lock);
	if (runs)
		(void)pthread_join(f->thread, NULL);
	for (size_t i = 0; i < f->n_ready; i++)
		discard(f, &f->ready[i]);
	(void)pthread_cond_destroy(&f->wanted);
	(void)pthread_mutex_destroy(&f->lock);
	(void)pthread_mutex_destroy(&f->making);
	free(f->old);
	free(f);
}

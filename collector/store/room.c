/* Room on the disk: see room.h. Admission asks before a body is received, the checkpoint sees to
 * the ballast, whoever meets ENOSPC gives it up. */
#include "collector/store/room.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BALLAST TREE_HAUL "/ballast"

/* The file system is asked again after so long. */
#define FRESH_NS (100 * NUM_MS_NS)

/* Kept free even with min_free = 0: the ledger, its journal and the names of files need some. */
#define FLOOR_MAX       (UINT64_C(16) << 20)
#define FLOOR_DIVISOR   64
#define BALLAST_MAX     (UINT64_C(64) << 20)
#define BALLAST_DIVISOR 128

enum { STEP = 1 << 16 };

void room_init(struct room *r, const struct tree *tree, struct conf_amount min_free)
{
	*r = (struct room){.tree = tree, .min_free = min_free};
	(void)pthread_mutex_init(&r->lock, NULL);
}

void room_destroy(struct room *r)
{
	(void)pthread_mutex_destroy(&r->lock);
}

/* With the lock held. */
static int ask(struct room *r)
{
	int64_t now_ns = clock_mono_ns();
	if (r->total_bytes && now_ns - r->asked_mono_ns < FRESH_NS)
		return 0;
	struct statvfs st;
	if (fstatvfs(r->tree->root, &st) < 0)
		return -errno;
	r->free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	r->total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
	r->asked_mono_ns = now_ns;
	return 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t keep_free(const struct room *r)
{
	uint64_t floor = least(FLOOR_MAX, r->total_bytes / FLOOR_DIVISOR);
	uint64_t keep = r->min_free.is_percent ? r->total_bytes / 100 * r->min_free.value
					       : r->min_free.value;
	return keep > floor ? keep : floor;
}

int room_check(struct room *r, uint64_t bytes)
{
	(void)pthread_mutex_lock(&r->lock);
	int result = ask(r);
	uint64_t need;
	if (result == 0 && (!num_add_u64(bytes, r->promised, &need) ||
			    !num_add_u64(need, keep_free(r), &need) || need > r->free_bytes))
		result = -ENOSPC;
	(void)pthread_mutex_unlock(&r->lock);
	return result;
}

void room_promise(struct room *r, uint64_t bytes)
{
	(void)pthread_mutex_lock(&r->lock);
	r->promised += bytes;
	(void)pthread_mutex_unlock(&r->lock);
}

void room_fulfil(struct room *r, uint64_t bytes)
{
	(void)pthread_mutex_lock(&r->lock);
	r->promised -= bytes;
	/* Written, but what the file system said is from before. */
	r->free_bytes -= least(bytes, r->free_bytes);
	(void)pthread_mutex_unlock(&r->lock);
}

void room_figures(struct room *r, uint64_t *ret_free, uint64_t *ret_total, uint64_t *ret_reserve)
{
	(void)pthread_mutex_lock(&r->lock);
	(void)!ask(r);
	*ret_free = r->free_bytes;
	*ret_total = r->total_bytes;
	*ret_reserve = keep_free(r);
	(void)pthread_mutex_unlock(&r->lock);
}

/* --- ballast --- */

bool room_drop_ballast(const struct tree *t)
{
	return tree_remove(t, BALLAST) == 0;
}

/* Where blocks cannot be reserved they are written, with noise: zeros may be kept as holes. */
static int write_noise(int fd, uint64_t size)
{
	char step[STEP];
	uint64_t noise = UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < sizeof(step); i++) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		step[i] = (char)noise;
	}
	for (uint64_t at = 0; at < size; at += sizeof(step)) {
		int r = file_pwrite_all(fd, span_make(step, sizeof(step)), at);
		if (r < 0)
			return r;
	}
	return 0;
}

static int fill(int fd, uint64_t size)
{
	while (fallocate(fd, 0, 0, (off_t)size) < 0)
		if (errno != EINTR)
			return errno == EOPNOTSUPP ? write_noise(fd, size) : -errno;
	return 0;
}

void room_make_ballast(struct room *r)
{
	uint64_t free_bytes, total_bytes, reserve_bytes;
	room_figures(r, &free_bytes, &total_bytes, &reserve_bytes);
	uint64_t size = least(BALLAST_MAX, total_bytes / BALLAST_DIVISOR);
	struct stat st;
	if (size < STEP || tree_stat(r->tree, BALLAST, &st) != -ENOENT || room_check(r, size) < 0)
		return;
	int fd = tree_open_file(r->tree, BALLAST, O_WRONLY | O_CREAT | O_EXCL);
	if (fd >= 0 && fill(fd, size) < 0)
		(void)room_drop_ballast(r->tree);
	file_close(&fd);
}

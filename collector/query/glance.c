/* A first look at a plain file: see glance.h. Called by the reader of plain files before it copies
 * a window.
 *
 * Mapped bytes are searched for strings and for line ends, here and nowhere else; lines that may be
 * wanted are then read, so that everybody else works on a copy that stays as it is. A map of a file
 * that is cut short raises SIGBUS where there is nothing any more, and so does a bad disk: then
 * zeros take the place of what is missing, and what this look has found is not believed; who reads
 * will see what is the matter.
 *
 * Only what is in the page cache is mapped: what is not comes faster by reading, which reads
 * ahead. */
#include "collector/query/glance.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

/* So much is searched at a time: with several strings each of them goes over bytes that the
 * processor has at hand. */
enum { STEP = 128 * 1024 };

/* --- what is not there any more --- */

static _Thread_local struct glance *volatile looking;

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	struct glance *g = looking;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)info->si_addr / page * page;
	uintptr_t start = g ? (uintptr_t)g->map : 0;
	uintptr_t end = g ? start + (uintptr_t)(g->end - g->at) : 0;
	(void)context;
	if (at < start || at >= end ||
	    mmap((void *)at, end - at, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    MAP_FAILED) {
		const struct sigaction usual = {.sa_handler = SIG_DFL};
		(void)sigaction(signal, &usual, NULL); /* the access is tried again */
		return;
	}
	g->cut = true;
}

static void catch_bus_errors(void)
{
	const struct sigaction catch = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	(void)sigaction(SIGBUS, &catch, NULL);
}

/* --- the map --- */

static bool is_in_memory(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static bool is_cached(int fd, uint64_t at)
{
	char byte;
	struct iovec one = {&byte, sizeof(byte)};
	if (preadv2(fd, &one, 1, (off_t)at, RWF_NOWAIT) == 1)
		return true;
	return errno == EOPNOTSUPP && is_in_memory(fd);
}

void glance_end(struct glance *g)
{
	if (g->map)
		(void)munmap(g->map, (size_t)(g->end - g->at));
	*g = (struct glance){0};
}

static void map_from(struct glance *g, int fd, uint64_t from, uint64_t to)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	glance_end(g);
	g->at = from / page * page;
	g->end = to - g->at < GLANCE_MAP ? to : g->at + GLANCE_MAP;
	if (!is_cached(fd, from) || !is_cached(fd, g->end - 1))
		return;
	pthread_once(&once, catch_bus_errors);
	void *map = mmap(NULL, (size_t)(g->end - g->at), PROT_READ, MAP_SHARED, fd, (off_t)g->at);
	if (map != MAP_FAILED)
		g->map = map;
}

/* --- the look --- */

/* How many bytes of whole lines there are before the first that has one of the strings. */
static size_t lines_without(const struct finder *strings, struct span bytes, bool *ret_hit)
{
	struct finder_walk walk;
	finder_walk_start(&walk, strings, bytes);
	const char *hit = finder_walk_next(&walk, bytes.ptr);
	size_t len = hit ? (size_t)(hit - bytes.ptr) : bytes.len;
	const char *last = len ? memrchr(bytes.ptr, '\n', len) : NULL;
	*ret_hit = hit;
	return last ? (size_t)(last + 1 - bytes.ptr) : 0;
}

/* In what is mapped. */
static uint64_t pass_map(struct glance *g, const struct finder *strings, uint64_t from,
			 bool *ret_hit)
{
	uint64_t at = from;
	size_t len;
	looking = g;
	do {
		struct span rest = span_make(g->map + (at - g->at), (size_t)(g->end - at));
		len = lines_without(strings, span_first(rest, rest.len < STEP ? rest.len : STEP),
				    ret_hit);
		at += len;
	} while (len && !*ret_hit && at < g->end);
	looking = NULL;
	return g->cut ? from : at;
}

uint64_t glance_pass(struct glance *g, int fd, const struct finder *strings, uint64_t from,
		     uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	bool hit = false;
	while (from < to && !hit) {
		if (from < g->at || from >= g->end)
			map_from(g, fd, from, to);
		if (!g->map || g->cut)
			break;
		from = pass_map(g, strings, from, &hit);
		if (g->end == to || from - g->at < page)
			break;
		if (!hit) /* the line goes on behind what is mapped */
			glance_end(g);
	}
	return from;
}

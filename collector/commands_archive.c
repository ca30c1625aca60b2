/* The commands about the archive: retain --dry-run and reindex; see commands.h. Called by main.
 *
 * Both leave the work to the collector that runs: retain tells what its policy would delete by the
 * files that are there, reindex leaves it a note. Neither needs the ledger or the lock. */
#include "collector/commands.h"

#include "collector/options.h"
#include "collector/policy.h"
#include "collector/retention.h"
#include "collector/store/index_format.h"
#include "collector/store/segment_name.h"
#include "collector/store/tree.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

#define REINDEX_NOTE ".haul/reindex"
#define LOCK_FILE    ".haul/lock"

static struct options *read_options(const struct commands_args *args)
{
	struct options *o = NULL;
	struct conf_error err = {"no memory"};
	if (options_read(args->config, args->config_optional, &o, &err) == 0)
		return o;
	log_error("%s", err.text);
	return NULL;
}

/* --- retain --- */

struct archive_list {
	const struct policy *policy;
	bool plain_is_sealed; /* seal = none */
	struct retention_segment *segments;
	size_t n, capacity;
};

static void list_free(struct archive_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((char *)(uintptr_t)l->segments[i].service.ptr);
	free(l->segments);
}

static int add_segment(struct archive_list *l, const struct segment_name *name, uint64_t bytes)
{
	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 256;
		struct retention_segment *more = realloc(l->segments, capacity * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->segments = more;
		l->capacity = capacity;
	}
	char *service = strndup(name->service.ptr, name->service.len);
	if (!service)
		return -ENOMEM;
	bool plain = name->form == SEGMENT_CLOSED;
	l->segments[l->n++] = (struct retention_segment){
		.day = name->day,
		.service = span_make(service, name->service.len),
		.bytes = bytes,
		.sealed = name->form != SEGMENT_LIVE && (!plain || l->plain_is_sealed),
		.rule = policy_find(l->policy, name->service)};
	return 0;
}

/* Only DAY/SERVICE/FILE; .haul and today are not gone into. */
static int add_entry(struct archive_list *l, FTS *tree, FTSENT *e, size_t root_len)
{
	struct segment_name name;
	int32_t day;
	if (e->fts_info == FTS_D && e->fts_level == 1 &&
	    civil_parse_day(span_of(e->fts_name), &day) < 0)
		(void)fts_set(tree, e, FTS_SKIP);
	if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
		log_warning("%s: %s; it is left out", e->fts_path, strerror(e->fts_errno));
	if (e->fts_info != FTS_F || e->fts_level != 3 || strlen(e->fts_path) <= root_len)
		return 0;
	struct span below = span_of(e->fts_path + root_len + 1);
	return segment_name_parse(below, &name) < 0
		       ? 0
		       : add_segment(l, &name, (uint64_t)e->fts_statp->st_size);
}

static int list_files(struct archive_list *l, char *data_dir)
{
	char *const roots[] = {data_dir, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!tree)
		return -errno;
	int r = 0;
	size_t root_len = strlen(data_dir);
	while (root_len > 1 && data_dir[root_len - 1] == '/')
		root_len--;
	errno = 0;
	for (FTSENT *e = fts_read(tree); e && r == 0; e = fts_read(tree))
		r = add_entry(l, tree, e, root_len);
	(void)fts_close(tree);
	return r;
}

static uint64_t wanted_room(const struct options_collector *c)
{
	struct statvfs v;
	if (c->on_full != ON_FULL_EXPIRE || statvfs(c->data_dir, &v) < 0)
		return 0;
	return retention_room(&c->min_free, v.f_blocks * v.f_frsize, v.f_bavail * v.f_frsize);
}

/* A row a service's day and reason; the segments are in that order. */
static void print_rows(const struct retention_segment *s, size_t n)
{
	uint64_t all_bytes = 0, all_segments = 0;
	for (size_t i = 0; i < n;) {
		char day[CIVIL_DAY_LEN + 1] = "";
		size_t from = i;
		uint64_t bytes = 0, segments = 0;
		for (; i < n && s[i].day == s[from].day &&
		       span_equal(s[i].service, s[from].service) && s[i].reason == s[from].reason;
		     i++) {
			bytes += s[i].bytes;
			segments++;
		}
		if (s[from].reason == RETENTION_KEPT)
			continue;
		civil_format_day(day, s[from].day);
		printf("%s  %-32.*s %8" PRIu64 " segments %16" PRIu64 " bytes  %s\n", day,
		       (int)s[from].service.len, s[from].service.ptr, segments, bytes,
		       retention_reason_text(s[from].reason));
		all_bytes += bytes;
		all_segments += segments;
	}
	printf("%" PRIu64 " segments, %" PRIu64 " bytes would be deleted\n", all_segments,
	       all_bytes);
}

static int retain(const struct options *o)
{
	struct policy *policy = policy_new(o->conf);
	struct archive_list l = {.policy = policy,
				 .plain_is_sealed = o->collector->seal == SEAL_NONE};
	int r = policy ? list_files(&l, o->collector->data_dir) : -ENOMEM;
	if (r == 0) {
		int64_t now_us = clock_real_ns() / NUM_US_NS;
		struct retention_request q = {.now_us = now_us,
					      .last_checkpoint_us = now_us,
					      .room_bytes = wanted_room(o->collector)};
		(void)retention_decide(l.segments, l.n, &q);
		print_rows(l.segments, l.n);
		r = fflush(stdout) == 0 ? 0 : -errno;
	}
	if (r < 0)
		log_error("%s: %s", o->collector->data_dir, strerror(-r));
	list_free(&l);
	policy_free(policy);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int commands_retain(const struct commands_args *args)
{
	if (args->n_words || !args->dry_run) {
		(void)fputs(
			"haul-collector: the running collector deletes by itself; what it would is "
			"shown by: haul-collector retain --dry-run\n",
			stderr);
		return EXIT_USAGE;
	}
	struct options *o = read_options(args);
	int code = o ? retain(o) : EXIT_CONFIG;
	options_free(o);
	return code;
}

/* --- reindex --- */

static bool is_running(int dir)
{
	int fd = openat(dir, LOCK_FILE, O_RDONLY | O_CLOEXEC);
	bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	file_close(&fd);
	return locked;
}

static int leave_note(const struct options *o)
{
	/* Root may be who asks, in a directory that is another user's: no link is followed. */
	int dir = open(o->collector->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree tree = {.root = dir, .lock = -1};
	int fd = dir < 0 ? -errno : tree_open_file(&tree, REINDEX_NOTE, O_WRONLY | O_CREAT);
	if (fd < 0) {
		log_error("%s/" REINDEX_NOTE ": %s", o->collector->data_dir, strerror(-fd));
		file_close(&dir);
		return EXIT_FAILED;
	}
	file_close(&fd);
	log_notice("the index is made anew by the collector %s",
		   is_running(dir) ? "that runs" : "when it is started");
	file_close(&dir);
	return EXIT_OK;
}

int commands_reindex(const struct commands_args *args)
{
	if (args->n_words) {
		(void)fputs("haul-collector: reindex takes no further words; see haul-collector "
			    "--help\n",
			    stderr);
		return EXIT_USAGE;
	}
	struct options *o = read_options(args);
	int code = o ? leave_note(o) : EXIT_CONFIG;
	options_free(o);
	return code;
}

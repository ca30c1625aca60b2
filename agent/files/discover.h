/* Finds the files to follow and notices what happens to them: globs, inotify on directories,
 * rescans.
 *
 * One inotify instance watches directories (those of the globs up to the first wildcard, and every
 * directory the wildcards lead to, as they appear). A file is opened the moment it is seen. Events
 * are taken at a cadence of some 50 ms (discover_take), of 1 ms for a second after a file came or
 * was renamed: who rotates that often may soon delete; on overflow, and every 60 s, a rescan by
 * statx opens nothing that is known. Where inotify is blind (statfs), or watches run out,
 * directories are polled. */
#ifndef HAUL_AGENT_DISCOVER_H
#define HAUL_AGENT_DISCOVER_H

#include "agent/files/registry.h"
#include "agent/files/source.h"

/* The longest pause between two readings of events that is any use. */
#define DISCOVER_CADENCE_NS (50 * INT64_C(1000000))
#define DISCOVER_HURRY_NS   INT64_C(1000000)

struct discover;

struct discover_config {
	struct input *inputs; /* owned by the caller, lives as long as the discover */
	size_t n_inputs;
	/* it follows those of the inputs with remote = yes, and else the others: agent/far.h */
	bool far;
	/* the pause between two readings of events: it is part of a line's delay */
	int64_t cadence_ns;
	uint64_t max_open_files;
	/* bytes of deleted files that are held open; beyond it they are given up */
	uint64_t max_deleted;
};

int discover_new(const struct discover_config *config, struct source_table *t, struct registry *r,
		 struct discover **ret) MUST_CHECK;
void discover_free(struct discover *d);

/* Other inputs from now on, atomically: on error the old ones go on. Sources go over to the input
 * of the same section name that still wants their path; those that no input wants any more are let
 * go of as they stand (the registry keeps their place). Files and watches that stay are not
 * reopened. After success nothing points into the old inputs. */
int discover_reload(struct discover *d, const struct discover_config *config) MUST_CHECK;

/* The inotify descriptor, to be polled for input (from discover_poll_ns on). */
int discover_fd(const struct discover *d);

/* Takes events when the cadence allows, does rescans, polls and closings that are due. Makes
 * sources, moves states, sets ready. */
void discover_take(struct discover *d, int64_t now_ns);

/* The same, but nothing when the time for it has not come: for who has much to do, between two
 * steps. */
void discover_glance(struct discover *d, int64_t now_ns);

/* The turns of reading are over: what is known to have been written since, and was not read, is
 * looked at. Before any wait, for it may be truncated by the next look. */
void discover_look_at_unread(struct discover *d, int64_t now_ns);

/* The next monotonic time at which discover_take wants to be called without events; INT64_MAX:
 * never. */
int64_t discover_next_ns(const struct discover *d);
/* The monotonic time from which on the descriptor may be polled: until then the cadence's pause is
 * on. */
int64_t discover_poll_ns(const struct discover *d);

/* The collector keeps no line for longer than this (0: some for ever): at the very first start
 * files that were not written for so long are skipped and counted. Before the streams of the same
 * session. */
void discover_keeps(struct discover *d, int64_t keeps_ns);

/* The collector's streams of this host are known now: rows were given by discover_row one by one,
 * and discover_rows_end settles the rest: sources without a row start as new streams (or from where
 * the input says), matched ones go on from the collector's offset when the file's own prefix has
 * its checksum. */
struct stream_row;
void discover_row(struct discover *d, const struct stream_row *row);
void discover_rows_end(struct discover *d);

/* The path from the root on, without //, . and .. ; what is a link stays one. `dst` has PATH_MAX
 * bytes. Errors: -errno. */
int discover_absolute(const char *path, char *dst) MUST_CHECK;
/* Why a path is or is not followed, as one sentence; for `haul-agent explain` and check. */
int discover_explain(const struct discover_config *config, const char *path,
		     struct buf *out) MUST_CHECK;
/* What would be followed, one line each; for `haul-agent check`. */
int discover_list(const struct discover_config *config, struct buf *out) MUST_CHECK;

struct discover_counters {
	uint64_t watches, open_files, rescans, overflows, polled_dirs;
	uint64_t skipped_old_files, skipped_old_bytes, skipped_binary_files;
	uint64_t unseen_files;       /* came and were deleted before they could be opened */
	uint64_t deleted_open_bytes; /* of files without a name that are held open */
};
void discover_counters(const struct discover *d, struct discover_counters *ret);

#endif

/* Streams that have ended: what is left of a source after it was let go, so that a copy of its file
 * that turns up later (delaycompress comes weeks after) is recognised and not shipped again. */
#ifndef HAUL_AGENT_PAST_H
#define HAUL_AGENT_PAST_H

#include "agent/files/ladder.h"
#include "common/stream_id.h"

#include <stdbool.h>
#include <stdint.h>

#define PAST_MAX 8192 /* the oldest is forgotten */

struct past {
	struct stream_id id;
	uint64_t family; /* hash of the name without rotation suffixes: agent/files/rotation.h */
	uint64_t ino;    /* of the file that it was last in */
	int64_t btime_ns;
	uint64_t start, base;
	struct rung head; /* the last one within its first 4096 bytes: a banner is in many files */
	struct rung end;  /* offset 0: there is none, as with head */
	int64_t ended_s;  /* since 1970 */
};

struct past_list {
	struct past *items; /* by age */
	size_t n, capacity;
};

struct source;

/* What is kept of a source that ended; false: nothing, for it has never had a byte. */
bool past_of(const struct source *s, struct past *ret);

void past_init(struct past_list *l);
void past_free(struct past_list *l);

/* Adds or replaces. Short memory costs the record. */
void past_add(struct past_list *l, const struct past *p);

void past_remove(struct past_list *l, const struct stream_id *id);

/* The one whose file that was; NULL: none. Valid until the next past_add. */
const struct past *past_by_file(const struct past_list *l, uint64_t ino, int64_t btime_ns);

/* NULL: none of that id. Valid until the next past_add. */
const struct past *past_by_id(const struct past_list *l, const struct stream_id *id);

/* Those of a family, one after another: *cursor is 0 to begin with; NULL at the end. */
const struct past *past_of_family(const struct past_list *l, uint64_t family, size_t *cursor);

#endif

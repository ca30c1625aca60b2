/* A segment as the append thread writes it: the live file of a shard.
 *
 * Before each append the file is looked at by its name: if it is not the file that was written
 * last, or not as long as it was left, somebody else has been at it (logrotate, an editor, `>
 * file`, rm). Then it is never written to again: what is left of it is closed under its number, and
 * the lines go on in a new segment. Lines are never put behind a hole, never over other bytes.
 *
 * Owned by the append thread (recovery before it runs). */
#ifndef HAUL_COLLECTOR_STORE_SEGMENT_H
#define HAUL_COLLECTOR_STORE_SEGMENT_H

#include "collector/store/shard.h"
#include "collector/store/tree.h"
#include "common/list.h"

#include <stdint.h>

enum segment_state {
	SEGMENT_STATE_LIVE,
	SEGMENT_STATE_CLOSED,
	SEGMENT_STATE_SEALED,
	SEGMENT_STATE_GONE,    /* its file was taken away while it was live */
	SEGMENT_STATE_DELETED, /* by retention: its file is going */
};

/* What the ledger knows of a segment. Spans point to the shard, or to whatever was read. */
struct segment_row {
	int32_t day;
	struct span service, host;
	uint32_t number;
	enum segment_state state;
	uint64_t inode;
	uint64_t length;
	uint64_t lines;
	int64_t first_us, last_us; /* of its lines; 0 when there are none */
	uint64_t crc;              /* of its bytes; meaningless when not known */
	bool crc_known;            /* then lines, first_us, last_us are known as well */
};

struct segment_lines {
	struct span bytes;
	uint64_t lines;
	int64_t first_us, last_us;
};

struct segment {
	struct shard *shard;
	uint32_t number;
	uint64_t length; /* written */
	uint64_t end;    /* with all that is queued: the place of the next lines */
	uint64_t lines;
	int64_t first_us, last_us; /* INT64_MAX, INT64_MIN: none yet */
	uint64_t crc;
	bool crc_known;

	bool made; /* the file is there */
	int fd;    /* -1: not open now */
	uint64_t inode;
	uint64_t pushed;             /* bytes whose write-back was begun */
	bool linked;                 /* under today/ */
	struct segment_lines *queue; /* to be written */
	size_t n_queue, queue_capacity;
	uint64_t begun; /* bytes of the queue that a failed write has written */
	struct list_node all;
	struct list_node open;    /* linked: fd is open; the least recently used first */
	struct list_node changed; /* linked: since the last checkpoint */
	struct list_node queued;  /* linked: the queue is not empty */
};

/* What is wrong with a live file. */
enum segment_trouble {
	SEGMENT_FINE,
	SEGMENT_MISSING,  /* no such name */
	SEGMENT_REPLACED, /* the name is another file's */
	SEGMENT_CUT,      /* shorter than it was left */
	SEGMENT_GROWN,    /* longer */
	SEGMENT_LOCKED,   /* it may not be opened any more */
};

const char *segment_trouble_text(enum segment_trouble trouble);

/* An empty one that is to be made. NULL when memory is short. */
struct segment *segment_new(struct shard *shard, uint32_t number);
void segment_free(struct segment *s);

void segment_path(const struct segment *s, char ret[SEGMENT_PATH_MAX]);

/* Looks at the live file; ret_size is its size unless it is missing. -errno; of them those of
 * blocked_error say that the way to it is closed, and nothing is known of the file. */
int segment_look(const struct tree *t, const struct segment *s, enum segment_trouble *ret_trouble,
		 uint64_t *ret_size) MUST_CHECK;

/* A directory on the way to the live file is a link or a file: somebody has put it there, and one
 * such name must not stop the others. It is set aside (said aloud), and so the live file is not
 * there any more. Did it find any? -errno. */
int segment_clear_way(const struct tree *t, const struct segment *s) MUST_CHECK;

/* Makes the live file, or opens it again. A file that stands in the way and is not empty is set
 * aside (said aloud). -errno. */
int segment_make(const struct tree *t, struct segment *s) MUST_CHECK;
/* -ESTALE when it is another file by now, or its directory is not what it was. */
int segment_reopen(const struct tree *t, struct segment *s) MUST_CHECK;

/* Gives the live file its number. One that has that name already is set aside. -ESTALE: it is not
 * there any more; -errno. */
int segment_retire(const struct tree *t, const struct segment *s) MUST_CHECK;

/* Lines to be written behind what is queued. The bytes stay where they are until then. -ENOMEM. */
int segment_queue(struct segment *s, const struct segment_lines *lines) MUST_CHECK;

/* Writes the queue to the open file. After an error (-errno) it can be called again and goes on
 * where it stopped. Begins the write-back of full pieces, so that a later sync has little to do. */
int segment_write(struct segment *s) MUST_CHECK;

/* The file is given up: of a queue that a failed write has begun, the lines that stand in it whole
 * are counted and forgotten; `length` is where the first one ends that does not. */
void segment_settle(struct segment *s);

/* What `from` has queued, and settled, goes to `to`. -ENOMEM: nothing has changed. */
int segment_hand_over(struct segment *from, struct segment *to) MUST_CHECK;

/* Counts lines that stand behind `length` now (segment_write does it itself). */
void segment_note(struct segment *s, const struct segment_lines *lines);

struct segment_row segment_row(const struct segment *s, enum segment_state state);

#endif

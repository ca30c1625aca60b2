/* A host for tests of what finds and reads files: the agent's table, registry and discover on a
 * real directory, a pump that only cuts lines, and a collector in memory that compares and appends
 * to the letter: it aborts the test when a chunk does not follow what it has. Time goes on when the
 * test says. */
#ifndef HAUL_TESTS_LIB_HOST_H
#define HAUL_TESTS_LIB_HOST_H

#include "agent/files/discover.h"
#include "common/chunk.h"

#define HOST_INPUTS  4
#define HOST_STREAMS 2048

struct host_stream { /* as the collector knows it */
	struct stream_id id;
	char path[512], service[160];
	uint64_t ino, start, base, offset, crc;
	int64_t btime_ns;
	struct buf lines;           /* whole lines; a piece without LF is followed by "<P>" LF */
	uint64_t lost;              /* bytes */
	char cause[32];             /* of its last loss */
	uint64_t holes;             /* bytes */
	unsigned first_at, last_at; /* the numbers of its chunks with bytes, of all that came */
	bool ended;
};

struct host {
	char dir[64];   /* with logs */
	char state[80]; /* the agent's */
	struct input inputs[HOST_INPUTS];
	size_t n_inputs;
	uint64_t max_open_files;
	uint64_t max_deleted;
	int64_t keeps_ns; /* the collector keeps lines for so long; 0: for ever */
	struct source_table *table;
	struct registry *registry;
	struct discover *discover;
	struct host_stream *streams;
	size_t n_streams;
	unsigned arrived; /* chunks */
	/* the collector does not answer: what is read waits in a batch, as far as it goes */
	bool down;
	uint64_t arena_max; /* then so much is read at most */
	uint64_t arena;
	char *buffer;
	struct host_batch *batch; /* read, not acknowledged */
};

/* Makes the directories below `where` ("/tmp", "/dev/shm"). */
void host_init(struct host *h, const char *where);
void host_free(struct host *h); /* removes them */

/* Globs are below the directory. Before host_start. */
struct input *host_input(struct host *h, const char *name, const char *globs, const char *exclude);

/* The agent starts, and the collector lists its streams. */
void host_start(struct host *h);
void host_start_unlisted(struct host *h); /* ... does not yet */
void host_list(struct host *h);
void host_stop(struct host *h);
/* As by kill -9: what the registry has not written is not written. */
void host_kill(struct host *h);

/* Turns of the agent's loop until nothing happens any more, over at least `ms` of time (which does
 * not pass). */
void host_run(struct host *h);
/* The clocks go on so much, with turns in between. */
void host_pass(struct host *h, int64_t seconds);
/* One turn without reading anything. */
void host_turn(struct host *h);
/* Its first half: what is written is read next, by the caller. */
void host_take(struct host *h);

/* Files, by paths below the directory. */
const char *host_path(const struct host *h, const char *name);
void host_write(const struct host *h, const char *name, const char *text); /* a new file */
void host_append(const struct host *h, const char *name,
		 const char *text); /* made when it is not there */
void host_truncate(const struct host *h, const char *name, uint64_t size);
void host_copy(const struct host *h, const char *from, const char *to);
void host_rename(const struct host *h, const char *from, const char *to);
void host_unlink(const struct host *h, const char *name);
void host_mkdir(const struct host *h, const char *name);
/* Runs a shell command in the directory. */
void host_shell(const struct host *h, const char *command);
/* Appends `n` numbered lines ("PREFIX 1"...), beginning with `first`. */
void host_numbers(const struct host *h, const char *name, const char *prefix, unsigned first,
		  unsigned n);

/* All lines of all streams, sorted, joined: for comparisons. Valid until the next call. */
const char *host_lines(const struct host *h);
/* Each of `n` numbered lines is there once, and in order within its stream. */
void host_expect_numbers(const struct host *h, const char *prefix, unsigned n);
/* The lines of the only stream with that path (as first told); NULL: none. */
struct host_stream *host_stream(const struct host *h, const char *name);
struct source *host_source(const struct host *h, const char *name); /* by its path now */
uint64_t host_lost(const struct host *h);
unsigned host_open_files(const struct host *h);
/* All sources to stderr, a line each, for who replays a failure. */
void host_dump(const struct host *h);

#endif

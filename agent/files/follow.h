/* Reading a source at its cursor, and noticing that it is no longer the file it was. */
#ifndef HAUL_AGENT_FOLLOW_H
#define HAUL_AGENT_FOLLOW_H

#include "agent/files/source.h"

#define FOLLOW_CHECK_BYTES 4096 /* re-read and compared before each piece of new data */
#define FOLLOW_QUANTUM     (256 * 1024)

enum follow_result {
	FOLLOW_DATA, /* *ret has bytes from cursor.offset on */
	FOLLOW_END,  /* nothing new */
	/* nothing new, and nothing will come: an unfinished last line may go out as a piece. ret
	 * has the unfinished bytes (may be empty) */
	FOLLOW_LAST,
	/* *ret_hole NUL bytes stand at cursor.offset, where a line begins: the hole that a writer
	 * leaves which goes on behind a truncation. (Those that reach the end of the file are no
	 * hole yet: they may be room for what comes.) */
	FOLLOW_HOLE,
	/* it was truncated or replaced: the source has ended, a new one took its place */
	FOLLOW_GONE,
};

/* Reads up to `size` - FOLLOW_CHECK_BYTES bytes at the cursor into `dst` (the check bytes come
 * first, in the same pread). `size` is at least 2 * FOLLOW_CHECK_BYTES. Bytes of s->replay come
 * before those of the file. The cursor does not move: the caller advances it by what it consumed
 * (follow_advance). -errno: the file cannot be read now; it will be tried again and is said once
 * (the caller moves on). */
int follow_read(struct source_table *t, struct source *s, char *dst, size_t size, struct span *ret,
		uint64_t *ret_hole) MUST_CHECK;

/* The caller consumed `bytes` and stands at `to`: updates the tail hash, drops replayed bytes. They
 * begin where follow_read's did and still stand in the same memory, with the check bytes before
 * them. */
void follow_advance(struct source *s, struct span bytes, const struct position *to);

/* The cursor goes over bytes that are not read: a hole or a loss. Drops what replay has of them. */
void follow_skip(struct source *s, const struct position *to);

/* The same from the ladder, when nothing has been read yet since a restart: opens nothing. */
int follow_verify(struct source *s) MUST_CHECK;

/* Are the file's bytes before tail_at still those that were read? 1: they are; 0: it was truncated
 * or replaced; -errno: that cannot be told now (it is closed, or nothing has been read yet since a
 * restart). */
int follow_check(const struct source *s) MUST_CHECK;

/* Reads the file's content, wherever the cursor is; it is open. */
ssize_t follow_read_file(const struct source *s, void *dst, size_t len, uint64_t at) MUST_CHECK;

/* Reads [from, from + len) of the source without moving anything, for checksums and open pieces:
 * from the replay buffer or the file. Returns the count, short at the end of the file. */
ssize_t follow_peek(struct source *s, uint64_t from, void *dst, size_t len) MUST_CHECK;

#endif

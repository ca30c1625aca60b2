/* Open descriptors of sources, under a limit: the least recently used idle ones are closed and
 * opened again when they are needed. */
#ifndef HAUL_AGENT_DESCRIPTOR_H
#define HAUL_AGENT_DESCRIPTOR_H

#include "agent/files/identity.h"
#include "agent/files/source.h"

/* At most so many are held open, as far as that is possible: a file that has no name any more, or
 * bytes that nobody else has, stays open. The process's own limit (RLIMIT_NOFILE) is raised as far
 * as it goes and leaves room for the rest of the agent. */
void descriptor_limit(struct source_table *t, uint64_t max_open_files);

/* Opens the source's file when it is not open: by its path, when that leads to the same (inode,
 * birth time), else by its handle, else by searching its directory. Errors: -errno; -ESTALE: its
 * path leads to another file, and it is not found otherwise. */
int descriptor_open(struct source_table *t, struct source *s) MUST_CHECK;

/* The source takes over a descriptor that was opened for its file (one that it had is closed). */
void descriptor_give(struct source_table *t, struct source *s, int fd);
/* The source gives its descriptor away; -1: it had none. */
int descriptor_take(struct source_table *t, struct source *s);

/* The file is read as gzip from now on, or not any more. */
void descriptor_compressed(struct source_table *t, struct source *s, bool compressed);
bool descriptor_is_gzip(int fd);

/* It was used. */
void descriptor_used(struct source_table *t, struct source *s);

/* Fine on a closed one. */
void descriptor_close(struct source_table *t, struct source *s);

/* Closes idle ones until there is room for one more; false: there is none. */
bool descriptor_make_room(struct source_table *t);

#endif

/* What a file is, beyond its name: inode and birth time, and which file system it is on. */
#ifndef HAUL_AGENT_IDENTITY_H
#define HAUL_AGENT_IDENTITY_H

#include "common/buf.h"

#include <stdint.h>
#include <sys/types.h>

struct identity {
	uint64_t ino;
	int64_t btime_ns; /* 0: not known on this file system */
	dev_t dev;
	mode_t mode;
	uint32_t nlink;
	uint64_t size;
	uint64_t disk_bytes; /* what it takes of its file system; without holes */
	int64_t mtime_ns;
};

/* Of a path, following symbolic links or not, or of an open file. Errors: -errno. */
int identity_of_path(const char *path, bool follow, struct identity *ret) MUST_CHECK;
int identity_of_entry(int dirfd, const char *name, bool follow, struct identity *ret) MUST_CHECK;
int identity_of_fd(int fd, struct identity *ret) MUST_CHECK;

/* From now on this thread's looks are answered as stat(2) would be, which for a network file system
 * may mean to ask its server; else by what is known here. */
void identity_ask_server(void);

/* Are they the same file, as far as two looks at this host can tell? */
bool identity_equal(const struct identity *a, const struct identity *b);

/* Opens a regular file for reading, never waiting (FIFO, device) and never becoming its terminal.
 * The path is looked at before it is opened, and again after. Errors: -errno; -EINVAL: not a
 * regular file. */
int identity_open(const char *path, struct identity *ret, int *ret_fd) MUST_CHECK;

enum identity_place {
	PLACE_LOCAL,
	PLACE_BLIND,  /* inotify sees only what this host does: poll as well */
	PLACE_REMOTE, /* a network file system: may hang */
};

/* Which kind of file system the path is on; `ret_name` a static text for messages. Errors:
 * -errno. */
int identity_place(const char *path, enum identity_place *ret, const char **ret_name) MUST_CHECK;

/* Is it where this program's own messages go? Following it would feed itself. */
bool identity_is_own_output(const struct identity *id);

#endif

/* Where network file systems are mounted, by what the kernel lists: to ask the path itself could
 * hang. */
#ifndef HAUL_AGENT_MOUNTS_H
#define HAUL_AGENT_MOUNTS_H

#include "common/buf.h"

#include <stdint.h>

struct mounts {            /* zero it to begin */
	struct buf remote; /* mount points, C strings one after another */
	int64_t read_ns;   /* monotonic; 0: never */
};

void mounts_free(struct mounts *m);

/* Is the path on a network file system? Looks at the list again when that was a second ago, or
 * longer. When it cannot be read what was known stays. */
bool mounts_is_remote(struct mounts *m, const char *path, int64_t now_ns);

/* The same of a list as /proc/self/mountinfo has it; for tests. Errors: -ENOMEM. */
int mounts_take(struct mounts *m, struct span list) MUST_CHECK;

#endif

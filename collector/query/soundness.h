/* Is a file of the archive what was written to it? */
#ifndef HAUL_COLLECTOR_QUERY_SOUNDNESS_H
#define HAUL_COLLECTOR_QUERY_SOUNDNESS_H

#include "collector/store/account.h"
#include "collector/store/segment_name.h"

#include <stdatomic.h>

enum soundness {
	SOUND, /* as it was written */
	/* it can be read, but no checksum is known: somebody had been at it before */
	SOUND_UNCHECKED,
	SOUND_GROWN,      /* as it was written, and then something that is not the collector's */
	SOUND_MISSING,    /* no such file */
	SOUND_SHORT,      /* shorter than it was */
	SOUND_DAMAGED,    /* a block cannot be read */
	SOUND_DIFFERS,    /* other lines than those that were written */
	SOUND_GONE,       /* taken away earlier; the collector knows */
	SOUND_UNKNOWN,    /* a file that the ledger does not know */
	SOUND_UNREADABLE, /* trouble: error says why */
};

/* A segment and what was found. */
struct sound {
	int32_t day;
	char service[NAME_MAX_LEN + 1], host[NAME_MAX_LEN + 1];
	struct account_segment segment; /* its spans point to the texts above */
	enum segment_form form;         /* of the file that was found, or looked for */
	enum soundness result;
	uint64_t at;    /* DAMAGED: the first byte of the file that cannot be read */
	uint64_t bytes; /* of the file */
	int error;
};

/* A copy that lasts longer than the account's row. */
void sound_take(struct sound *s, const struct account_segment *segment);

/* Looks at the segment's file, whatever form it has by now, and reads it. `read_bytes` counts up
 * meanwhile. -ECANCELED: `stop` was set; -ENOMEM. */
int sound_check(struct sound *s, int archive_fd, const atomic_bool *stop,
		atomic_uint_fast64_t *read_bytes) MUST_CHECK;

/* DAY/SERVICE/FILE. */
void sound_path(const struct sound *s, char ret[SEGMENT_PATH_MAX]);

/* Does it mean that lines are missing? */
bool sound_is_loss(enum soundness result);
const char *sound_name(enum soundness result);

#endif

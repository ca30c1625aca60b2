/* Writes a closed segment in its sealed form: independent zstd frames (or gzip members) of about 1
 * MiB of lines each, cut at line ends, one after another and nothing else. Any zstd or gzip tool
 * reads the whole; haul reads one block alone.
 *
 * Only bytes from one descriptor to another: names, ledger and index are the caller's. */
#ifndef HAUL_COLLECTOR_STORE_SEAL_H
#define HAUL_COLLECTOR_STORE_SEAL_H

#include "collector/store/digest.h"
#include "collector/store/segment_name.h"
#include "common/buf.h"

struct seal_block {
	uint64_t offset; /* in the sealed file */
	uint32_t length, plain_length;
	const struct digest *digest; /* valid during the call */
};

struct seal_request {
	int from;                  /* the closed file */
	uint64_t length;           /* how much of it */
	int to;                    /* an empty file at its start; SEGMENT_CLOSED: not used */
	enum segment_form form;    /* SEGMENT_ZSTD, SEGMENT_GZIP; SEGMENT_CLOSED only digests */
	int level;                 /* of the codec: zstd 1 to 19, gzip 1 to 9 */
	struct span service, host; /* for the counts of its blocks (digest.h) */
	/* Called after each block; a negative result ends all and is returned. */
	int (*block)(void *user, const struct seal_block *block);
	void *user;
};

struct seal_result {
	uint64_t bytes; /* written; SEGMENT_CLOSED: the plain ones */
	uint64_t lines;
	int64_t first_us, last_us; /* 0: no line has a time */
	uint64_t crc;              /* of the plain bytes */
	uint64_t blocks;
};

/* Its buffers and codecs; for one thread. */
struct sealer;

struct sealer *sealer_new(void); /* NULL: no memory */
void sealer_free(struct sealer *s);

/* Nothing is synced but begun to be written back. Errors: -errno of reading (-EBADMSG: the file is
 * shorter than `length`), of writing. */
int sealer_run(struct sealer *s, const struct seal_request *request,
	       struct seal_result *ret) MUST_CHECK;

#endif

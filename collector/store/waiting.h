/* Lines that were acknowledged and whose place is blocked (blocked.h): .haul/waiting keeps them, so
 * that the log can go on without them. Written by recovery only, before its checkpoint; read by the
 * next one, which writes them to their places once these can be had. One record after another, a
 * header and then the lines as they are:
 *
 *     2026-11-23 checkout web-01 7 12345 678 995dc9bbdf1939fa\n      day service host segment position bytes crc
 *
 * What is no whole record is passed over up to the next one. A record may stand there twice. Errors
 * are -errno. */
#ifndef HAUL_COLLECTOR_STORE_WAITING_H
#define HAUL_COLLECTOR_STORE_WAITING_H

#include "collector/store/shard.h"
#include "collector/store/tree.h"

struct waiting_record {
	int32_t day;
	struct span service, host;
	struct place place; /* after all moves */
	struct span bytes;
};

struct waiting {
	const struct tree *tree;
	int fd;       /* -1: there is no such file */
	uint64_t end; /* of the last whole record */
};

/* Opens it, and finds its end, when it is there. `say`: of what is no whole record the bytes are
 * named, and copied to quarantine. */
int waiting_open(struct waiting *w, const struct tree *t, bool say) MUST_CHECK;
void waiting_close(struct waiting *w);

/* Calls `each` for the whole records in order; a negative result stops and is returned. */
int waiting_each(const struct waiting *w, int (*each)(void *user, const struct waiting_record *r),
		 void *user) MUST_CHECK;

int waiting_add(struct waiting *w, const struct waiting_record *r) MUST_CHECK;
int waiting_sync(const struct waiting *w) MUST_CHECK;

/* Forgets the records that need not be kept; the file, too, when none is left. Durable on
 * return. */
int waiting_keep(struct waiting *w, bool (*keep)(void *user, const struct waiting_record *r),
		 void *user) MUST_CHECK;

#endif

/* STATE_DIR/identity: the agent's uuid, and that of the collector that it belongs to.
 *
 *     CRC agent UUID LF
 *     CRC collector UUID LF        once one has answered
 *
 * CRC: 16 hex digits, CRC-64/XZ of what follows the blank, as in the registry. A damaged line
 * counts as not there: an agent under a uuid that is nearly its own, or that waits for a collector
 * that never was, would be worse off than a new one. */
#ifndef HAUL_AGENT_UUIDS_H
#define HAUL_AGENT_UUIDS_H

#include "common/uuid.h"

struct uuids {
	char agent[UUID_LEN + 1];
	char collector[UUID_LEN + 1]; /* "" not known yet */
	bool kept;                    /* they stand in the file */
};

/* Reads STATE_DIR/identity; without one that can be used the agent gets a new uuid, which is
 * written as far as that is possible. Damage is said, and the file set aside as identity.damaged.
 * `dir` -1: there is no directory; `dir_path` for messages. -EIO: no random numbers. */
int uuids_load(struct uuids *u, int dir, const char *dir_path) MUST_CHECK;
/* Replaces the file; `kept` tells whether that worked. -errno. */
int uuids_write(struct uuids *u, int dir);
/* -EINVAL: that is none. */
int uuids_set_collector(struct uuids *u, int dir, const char *uuid) MUST_CHECK;

#endif

/* A record: what of a journal's entry is of interest. Its memory is used again for the next one. */
#ifndef HAUL_AGENT_RECORD_H
#define HAUL_AGENT_RECORD_H

#include "agent/input.h"
#include "agent/journal/cursor.h"

struct record {
	struct cursor cursor;
	struct buf message;
	bool has_message;
	bool cut;     /* the message is longer than what is read of one */
	bool partial; /* a container's line goes on in its next entry */
	struct buf unit, user_unit, identifier, command;
	struct buf container_name, container_id;
	struct buf priority, source_time;
};

void record_clear(struct record *r);
void record_free(struct record *r); /* fine on a zeroed one */

/* Takes a field KEY=VALUE, as sd_journal_enumerate_data(3) gives it, when it is of interest. The
 * first of a key counts. Errors: -ENOMEM. */
int record_take(struct record *r, struct span field) MUST_CHECK;

/* Valid names, put in place of what the buffers had. service: by the input's template, else the
 * container's name, the unit without .service, the syslog identifier, the command. instance: the
 * container's id, or what a template unit is an instance of; empty: none. Errors: -ENOMEM. */
int record_service(const struct record *r, const struct input *in, struct buf *out) MUST_CHECK;
int record_instance(const struct record *r, struct buf *out) MUST_CHECK;

/* When the message was written, as its sender says, else when journald took it. */
int64_t record_time_us(const struct record *r);

/* Of priority err or worse; for containers that is what they wrote to stderr. */
bool record_is_error(const struct record *r);

#endif

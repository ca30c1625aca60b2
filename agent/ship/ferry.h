/* The ferry: carries batches of the thread that reads network file systems (the far side) to the
 * thread that has the uplink (the near side), and the collector's words back. Neither side ever
 * waits for the other, so it does not matter for how long a read hangs over there: what was handed
 * over is sent, and the answers lie ready. */
#ifndef HAUL_AGENT_FERRY_H
#define HAUL_AGENT_FERRY_H

#include "agent/ship/way.h"

struct ferry;

/* Errors: -ENOMEM, -errno. */
int ferry_new(struct ferry **ret) MUST_CHECK;
/* When neither side uses it any more. */
void ferry_free(struct ferry *f);

/* --- the far side's thread --- */

/* What the far shipper takes for its uplink; `calls` are made from within the way's tick. */
struct way ferry_way(struct ferry *f, const struct uplink_calls *calls);
/* Readable when something has come for the far side; ferry_way's tick takes it. */
int ferry_far_fd(const struct ferry *f);
/* The near side wants the far one to finish, or to look at something else that it has left for
 * it. */
void ferry_wake_far(struct ferry *f);

/* --- the near side's thread --- */

/* Readable when the far side has something; ferry_near_woken takes that. */
int ferry_near_fd(const struct ferry *f);
void ferry_near_woken(struct ferry *f);
/* The far side is to be told something else than what stands here: the near loop is woken. Any
 * thread. */
void ferry_wake_near(struct ferry *f);

/* A batch's body that is ready to leave; it stays as it is until ferry_answered, ferry_too_large or
 * ferry_lost. */
bool ferry_take(struct ferry *f, struct span *ret);
/* The far side asks for the collector's streams; true once. */
bool ferry_wants_resync(struct ferry *f);

/* The collector's words, as uplink_calls has them. Short memory is made up for by asking for the
 * streams again. */
void ferry_keeps(struct ferry *f, int64_t keeps_ns);
void ferry_row(struct ferry *f, const struct stream_row *row);
void ferry_rows_end(struct ferry *f);
void ferry_verdict(struct ferry *f, size_t index, const struct chunk_verdict *v);
void ferry_answered(struct ferry *f);
void ferry_too_large(struct ferry *f, const char *why);
void ferry_lost(struct ferry *f);

#endif

/* Hosts and their sessions. An agent opens a session when it starts; batches of older sessions of
 * the same host are then refused, so that a request that was under way during a restart cannot
 * commit behind the new agent's back. Numbers grow over all hosts and are never used again.
 *
 * Guarded by the store's lock. */
#ifndef HAUL_COLLECTOR_STORE_SESSION_H
#define HAUL_COLLECTOR_STORE_SESSION_H

#include "collector/store/streams.h"
#include "common/list.h"
#include "common/map.h"
#include "common/name.h"
#include "common/report.h"

#include <stdint.h>

#define SESSION_MACHINE_MAX 128
#define SESSION_AGENT_MAX   64

/* For so long after its last sign of life an agent's host name is not given to another machine. */
#define SESSION_MACHINE_QUIET_US (INT64_C(5) * 60 * 1000000)

struct host {
	char name[NAME_MAX_LEN + 1];
	char machine[SESSION_MACHINE_MAX + 1];
	char agent[SESSION_AGENT_MAX + 1];
	size_t machine_len, agent_len;
	uint64_t row;     /* in the ledger */
	uint64_t session; /* the newest; 0: none yet */
	int64_t first_contact_us, last_contact_us;
	uint64_t lines, bytes; /* stored, with all columns */
	uint64_t lost_bytes;   /* over all its streams */
	double rate; /* bytes a second that came at rate_us, a mean that decays within minutes */
	int64_t rate_us;
	struct report report; /* its newest; not in the ledger */
	int64_t report_us;    /* when it came; 0: none since the start */
	struct stream_set open, ended;
	struct list ended_order;      /* the same as `ended`, in the order in which they ended */
	struct list_node *ended_next; /* where streams_next_ended goes on; NULL: at the first */
	size_t ended_passed;          /* of those before it, or more: others have gone since */
	uint64_t stream_bytes;        /* what they take in memory */
	int32_t new_shards_day; /* how many shards it began that day, by the collector's clock */
	uint32_t new_shards;
	const char *beyond; /* which limit its last batch was put off for (limits.h); NULL: none */
	struct list_node dirty; /* linked: changed since the last checkpoint */
};

struct hosts {
	struct map by_name, by_session;
	struct list dirty;
	uint64_t last_session; /* the greatest number ever given */
	uint64_t last_row;
};

struct session {
	uint64_t number;
	struct span host, machine, agent;
	int64_t received_us;
};

void hosts_init(struct hosts *h);
void hosts_free(struct hosts *h);

struct host *hosts_find(const struct hosts *h, struct span name);
/* Makes it when it is not there; NULL when memory is short. The name is a valid one. */
struct host *hosts_get(struct hosts *h, struct span name);

/* The host whose newest session has this number. */
struct host *hosts_by_session(const struct hosts *h, uint64_t number);

/* Is another machine's agent active under this name? No `machine`, or none known: no. */
bool session_machine_busy(const struct host *host, struct span machine, int64_t now_us);

/* From now on the host's newest session is this one. -ENOMEM: nothing has changed. */
int session_open(struct hosts *h, struct host *host, const struct session *s) MUST_CHECK;

/* Bytes of lines came from it. */
void host_note_bytes(struct host *host, uint64_t bytes, int64_t now_us);
/* Bytes a second, of late. */
double host_rate(const struct host *host, int64_t now_us);

/* After anything changed in a host. */
void hosts_changed(struct hosts *h, struct host *host);

#endif

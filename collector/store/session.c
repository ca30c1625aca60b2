/* Hosts and sessions: see session.h. Called by the store under its lock, and by recovery. Hosts are
 * never forgotten: there are as many as agents with a right to a name. */
#include "collector/store/session.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static bool has_name(const void *entry, const void *key)
{
	const struct host *host = entry;
	const struct span *name = key;
	return span_is(*name, host->name);
}

static bool has_session(const void *entry, const void *key)
{
	const struct host *host = entry;
	const uint64_t *number = key;
	return host->session == *number;
}

void hosts_init(struct hosts *h)
{
	*h = (struct hosts){0};
	map_init(&h->by_name, has_name);
	map_init(&h->by_session, has_session);
	list_init(&h->dirty);
}

void hosts_free(struct hosts *h)
{
	size_t cursor = 0;
	for (struct host *host; (host = map_next(&h->by_name, &cursor));)
		free(host);
	map_free(&h->by_name);
	map_free(&h->by_session);
}

struct host *hosts_find(const struct hosts *h, struct span name)
{
	return map_find(&h->by_name, map_hash(&h->by_name, name), &name);
}

struct host *hosts_get(struct hosts *h, struct span name)
{
	struct host *host = hosts_find(h, name);
	if (host)
		return host;
	assert(name.len && name.len <= NAME_MAX_LEN);
	host = calloc(1, sizeof(*host));
	if (!host)
		return NULL;
	list_init(&host->ended_order);
	memcpy(host->name, name.ptr, name.len);
	if (map_add(&h->by_name, map_hash(&h->by_name, name), host) < 0) {
		free(host);
		return NULL;
	}
	host->row = ++h->last_row;
	return host;
}

struct host *hosts_by_session(const struct hosts *h, uint64_t number)
{
	return number ? map_find(&h->by_session, number, &number) : NULL;
}

bool session_machine_busy(const struct host *host, struct span machine, int64_t now_us)
{
	if (machine.len == 0 || host->machine_len == 0 ||
	    span_equal(machine, span_make(host->machine, host->machine_len)))
		return false;
	/* The clock may have been set back: then the last sign of life lies ahead. */
	int64_t quiet_us = now_us - host->last_contact_us;
	return quiet_us < SESSION_MACHINE_QUIET_US && quiet_us > -SESSION_MACHINE_QUIET_US;
}

static size_t keep(char *dst, size_t max, struct span s)
{
	size_t len = s.len < max ? s.len : max;
	if (len)
		memcpy(dst, s.ptr, len);
	dst[len] = '\0';
	return len;
}

int session_open(struct hosts *h, struct host *host, const struct session *s)
{
	/* First add, then remove: only the first can fail. The entry's key is the host's own
	 * number. */
	uint64_t before = host->session;
	int r = map_reserve(&h->by_session, 1);
	if (r < 0)
		return r;
	if (before)
		(void)map_remove(&h->by_session, before, &before);
	host->session = s->number;
	r = map_add(&h->by_session, s->number, host);
	assert(r == 0);
	host->machine_len = keep(host->machine, SESSION_MACHINE_MAX, s->machine);
	host->agent_len = keep(host->agent, SESSION_AGENT_MAX, s->agent);
	if (host->first_contact_us == 0)
		host->first_contact_us = s->received_us;
	host->last_contact_us = s->received_us;
	if (s->number > h->last_session)
		h->last_session = s->number;
	hosts_changed(h, host);
	return 0;
}

/* What is e times as old weighs a third; a batch each quarter of a second or one a minute both give
 * a steady figure. */
static const double RATE_SPAN_S = 60;

double host_rate(const struct host *host, int64_t now_us)
{
	double age_s = (double)(now_us - host->rate_us) / 1e6;
	return age_s > 0 ? host->rate * exp(-age_s / RATE_SPAN_S) : host->rate;
}

void host_note_bytes(struct host *host, uint64_t bytes, int64_t now_us)
{
	host->rate = host_rate(host, now_us) + (double)bytes / RATE_SPAN_S;
	if (now_us > host->rate_us)
		host->rate_us = now_us;
}

void hosts_changed(struct hosts *h, struct host *host)
{
	if (!list_linked(&host->dirty))
		list_add_last(&h->dirty, &host->dirty);
}

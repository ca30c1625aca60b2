/* GET /v1/status: see status.h. Called by request.c.
 *
 * Both forms are written here, from one picture taken under the store's lock and freed of
 * it before anything is formatted: a thousand hosts must not hold up the verdicts. */
#include "collector/ingest/status.h"

#include "collector/ingest/health.h"
#include "collector/ingest/request.h"
#include "collector/store/store.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct host_row {
	char host[NAME_MAX_LEN + 1];
	struct store_host h;
};

struct picture {
	const char *listen;
	int64_t now_us;
	bool ready, has_store;
	char reason[DOOR_REASON_MAX + 32];
	char uuid[STORE_UUID_LEN + 1];
	struct store_counters counters;
	struct archive_meters *archive;
	struct conns_state connections;
	unsigned requests;
	struct budget_state receiving, working;
	struct host_row *hosts;
	size_t n_hosts, cap_hosts;
	int error;
};

static void on_host(void *user, const struct store_host *h)
{
	struct picture *p = user;
	if (p->error || h->host.len > NAME_MAX_LEN)
		return;
	if (p->n_hosts == p->cap_hosts) {
		size_t cap = p->cap_hosts ? p->cap_hosts * 2 : 64;
		struct host_row *hosts = realloc(p->hosts, cap * sizeof(*hosts));
		if (!hosts) {
			p->error = -ENOMEM;
			return;
		}
		p->hosts = hosts;
		p->cap_hosts = cap;
	}
	struct host_row *row = &p->hosts[p->n_hosts++];
	memcpy(row->host, h->host.ptr, h->host.len);
	row->host[h->host.len] = '\0';
	row->h = *h;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct host_row *)a)->host, ((const struct host_row *)b)->host);
}

static int take_picture(struct intake *in, struct http *http, struct picture *p)
{
	p->listen = http_address(http);
	p->archive = &in->archive;
	p->now_us = clock_real_ns() / NUM_US_NS;
	p->ready = health_ready(in, p->reason, sizeof(p->reason));
	p->connections = http_connections(http);
	p->requests = http_exchanges(http);
	p->receiving = budget_state(in->receiving);
	p->working = budget_state(in->working);
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(in->door, false, reason);
	if (!s)
		return 0;
	p->has_store = true;
	(void)snprintf(p->uuid, sizeof(p->uuid), "%s", store_uuid(s));
	store_counters(s, &p->counters);
	store_hosts(s, on_host, p);
	door_leave(in->door);
	if (p->n_hosts)
		qsort(p->hosts, p->n_hosts, sizeof(*p->hosts), by_name);
	return p->error;
}

/* --- JSON --- */

static int json_store(struct buf *out, const struct store_counters *c)
{
	return buf_printf(
		out,
		",\"store\":{\"batches\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"committed\":%" PRIu64
		",\"duplicates\":%" PRIu64 ",\"conflicts\":%" PRIu64 ",\"refused\":%" PRIu64
		",\"lines\":%" PRIu64 ",\"payload_bytes\":%" PRIu64 ",\"wal_bytes\":%" PRIu64
		",\"rendered_bytes\":%" PRIu64 ",\"losses\":%" PRIu64 ",\"lost_bytes\":%" PRIu64
		",\"wal_syncs\":%" PRIu64 ",\"wal_sync_seconds\":%.6f,\"checkpoints\":%" PRIu64
		",\"checkpoint_seconds\":%.6f,\"last_checkpoint_us\":%" PRId64
		",\"streams\":%" PRIu64 ",\"shards_open\":%" PRIu64 ",\"wal_files\":%" PRIu64
		",\"queued_batches\":%" PRIu64 ",\"queued_bytes\":%" PRIu64
		",\"free_bytes\":%" PRIu64 ",\"total_bytes\":%" PRIu64 "}",
		c->batches, c->chunks, c->committed, c->duplicates, c->conflicts, c->refused,
		c->lines, c->payload_bytes, c->wal_bytes, c->rendered_bytes, c->losses,
		c->lost_bytes, c->wal_syncs, c->wal_sync_seconds, c->checkpoints,
		c->checkpoint_seconds, c->last_checkpoint_us, c->streams, c->shards_open,
		c->wal_files, c->queued_submissions, c->queued_bytes, c->free_bytes,
		c->total_bytes);
}

static int json_archive(struct buf *out, const struct archive_meters *m)
{
	return buf_printf(
		out,
		",\"archive\":{\"segments\":%" PRIu64 ",\"bytes\":%" PRIu64
		",\"waiting_segments\":%" PRIu64 ",\"waiting_bytes\":%" PRIu64
		",\"level\":%d,\"sealed_segments\":%" PRIu64 ",\"sealed_plain_bytes\":%" PRIu64
		",\"sealed_bytes\":%" PRIu64 ",\"deleted_segments\":%" PRIu64
		",\"deleted_bytes\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"clock_suspect\":%s}",
		meters_get(&m->archive_segments), meters_get(&m->archive_bytes),
		meters_get(&m->waiting_segments), meters_get(&m->waiting_bytes),
		atomic_load(&m->level), meters_get(&m->sealed_segments),
		meters_get(&m->sealed_plain_bytes), meters_get(&m->sealed_bytes),
		meters_get(&m->deleted_segments), meters_get(&m->deleted_bytes),
		meters_get(&m->errors), atomic_load(&m->clock_suspect) ? "true" : "false");
}

static int json_hosts(struct buf *out, const struct picture *p)
{
	int r = buf_add_str(out, ",\"hosts\":[");
	for (size_t i = 0; i < p->n_hosts && r == 0; i++) {
		const struct store_host *h = &p->hosts[i].h;
		r = buf_printf(out,
			       "%s{\"host\":\"%s\",\"session\":%" PRIu64
			       ",\"first_contact_us\":%" PRId64 ",\"last_contact_us\":%" PRId64
			       ",\"streams\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"bytes\":%" PRIu64
			       "}",
			       i ? "," : "", p->hosts[i].host, h->session, h->first_contact_us,
			       h->last_contact_us, h->streams, h->lines, h->bytes);
	}
	return r < 0 ? r : buf_add_str(out, "]");
}

static int add_json(struct buf *out, const struct intake *in, const struct picture *p)
{
	int r = buf_printf(out,
			   "{\"version\":\"" HAUL_VERSION
			   "\",\"collector\":\"%s\",\"now_us\":%" PRId64 ",\"started_us\":%" PRId64
			   ",\"ready\":%s,\"reason\":",
			   p->uuid, p->now_us, in->started_us, p->ready ? "true" : "false");
	if (r == 0)
		r = json_add_string(out, span_of(p->ready ? "" : p->reason));
	if (r == 0)
		r = buf_printf(out,
			       ",\"listen\":\"%s\",\"connections\":%u,\"requests_in_flight\":%u"
			       ",\"memory_bytes\":%" PRIu64 ",\"memory_limit_bytes\":%" PRIu64
			       ",\"waiting_for_memory\":%" PRIu64,
			       p->listen, p->connections.connections, p->requests,
			       p->receiving.taken + p->working.taken,
			       p->receiving.total + p->working.total,
			       p->receiving.waiting + p->working.waiting);
	if (r == 0 && p->has_store)
		r = json_store(out, &p->counters);
	if (r == 0 && p->has_store)
		r = json_archive(out, p->archive);
	if (r == 0)
		r = json_hosts(out, p);
	return r < 0 ? r : buf_add_str(out, "}\n");
}

/* --- text --- */

/* "1.5 GiB" */
static const char *bytes_text(uint64_t bytes, char dst[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t i = 0;
	for (; value >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		value /= 1024;
	(void)snprintf(dst, 32, i ? "%.1f %s" : "%.0f %s", value, units[i]);
	return dst;
}

/* "12s ago" */
static const char *ago_text(int64_t now_us, int64_t then_us, char dst[32])
{
	int64_t s = (now_us - then_us) / NUM_SEC_US;
	if (then_us == 0)
		(void)snprintf(dst, 32, "never");
	else if (s < 0)
		(void)snprintf(dst, 32, "in %" PRId64 "s", -s);
	else if (s < 120)
		(void)snprintf(dst, 32, "%" PRId64 "s ago", s);
	else if (s < 7200)
		(void)snprintf(dst, 32, "%" PRId64 "m ago", s / 60);
	else if (s < 172800)
		(void)snprintf(dst, 32, "%" PRId64 "h ago", s / 3600);
	else
		(void)snprintf(dst, 32, "%" PRId64 "d ago", s / 86400);
	return dst;
}

static int text_store(struct buf *out, const struct picture *p)
{
	const struct store_counters *c = &p->counters;
	char a[32], b[32];
	int r = buf_printf(out, "disk        %s free of %s\n", bytes_text(c->free_bytes, a),
			   bytes_text(c->total_bytes, b));
	if (r == 0)
		r = buf_printf(out,
			       "chunks      %" PRIu64 " committed, %" PRIu64 " duplicate, %" PRIu64
			       " conflict, %" PRIu64 " refused\n",
			       c->committed, c->duplicates, c->conflicts, c->refused);
	if (r == 0)
		r = buf_printf(out, "taken       %" PRIu64 " lines, %s; %" PRIu64 " losses of %s\n",
			       c->lines, bytes_text(c->payload_bytes, a), c->losses,
			       bytes_text(c->lost_bytes, b));
	if (r == 0)
		r = buf_printf(out, "behind      %" PRIu64 " batches, %s\n", c->queued_submissions,
			       bytes_text(c->queued_bytes, a));
	if (r == 0)
		r = buf_printf(out, "checkpoint  %s\n",
			       ago_text(p->now_us, c->last_checkpoint_us, a));
	return r;
}

static int text_archive(struct buf *out, struct archive_meters *m)
{
	char a[32], b[32], level[32] = "";
	if (atomic_load(&m->level))
		(void)snprintf(level, sizeof(level), ", level %d", atomic_load(&m->level));
	int r = buf_printf(out, "archive     %" PRIu64 " segments, %s; %" PRIu64 " wait, %s%s\n",
			   meters_get(&m->archive_segments),
			   bytes_text(meters_get(&m->archive_bytes), a),
			   meters_get(&m->waiting_segments),
			   bytes_text(meters_get(&m->waiting_bytes), b), level);
	if (r == 0 && atomic_load(&m->clock_suspect))
		r = buf_add_str(out, "retention   suspended: the clock is not plausible\n");
	return r;
}

static int text_hosts(struct buf *out, const struct picture *p)
{
	int width = 4;
	for (size_t i = 0; i < p->n_hosts; i++)
		if ((int)strlen(p->hosts[i].host) > width)
			width = (int)strlen(p->hosts[i].host);
	int r = buf_printf(out, "\n%-*s  %-12s %8s %14s %12s\n", width, "HOST", "LAST CONTACT",
			   "STREAMS", "LINES", "BYTES");
	for (size_t i = 0; i < p->n_hosts && r == 0; i++) {
		const struct store_host *h = &p->hosts[i].h;
		char ago[32], bytes[32];
		r = buf_printf(out, "%-*s  %-12s %8" PRIu64 " %14" PRIu64 " %12s\n", width,
			       p->hosts[i].host, ago_text(p->now_us, h->last_contact_us, ago),
			       h->streams, h->lines, bytes_text(h->bytes, bytes));
	}
	return r;
}

static int add_text(struct buf *out, const struct intake *in, const struct picture *p)
{
	char a[32], b[32];
	int r = buf_printf(out, "haul-collector %s, started %s, on %s\n", HAUL_VERSION,
			   ago_text(p->now_us, in->started_us, a), p->listen);
	if (r == 0)
		r = buf_printf(out, "state       %s%s\n",
			       p->ready ? "ready" : "not ready: ", p->ready ? "" : p->reason);
	if (r == 0)
		r = buf_printf(out, "requests    %u in flight, %u connections, %s of %s memory\n",
			       p->requests, p->connections.connections,
			       bytes_text(p->receiving.taken + p->working.taken, a),
			       bytes_text(p->receiving.total + p->working.total, b));
	if (r == 0 && p->has_store)
		r = text_store(out, p);
	if (r == 0 && p->has_store)
		r = text_archive(out, p->archive);
	if (r == 0 && p->n_hosts)
		r = text_hosts(out, p);
	return r;
}

static void status_run(struct request *r)
{
	struct buf out = BUF_EMPTY;
	struct picture *p = calloc(1, sizeof(*p));
	bool text = span_is(http_argument(r->x, "format"), "text");
	int result = p ? take_picture(r->intake, http_server(r->x), p) : -ENOMEM;
	if (result == 0)
		result = text ? add_text(&out, r->intake, p) : add_json(&out, r->intake, p);
	if (result < 0)
		request_put_off(r, 503, 1, "the collector is short of memory");
	request_answer(r, text ? NULL : "application/json", &out);
	buf_free(&out);
	if (p)
		free(p->hosts);
	free(p);
}

const struct route status_route = {
	.path = "/v1/status",
	.method = "GET",
	.access = ROUTE_OPERATOR,
	.run = status_run,
};

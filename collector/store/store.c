/* The store as a whole: see store.h for what it promises, core.h for how its parts fit together.
 * Ingest and the program call these functions. */
#include "collector/store/store.h"

#include "collector/store/core.h"
#include "collector/store/recovery.h"
#include "collector/store/restore.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* An event may be so far ahead of the collector's clock before its time is not believed. */
#define AHEAD_MAX_US NUM_DAY_US

/* Descriptors of live files at once: no more than this share of the limit. Connections may take
 * half of it; what is left is for everything else. */
enum { OPEN_MAX = 65536, OPEN_MIN = 16, OPEN_SHARE = 3 };

/* --- opening and closing --- */

static size_t max_open(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return OPEN_MIN;
	rlim_t n = limit.rlim_cur / OPEN_SHARE;
	return n > OPEN_MAX ? OPEN_MAX : n < OPEN_MIN ? OPEN_MIN : (size_t)n;
}

static void init(struct store *s)
{
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_mutex_init(&s->ledger_lock, NULL);
	cond_init(&s->queued);
	cond_init(&s->appendable);
	cond_init(&s->progress);
	streams_init(&s->streams);
	hosts_init(&s->hosts);
	shards_init(&s->shards);
	queue_init(&s->queue);
	queue_init(&s->append_queue);
	room_init(&s->room, &s->tree, s->config.min_free);
	appender_init(&s->appender, &s->tree, max_open(), NULL, s);
	s->tree.root = s->tree.lock = s->tree_wal = -1;
}

static void destroy(struct store *s)
{
	appender_free(&s->appender);
	wal_close(s->wal);
	wal_files_close(s->wal_files);
	ledger_close(s->ledger);
	for (size_t i = 0; i < s->n_losses; i++)
		free(s->losses[i].text);
	free(s->losses);
	free(s->moved);
	streams_free(&s->streams);
	hosts_free(&s->hosts);
	shards_free(&s->shards);
	room_destroy(&s->room);
	blocked_free(&s->blocked);
	file_close(&s->tree_wal);
	tree_close(&s->tree);
	(void)pthread_cond_destroy(&s->progress);
	(void)pthread_cond_destroy(&s->appendable);
	(void)pthread_cond_destroy(&s->queued);
	(void)pthread_mutex_destroy(&s->ledger_lock);
	(void)pthread_mutex_destroy(&s->lock);
	free(s->data_dir);
	free(s);
}

static int open_tree(struct store *s, struct conf_error *err)
{
	int r = tree_open(s->data_dir, &s->tree);
	if (r == 0)
		r = s->tree_wal = tree_open_dir(&s->tree, TREE_WAL);
	if (r >= 0)
		return 0;
	const char *why = r == -EWOULDBLOCK ? "another collector has this directory"
			  : r == -EXDEV
				  ? "its .haul is on another file system, which is not supported"
			  : r == -ELOOP  ? "its .haul is a symbolic link, which is not supported"
			  : r == -ENOSYS ? "openat2 is missing: Linux 5.6 or newer is needed"
					 : strerror(-r);
	(void)snprintf(err->text, sizeof(err->text), "%s: %s", s->data_dir, why);
	return r;
}

/* Only what is durable in the ledger, too, is built upon. With no room for that it can be read from
 * and deleted from, and store_admit lets nothing in before a checkpoint went through. But a uuid
 * that agents bind themselves to is not given out before it is durable. */
static int first_checkpoint(struct store *s, struct conf_error *err)
{
	int r = checkpoint_now(s);
	if (r == -ENOSPC && !s->uuid_is_new)
		return 0;
	if (r < 0) {
		(void)snprintf(err->text, sizeof(err->text), "%s: the first checkpoint: %s",
			       s->data_dir, strerror(-r));
		return r;
	}
	r = restore_settle_waiting(s);
	if (r < 0)
		log_warning("%s/%s/waiting: %s; the next start tries again", s->data_dir, TREE_HAUL,
			    strerror(-r));
	return 0;
}

int store_open(const struct store_config *config, struct store **ret, struct conf_error *err)
{
	struct store *s = calloc(1, sizeof(*s));
	char *data_dir = s ? strdup(config->data_dir) : NULL;
	if (!data_dir) {
		free(s);
		(void)snprintf(err->text, sizeof(err->text), "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	s->config = *config;
	s->config.data_dir = s->data_dir = data_dir;
	init(s);
	uint64_t ledger_lsn;
	int r = open_tree(s, err);
	if (r == 0)
		r = recovery_run(s, &ledger_lsn, err);
	if (r == 0) {
		r = pipeline_start(s);
		if (r == 0)
			r = checkpoint_start(s, ledger_lsn);
		if (r < 0)
			(void)snprintf(err->text, sizeof(err->text), "%s: threads: %s", s->data_dir,
				       strerror(-r));
	}
	if (r == 0)
		r = first_checkpoint(s, err);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->closing = true;
	(void)pthread_cond_broadcast(&s->progress);
	(void)pthread_mutex_unlock(&s->lock);
	checkpoint_stop(s);
	pipeline_stop(s);
	destroy(s);
}

/* --- what it is and how it is --- */

const char *store_uuid(const struct store *s)
{
	return s->uuid;
}

int store_failure(struct store *s, char *ret_what, size_t size)
{
	(void)pthread_mutex_lock(&s->lock);
	int r = s->failure;
	if (r && size)
		(void)snprintf(ret_what, size, "%s: %s", s->failure_what, strerror(-r));
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

size_t store_blocked(const struct store *s, char *ret_what, size_t size)
{
	if (s->blocked.n)
		(void)snprintf(ret_what, size, "%s cannot be written: %s",
			       s->blocked.places[0].path, strerror(-s->blocked.places[0].error));
	return s->blocked.n;
}

bool store_unblocked(const struct store *s)
{
	return blocked_opened(&s->blocked, &s->tree) != NULL;
}

int store_admit(struct store *s, uint64_t wal_bytes, uint64_t rendered_bytes)
{
	uint64_t bytes;
	if (!num_add_u64(wal_bytes, rendered_bytes, &bytes))
		return -ENOSPC;
	(void)pthread_mutex_lock(&s->lock);
	bool founded = s->counters.checkpoints > 0;
	(void)pthread_mutex_unlock(&s->lock);
	return founded ? room_check(&s->room, bytes) : -ENOSPC;
}

struct render_terms store_terms(struct store *s, struct span service, int64_t received_us)
{
	const struct store_config *c = &s->config;
	return (struct render_terms){
		.received_us = received_us,
		.oldest_day =
			c->oldest_day ? c->oldest_day(c->user, service, received_us) : INT32_MIN,
		.newest_us = received_us + AHEAD_MAX_US,
	};
}

void store_counters(struct store *s, struct store_counters *ret)
{
	(void)pthread_mutex_lock(&s->lock);
	*ret = s->counters;
	ret->streams = s->streams.by_key.count;
	(void)pthread_mutex_unlock(&s->lock);
	ret->shards_open = __atomic_load_n(&s->appender.n_open, __ATOMIC_RELAXED);
	ret->blocked_places = s->blocked.n;
	ret->wal_files = wal_files_count(s->wal_files);
	room_figures(&s->room, &ret->free_bytes, &ret->total_bytes, &ret->reserve_bytes);
}

void store_hosts(struct store *s, int64_t now_us,
		 void (*each)(void *user, const struct store_host *h), void *user)
{
	(void)pthread_mutex_lock(&s->lock);
	size_t cursor = 0;
	for (const struct host *host; (host = map_next(&s->hosts.by_name, &cursor));) {
		struct store_host row = {
			.host = span_of(host->name),
			.session = host->session,
			.first_contact_us = host->first_contact_us,
			.last_contact_us = host->last_contact_us,
			.streams = host->open.n + host->ended.n,
			.lines = host->lines,
			.bytes = host->bytes,
			.lost_bytes = host->lost_bytes,
			.rate = host_rate(host, now_us),
			.report = host->report,
			.report_us = host->report_us,
			.beyond = host->beyond,
		};
		each(user, &row);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

void store_report(struct store *s, struct span host_name, uint64_t session,
		  const struct report *report, int64_t received_us)
{
	(void)pthread_mutex_lock(&s->lock);
	struct host *host = hosts_find(&s->hosts, host_name);
	if (host && session && host->session == session) {
		host->report = *report;
		host->report_us = received_us;
		host->last_contact_us = received_us;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

int store_checkpoint(struct store *s)
{
	return checkpoint_now(s);
}

/* --- sessions --- */

static struct span keep(char **at, struct span s)
{
	char *ptr = *at;
	if (s.len)
		memcpy(ptr, s.ptr, s.len);
	*at += s.len;
	return span_make(ptr, s.len);
}

static struct session_item *session_item(const struct session_request *q)
{
	struct session_item *item = calloc(1, sizeof(*item));
	if (!item)
		return NULL;
	char *at = item->text;
	item->session = (struct session){.host = keep(&at, q->host),
					 .machine = keep(&at, q->machine),
					 .agent = keep(&at, q->agent),
					 .received_us = q->received_us};
	return item;
}

/* With the lock held. */
static int open_session(struct store *s, struct session *session)
{
	struct host *host = hosts_get(&s->hosts, session->host);
	if (!host)
		return -ENOMEM;
	if (session_machine_busy(host, session->machine, session->received_us))
		return -EBUSY;
	session->number = s->hosts.last_session + 1;
	return session_open(&s->hosts, host, session);
}

int store_session_open(struct store *s, const struct session_request *request,
		       void (*done)(void *user, int result, uint64_t session), void *user)
{
	if (!name_valid_host(request->host) || request->machine.len > SESSION_MACHINE_MAX ||
	    request->agent.len > SESSION_AGENT_MAX)
		return -EINVAL;
	struct session_item *item = session_item(request);
	if (!item)
		return -ENOMEM;
	item->done = done;
	item->user = user;
	(void)pthread_mutex_lock(&s->lock);
	item->result = s->failure ? -EIO : open_session(s, &item->session);
	store_enqueue(s, &item->item, ITEM_SESSION, item->result == 0);
	(void)pthread_mutex_unlock(&s->lock);
	return 0;
}

int store_session_host(struct store *s, uint64_t session, char ret_host[NAME_MAX_LEN + 1])
{
	(void)pthread_mutex_lock(&s->lock);
	const struct host *host = hosts_by_session(&s->hosts, session);
	int r = host ? 0 : session && session <= s->hosts.last_session ? -ESTALE : -ENOENT;
	if (host)
		memcpy(ret_host, host->name, sizeof(host->name));
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* --- streams --- */

static int encode_rows(struct stream **streams, size_t n, struct buf *out)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct stream *s = streams[i];
		struct stream_row row = {
			.stream = s->id,
			.service = stream_service(s),
			.instance = stream_instance(s),
			.path = stream_path(s),
			.ino = s->ino,
			.btime_ns = s->btime_ns,
			.start = s->start,
			.base = s->base,
			.offset = s->offset,
			.crc = s->crc,
			.state = stream_state(s),
			.ended = s->ended,
		};
		r = stream_row_encode(&row, out);
	}
	return r;
}

int store_streams(struct store *s, struct span host_name, const struct stream_id *after,
		  size_t limit, void (*done)(void *user, int result, struct span rows), void *user)
{
	struct rows_item *item = calloc(1, sizeof(*item));
	struct stream **page = item ? malloc((limit + 1) * sizeof(struct stream *)) : NULL;
	if (!page) {
		free(item);
		return -ENOMEM;
	}
	item->done = done;
	item->user = user;
	(void)pthread_mutex_lock(&s->lock);
	const struct host *host = hosts_find(&s->hosts, host_name);
	size_t n = host ? streams_page(&s->streams, host, after, limit, page) : 0;
	int r = encode_rows(page, n, &item->rows);
	if (r == 0)
		store_enqueue(s, &item->item, ITEM_ROWS, false);
	(void)pthread_mutex_unlock(&s->lock);
	free(page);
	if (r < 0) {
		buf_free(&item->rows);
		free(item);
	}
	return r;
}

/* Streams that ended long ago: see forget.h. Called at each checkpoint.
 *
 * In two steps, for what retention says is asked without the store's lock. Under it a few streams
 * are looked at from where the last checkpoint stopped, so that those that are kept for long do not
 * hide those behind them. */
#include "collector/store/forget.h"

#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>

struct forget_item {
	struct host *host; /* hosts stay */
	struct stream_id id;
	int64_t last_us;
	size_t service_len;
	char service[NAME_MAX_LEN];
};

struct forget_list {
	size_t n;
	struct forget_item items[FORGET_AT_ONCE];
};

/* The time as far as it can be believed; INT64_MIN: not at all. With the lock held. */
static int64_t sure_now_us(const struct store *s)
{
	int64_t now_us = clock_real_ns() / NUM_US_NS, sure_us = s->counters.sure_clock_us;
	return sure_us == 0 ? INT64_MIN : now_us < sure_us ? now_us : sure_us;
}

static bool may_go(const struct stream *stream, int64_t before_us)
{
	return stream->ended && stream->n_gaps == 0 && stream->last_us < before_us;
}

static void add(struct forget_list *list, const struct stream *stream)
{
	struct forget_item *item = &list->items[list->n++];
	struct span service = stream_service(stream);
	*item = (struct forget_item){.host = stream->host,
				     .id = stream->id,
				     .last_us = stream->last_us,
				     .service_len = service.len};
	memcpy(item->service, service.ptr, service.len);
}

/* Looks at some of a host's streams beyond those that are kept. */
static void look_at(struct host *host, int64_t before_us, size_t *left, struct forget_list *list)
{
	for (; *left; --*left) {
		bool newest = host->ended.n <= FORGET_KEPT + host->ended_passed;
		const struct stream *stream = newest ? NULL : streams_next_ended(host);
		/* Those behind it are younger. */
		if (!stream || stream->last_us >= before_us) {
			streams_first_ended(host);
			return;
		}
		if (may_go(stream, before_us))
			add(list, stream);
	}
}

/* Retention has deleted the lines of those that stay in the list. */
static void ask_retention(const struct store *s, int64_t now_us, struct forget_list *list)
{
	const struct store_config *c = &s->config;
	int32_t today = civil_day_of_us(now_us);
	size_t kept = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct forget_item *item = &list->items[i];
		struct span service = span_make(item->service, item->service_len);
		int32_t oldest =
			c->oldest_day ? c->oldest_day(c->user, service, now_us) : INT32_MIN;
		if (oldest == INT32_MIN)
			oldest = today - FORGET_EVER_DAYS;
		if (civil_day_of_us(item->last_us) < oldest)
			list->items[kept++] = *item;
	}
	list->n = kept;
}

static bool any_excess(const struct store *s)
{
	size_t cursor = 0;
	for (const struct host *host; (host = map_next(&s->hosts.by_name, &cursor));)
		if (host->ended.n > FORGET_KEPT)
			return true;
	return false;
}

int forget_choose(struct store *s, struct forget_list **ret)
{
	*ret = NULL;
	(void)pthread_mutex_lock(&s->lock);
	int64_t now_us = sure_now_us(s);
	bool any = now_us != INT64_MIN && any_excess(s);
	(void)pthread_mutex_unlock(&s->lock);
	struct forget_list *list = any ? malloc(sizeof(*list)) : NULL;
	if (!list)
		return any ? -ENOMEM : 0;
	list->n = 0;
	size_t left = FORGET_AT_ONCE, cursor = 0;
	int64_t before_us = now_us - FORGET_DAYS * NUM_DAY_US;
	(void)pthread_mutex_lock(&s->lock);
	for (struct host *host; left && (host = map_next(&s->hosts.by_name, &cursor));)
		look_at(host, before_us, &left, list);
	(void)pthread_mutex_unlock(&s->lock);
	ask_retention(s, now_us, list);
	*ret = list;
	return 0;
}

void forget_take(struct store *s, const struct forget_list *list)
{
	for (size_t i = 0; list && i < list->n; i++) {
		const struct forget_item *item = &list->items[i];
		struct stream *stream = streams_find(&s->streams, item->host, &item->id);
		if (stream && stream->last_us == item->last_us &&
		    may_go(stream, item->last_us + 1) && item->host->ended.n > FORGET_KEPT &&
		    streams_forget(&s->streams, stream) < 0)
			return; /* without memory fewer go */
	}
}

void forget_free(struct forget_list *list)
{
	free(list);
}

/* The collector's streams: see inquiry.h. Called by verify, in a program of its own: it may
 * wait. */
#include "agent/ship/inquiry.h"

#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <stdio.h>

#define PATIENCE_NS (60 * NUM_SEC_NS) /* for one answer */

enum { PAGE_ROWS = 1000, URL_MAX = 1024 };

struct inquiry {
	const struct inquiry_config *config;
	struct exchange *exchange;
	struct answer answer;
	struct stream_id after; /* the last row of the page before */
	bool first_page;
	char *why;
	size_t why_size;
};

static int say(struct inquiry *q, int r, const char *why)
{
	(void)snprintf(q->why, q->why_size, "%s", why);
	return r;
}

static int not_answered(struct inquiry *q)
{
	const struct answer *a = &q->answer;
	struct span text = span_first(a->body, span_find(a->body, '\n'));
	int len = (int)(text.len < 200 ? text.len : 200);
	if (a->status == 0)
		(void)snprintf(q->why, q->why_size, "it cannot be reached: %s", a->error);
	else if (!a->haul)
		(void)snprintf(q->why, q->why_size,
			       "HTTP %ld from something that is not a haul collector", a->status);
	else
		(void)snprintf(q->why, q->why_size, "HTTP %ld: %.*s", a->status, len,
			       text.ptr ? text.ptr : "");
	return a->haul && a->status ? -EACCES : -ENOTCONN;
}

static void make_url(const struct inquiry *q, char url[URL_MAX])
{
	char after[STREAM_ID_HEX + 8] = "";
	struct span base = span_of(q->config->url);
	while (base.len && base.ptr[base.len - 1] == '/')
		base.len--;
	if (!q->first_page) {
		memcpy(after, "&after=", 7);
		stream_id_format(after + 7, &q->after);
		after[7 + STREAM_ID_HEX] = '\0';
	}
	(void)snprintf(url, URL_MAX, "%.*s/v1/streams?host=%s&limit=%d%s", (int)base.len, base.ptr,
		       q->config->host, PAGE_ROWS, after);
}

static int ask(struct inquiry *q)
{
	char url[URL_MAX];
	make_url(q, url);
	struct request request = {
		.url = url,
		.agent = "00000000-0000-4000-8000-000000000000 0 haul-agent/" HAUL_VERSION};
	int r = exchange_start(q->exchange, &request, q->why, q->why_size);
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	while (r == 0 && !exchange_poll(q->exchange, &q->answer)) {
		int64_t left_ns = until_ns - clock_mono_ns();
		if (left_ns <= 0) {
			exchange_cancel(q->exchange);
			return say(q, -ENOTCONN, "it does not answer");
		}
		r = exchange_wait(q->exchange, NULL, 0, left_ns);
	}
	if (r < 0)
		return r;
	return q->answer.haul && q->answer.status == 200 ? 0 : not_answered(q);
}

/* The rows of a page: how many; or an error. */
static int take_page(struct inquiry *q, int (*each)(void *user, const struct stream_row *row),
		     void *user)
{
	struct buf scratch = BUF_EMPTY;
	int rows = 0, r = 0;
	for (struct span page = q->answer.body; r == 0 && page.len; rows++) {
		struct span line = span_first(page, span_find(page, '\n'));
		struct stream_row row;
		const char *why;
		page = span_from(page, line.len < page.len ? line.len + 1 : line.len);
		buf_clear(&scratch);
		r = stream_row_decode(line, &scratch, &row, &why);
		if (r < 0) {
			r = say(q, -EBADMSG, "its list of streams cannot be read");
			break;
		}
		q->after = row.stream;
		r = each(user, &row);
	}
	buf_free(&scratch);
	return r < 0 ? r : rows;
}

int inquiry_run(const struct inquiry_config *config,
		int (*each)(void *user, const struct stream_row *row), void *user, char *ret_why,
		size_t why_size)
{
	struct inquiry q = {
		.config = config, .first_page = true, .why = ret_why, .why_size = why_size};
	int r = exchange_new(&config->exchange, &q.exchange), rows = PAGE_ROWS;
	if (r < 0)
		return say(&q, r, "libcurl cannot be used");
	(void)say(&q, 0, "out of memory");
	while (r == 0 && rows == PAGE_ROWS) {
		r = ask(&q);
		if (r == 0)
			rows = take_page(&q, each, user);
		if (rows < 0)
			r = rows;
		q.first_page = false;
	}
	exchange_free(q.exchange);
	return r;
}

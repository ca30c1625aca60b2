/* One request at a time over curl: see exchange.h. Called by the uplink.
 *
 * Failure modes: a peer that is not there, a proxy that answers for it, an answer that never ends
 * (limited), a connection that stalls (no byte in either direction for the timeout). All of them
 * end the request with an answer whose `status` is 0 or whose `haul` is false; none ends the
 * program. */
#include "agent/ship/exchange.h"

#include "common/chunk.h"
#include "common/file.h"
#include "common/num.h"
#include "common/report.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { TOKEN_MAX = 4096, CONNECT_TIMEOUT_MS = 10000 };

struct exchange {
	struct exchange_config config;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	bool active;
	struct answer answer; /* as its headers come in */
	struct buf body;
	char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
	struct exchange *x = user;
	return buf_add(&x->body, bytes, size * n) < 0 ? 0 : size * n;
}

/* The value of header `name`, when that is what this line is. */
static bool header_value(struct span line, const char *name, struct span *ret)
{
	size_t n = strlen(name);
	if (line.len <= n || line.ptr[n] != ':' || strncasecmp(line.ptr, name, n) != 0)
		return false;
	*ret = span_trim(span_from(line, n + 1));
	return true;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *user)
{
	struct exchange *x = user;
	struct span line = span_make(bytes, size * n), value;
	while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
		line.len--;
	if (span_starts_with(line, SPAN_LITERAL("HTTP/"))) {
		/* A further response (after 100 Continue, say): only the last one counts. */
		x->answer = (struct answer){0};
	} else if (header_value(line, "Haul-Protocol", &value)) {
		x->answer.haul = span_is(value, CHUNK_PROTOCOL);
	} else if (header_value(line, "Haul-Collector", &value)) {
		if (value.len == UUID_LEN)
			memcpy(x->answer.collector, value.ptr, value.len);
	} else if (header_value(line, "Retry-After", &value)) {
		uint64_t seconds;
		if (num_parse_u64(value, &seconds) == 0 && seconds <= 86400)
			x->answer.retry_after_ns = (int64_t)seconds * NUM_SEC_NS;
	}
	return size * n;
}

static void set_tls(CURL *easy, const struct exchange_config *c)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (*c->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
	if (*c->pin) {
		curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, c->pin);
		/* The pin itself says who it is; a private collector has no CA and perhaps no
		 * name. */
		if (!*c->ca_file) {
			curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
			curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
		}
	}
	if (*c->client_cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, c->client_cert);
	if (*c->client_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, c->client_key);
}

static void set_up(struct exchange *x)
{
	const struct exchange_config *c = &x->config;
	CURL *easy = x->easy;
	long stall_s = (long)((c->timeout_ns + NUM_SEC_NS - 1) / NUM_SEC_NS);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall_s > 0 ? stall_s : 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	if (c->max_rate)
		curl_easy_setopt(easy, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)c->max_rate);
	set_tls(easy, c);
}

int exchange_new(const struct exchange_config *config, struct exchange **ret)
{
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->config = *config;
	x->body.max = EXCHANGE_ANSWER_MAX;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(x);
		return -EIO;
	}
	x->multi = curl_multi_init();
	x->easy = curl_easy_init();
	if (!x->multi || !x->easy) {
		exchange_free(x);
		return -EIO;
	}
	set_up(x);
	*ret = x;
	return 0;
}

void exchange_cancel(struct exchange *x)
{
	if (x->active)
		curl_multi_remove_handle(x->multi, x->easy);
	x->active = false;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	exchange_cancel(x);
	curl_slist_free_all(x->headers);
	curl_easy_cleanup(x->easy);
	curl_multi_cleanup(x->multi);
	curl_global_cleanup();
	buf_free(&x->body);
	free(x);
}

/* --- a request --- */

static int add_header(struct exchange *x, const char *name, const char *value)
{
	struct buf line = BUF_EMPTY;
	struct curl_slist *longer = NULL;
	const char *text;
	if (buf_printf(&line, "%s: %s", name, value) == 0 && (text = buf_cstr(&line)) != NULL)
		longer = curl_slist_append(x->headers, text);
	buf_free(&line);
	if (!longer)
		return -ENOMEM;
	x->headers = longer;
	return 0;
}

static int add_token(struct exchange *x, char *ret_why, size_t why_size)
{
	const char *path = x->config.token_file;
	if (!*path)
		return 0;
	struct buf token = BUF_EMPTY, value = BUF_EMPTY;
	int r = file_read(AT_FDCWD, path, TOKEN_MAX, &token);
	if (r < 0) {
		(void)snprintf(ret_why, why_size, "token file %s: %s", path, strerror(-r));
	} else {
		while (token.len && strchr(" \t\r\n", token.ptr[token.len - 1]))
			token.len--;
		const char *text;
		r = buf_add_str(&value, "Bearer ");
		if (r == 0)
			r = buf_add_span(&value, buf_span(&token));
		if (r == 0)
			r = (text = buf_cstr(&value)) ? add_header(x, "Authorization", text)
						      : -ENOMEM;
	}
	buf_free(&token);
	buf_free(&value);
	return r;
}

static int set_headers(struct exchange *x, const struct request *q, char *ret_why, size_t why_size)
{
	curl_slist_free_all(x->headers);
	x->headers = NULL;
	int r = add_header(x, "Haul-Agent", q->agent);
	if (r == 0 && q->report)
		r = add_header(x, REPORT_HEADER, q->report);
	if (r == 0 && q->content_type)
		r = add_header(x, "Content-Type", q->content_type);
	if (r == 0 && q->gzip)
		r = add_header(x, "Content-Encoding", "gzip");
	/* Waiting for 100 Continue would cost a round trip for each batch. */
	if (r == 0)
		r = add_header(x, "Expect", "");
	if (r == 0)
		r = add_token(x, ret_why, why_size);
	return r;
}

int exchange_start(struct exchange *x, const struct request *q, char *ret_why, size_t why_size)
{
	(void)snprintf(ret_why, why_size, "out of memory");
	int r = set_headers(x, q, ret_why, why_size);
	if (r < 0)
		return r;
	CURL *easy = x->easy;
	curl_easy_setopt(easy, CURLOPT_URL, q->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
	if (q->content_type) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->body.ptr ? q->body.ptr : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len);
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	buf_clear(&x->body);
	x->answer = (struct answer){0};
	x->error[0] = '\0';
	CURLMcode m = curl_multi_add_handle(x->multi, easy);
	if (m != CURLM_OK) {
		(void)snprintf(ret_why, why_size, "%s", curl_multi_strerror(m));
		return -EIO;
	}
	/* curl wants to be called at once, so the next exchange_wait does not wait. Nothing is done
	 * here: an answer that came already now would be seen only when something else wakes the
	 * agent. */
	x->active = true;
	return 0;
}

/* --- its answer --- */

static void finish(struct exchange *x, CURLcode result, struct answer *ret)
{
	*ret = x->answer;
	ret->body = buf_span(&x->body);
	if (result == CURLE_OK) {
		curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &ret->status);
	} else {
		/* An answer that was cut is no answer. */
		ret->status = 0;
		ret->haul = false;
		ret->timed_out = result == CURLE_OPERATION_TIMEDOUT;
		(void)snprintf(ret->error, sizeof(ret->error), "%s",
			       *x->error ? x->error : curl_easy_strerror(result));
	}
	exchange_cancel(x);
}

int exchange_poll(struct exchange *x, struct answer *ret)
{
	int running, left;
	if (!x->active)
		return 0;
	(void)curl_multi_perform(x->multi, &running);
	for (CURLMsg *m; (m = curl_multi_info_read(x->multi, &left)) != NULL;) {
		if (m->msg == CURLMSG_DONE) {
			finish(x, m->data.result, ret);
			return 1;
		}
	}
	return 0;
}

int exchange_wait(struct exchange *x, struct curl_waitfd *fds, unsigned n, int64_t timeout_ns)
{
	/* Rounded up: waking a moment too early would spin. */
	int64_t ms = (timeout_ns + NUM_MS_NS - 1) / NUM_MS_NS;
	int timeout = ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
	CURLMcode m = curl_multi_poll(x->multi, fds, n, timeout, NULL);
	return m == CURLM_OK ? 0 : -EIO;
}

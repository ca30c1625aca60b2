/* The HTTP server: see http.h. The program starts and stops it; request.c is its handler.
 *
 * Threads: microhttpd's pool; each connection stays with one of its threads. An exchange is touched
 * by that thread only, but for http_resume and for the count of exchanges.
 *
 * How it fails: a connection that cannot be entered into the table (no room, no memory) is shut
 * down at once; an answer that cannot be made (no memory) ends the connection without one, which an
 * agent takes for "unreachable" and tries again. What microhttpd itself answers (400 to what is not
 * HTTP, 431 to an endless header) carries no Haul-Protocol header: to an agent that is no word of
 * haul's, and rightly so. */
#include "collector/ingest/http.h"

#include "collector/ingest/address.h"
#include "collector/ingest/listener.h"
#include "common/log.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* conns.h holds the real limits; these are the second net. */
enum { SILENCE_S = 300 };

struct http {
	const struct http_handler *handler;
	void *user;
	struct tls *tls;
	struct conns *conns;
	struct MHD_Daemon *daemon;
	char address[ADDRESS_TEXT_MAX];
	char uuid[64];
	atomic_uint exchanges, suspended;
	int quiesced; /* the socket that listened, after http_quiesce; else -1. Main thread only. */
};

/* A connection: made when it starts, freed when it closes. */
struct link {
	struct conn *conn;
	struct http_peer peer;
};

enum exchange_phase {
	EXCHANGE_BEGINNING, /* begin is called, or has suspended */
	EXCHANGE_READING,
	EXCHANGE_ENDING, /* end is called, or has suspended */
	EXCHANGE_ANSWERED,
	EXCHANGE_DROPPED,
};

struct http_exchange {
	struct http *http;
	struct MHD_Connection *connection;
	struct link *link;
	enum exchange_phase phase;
	bool suspended; /* between http_suspend and the call that follows http_resume */
	const char *method, *path;
	void *user;
};

/* --- connections --- */

static bool is_local(const struct sockaddr *peer, int fd)
{
	if (address_is_loopback(peer))
		return true;
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	return getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
	       address_same_host(peer, (struct sockaddr *)&own);
}

static int link_open(struct http *h, struct MHD_Connection *connection, struct link *l)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *peer =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!fd || !peer)
		return -EIO;
	memcpy(&l->peer.address, peer->client_addr, address_len(peer->client_addr));
	l->peer.local = is_local(peer->client_addr, fd->connect_fd);
	l->conn = conns_add(h->conns, fd->connect_fd, peer->client_addr);
	if (!l->conn) {
		(void)shutdown(fd->connect_fd, SHUT_RDWR);
		return -EBUSY;
	}
	if (!h->tls)
		return 0;
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (!tls || tls_prepare(h->tls, tls->tls_session) < 0) {
		(void)shutdown(fd->connect_fd, SHUT_RDWR);
		return -EIO;
	}
	l->peer.tls = tls->tls_session;
	return 0;
}

static void link_close(struct http *h, struct link *l)
{
	if (!l)
		return;
	conns_remove(h->conns, l->conn);
	free(l->peer.memo);
	free(l);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *h = user;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		link_close(h, *context);
		*context = NULL;
		return;
	}
	struct link *l = calloc(1, sizeof(*l));
	*context = l;
	if (!l || link_open(h, connection, l) < 0) {
		/* Its socket is shut down: on_request will not be reached with a link that is not
		 * whole. */
		link_close(h, l);
		*context = NULL;
	}
}

static struct link *link_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* --- exchanges --- */

static enum MHD_Result verdict(const struct http_exchange *x)
{
	return x->phase == EXCHANGE_DROPPED ? MHD_NO : MHD_YES;
}

static enum MHD_Result exchange_begin(struct http *h, struct MHD_Connection *connection,
				      const char *url, const char *method, void **context)
{
	struct link *l = link_of(connection);
	struct http_exchange *x = l ? calloc(1, sizeof(*x)) : NULL;
	if (!x)
		return MHD_NO;
	*x = (struct http_exchange){.http = h,
				    .connection = connection,
				    .link = l,
				    .phase = EXCHANGE_BEGINNING,
				    .method = method,
				    .path = url};
	*context = x;
	atomic_fetch_add(&h->exchanges, 1);
	conns_enter(h->conns, l->conn, CONN_WORKING);
	h->handler->begin(h->user, x);
	if (x->phase == EXCHANGE_BEGINNING && !x->suspended) {
		x->phase = EXCHANGE_READING;
		conns_enter(h->conns, l->conn, CONN_RECEIVING);
	}
	return verdict(x);
}

static enum MHD_Result exchange_resumed(struct http_exchange *x)
{
	x->suspended = false;
	atomic_fetch_sub(&x->http->suspended, 1);
	x->http->handler->resumed(x);
	if (x->phase == EXCHANGE_BEGINNING && !x->suspended) {
		x->phase = EXCHANGE_READING;
		conns_enter(x->http->conns, x->link->conn, CONN_RECEIVING);
	}
	return verdict(x);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct http *h = user;
	struct http_exchange *x = *context;
	(void)version;
	if (!x)
		return exchange_begin(h, connection, url, method, context);
	if (x->suspended)
		return exchange_resumed(x);
	assert(x->phase == EXCHANGE_READING);
	if (*upload_size) {
		conns_received(h->conns, x->link->conn, *upload_size);
		h->handler->body(x, span_make(upload, *upload_size));
		*upload_size = 0;
		return verdict(x);
	}
	x->phase = EXCHANGE_ENDING;
	conns_enter(h->conns, x->link->conn, CONN_WORKING);
	h->handler->end(x);
	assert(x->suspended || x->phase != EXCHANGE_ENDING);
	return verdict(x);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct http *h = user;
	struct http_exchange *x = *context;
	(void)connection;
	(void)code;
	if (!x)
		return;
	*context = NULL;
	if (x->suspended) /* resumed, but the peer had gone meanwhile */
		atomic_fetch_sub(&h->suspended, 1);
	h->handler->gone(x);
	conns_enter(h->conns, x->link->conn, CONN_IDLE);
	free(x);
	atomic_fetch_sub(&h->exchanges, 1);
}

static void on_log(void *user, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void on_log(void *user, const char *format, va_list args)
{
	(void)user;
	char text[512];
	int len = vsnprintf(text, sizeof(text), format, args);
	if (len > 0 && (size_t)len < sizeof(text) && text[len - 1] == '\n')
		text[len - 1] = '\0';
	log_debug("http: %s", text);
}

/* --- start and stop --- */

static int start_daemon(struct http *h, const struct http_config *config, int fd, bool v6)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO |
			 MHD_USE_ERROR_LOG | (v6 ? MHD_USE_IPv6 : 0) |
			 (config->tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem options[8];
	size_t n = 0;
	if (config->threads > 1)
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE,
						       (intptr_t)config->threads, NULL};
	if (config->tls) {
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
						       (void *)tls_cert_pem(config->tls)};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0,
						       (void *)tls_key_pem(config->tls)};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
						       (void *)TLS_PRIORITIES};
	}
	options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	/* The logger comes first: microhttpd tells of bad options through it. Its own limit is
	 * divided among its threads, and connections are not spread evenly, hence the room. */
	h->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
		(config->limits.max + 64) * (config->threads + 1), MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)SILENCE_S, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_ARRAY, options,
		MHD_OPTION_END);
	return h->daemon ? 0 : -EIO;
}

int http_start(const struct http_config *config, struct http **ret, struct conf_error *err)
{
	struct http *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->handler = config->handler;
	h->user = config->user;
	h->tls = config->tls;
	h->quiesced = -1;
	(void)snprintf(h->uuid, sizeof(h->uuid), "%s", config->uuid);
	int fd = -1;
	struct sockaddr_storage bound = {0};
	h->conns = conns_new(config->limits);
	int r = h->conns ? listener_open(config->listen, &fd, &bound, err) : -ENOMEM;
	if (r == 0)
		address_format((struct sockaddr *)&bound, h->address);
	if (r == 0 && (r = start_daemon(h, config, fd, bound.ss_family == AF_INET6)) < 0) {
		(void)close(fd);
		(void)snprintf(err->text, sizeof(err->text), "the HTTP server on %s does not start",
			       h->address);
	}
	if (r < 0) {
		conns_free(h->conns);
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

const char *http_address(const struct http *h)
{
	return h->address;
}

void http_tick(struct http *h, int64_t now_ns, bool pressed)
{
	(void)conns_tick(h->conns, now_ns, pressed);
}

void http_quiesce(struct http *h)
{
	if (h->quiesced >= 0)
		return;
	h->quiesced = MHD_quiesce_daemon(h->daemon);
	/* The threads may still take it out of their epoll sets: it is closed when they are
	 * gone. */
	if (h->quiesced >= 0)
		(void)shutdown(h->quiesced, SHUT_RDWR);
	conns_cut_silent(h->conns);
}

unsigned http_exchanges(struct http *h)
{
	return atomic_load(&h->exchanges);
}

unsigned http_suspended(struct http *h)
{
	return atomic_load(&h->suspended);
}

struct conns_state http_connections(struct http *h)
{
	return conns_state(h->conns);
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	assert(http_suspended(h) == 0);
	MHD_stop_daemon(h->daemon);
	if (h->quiesced >= 0)
		(void)close(h->quiesced);
	assert(atomic_load(&h->exchanges) == 0);
	conns_free(h->conns);
	free(h);
}

/* --- what the handler asks and says --- */

struct http *http_server(struct http_exchange *x)
{
	return x->http;
}

struct http_peer *http_peer(struct http_exchange *x)
{
	return &x->link->peer;
}

const char *http_method(const struct http_exchange *x)
{
	return x->method;
}

const char *http_path(const struct http_exchange *x)
{
	return x->path;
}

struct header_search {
	const char *name;
	const char *value;
	unsigned n;
};

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *key,
				 const char *value)
{
	struct header_search *s = user;
	(void)kind;
	if (strcasecmp(key, s->name) == 0) {
		s->value = value;
		s->n++;
	}
	return MHD_YES;
}

static struct header_search search_header(struct http_exchange *x, const char *name)
{
	struct header_search s = {.name = name};
	(void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_header, &s);
	return s;
}

struct span http_header(struct http_exchange *x, const char *name)
{
	struct header_search s = search_header(x, name);
	return span_of(s.n == 1 ? s.value : NULL);
}

bool http_has_header(struct http_exchange *x, const char *name)
{
	return search_header(x, name).n > 0;
}

struct span http_argument(struct http_exchange *x, const char *name)
{
	return span_of(MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name));
}

uint64_t http_content_length(struct http_exchange *x)
{
	if (http_has_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return HTTP_LENGTH_UNKNOWN;
	uint64_t length;
	if (num_parse_u64(http_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH), &length) < 0)
		return 0;
	return length < HTTP_LENGTH_UNKNOWN ? length
					    : HTTP_LENGTH_UNKNOWN - 1; /* announced is known */
}

bool http_expects_continue(struct http_exchange *x)
{
	struct span expect = http_header(x, MHD_HTTP_HEADER_EXPECT);
	return expect.len == 12 && strncasecmp(expect.ptr, "100-continue", 12) == 0;
}

void http_set_user(struct http_exchange *x, void *user)
{
	x->user = user;
}

void *http_user(struct http_exchange *x)
{
	return x->user;
}

void http_suspend(struct http_exchange *x)
{
	assert(!x->suspended && x->phase != EXCHANGE_ANSWERED);
	x->suspended = true;
	atomic_fetch_add(&x->http->suspended, 1);
	if (x->phase == EXCHANGE_BEGINNING)
		conns_enter(x->http->conns, x->link->conn, CONN_WORKING);
	MHD_suspend_connection(x->connection);
}

void http_resume(struct http_exchange *x)
{
	MHD_resume_connection(x->connection);
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(const struct http *h, struct MHD_Response *response,
			const struct http_answer *a)
{
	bool good = add_header(response, "Haul-Protocol", "1") &&
		    add_header(response, "Haul-Collector", h->uuid) &&
		    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			       a->content_type ? a->content_type : "text/plain; charset=utf-8");
	if (good && a->retry_after_s) {
		char seconds[16];
		(void)snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
		good = add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (good && a->allow)
		good = add_header(response, MHD_HTTP_HEADER_ALLOW, a->allow);
	if (good && a->authenticate)
		good = add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				  "Bearer realm=\"haul\"");
	if (good && a->close)
		good = add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return good;
}

void http_answer(struct http_exchange *x, struct http_answer a)
{
	assert(x->phase == EXCHANGE_BEGINNING || x->phase == EXCHANGE_ENDING);
	struct MHD_Response *response =
		a.body && a.body->len
			? MHD_create_response_from_buffer(a.body->len, a.body->ptr,
							  MHD_RESPMEM_MUST_FREE)
			: MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	if (response && a.body && a.body->len)
		*a.body = (struct buf){.max = a.body->max}; /* the response's now */
	bool queued = response && add_headers(x->http, response, &a) &&
		      MHD_queue_response(x->connection, a.status, response) == MHD_YES;
	if (response)
		MHD_destroy_response(response);
	x->phase = queued ? EXCHANGE_ANSWERED : EXCHANGE_DROPPED;
	conns_enter(x->http->conns, x->link->conn, CONN_ANSWERING);
}

bool http_answered(const struct http_exchange *x)
{
	return x->phase == EXCHANGE_ANSWERED || x->phase == EXCHANGE_DROPPED;
}

void http_drop(struct http_exchange *x)
{
	x->phase = EXCHANGE_DROPPED;
}

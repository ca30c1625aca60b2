/* The status listener: see listener.h; the agent's only user of microhttpd, which runs here without
 * a thread of its own: its epoll descriptor is one more in the agent's loop.
 *
 * It answers whoever may connect to the address, so it belongs on loopback; it takes no input but a
 * path. A handful of connections at most: a peer that holds one open cannot keep the agent from
 * shipping. */
#include "agent/listener.h"

#include "common/metrics.h"
#include "common/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { CONNECTIONS_MAX = 8, IDLE_SECONDS = 10, POOL_BYTES = 4096 };

struct listener {
	struct MHD_Daemon *daemon;
	int epoll_fd;
	listener_page status, metrics;
	void *user;
};

/* --- answering --- */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned code, const char *type,
			      struct buf *body)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(body->len, body->ptr, MHD_RESPMEM_MUST_COPY);
	buf_free(body);
	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	enum MHD_Result r = MHD_queue_response(c, code, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **state)
{
	struct listener *l = user;
	static int seen;
	(void)version;
	(void)data;
	if (!*state) {
		*state = &seen; /* the headers are there; the answer comes with the next
				   call */
		return MHD_YES;
	}
	if (*data_size) {
		*data_size = 0;
		return MHD_YES;
	}
	struct buf body = BUF_EMPTY;
	const char *type = "text/plain; charset=utf-8";
	unsigned code = MHD_HTTP_OK;
	int r;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		code = MHD_HTTP_METHOD_NOT_ALLOWED;
		r = buf_add_str(&body, "only GET is answered here\n");
	} else if (strcmp(url, "/status") == 0) {
		type = "application/json";
		r = l->status(l->user, &body);
	} else if (strcmp(url, "/metrics") == 0) {
		type = METRICS_CONTENT_TYPE;
		r = l->metrics(l->user, &body);
	} else if (strcmp(url, "/healthz") == 0) {
		r = buf_add_str(&body, "ok\n");
	} else {
		code = MHD_HTTP_NOT_FOUND;
		r = buf_add_str(&body, "there are /status, /metrics and /healthz\n");
	}
	if (r < 0) {
		buf_free(&body);
		return MHD_NO;
	}
	return answer(c, code, type, &body);
}

/* --- address --- */

static int parse_address(const char *text, struct sockaddr_storage *ret)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;
	char ip[64];
	if (!colon || num_parse_u64(span_of(colon + 1), &port) < 0 || port > 65535)
		return -EINVAL;
	struct span host = span_make(text, (size_t)(colon - text));
	bool six = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
	if (six)
		host = span_make(host.ptr + 1, host.len - 2);
	if (host.len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, host.ptr, host.len);
	ip[host.len] = '\0';
	*ret = (struct sockaddr_storage){0};
	if (six) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)ret;
		a->sin6_family = AF_INET6;
		a->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, ip, &a->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	struct sockaddr_in *a = (struct sockaddr_in *)ret;
	a->sin_family = AF_INET;
	a->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, ip, &a->sin_addr) == 1 ? 0 : -EINVAL;
}

int listener_check(const char *address, const char **ret_why)
{
	struct sockaddr_storage where;
	*ret_why = "it must be IP:PORT or [IP6]:PORT";
	return *address ? parse_address(address, &where) : 0;
}

int listener_new(const char *address, listener_page status, listener_page metrics, void *user,
		 struct listener **ret)
{
	struct sockaddr_storage where;
	int r = parse_address(address, &where);
	if (r < 0)
		return r;
	struct listener *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->status = status;
	l->metrics = metrics;
	l->user = user;
	unsigned flags = MHD_USE_EPOLL | (where.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	errno = 0;
	l->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, l, MHD_OPTION_SOCK_ADDR,
				     (struct sockaddr *)&where, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)POOL_BYTES, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		l->daemon ? MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		r = errno ? -errno : -EADDRINUSE;
		listener_free(l);
		return r;
	}
	l->epoll_fd = info->epoll_fd;
	*ret = l;
	return 0;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	free(l);
}

int listener_fd(const struct listener *l)
{
	return l->epoll_fd;
}

int64_t listener_next_ns(const struct listener *l, int64_t now_ns)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (MHD_get_timeout(l->daemon, &ms) != MHD_YES)
		return INT64_MAX;
	return now_ns + (ms > 3600000 ? 3600000 : (int64_t)ms) * NUM_MS_NS;
}

void listener_run(struct listener *l)
{
	(void)MHD_run(l->daemon);
}

/* The socket that listens: see listener.h. Opened by the server (http.c), which hands it to
 * microhttpd. */
#include "collector/ingest/listener.h"

#include "collector/ingest/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int listen_on(const struct sockaddr *a, int *ret_fd)
{
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int yes = 1, no = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (a->sa_family == AF_INET6) /* whatever the system's default */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, a, address_len(a)) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int listener_open(const char *listen_text, int *ret_fd, struct sockaddr_storage *ret_bound,
		  struct conf_error *err)
{
	struct sockaddr_storage address;
	const char *why = NULL;
	int fd = -1;
	int r = address_resolve(listen_text, &address, &why);
	if (r == 0)
		r = listen_on((struct sockaddr *)&address, &fd);
	if (r < 0) {
		(void)snprintf(err->text, sizeof(err->text), "listen = %s: %s", listen_text,
			       why ? why : strerror(-r));
		return r;
	}
	socklen_t len = sizeof(address);
	(void)getsockname(fd, (struct sockaddr *)&address, &len);
	*ret_fd = fd;
	*ret_bound = address;
	return 0;
}

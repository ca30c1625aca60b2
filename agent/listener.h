/* The agent's own HTTP listener on loopback: GET /status (JSON), GET /metrics (Prometheus), GET
 * /healthz. Runs in the agent's one thread; costs nothing while nobody asks. */
#ifndef HAUL_AGENT_LISTENER_H
#define HAUL_AGENT_LISTENER_H

#include "common/buf.h"

#include <stdint.h>

struct listener;

/* Appends a page. Errors: -ENOMEM. */
typedef int (*listener_page)(void *user, struct buf *out);

/* Empty, or an address as below? -EINVAL with a static text. */
int listener_check(const char *address, const char **ret_why) MUST_CHECK;

/* `address` is IP:PORT or [IP6]:PORT. Errors: -EINVAL not an address; -errno of binding it. */
int listener_new(const char *address, listener_page status, listener_page metrics, void *user,
		 struct listener **ret) MUST_CHECK;
void listener_free(struct listener *l);

/* The descriptor to be polled for input; when it is ready, or next_ns has come, listener_run. */
int listener_fd(const struct listener *l);
int64_t listener_next_ns(const struct listener *l, int64_t now_ns);
void listener_run(struct listener *l);

#endif

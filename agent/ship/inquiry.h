/* Asks a collector which streams of this host it has, and waits for the answer: for commands beside
 * the running agent. No session is opened, so the agent's own goes on. */
#ifndef HAUL_AGENT_INQUIRY_H
#define HAUL_AGENT_INQUIRY_H

#include "agent/ship/exchange.h"
#include "common/chunk.h"

struct inquiry_config {
	const char *url; /* http(s)://ADDRESS:PORT */
	struct exchange_config exchange;
	const char *host;
};

/* Calls back for each stream, valid during the call; a negative result stops and is returned.
 * Errors, with one sentence in `ret_why`: -EACCES the collector said no; -ENOTCONN there was no
 * answer of a collector; -EBADMSG none that can be read; -ENOMEM, -EIO. */
int inquiry_run(const struct inquiry_config *config,
		int (*each)(void *user, const struct stream_row *row), void *user, char *ret_why,
		size_t why_size) MUST_CHECK;

#endif

/* Does a collector take batches from this host? Opens a session and sends an empty batch, as the
 * agent would: address, TLS, pin, token and host name are right when that works. Waits for the
 * answers. */
#ifndef HAUL_AGENT_TRIAL_H
#define HAUL_AGENT_TRIAL_H

#include "agent/ship/exchange.h"

struct trial_config {
	const char *url; /* http(s)://ADDRESS:PORT */
	struct exchange_config exchange;
	const char *host, *machine;
};

/* Writes the collector's uuid. Errors, with one sentence in `ret_why`: -EACCES the collector said
 * no; -ENOTCONN there was no answer of a collector; -ENOMEM, -EIO. */
int trial_run(const struct trial_config *config, char ret_uuid[UUID_LEN + 1], char *ret_why,
	      size_t why_size) MUST_CHECK;

#endif

/* Whose requests are turned away: see complaints.h. Called by request.c with each refusal. */
#include "collector/ingest/complaints.h"

#include "collector/ingest/address.h"
#include "common/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { SLOTS = 256, ADDRESS_ONLY = 16 };

struct complaints {
	pthread_mutex_t lock; /* guards the gates */
	struct log_gate gates[SLOTS];
};

struct complaints *complaints_new(void)
{
	struct complaints *c = calloc(1, sizeof(*c));
	if (c)
		pthread_mutex_init(&c->lock, NULL);
	return c;
}

void complaints_free(struct complaints *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static bool is_the_peers(unsigned status)
{
	switch (status) {
	case 400:
	case 401:
	case 403:
	case 409:
	case 413:
	case 415: return true;
	default: return false;
	}
}

static struct log_gate *gate_of(struct complaints *c, const struct sockaddr *peer, unsigned status)
{
	uint8_t key[ADDRESS_ONLY];
	uint64_t h = status;
	address_peer_key(peer, key);
	for (size_t i = 0; i < sizeof(key); i++)
		h = (h ^ key[i]) * UINT64_C(0x100000001b3);
	return &c->gates[(h >> 24) % SLOTS];
}

void complaints_tell(struct complaints *c, const struct sockaddr *peer, unsigned status,
		     const char *path, const char *text)
{
	if (!is_the_peers(status))
		return;
	char from[ADDRESS_TEXT_MAX];
	address_format(peer, from);
	pthread_mutex_lock(&c->lock);
	log_gated(gate_of(c, peer, status), LOG_LEVEL_WARNING,
		  "%.200s from %s is refused with %u: %s", path, from, status, text);
	pthread_mutex_unlock(&c->lock);
}

/* The connections: see conns.h. Called by the server (http.c) as connections and requests come and
 * go, and by its tick.
 *
 * One list, walked once a second and when somebody must make room: 10,000 entries take well under a
 * millisecond, and a list in order of silence would have to be kept at every request instead. The
 * counts of peers stand in a hash table, for they are asked for at every connection.
 *
 * Invariant: every conn is in the list and counted in exactly one peer until conns_remove. */
#include "collector/ingest/conns.h"

#include "collector/ingest/address.h"
#include "common/clock.h"
#include "common/num.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { PEER_BUCKETS = 1024 };

struct peer {
	uint8_t key[16];
	unsigned connections;
	struct peer *next;
};

struct conn {
	int fd;
	enum conn_phase phase;
	bool cut; /* shut down already, not yet removed */
	int64_t since_ns;
	int64_t last_byte_ns;
	uint64_t received;
	struct peer *peer;
	struct conn *prev, *next;
};

struct conns {
	struct conns_limits limits;
	uint64_t seed;
	pthread_mutex_t lock; /* guards all that follows */
	struct conn *first;
	struct peer *peers[PEER_BUCKETS];
	struct conns_state state;
	unsigned n_cut; /* cut and not yet removed: they no longer count */
};

struct conns *conns_new(struct conns_limits limits)
{
	struct conns *cs = calloc(1, sizeof(*cs));
	if (!cs)
		return NULL;
	cs->limits = limits;
	/* Without the seed a peer that owns many addresses could choose them for one bucket. */
	if (getrandom(&cs->seed, sizeof(cs->seed), 0) != (ssize_t)sizeof(cs->seed))
		cs->seed = (uint64_t)clock_mono_ns();
	pthread_mutex_init(&cs->lock, NULL);
	return cs;
}

void conns_free(struct conns *cs)
{
	if (!cs)
		return;
	assert(!cs->first);
	pthread_mutex_destroy(&cs->lock);
	free(cs);
}

/* --- peers --- */

static struct peer **bucket(struct conns *cs, const uint8_t key[16])
{
	uint64_t halves[2], h = cs->seed;
	memcpy(halves, key, 16);
	for (int i = 0; i < 2; i++) {
		h = (h ^ halves[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return &cs->peers[(h >> 32) % PEER_BUCKETS];
}

static struct peer *peer_ref(struct conns *cs, const struct sockaddr *address)
{
	uint8_t key[16];
	address_peer_key(address, key);
	struct peer **at = bucket(cs, key);
	for (struct peer *p = *at; p; p = p->next)
		if (memcmp(p->key, key, 16) == 0) {
			p->connections++;
			return p;
		}
	struct peer *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	memcpy(p->key, key, 16);
	p->connections = 1;
	p->next = *at;
	*at = p;
	return p;
}

static void peer_unref(struct conns *cs, struct peer *p)
{
	if (--p->connections)
		return;
	struct peer **at = bucket(cs, p->key);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

/* --- coming, going, making room --- */

static bool is_silent(const struct conn *c)
{
	return !c->cut && (c->phase == CONN_FRESH || c->phase == CONN_IDLE);
}

static void cut(struct conns *cs, struct conn *c)
{
	c->cut = true;
	cs->n_cut++;
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* Cuts the one that has been silent for longest, of one peer or of all (NULL). */
static bool evict(struct conns *cs, const struct peer *peer)
{
	struct conn *longest = NULL;
	for (struct conn *c = cs->first; c; c = c->next)
		if (is_silent(c) && (!peer || c->peer == peer) &&
		    (!longest || c->since_ns < longest->since_ns))
			longest = c;
	if (!longest)
		return false;
	cut(cs, longest);
	/* It counts no more with its peer, else each further one would cut another. */
	cs->state.evicted++;
	return true;
}

static unsigned peer_alive(const struct conns *cs, const struct peer *peer)
{
	if (peer->connections <= cs->limits.per_peer)
		return peer->connections;
	unsigned n = 0;
	for (const struct conn *c = cs->first; c; c = c->next)
		n += c->peer == peer && !c->cut;
	return n;
}

static bool make_room(struct conns *cs, const struct peer *peer)
{
	/* The peer's count has the new one already, the list has not. */
	if (peer->connections > cs->limits.per_peer && peer_alive(cs, peer) >= cs->limits.per_peer)
		return evict(cs, peer);
	if (cs->state.connections - cs->n_cut >= cs->limits.max)
		return evict(cs, NULL);
	return true;
}

struct conn *conns_add(struct conns *cs, int fd, const struct sockaddr *address)
{
	int64_t now_ns = clock_mono_ns();
	struct conn *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	pthread_mutex_lock(&cs->lock);
	struct peer *peer = peer_ref(cs, address);
	bool room = peer && make_room(cs, peer);
	if (room) {
		*c = (struct conn){.fd = fd, .phase = CONN_FRESH, .since_ns = now_ns, .peer = peer};
		c->next = cs->first;
		if (c->next)
			c->next->prev = c;
		cs->first = c;
		cs->state.connections++;
		cs->state.accepted++;
	} else {
		if (peer)
			peer_unref(cs, peer);
		cs->state.refused++;
	}
	pthread_mutex_unlock(&cs->lock);
	if (!room)
		free(c);
	return room ? c : NULL;
}

void conns_remove(struct conns *cs, struct conn *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&cs->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		cs->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (c->cut)
		cs->n_cut--;
	cs->state.connections--;
	peer_unref(cs, c->peer);
	pthread_mutex_unlock(&cs->lock);
	free(c);
}

/* --- phases and their times --- */

void conns_enter(struct conns *cs, struct conn *c, enum conn_phase phase)
{
	int64_t now_ns = clock_mono_ns();
	pthread_mutex_lock(&cs->lock);
	c->phase = phase;
	c->since_ns = c->last_byte_ns = now_ns;
	c->received = 0;
	pthread_mutex_unlock(&cs->lock);
}

void conns_received(struct conns *cs, struct conn *c, uint64_t bytes)
{
	int64_t now_ns = clock_mono_ns();
	pthread_mutex_lock(&cs->lock);
	c->received += bytes;
	c->last_byte_ns = now_ns;
	pthread_mutex_unlock(&cs->lock);
}

static bool body_too_slow(const struct conns_limits *l, const struct conn *c, int64_t now_ns,
			  bool pressed)
{
	if (now_ns - c->last_byte_ns > l->stall_ns)
		return true;
	int64_t took_ns = now_ns - c->since_ns;
	if (took_ns <= l->stall_ns)
		return false;
	uint64_t rate = pressed ? l->pressed_rate : l->body_rate;
	return c->received < rate * (uint64_t)(took_ns / NUM_SEC_NS);
}

static bool is_over(const struct conns_limits *l, const struct conn *c, int64_t now_ns,
		    bool pressed)
{
	switch (c->phase) {
	case CONN_FRESH: return now_ns - c->since_ns > l->fresh_ns;
	case CONN_IDLE: return now_ns - c->since_ns > l->idle_ns;
	case CONN_RECEIVING: return body_too_slow(l, c, now_ns, pressed);
	case CONN_WORKING: return false;
	case CONN_ANSWERING: return now_ns - c->since_ns > l->answer_ns;
	}
	return false;
}

unsigned conns_tick(struct conns *cs, int64_t now_ns, bool pressed)
{
	unsigned n = 0;
	pthread_mutex_lock(&cs->lock);
	for (struct conn *c = cs->first; c; c = c->next)
		if (!c->cut && is_over(&cs->limits, c, now_ns, pressed)) {
			cut(cs, c);
			cs->state.timed_out++;
			n++;
		}
	pthread_mutex_unlock(&cs->lock);
	return n;
}

void conns_cut_silent(struct conns *cs)
{
	pthread_mutex_lock(&cs->lock);
	for (struct conn *c = cs->first; c; c = c->next)
		if (is_silent(c))
			cut(cs, c);
	pthread_mutex_unlock(&cs->lock);
}

struct conns_state conns_state(struct conns *cs)
{
	pthread_mutex_lock(&cs->lock);
	struct conns_state state = cs->state;
	for (const struct conn *c = cs->first; c; c = c->next)
		state.silent += is_silent(c);
	pthread_mutex_unlock(&cs->lock);
	return state;
}

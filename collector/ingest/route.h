/* The paths that the collector knows. */
#ifndef HAUL_COLLECTOR_INGEST_ROUTE_H
#define HAUL_COLLECTOR_INGEST_ROUTE_H

#include "common/span.h"

#include <stdint.h>

struct request;

enum route_access {
	ROUTE_ANYONE,   /* load balancers and probes */
	ROUTE_AGENT,    /* who may send; with the request's principal */
	ROUTE_OPERATOR, /* on this machine, or with a token */
};

struct route {
	const char *path;
	const char *method; /* GET means HEAD too */
	enum route_access access;
	bool writes; /* takes a pass at the store's door */
	bool batch;  /* its body is bounded by max_batch and charged; else by body_max */
	uint64_t body_max;
	void (*check)(struct request *r);  /* the header, before the body; may refuse. May
					     be NULL. */
	void (*run)(struct request *r);    /* with the body: answers, or suspends */
	void (*go_on)(struct request *r);  /* after request_submit; NULL: never suspends so */
	void (*forget)(struct request *r); /* frees `own`, if there is one. May be NULL. */
};

/* NULL and 404 when no path fits; NULL, 405 and the method that would when only the method does
 * not. */
const struct route *route_find(const char *method, const char *path, unsigned *ret_status,
			       const char **ret_allow);

#endif

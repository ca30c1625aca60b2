/* One HTTP request and its answer at a time, over libcurl's multi interface: the agent's only user
 * of curl. Connections are kept alive between requests. */
#ifndef HAUL_AGENT_EXCHANGE_H
#define HAUL_AGENT_EXCHANGE_H

#include "common/buf.h"
#include "common/span.h"
#include "common/uuid.h"

#include <stdint.h>

#define EXCHANGE_ANSWER_MAX ((size_t)32 * 1024 * 1024)

struct exchange_config {        /* texts: "" not set; they outlive the exchange */
	const char *token_file; /* read anew for each request */
	const char *ca_file, *pin, *client_cert, *client_key;
	int64_t timeout_ns; /* without progress */
	uint64_t max_rate;  /* bytes a second sent; 0: no limit */
};

struct request {
	const char *url;
	const char *agent;        /* value of Haul-Agent */
	const char *report;       /* value of Haul-Report; NULL: none */
	const char *content_type; /* NULL: a GET */
	bool gzip;                /* the body is gzip */
	struct span body;         /* stays the caller's until the answer */
};

struct answer {
	bool haul;                    /* it carries Haul-Protocol: 1, so it is a collector's word */
	bool timed_out;               /* no progress for too long */
	long status;                  /* HTTP; 0: there was no answer */
	char collector[UUID_LEN + 1]; /* Haul-Collector; "" none */
	int64_t retry_after_ns;       /* 0: not said */
	struct span body;             /* valid until the next request */
	char error[256];              /* status 0: what failed */
};

struct exchange;

/* Errors: -ENOMEM, -EIO (libcurl cannot be used). */
int exchange_new(const struct exchange_config *config, struct exchange **ret) MUST_CHECK;
void exchange_free(struct exchange *x);

/* Begins a request; none may be under way. Errors: -errno when it could not even begin (a token
 * file that cannot be read): `ret_why` says what. */
int exchange_start(struct exchange *x, const struct request *q, char *ret_why,
		   size_t why_size) MUST_CHECK;
/* Gives up the request that is under way, if any. */
void exchange_cancel(struct exchange *x);

/* Moves on; 1 and the answer when the request is over, else 0. */
int exchange_poll(struct exchange *x, struct answer *ret);

struct curl_waitfd;
int exchange_wait(struct exchange *x, struct curl_waitfd *fds, unsigned n,
		  int64_t timeout_ns) MUST_CHECK;

#endif

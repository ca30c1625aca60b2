/* The collector's receiver on a port of its own, with a store that only pretends (store.h) behind
 * it, and a client. What goes wrong fails the test. The caller has done curl_global_init. */
#ifndef HAUL_TESTS_FAKES_RECEIVER_H
#define HAUL_TESTS_FAKES_RECEIVER_H

#include "collector/ingest/request.h"
#include "common/buf.h"
#include "tests/lib/fakes/store.h"

#include <pthread.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))

extern struct intake intake;
extern struct http *server;
extern char tokens_path[]; /* empty, until a test adds some */
extern char url_base[64];  /* "http://127.0.0.1:PORT" */

/* The fixture of each test. At its end nothing is left whatever the test did, and all memory has
 * come back. */
void receiver_setup(void);
void receiver_teardown(void);

/* Polls the condition; fails the test after 20 seconds. */
void wait_for(bool (*condition)(void));
bool all_over(void); /* no request is under way */
bool one_held(void); /* the store has one that it was told to hold */

struct reply {
	long status;
	struct buf head, body; /* end in a NUL */
};

void free_reply(struct reply *r);

/* `headers` end with NULL, or are it; `body` NULL: none. Fails the test when no answer comes. */
struct reply request(const char *method, const char *path, const char *const *headers,
		     const struct buf *body);
struct reply get(const char *path);

/* Hold a reply, which they free, against the status and a text in its body, or a line in its
 * head. */
void expect(struct reply r, long status, const char *text);
void expect_head(struct reply r, long status, const char *line);

/* The three headers of a batch of session 7, and NULL. */
extern const char *const agent_headers[];

/* Appends a chunk with so many lines; `gzip` and `batch_of` (one such chunk) are compressed. The
 * caller frees. */
void add_chunk(struct buf *out, const char *host, const char *service, unsigned lines);
struct buf gzip(struct span plain);
struct buf batch_of(const char *host, unsigned lines);

struct reply post(const struct buf *body);                            /* a batch of session 7 */
void post_and_expect(struct buf body, long status, const char *text); /* the same, and frees it */

/* A post on a thread of its own, of a batch of web-01. */
struct poster {
	pthread_t thread;
	struct buf body;
	struct reply reply;
	atomic_bool answered;
};

void start_post(struct poster *p, unsigned lines);
struct reply end_post(struct poster *p);

#endif

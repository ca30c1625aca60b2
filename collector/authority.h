/* A certificate authority of one's own, for those who have none: P-256 keys, made by GnuTLS, which
 * the server's TLS is as well. Pure but for randomness and the clock; the files are init.c's. */
#ifndef HAUL_COLLECTOR_AUTHORITY_H
#define HAUL_COLLECTOR_AUTHORITY_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/span.h"

#define AUTHORITY_NAME_MAX 253
#define AUTHORITY_NAMES    16   /* of one certificate */
#define AUTHORITY_DAYS     3650 /* agents know the key by its pin, and need no earlier end */

/* A certificate and its private key, PEM. */
struct authority_pair {
	struct buf cert, key;
};

void authority_pair_free(struct authority_pair *p); /* clears the key */

/* A DNS name or an IP address, such as a certificate may carry? */
bool authority_valid_name(const char *name);

/* A new authority of that name. Errors, with `err`: -EIO, -ENOMEM. */
int authority_make(const char *name, struct authority_pair *ret, struct conf_error *err) MUST_CHECK;

/* A certificate for a server with these names, the first of which is its common name too.
 * `pair->key`, when it is not empty, is the key it is for (so that pins hold); else a new one is
 * made. Errors, with `err`: as above; -EINVAL: the authority's files or the key are not what they
 * should be. */
int authority_issue(const struct authority_pair *ca, const char *const *names, size_t n,
		    struct authority_pair *pair, struct conf_error *err) MUST_CHECK;

/* The names that a certificate (PEM) is for; texts are malloc'ed, at most AUTHORITY_NAMES. -EINVAL:
 * it is none. */
int authority_names(const struct buf *cert, char *ret[AUTHORITY_NAMES], size_t *ret_n) MUST_CHECK;

#endif

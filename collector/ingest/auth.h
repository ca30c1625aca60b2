/* Who is asking, and for which hosts may they speak?
 *
 *     [tls] client_ca set                a certificate of that CA is needed; its names are the hosts
 *     else a token in tokens_file        a token is needed: Authorization: Bearer TOKEN
 *     else                               anonymous, where the configuration allows it (loopback, or
 *                                        insecure = yes)
 *
 * The tokens file is read again when it has changed, before each decision: a revoked token is worth
 * nothing in the next request. A tokens file that cannot be read, or is damaged, leaves the tokens
 * known before in force, said aloud.
 *
 * Threads: any. */
#ifndef HAUL_COLLECTOR_INGEST_AUTH_H
#define HAUL_COLLECTOR_INGEST_AUTH_H

#include "collector/ingest/http.h"
#include "collector/ingest/tls.h"
#include "collector/ingest/tokens.h"
#include "common/conf.h"

struct auth;

struct auth_config {
	const char *tokens_file; /* copied; empty: no tokens */
	bool anonymous_allowed;
	struct tls *tls; /* NULL: plain; outlives the auth */
};

/* Errors, with `err`: those of tokens_read. */
int auth_new(const struct auth_config *config, struct auth **ret,
	     struct conf_error *err) MUST_CHECK;
void auth_free(struct auth *a);

/* At a reload. On an error all stays as it was. */
int auth_reload(struct auth *a, const struct auth_config *config,
		struct conf_error *err) MUST_CHECK;

enum principal_kind { PRINCIPAL_ANONYMOUS, PRINCIPAL_TOKEN, PRINCIPAL_CERTIFICATE };

struct principal {
	enum principal_kind kind;
	struct token token;
	struct tls_names names;
};

/* -EACCES with a static text: 401. */
int auth_identify(struct auth *a, struct http_exchange *x, struct principal *ret,
		  const char **ret_why) MUST_CHECK;

/* May the principal speak for the host? */
bool principal_allows(const struct principal *p, struct span host);

/* May this one read what operators read (metrics, status)? From this machine, and not passed on by
 * a proxy on it; or with any token or certificate. */
int auth_operator(struct auth *a, struct http_exchange *x, const char **ret_why) MUST_CHECK;

size_t auth_token_count(struct auth *a);

#endif

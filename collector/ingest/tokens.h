/* The tokens file: who may send for which host. One token a line, three fields parted by blanks:
 *
 *     HOST-OR-GLOB SALT HASH
 *
 * Lines that are empty or start with # are comments. A token is "haul_", 16 hex digits that are its
 * line's SALT, and 48 of a secret; HASH is HMAC-SHA256 of the secret under the salt. So the line is
 * found by the token's own first part, at the price of one hash however many tokens there are, and
 * the file tells nobody a token. Two tokens of one host may stand side by side: that is how they
 * are changed.
 *
 * Threads: functions of a struct tokens may be called from any thread as long as it is not
 * freed. */
#ifndef HAUL_COLLECTOR_INGEST_TOKENS_H
#define HAUL_COLLECTOR_INGEST_TOKENS_H

#include "common/conf.h"
#include "common/name.h"
#include "common/span.h"

#include <stdint.h>

#define TOKEN_PREFIX     "haul_"
#define TOKEN_SALT_HEX   16
#define TOKEN_SECRET_HEX 48
#define TOKEN_LEN        (sizeof(TOKEN_PREFIX) - 1 + TOKEN_SALT_HEX + TOKEN_SECRET_HEX)
#define TOKENS_FILE_MAX  (16u << 20)
#define TOKENS_MAX       100000

struct token {
	char hosts[NAME_MAX_LEN + 1]; /* a host name or a glob */
	uint64_t salt;
	uint8_t hash[32];
};

struct tokens {
	struct token *items;
	size_t n;
};

/* A host name, or a glob of the characters of one and * ? [ ! ]; at most NAME_MAX_LEN bytes. */
bool tokens_valid_hosts(struct span hosts);

/* Errors: -EINVAL with the line and a static text, -ENOMEM. */
int tokens_parse(struct span text, struct tokens *ret, size_t *ret_line,
		 const char **ret_why) MUST_CHECK;
void tokens_free(struct tokens *t);

/* A missing file has no tokens. Errors, with `err`: -EINVAL, -errno of reading. */
int tokens_read(const char *path, struct tokens *ret, struct conf_error *err) MUST_CHECK;

/* The line of a token, compared in constant time; NULL when there is none. */
const struct token *tokens_find(const struct tokens *t, struct span token);

bool token_allows(const struct token *t, struct span host);

/* Adds a token for `hosts` and writes it, with a NUL, to `ret_token`. The file is replaced at once
 * or not at all, mode 0600; it keeps its owner, and a new one gets that of `owner_like` (a path)
 * when we are root. Errors, with `err`. */
int tokens_add(const char *path, const char *hosts, const char *owner_like,
	       char ret_token[TOKEN_LEN + 1], struct conf_error *err) MUST_CHECK;

/* Takes away every token whose first field is `hosts`, letter by letter. Gives how many. */
int tokens_revoke(const char *path, const char *hosts, size_t *ret_count,
		  struct conf_error *err) MUST_CHECK;

#endif

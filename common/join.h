/* The join string: all that a host needs to know of its collector, in one line that can be copied.
 *
 *     haul://logs.example.org:8514?host=web-01&token=haul_5f3a...&pin=PIN
 *
 * ADDRESS is a name, an IPv4 address or an IPv6 address in brackets, with the port (8514 where
 * there is none). `host` is the host name, or the glob of host names, that the token is for. `pin`
 * is the SHA-256 of the collector's public key in base64url without padding (43 characters);
 * without one the collector's certificate is checked against the system's authorities. `tls=no`
 * says that the collector speaks plain HTTP.
 *
 * The collector prints it (token add), the agent reads it (join). Whoever has it may send in the
 * host's name: it is a secret like the token in it. */
#ifndef HAUL_COMMON_JOIN_H
#define HAUL_COMMON_JOIN_H

#include "common/buf.h"
#include "common/name.h"
#include "common/span.h"

#define JOIN_SCHEME      "haul://"
#define JOIN_PORT        8514
#define JOIN_TEXT_MAX    1024 /* bytes of the whole */
#define JOIN_ADDRESS_MAX 272  /* name, colon, port, NUL */
#define JOIN_TOKEN_MAX   256
#define JOIN_PIN_LEN     52 /* "sha256//" and 44 characters of base64 */

struct join {
	char address[JOIN_ADDRESS_MAX]; /* with the port */
	char hosts[NAME_MAX_LEN + 1];
	char token[JOIN_TOKEN_MAX + 1];
	char pin[JOIN_PIN_LEN + 1]; /* as configurations have it: sha256//BASE64; "" none */
	bool tls;
};

/* Blanks and line ends around it are taken off. -EINVAL with a static text that does not repeat
 * what was given. */
int join_parse(struct span text, struct join *ret, const char **ret_why) MUST_CHECK;

/* Appends the string; the parts must be such as join_parse gives (asserted). */
int join_format(const struct join *j, struct buf *out) MUST_CHECK;

/* Checks ADDRESS or ADDRESS:PORT and writes it with its port; -EINVAL with a static text. */
int join_address(struct span text, uint16_t default_port, char ret[JOIN_ADDRESS_MAX],
		 const char **ret_why) MUST_CHECK;

#endif

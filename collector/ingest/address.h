/* Socket addresses: what `listen` may say, and what is known of a peer by its address alone. Pure
 * but for the name service in address_resolve. */
#ifndef HAUL_COLLECTOR_INGEST_ADDRESS_H
#define HAUL_COLLECTOR_INGEST_ADDRESS_H

#include "common/buf.h"
#include "common/span.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 64 /* "[IPv6]:PORT" with its NUL */

/* Checks the form HOST:PORT: an IPv4 address, an IPv6 address in brackets or a name, and a number
 * up to 65535 (0: any free port). -EINVAL with a static text. */
int address_check(const char *text, const char **ret_why) MUST_CHECK;

/* The same as a socket address; a name is looked up. -EINVAL as above, -EADDRNOTAVAIL when the name
 * has no address. */
int address_resolve(const char *text, struct sockaddr_storage *ret,
		    const char **ret_why) MUST_CHECK;

/* 127.0.0.0/8, ::1, or the first mapped into IPv6. */
bool address_is_loopback(const struct sockaddr *a);

/* 0.0.0.0 or [::]: all addresses of the machine. */
bool address_is_any(const struct sockaddr_storage *a);

/* The same host address, ports aside; an IPv4 address mapped into IPv6 equals the plain one. */
bool address_same_host(const struct sockaddr *a, const struct sockaddr *b);

/* 16 bytes that stand for the peer when connections are counted: an IPv4 address mapped into IPv6,
 * and of an IPv6 address the /64, for that is what one machine is given. */
void address_peer_key(const struct sockaddr *a, uint8_t ret[16]);

uint16_t address_port(const struct sockaddr *a);
socklen_t address_len(const struct sockaddr *a);

/* "127.0.0.1:8514", "[::1]:8514". */
void address_format(const struct sockaddr *a, char dst[ADDRESS_TEXT_MAX]);
/* "127.0.0.1", "::1". */
void address_format_host(const struct sockaddr_storage *a, char dst[ADDRESS_TEXT_MAX]);

#endif

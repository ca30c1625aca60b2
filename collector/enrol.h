/* What a host is told so that it can join: the join string for a token. */
#ifndef HAUL_COLLECTOR_ENROL_H
#define HAUL_COLLECTOR_ENROL_H

#include "collector/options.h"
#include "common/join.h"

/* The name of this machine as others know it: with its domain when that can be found out. At most
 * 253 bytes and NUL. */
void enrol_own_name(char ret[JOIN_ADDRESS_MAX]);

/* Appends the join string for a token of `hosts`: the collector's address, and how to know it (its
 * key's pin; nothing when an authority of the system's vouches for its certificate; tls=no without
 * TLS). Errors, with `err`: -EINVAL, or -errno of reading the certificate. */
int enrol_string(const struct options *o, const char *hosts, const char *token, struct buf *out,
		 struct conf_error *err) MUST_CHECK;

#endif

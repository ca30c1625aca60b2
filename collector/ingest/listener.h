/* The socket that listens. */
#ifndef HAUL_COLLECTOR_INGEST_LISTENER_H
#define HAUL_COLLECTOR_INGEST_LISTENER_H

#include "common/conf.h"

#include <sys/socket.h>

/* Listens on HOST:PORT (address.h); [::] means IPv4 too. Gives the socket, non-blocking, and the
 * address that was really bound. Errors, with `err`: -errno. */
int listener_open(const char *listen, int *ret_fd, struct sockaddr_storage *ret_bound,
		  struct conf_error *err) MUST_CHECK;

#endif

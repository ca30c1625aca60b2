/* A physical line of Docker's json-file logs, as moby writes them:
 *
 *     {"log":"what the container wrote\n","stream":"stdout","attrs":{...},"time":"2026-...Z"}
 *
 * A line longer than 16 KiB comes in several: all but the last lack the \n in `log`. */
#ifndef HAUL_AGENT_DOCKER_H
#define HAUL_AGENT_DOCKER_H

#include "agent/lines/container.h"
#include "common/buf.h"

/* `line` is without its LF, `clean` what line_clean says of it. What the container wrote comes out
 * as bytes again: in `scratch` (which is overwritten) where something was escaped, else it points
 * into the line. A surrogate that has no partner is U+FFFD, as moby has it. Errors: -EBADMSG, it is
 * no such line; -ENOMEM. */
int docker_decode(struct span line, bool clean, struct buf *scratch,
		  struct container_line *ret) MUST_CHECK;

#endif

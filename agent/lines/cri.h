/* A physical line of the CRI log format, as containerd, CRI-O and podman's k8s-file write it:
 *
 *     2026-11-22T05:40:00.123456789Z stdout F what the container wrote
 *     2026-11-22T07:40:00.123456789+02:00 stderr P the first part of a long line
 *
 * The third field is tags parted by colons; the first of them is F (the line ends here) or P. */
#ifndef HAUL_AGENT_CRI_H
#define HAUL_AGENT_CRI_H

#include "agent/lines/container.h"
#include "common/buf.h"

/* `line` is without its LF, `clean` what line_clean says of it. Errors: -EBADMSG, it is no such
 * line. Pure, thread-safe. */
int cri_decode(struct span line, bool clean, struct container_line *ret) MUST_CHECK;

#endif

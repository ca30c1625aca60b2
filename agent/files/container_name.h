/* Whose log a container log is: the facts that the runtime keeps beside it, read without asking the
 * runtime. Pure but for reading these files. */
#ifndef HAUL_AGENT_CONTAINER_NAME_H
#define HAUL_AGENT_CONTAINER_NAME_H

#include "agent/input.h"

struct container_name {
	char *name;            /* docker, podman: of the container; else its short id */
	char *image;           /* docker, podman; "" not known */
	char *pod, *namespace; /* cri; "" not known */
	void *labels;          /* docker: for container_label */
	void *text;            /* of the labels */
};

/* Of the log file at `path`. What cannot be found out stays empty. Errors: -ENOMEM. */
int container_name_of(enum input_type type, const char *path,
		      struct container_name *ret) MUST_CHECK;
void container_name_free(struct container_name *c);

/* The value of a label; empty: it has none. Valid as long as `c`. */
struct span container_label(const struct container_name *c, struct span key);

#endif

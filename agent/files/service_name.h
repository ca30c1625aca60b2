/* The service that a file's lines belong to: the option `service`, a template.
 *
 *     type file: {stem} (agent/files/rotation.h), {dir} (the name of the directory). By default {dir}.{stem}, or
 *     {stem} alone where dir is log, logs or the stem itself.
 *     docker, podman: {name} (the default), {image}, {label:KEY}. Where the template has no {name}, the name is
 *     the instance.
 *     cri: {namespace}, {container}, {pod}; by default {namespace}.{container}. The pod is the instance.
 *
 * A container whose words are all unknown goes by its name or id; a log that is not in a pod's
 * folder, as a plain file would. */
#ifndef HAUL_AGENT_SERVICE_NAME_H
#define HAUL_AGENT_SERVICE_NAME_H

#include "agent/input.h"

/* Appends a valid name. Errors: -ENOMEM. */
int service_name(const struct input *input, const char *path, struct buf *out) MUST_CHECK;

/* Appends the instance, a valid name; nothing when there is none. Errors: -ENOMEM. */
int service_instance(const struct input *input, const char *path, struct buf *out) MUST_CHECK;

/* 0, or -EINVAL with *ret_why: the template names something that this type does not have. */
int service_template_check(enum input_type type, const char *template,
			   const char **ret_why) MUST_CHECK;

#endif

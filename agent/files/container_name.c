/* Names of containers: see container_name.h. Discover asks when a source is made.
 *
 *     docker   .../containers/ID/ID-json.log: config.v2.json beside it
 *     podman   .../overlay-containers/ID/userdata/ctr.log: containers.json above ID
 *     cri      /var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log: the path itself. Links to it (in
 *              /var/log/containers) have names that are cut when they are long, so they are resolved.
 *
 * The runtimes write these files before the container's first line and replace them whole. Failure
 * modes: one is missing or not what is meant (a log that was copied elsewhere): a container without
 * a name goes by its id, a pod's log by its folder. */
#include "agent/files/container_name.h"

#include "agent/files/rotation.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

enum {
	CONFIG_MAX = 16 * 1024 * 1024, /* containers.json has all containers of a storage */
	SHORT_ID = 12,
};

/* --- JSON files --- */

static yajl_val parse(const char *text)
{
	char why[128];
	return yajl_tree_parse(text, why, sizeof(why));
}

static yajl_val read_json(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct buf text = BUF_EMPTY;
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	yajl_val v = NULL;
	if (n > 0 && n < (int)sizeof(path) && file_read(AT_FDCWD, path, CONFIG_MAX, &text) == 0) {
		const char *s = buf_cstr(&text);
		v = s ? parse(s) : NULL;
	}
	buf_free(&text);
	return v;
}

/* The string at a path of keys; "" when there is none. */
static const char *string_at(yajl_val v, const char **keys)
{
	const char *s = v ? YAJL_GET_STRING(yajl_tree_get(v, keys, yajl_t_string)) : NULL;
	return s ? s : "";
}

/* --- paths --- */

/* Drops the last component of a path; returns it. Empty when nothing is left. */
static struct span drop_last(struct span *path)
{
	size_t at = path->len;
	while (at > 0 && path->ptr[at - 1] != '/')
		at--;
	struct span last = span_from(*path, at);
	path->len = at ? at - 1 : 0;
	return last;
}

static int set(char **dst, struct span s)
{
	char *copy = s.len ? strndup(s.ptr, s.len) : strdup("");
	if (!copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

static int set_short_id(struct container_name *c, struct span id)
{
	return set(&c->name, span_first(id, id.len < SHORT_ID ? id.len : SHORT_ID));
}

/* --- runtimes --- */

static int of_docker(struct span path, struct container_name *c)
{
	static const char *name[] = {"Name", NULL}, *image[] = {"Config", "Image", NULL},
			  *labels[] = {"Config", "Labels", NULL};
	char dir[PATH_MAX];
	(void)drop_last(&path);
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)path.len, path.ptr);
	int r = set_short_id(c, drop_last(&path));
	yajl_val config = read_json(dir, "config.v2.json");
	struct span text = span_of(string_at(config, name));
	if (span_starts_with(text, SPAN_LITERAL("/")))
		text = span_from(text, 1);
	if (r == 0 && text.len)
		r = set(&c->name, text);
	if (r == 0)
		r = set(&c->image, span_of(string_at(config, image)));
	c->text = config;
	c->labels = config ? yajl_tree_get(config, labels, yajl_t_object) : NULL;
	return r;
}

/* podman keeps names in a JSON text within the storage's JSON. */
static int take_metadata(const char *text, struct container_name *c)
{
	static const char *name[] = {"name", NULL}, *image[] = {"image-name", NULL};
	yajl_val v = parse(text);
	struct span found = span_of(string_at(v, name));
	int r = found.len ? set(&c->name, found) : 0;
	if (r == 0)
		r = set(&c->image, span_of(string_at(v, image)));
	yajl_tree_free(v);
	return r;
}

static int of_podman(struct span path, struct container_name *c)
{
	static const char *id_key[] = {"id", NULL}, *metadata[] = {"metadata", NULL};
	char storage[PATH_MAX];
	(void)drop_last(&path);
	(void)drop_last(&path);
	struct span id = drop_last(&path);
	(void)snprintf(storage, sizeof(storage), "%.*s", (int)path.len, path.ptr);
	int r = set_short_id(c, id);
	yajl_val all = read_json(storage, "containers.json");
	for (size_t i = 0; r == 0 && YAJL_IS_ARRAY(all) && i < all->u.array.len; i++) {
		yajl_val one = all->u.array.values[i];
		if (!span_is(id, string_at(one, id_key)))
			continue;
		r = take_metadata(string_at(one, metadata), c);
		break;
	}
	yajl_tree_free(all);
	return r;
}

/* False: the path is not one of a pod's log. */
static bool split_pod(struct span path, struct span *ret_namespace, struct span *ret_pod,
		      struct span *ret_container)
{
	(void)drop_last(&path);
	*ret_container = drop_last(&path);
	struct span folder = drop_last(&path);
	size_t n = span_find(folder, '_');
	if (n == folder.len || n == 0 || !ret_container->len)
		return false;
	*ret_namespace = span_first(folder, n);
	folder = span_from(folder, n + 1);
	*ret_pod = span_first(folder, span_find(folder, '_'));
	return ret_pod->len && ret_pod->len < folder.len;
}

static int of_cri(struct span path, struct container_name *c)
{
	struct span namespace, pod, container;
	if (!split_pod(path, &namespace, &pod, &container))
		return 0;
	int r = set(&c->namespace, namespace);
	if (r == 0)
		r = set(&c->pod, pod);
	return r == 0 ? set(&c->name, container) : r;
}

/* --- for everyone --- */

int container_name_of(enum input_type type, const char *path, struct container_name *ret)
{
	struct container_name c = {0};
	char real[PATH_MAX];
	struct span at = span_of(realpath(path, real) ? real : path);
	int r = set(&c.name, SPAN_LITERAL(""));
	r = r < 0 ? r : set(&c.image, SPAN_LITERAL(""));
	r = r < 0 ? r : set(&c.pod, SPAN_LITERAL(""));
	r = r < 0 ? r : set(&c.namespace, SPAN_LITERAL(""));
	if (r == 0) {
		switch (type) {
		case INPUT_DOCKER: r = of_docker(at, &c); break;
		case INPUT_PODMAN: r = of_podman(at, &c); break;
		case INPUT_CRI: r = of_cri(at, &c); break;
		case INPUT_FILE:
		case INPUT_JOURNAL: break;
		}
	}
	if (r < 0) {
		container_name_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void container_name_free(struct container_name *c)
{
	free(c->name);
	free(c->image);
	free(c->pod);
	free(c->namespace);
	yajl_tree_free(c->text);
	*c = (struct container_name){0};
}

struct span container_label(const struct container_name *c, struct span key)
{
	yajl_val labels = c->labels;
	for (size_t i = 0; labels && i < labels->u.object.len; i++)
		if (span_is(key, labels->u.object.keys[i]))
			return span_of(YAJL_GET_STRING(labels->u.object.values[i]));
	return (struct span){NULL, 0};
}

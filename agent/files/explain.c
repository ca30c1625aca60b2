/* Why a file is or is not followed, in words: `haul-agent explain` and `haul-agent check`. The same
 * questions as discover asks, in the same order, but of the configuration and the file system
 * alone: no source is made, and no running agent is needed. */
#include "agent/files/discover_inside.h"

#include "agent/files/rotation.h"
#include "agent/files/service_name.h"
#include "agent/files/sniff.h"
#include "common/file.h"
#include "common/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 };

/* --- one file --- */

static const char *kind_of(mode_t mode)
{
	return S_ISDIR(mode)    ? "a directory"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISSOCK(mode) ? "a socket"
	       : S_ISCHR(mode)  ? "a device"
	       : S_ISBLK(mode)  ? "a device"
				: "not a regular file";
}

/* What its first bytes say; NULL: text. */
static const char *first_bytes(const char *path, int *ret_error)
{
	char bytes[SNIFF_BYTES];
	struct identity id;
	int fd = -1;
	*ret_error = identity_open(path, &id, &fd);
	if (*ret_error < 0)
		return NULL;
	ssize_t n = file_pread_full(fd, bytes, sizeof(bytes), 0);
	file_close(&fd);
	if (n < 0)
		*ret_error = (int)n;
	return n > 0 ? sniff(span_make(bytes, (size_t)n)) : NULL;
}

/* Why a wanted, regular file is not followed: appended to `out`, 1; 0: it is. */
static int add_obstacle(const struct wanted *w, const char *path, const struct identity *id,
			struct buf *out)
{
	char dir[PATH_MAX];
	struct span parent = path_dir(path);
	struct mounts mounts = {0};
	int error = 0, r;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)parent.len, parent.ptr);
	const char *why = scan_refusal(w, &mounts, dir);
	mounts_free(&mounts);
	if (!why && identity_is_own_output(id))
		why = "it is where this program writes its own messages";
	if (!why)
		why = first_bytes(path, &error);
	if (why)
		r = buf_add_str(out, why);
	else if (error < 0)
		r = buf_printf(out, "it cannot be read: %s", strerror(-error));
	else
		return 0;
	return r < 0 ? r : 1;
}

/* SERVICE or SERVICE/INSTANCE. */
static int add_service(const struct input *input, const char *path, struct buf *out)
{
	struct buf instance = BUF_EMPTY;
	int r = service_name(input, path, out);
	if (r == 0)
		r = service_instance(input, path, &instance);
	if (r == 0 && instance.len)
		r = buf_printf(out, "/%.*s", (int)instance.len, instance.ptr);
	buf_free(&instance);
	return r;
}

/* --- all files --- */

struct walk {
	const struct wanted *wanted;
	int (*each)(struct walk *k, const char *path, struct input *input,
		    const struct identity *id);
	struct buf *out;
	const struct identity *like; /* explain: names of this file are looked for */
	const char *not_path;
	struct identity *met; /* list: regular files so far */
	size_t n_met, met_capacity;
};

static int walk_dir(struct walk *k, const char *dir, int depth);

static int walk_entry(struct walk *k, const char *path, int depth)
{
	struct identity id;
	if (identity_of_path(path, false, &id) < 0)
		return 0;
	bool is_link = S_ISLNK(id.mode);
	if (is_link && identity_of_path(path, true, &id) < 0)
		return 0;
	if (S_ISDIR(id.mode)) {
		bool go = wanted_below(k->wanted, path) &&
			  (!is_link || wanted_through(k->wanted, path));
		return go ? walk_dir(k, path, depth + 1) : 0;
	}
	struct input *input = S_ISREG(id.mode) ? wanted_by(k->wanted, path) : NULL;
	return input ? k->each(k, path, input, &id) : 0;
}

static int walk_listing(struct walk *k, const char *dir, int depth)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort), r = 0;
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		const char *name = list[i]->d_name, *slash = strcmp(dir, "/") == 0 ? "" : "/";
		int len = snprintf(path, sizeof(path), "%s%s%s", dir, slash, name);
		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && len < PATH_MAX)
			r = walk_entry(k, path, depth);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return r;
}

static int walk_dir(struct walk *k, const char *dir, int depth)
{
	char next[PATH_MAX];
	size_t cursor = 0;
	int r = 0;
	struct mounts mounts = {0};
	const char *refusal = depth > DEPTH_MAX ? NULL : scan_refusal(k->wanted, &mounts, dir);
	mounts_free(&mounts);
	if (depth > DEPTH_MAX || refusal)
		return 0;
	if (!wanted_only_through(k->wanted, dir))
		return walk_listing(k, dir, depth);
	while (r == 0 && wanted_next(k->wanted, dir, &cursor, next, sizeof(next)))
		r = walk_entry(k, next, depth);
	return r;
}

/* --- list --- */

static bool met_before(struct walk *k, const struct identity *id)
{
	for (size_t i = 0; i < k->n_met; i++)
		if (identity_equal(&k->met[i], id))
			return true;
	if (k->n_met == k->met_capacity) {
		size_t capacity = k->met_capacity ? k->met_capacity * 2 : 64;
		struct identity *met = realloc(k->met, capacity * sizeof(*met));
		if (!met)
			return false;
		k->met = met;
		k->met_capacity = capacity;
	}
	k->met[k->n_met++] = *id;
	return false;
}

static int list_one(struct walk *k, const char *path, struct input *input,
		    const struct identity *id)
{
	struct buf service = BUF_EMPTY, why = BUF_EMPTY;
	int r = add_obstacle(k->wanted, path, id, &why);
	if (r > 0) {
		r = buf_printf(k->out, "%s: not followed: %.*s\n", path, (int)why.len, why.ptr);
	} else if (r == 0 && met_before(k, id)) {
		r = buf_printf(k->out, "%s: not followed: it is a file that is followed already\n",
			       path);
	} else if (r == 0) {
		r = add_service(input, path, &service);
		if (r == 0)
			r = buf_printf(k->out, "%s: service %.*s, input %s, %" PRIu64 " bytes\n",
				       path, (int)service.len, service.ptr, input->name, id->size);
	}
	buf_free(&service);
	buf_free(&why);
	return r;
}

int discover_list(const struct discover_config *config, struct buf *out)
{
	struct wanted w = {config->inputs, config->n_inputs, WANTED_ALL};
	struct walk k = {.wanted = &w, .each = list_one, .out = out};
	int r = walk_dir(&k, "/", 0);
	free(k.met);
	return r;
}

/* --- explain --- */

/* The first other name of the file that is followed: found, 1. */
static int other_name(struct walk *k, const char *path, struct input *input,
		      const struct identity *id)
{
	if (!identity_equal(id, k->like))
		return 0;
	if (strcmp(path, k->not_path) == 0)
		return -ECANCELED; /* it is the first itself */
	int r = buf_printf(k->out, "%s (input %s)", path, input->name);
	return r < 0 ? r : 1;
}

/* Is it a rotated version of a file that is followed? The latter's path. */
static struct input *rotated_of(const struct wanted *w, const char *path, char *dst)
{
	struct span dir = path_dir(path), name = path_name(path);
	char original[NAME_MAX + 1], text[NAME_MAX + 1];
	(void)snprintf(text, sizeof(text), "%.*s", (int)name.len, name.ptr);
	for (int step = 0; rotation_original(span_of(text), step, original, sizeof(original));
	     step++) {
		int n = snprintf(dst, PATH_MAX, "%.*s/%s", dir.len > 1 ? (int)dir.len : 0, dir.ptr,
				 original);
		struct input *in = n < PATH_MAX ? wanted_by(w, dst) : NULL;
		if (in)
			return in;
	}
	return NULL;
}

/* An input that looks for files in the directory of that path; the glob that does not match it. */
static const struct input *near_miss(const struct wanted *w, const char *path,
				     const char **ret_glob)
{
	char dir[PATH_MAX];
	struct span parent = path_dir(path);
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)parent.len, parent.ptr);
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < w->inputs[i].paths.n; k++) {
			*ret_glob = w->inputs[i].paths.items[k];
			if (glob_match_below(*ret_glob, dir))
				return &w->inputs[i];
		}
	}
	return NULL;
}

static int explain_unwanted(const struct wanted *w, const char *path, const struct identity *id,
			    struct buf *out)
{
	const char *glob;
	char original[PATH_MAX];
	struct buf text = BUF_EMPTY;
	struct walk k = {
		.wanted = w, .each = other_name, .out = &text, .like = id, .not_path = path};
	const struct input *in = wanted_excluded_by(w, path, &glob);
	int r;
	if (in) {
		r = buf_printf(out, "%s is not followed: input %s names it, but excludes %s\n",
			       path, in->name, glob);
	} else if ((r = walk_dir(&k, "/", 0)) != 0) {
		if (r > 0)
			r = buf_printf(
				out,
				"%s is not followed by this name, which no input has: the same "
				"file is followed as %.*s\n",
				path, (int)text.len, text.ptr);
	} else if ((in = rotated_of(w, path, original)) != NULL) {
		r = buf_printf(
			out,
			"%s is not followed afresh: it is a rotated version of %s (input %s), and "
			"only what was not read of that before is read here\n",
			path, original, in->name);
	} else if ((in = near_miss(w, path, &glob)) != NULL) {
		r = buf_printf(
			out, "%s is not followed: no input names it; input %s looks here, for %s\n",
			path, in->name, glob);
	} else {
		r = buf_printf(out, "%s is not followed: no input names it\n", path);
	}
	buf_free(&text);
	return r;
}

static int explain_followed(const struct wanted *w, const char *path, struct input *input,
			    const struct identity *id, struct buf *out)
{
	struct buf text = BUF_EMPTY;
	struct walk k = {
		.wanted = w, .each = other_name, .out = &text, .like = id, .not_path = path};
	int r = add_obstacle(w, path, id, &text);
	if (r > 0) {
		r = buf_printf(out, "%s is not followed: %.*s\n", path, (int)text.len, text.ptr);
	} else if (r == 0 && (r = walk_dir(&k, "/", 0)) > 0) {
		r = buf_printf(
			out, "%s is not followed by this name: the same file is followed as %.*s\n",
			path, (int)text.len, text.ptr);
	} else if (r == 0 || r == -ECANCELED) {
		buf_clear(&text);
		r = add_service(input, path, &text);
		if (r == 0)
			r = buf_printf(out, "%s is followed by input %s as service %.*s\n", path,
				       input->name, (int)text.len, text.ptr);
	}
	buf_free(&text);
	return r;
}

int discover_absolute(const char *path, char *dst)
{
	char cwd[PATH_MAX] = "", text[2 * PATH_MAX];
	if (*path != '/' && !getcwd(cwd, sizeof(cwd)))
		return -errno;
	if (snprintf(text, sizeof(text), "%s/%s", cwd, path) >= PATH_MAX)
		return -ENAMETOOLONG;
	size_t len = 0;
	char *rest = text;
	for (const char *part; (part = strsep(&rest, "/")) != NULL;) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			while (len && dst[--len] != '/')
				;
			continue;
		}
		len += (size_t)snprintf(dst + len, PATH_MAX - len, "/%s", part);
	}
	(void)snprintf(dst + len, PATH_MAX - len, "%s", len ? "" : "/");
	return 0;
}

int discover_explain(const struct discover_config *config, const char *path, struct buf *out)
{
	struct wanted w = {config->inputs, config->n_inputs, WANTED_ALL};
	struct identity id;
	char absolute[PATH_MAX];
	int made = discover_absolute(path, absolute);
	if (made < 0)
		return made;
	path = absolute;
	struct input *input = wanted_by(&w, path);
	int r = identity_of_path(path, true, &id);
	if (r == -ENOENT && identity_of_path(path, false, &id) == 0)
		return buf_printf(out, "%s is not followed: it is a link that leads nowhere\n",
				  path);
	if (r == -ENOENT && input)
		return buf_printf(out,
				  "%s is not there; once it is, input %s follows it (unless it is "
				  "not text)\n",
				  path, input->name);
	if (r < 0 && input)
		return buf_printf(
			out,
			"%s is not followed: it cannot be looked at: %s; else input %s would "
			"follow it\n",
			path, strerror(-r), input->name);
	if (r < 0)
		return buf_printf(out, "%s is not followed: no input names it, and it %s%s\n", path,
				  r == -ENOENT ? "is not there" : "cannot be looked at: ",
				  r == -ENOENT ? "" : strerror(-r));
	if (!S_ISREG(id.mode))
		return buf_printf(out, "%s is not followed: it is %s, only regular files are\n",
				  path, kind_of(id.mode));
	return input ? explain_followed(&w, path, input, &id, out)
		     : explain_unwanted(&w, path, &id, out);
}

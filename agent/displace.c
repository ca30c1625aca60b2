/* The settings of the collector before: see displace.h. Called by join, when the new one has
 * answered. */
#include "agent/displace.h"

#include "common/conf_unset.h"
#include "common/file.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 4 << 20 };

/* Address and trust belong together; certificates of the agent's own stay, for the new one may ask
 * for them too. */
static const char *const keys[] = {"url", "uuid", "token_file", "ca_file", "pin"};

static int replace(const char *path, struct span text)
{
	char real[PATH_MAX];
	struct stat st;
	if (!realpath(path, real) || stat(real, &st) < 0)
		return -errno;
	return file_replace_like(AT_FDCWD, real, text, st.st_mode & 07777, real);
}

static int displace_in(const char *path)
{
	struct buf text = BUF_EMPTY, without = BUF_EMPTY;
	size_t lines = 0;
	int r = file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text);
	if (r >= 0)
		r = conf_unset(buf_span(&text), "collector", keys, sizeof(keys) / sizeof(*keys),
			       &without, &lines);
	if (r >= 0 && lines) {
		r = replace(path, buf_span(&without));
		if (r == 0)
			log_notice("%s: what it said of another collector is a comment now (lines: "
				   "%zu)",
				   path, lines);
	}
	buf_free(&text);
	buf_free(&without);
	return r == -ENOENT ? 0 : r;
}

static bool is_others(const struct dirent *e, const char *own)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, own) != 0 &&
	       span_ends_with(span_of(e->d_name), SPAN_LITERAL(".conf"));
}

int displace_collector(const char *file, const char *dir, const char *own, char ret_path[PATH_MAX])
{
	(void)snprintf(ret_path, PATH_MAX, "%s", file);
	int r = displace_in(ret_path);
	DIR *d = r < 0 ? NULL : opendir(dir);
	for (struct dirent *e; d && r == 0 && (e = readdir(d));) {
		if (!is_others(e, own))
			continue;
		int len = snprintf(ret_path, PATH_MAX, "%s/%s", dir, e->d_name);
		r = len < PATH_MAX ? displace_in(ret_path) : -ENAMETOOLONG;
	}
	if (d)
		(void)closedir(d);
	return r;
}

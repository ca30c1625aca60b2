/* Which ledger: see base.h. Recovery asks first of all.
 *
 *   the ledger is whole, and no copy is newer     it is taken
 *   it is missing, empty or damaged               the newest whole copy is put in its place
 *   a copy is newer (a backup was put back)       likewise
 *   there is nothing                              a new one: then only the WAL and the files tell
 *
 * A copy is newer only if it is of the same collector (uuid). What is replaced goes to
 * quarantine. */
#include "collector/store/base.h"

#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define LEDGER_NEW     TREE_HAUL "/ledger.new"
#define LEDGER_JOURNAL LEDGER_PATH "-journal"

enum { STEP = 1 << 16 };

static int absolute(const struct store *s, const char *path, char ret[PATH_MAX],
		    struct conf_error *err)
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", s->data_dir, path);
	if (n > 0 && n < PATH_MAX)
		return 0;
	(void)snprintf(err->text, sizeof(err->text), "%s: the path is too long", s->data_dir);
	return -ENAMETOOLONG;
}

static bool exists(const struct store *s, const char *path, bool *ret_empty)
{
	struct stat st;
	bool there = tree_stat(&s->tree, path, &st) == 0;
	*ret_empty = there && st.st_size == 0;
	return there;
}

/* Out of the way; what was not there is fine. */
static int set_aside(struct store *s, const char *path, const char *name, const char *why)
{
	char aside[TREE_PATH_MAX];
	int r = tree_set_aside(&s->tree, path, name, aside);
	if (r == 0)
		log_warning("%s/%s: %s; moved to %s", s->data_dir, path, why, aside);
	return r == -ENOENT ? 0 : r;
}

static int set_ledger_aside(struct store *s, const char *why)
{
	ledger_close(s->ledger);
	s->ledger = NULL;
	int r = set_aside(s, LEDGER_PATH, "ledger.db", why);
	/* A journal belongs to its file: beside another one it would be played back into that. */
	return r == 0 ? set_aside(s, LEDGER_JOURNAL, "ledger.db-journal", why) : r;
}

/* --- copies --- */

static int copy_bytes(int from, int to)
{
	char step[STEP];
	uint64_t at = 0;
	for (ssize_t n; (n = file_pread_full(from, step, sizeof(step), at)) != 0;
	     at += (uint64_t)n) {
		int r = n < 0 ? (int)n : file_pwrite_all(to, span_make(step, (size_t)n), at);
		if (r < 0)
			return r;
	}
	return fsync(to) < 0 ? -errno : 0;
}

static int put_in_place(struct store *s, const char *copy)
{
	int from = tree_open_file(&s->tree, copy, O_RDONLY);
	if (from < 0)
		return from;
	int to = tree_open_file(&s->tree, LEDGER_NEW, O_WRONLY | O_CREAT | O_TRUNC);
	int r = to < 0 ? to : copy_bytes(from, to);
	file_close(&from);
	file_close(&to);
	if (r == 0)
		r = tree_rename(&s->tree, LEDGER_NEW, LEDGER_PATH, true);
	return r == 0 ? tree_sync_dir(&s->tree, TREE_HAUL) : r;
}

/* The newest whole copy that is newer than `lsn`; NULL when there is none. */
static const char *find_copy(const struct store *s, const char *uuid, uint64_t lsn)
{
	static const char *const copies[] = {SNAPSHOT_PATH, EXPORT_PATH};
	const char *best = NULL;
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		char path[PATH_MAX];
		struct conf_error err;
		struct ledger_meta meta;
		if (absolute(s, copies[i], path, &err) < 0 || ledger_probe(path, &meta) < 0 ||
		    meta.lsn <= lsn || (*uuid && strcmp(uuid, meta.uuid) != 0))
			continue;
		best = copies[i];
		lsn = meta.lsn;
	}
	return best;
}

/* --- opening --- */

static int open_ledger(struct store *s, struct ledger_meta *ret)
{
	char path[PATH_MAX];
	struct conf_error err;
	int r = absolute(s, LEDGER_PATH, path, &err);
	if (r == 0)
		r = ledger_open(path, &s->ledger);
	if (r == 0)
		r = ledger_read_meta(s->ledger, ret);
	return r;
}

static int say(struct conf_error *err, const struct store *s, int r)
{
	if (r < 0)
		(void)snprintf(err->text, sizeof(err->text), "%s/%s: %s", s->data_dir, LEDGER_PATH,
			       r == -EPROTONOSUPPORT ? "made by a newer haul-collector"
			       : r == -EBUSY         ? "another program holds it"
						     : strerror(-r));
	return r;
}

/* SQLite opens by name, not beneath a directory: whatever stands there and is no file (a link that
 * somebody planted) is put out of its way first. */
static int refuse_links(struct store *s)
{
	static const char *const paths[] = {LEDGER_PATH, LEDGER_JOURNAL, SNAPSHOT_PATH,
					    EXPORT_PATH};
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct stat st;
		if (tree_stat(&s->tree, paths[i], &st) == 0 && !S_ISREG(st.st_mode))
			r = set_aside(s, paths[i], "no-file",
				      "it is not a file, and is not followed");
	}
	return r;
}

int base_open(struct store *s, struct ledger_meta *ret, bool *ret_rebuilt, struct conf_error *err)
{
	int r = refuse_links(s);
	if (r < 0)
		return say(err, s, r);
	bool empty = true, journal_empty;
	bool missing = !exists(s, LEDGER_PATH, &empty), there = !missing && !empty;
	const char *why = there ? NULL : "it was missing";
	if (missing && exists(s, LEDGER_JOURNAL, &journal_empty) && !journal_empty)
		r = set_aside(s, LEDGER_JOURNAL, "ledger.db-journal", "it has no ledger");
	*ret = (struct ledger_meta){0};
	if (r == 0 && there)
		r = open_ledger(s, ret);
	if (r == -EBADMSG) {
		why = "it is damaged";
		*ret = (struct ledger_meta){0};
		r = set_ledger_aside(s, why);
		there = false;
	}
	const char *copy = r == 0 ? find_copy(s, ret->uuid, ret->lsn) : NULL;
	if (copy && there) {
		why = "its copy is newer";
		r = set_ledger_aside(s, why);
	}
	if (r == 0 && copy) {
		r = put_in_place(s, copy);
		if (r == 0)
			log_warning("%s/%s: %s; rebuilt from %s", s->data_dir, LEDGER_PATH, why,
				    copy);
	}
	if (r == 0 && !s->ledger)
		r = open_ledger(s, ret);
	*ret_rebuilt = why != NULL;
	return say(err, s, r);
}

int base_next(struct store *s, struct ledger_meta *ret, struct conf_error *err)
{
	int r = set_ledger_aside(s, "its tables cannot be read");
	const char *copy = r == 0 ? find_copy(s, "", 0) : NULL;
	if (copy) {
		r = put_in_place(s, copy);
		/* Once: if it cannot be read either, the next round finds none. */
		if (r == 0)
			r = set_aside(s, copy, "ledger-copy.db", "used to rebuild the ledger");
	}
	if (r == 0)
		r = open_ledger(s, ret);
	return say(err, s, r);
}

/* What the directories say of segments that the ledger does not know: see restore.h. Recovery walks
 * over them when the ledger was lost or records are missing. What cannot be opened is not known:
 * nothing fails for it. */
#include "collector/store/restore_file.h"

#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

struct walk {
	struct restore *r;
	int dir; /* the directory at hand */
	/* of what is looked at; day and service are those of the directory */
	struct segment_name name;
};

/* Calls `each` for the names in the directory at `path`. */
static int walk_dir(struct walk *w, const char *path, int (*each)(struct walk *w, const char *name))
{
	int fd = tree_open_dir(&w->r->s->tree, path);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		file_close(&fd);
		return 0; /* not one of ours, or nobody may look: then nothing is known of it */
	}
	int e = 0;
	for (struct dirent *at; e == 0 && (at = readdir(d));) {
		w->dir = fd;
		e = each(w, at->d_name);
	}
	(void)closedir(d);
	return e;
}

/* A segment that the ledger does not have: of a closed one there is only the file to go by. */
static int walk_closed(struct restore *r, struct shard *shard, const struct segment_name *name,
		       const struct stat *st)
{
	if (name->number < shard->unknown_from)
		return 0;
	struct segment *s = segment_new(shard, name->number);
	if (!s)
		return -ENOMEM;
	s->inode = st->st_ino;
	s->length = (uint64_t)st->st_size;
	s->crc_known = false;
	int e = appender_retired(&r->s->appender, s,
				 name->form == SEGMENT_CLOSED ? SEGMENT_STATE_CLOSED
							      : SEGMENT_STATE_SEALED);
	segment_free(s);
	/* Numbers come in no order here; a live file is given its own when all are known. */
	if (e == 0 && shard->next.position == 0 && name->number >= shard->next.number)
		shard_set_next(&r->s->shards, shard, (struct place){.number = name->number + 1});
	return e;
}

static int walk_file(struct walk *w, const char *file)
{
	struct stat st;
	if (segment_name_parse_file(span_of(file), &w->name) < 0 ||
	    fstatat(w->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	struct restore *r = w->r;
	struct shard *shard = shards_get(&r->s->shards, w->name.day, w->name.service, w->name.host);
	if (!shard)
		return -ENOMEM;
	if (w->name.form != SEGMENT_LIVE)
		return walk_closed(r, shard, &w->name, &st);
	shard->walked = true;
	return 0;
}

static int walk_service(struct walk *w, const char *service)
{
	char path[SEGMENT_PATH_MAX], kept[NAME_MAX_LEN + 1];
	if (!name_valid(span_of(service)))
		return 0;
	memcpy(kept, service, strlen(service) + 1);
	w->name.service = span_of(kept);
	segment_name_dir(path, w->name.day, w->name.service);
	return walk_dir(w, path, walk_file);
}

static int walk_day(struct walk *w, const char *day)
{
	return civil_parse_day(span_of(day), &w->name.day) < 0 ? 0 : walk_dir(w, day, walk_service);
}

/* Live files whose shard has no live segment in the ledger. */
static int walk_live(struct restore *r, struct shard *shard)
{
	if (!shard->walked || shard->next.position)
		return 0;
	struct segment_name name = shard_segment_name(shard, 0);
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	segment_name_path(path, &name);
	struct restore_file *f = restore_file_get(r, shard, shard->next.number);
	if (!f)
		return -ENOMEM;
	if (tree_stat(&r->s->tree, path, &st) < 0)
		return 0;
	f->known = f->walked = f->touched = true;
	f->segment->inode = st.st_ino;
	f->segment->length = (uint64_t)st.st_size;
	f->segment->crc_known = false;
	shard_set_next(
		&r->s->shards, shard,
		(struct place){.number = shard->next.number, .position = f->segment->length});
	return 0;
}

int restore_walk(struct restore *r)
{
	struct walk w = {.r = r};
	size_t cursor = 0;
	for (struct shard *shard; (shard = map_next(&r->s->shards.by_key, &cursor));)
		shard->unknown_from = shard->next.number + (shard->next.position > 0);
	int e = walk_dir(&w, ".", walk_day);
	cursor = 0;
	for (struct shard *shard; e == 0 && (shard = map_next(&r->s->shards.by_key, &cursor));)
		e = walk_live(r, shard);
	return e;
}

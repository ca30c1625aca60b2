/* Files that were truncated or replaced in place: see discover_inside.h. follow finds that out (other bytes before
 * the cursor), or look (a smaller size). The source ends with what was read of it, and a new one begins in its
 * file; bytes that are known to have stood behind the cursor are lost, unless a copy has them. */
#include "agent/discover_inside.h"

#include "agent/descriptor.h"

/* The file goes on as another source. */
static struct source *begin_anew(struct discover *d, struct source *s)
{
	struct identity id = {.ino = s->ino, .btime_ns = s->btime_ns, .dev = s->dev};
	struct source *fresh = look_make(d, s->path, &id, s->input, s->path);
	if (!fresh)
		return NULL;
	int fd = descriptor_take(d->table, s);
	if (fd >= 0) {
		descriptor_give(d->table, fresh, fd);
		if (identity_of_fd(fd, &id) == 0)
			fresh->size = id.size;
	}
	look_rename_all(d, s, fresh);
	return fresh;
}

void cut_source(struct discover *d, struct source *s)
{
	/* Only a source that is followed can be cut twice, and then it has another file. */
	if (s->state == SOURCE_UNLINKED && s->closing && s->fd < 0)
		return;
	struct source *fresh = s->input ? begin_anew(d, s) : NULL;
	if (!fresh && s->input) {
		source_notice(d->table, s); /* when there is memory */
		return;
	}
	descriptor_close(d->table, s);
	if (s->sure_size > s->tail_at) {
		s->lost_from = s->tail_at;
		s->lost_to = s->sure_size;
		s->lost_cause = "truncated";
	}
	log_info("%s was truncated after %llu bytes were read: what it has now is a new stream",
		 s->path, (unsigned long long)s->tail_at);
	s->closing = true;
	source_move(d->table, s, SOURCE_UNLINKED);
	leave_add(d, s);
	if (fresh)
		settle_new_stream(d, fresh);
}

/* Where a file without a stream begins: see discover_inside.h. At 0; at the very first start what
 * is older than the collector keeps, and what an input wants only from the end, begins there. What
 * may be a copy is held first (stray.c). */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <inttypes.h>

#define DAY_NS (86400 * NUM_SEC_NS)

/* It keeps whole days (UTC). A clock that knows no better than 1970 skips nothing. */
void discover_keeps(struct discover *d, int64_t keeps_ns)
{
	int64_t now_ns = clock_real_ns();
	bool for_ever = keeps_ns == 0 || keeps_ns >= now_ns;
	d->oldest_ns = for_ever ? 0 : (now_ns - keeps_ns) / DAY_NS * DAY_NS;
}

void begin_say_skipped(const struct discover *d)
{
	char day[CIVIL_DAY_LEN];
	if (!d->counters.skipped_old_files)
		return;
	civil_format_day(day, civil_day_of_us(d->oldest_ns / NUM_US_NS));
	log_notice("files that were written last before %.*s, the oldest day that the collector "
		   "keeps, are skipped: %" PRIu64 " with %" PRIu64
		   " bytes; what is added to them from now on is shipped",
		   (int)sizeof(day), day, d->counters.skipped_old_files,
		   d->counters.skipped_old_bytes);
}

/* Where the last line of its first `size` bytes begins that is not whole yet. */
static uint64_t last_line_start(const struct source *s, uint64_t size)
{
	char bytes[64 * 1024];
	uint64_t from = size > sizeof(bytes) ? size - sizeof(bytes) : 0;
	size_t want = (size_t)(size - from);
	ssize_t n = s->fd < 0 ? -1 : file_pread_full(s->fd, bytes, want, from);
	for (ssize_t i = n; i > 0; i--)
		if (bytes[i - 1] == '\n')
			return from + (uint64_t)i;
	return n == (ssize_t)size ? 0 : size;
}

static void begin_at(struct source *s, uint64_t start)
{
	s->start = s->tail_at = start;
	s->tail_known = start == 0;
	if (start == 0)
		ladder_free(
			&s->ladder); /* else its first bytes tell a copy of it from another file */
	position_init(&s->committed, start);
	position_init(&s->cursor, start);
}

static bool is_too_old(const struct discover *d, const struct source *s)
{
	struct identity id;
	if (!d->oldest_ns || !s->size)
		return false;
	int r = s->fd < 0 ? identity_of_path(s->path, true, &id) : identity_of_fd(s->fd, &id);
	return r == 0 && id.ino == s->ino && id.mtime_ns < d->oldest_ns;
}

/* Files that are there at the very first start. false: it begins as any other. */
static bool begin_first(struct discover *d, struct source *s)
{
	if (!d->first_start || s->born || s->cursor.offset != 0)
		return false;
	if (is_too_old(d, s)) {
		d->counters.skipped_old_files++;
		d->counters.skipped_old_bytes += s->size;
		begin_at(s, s->size);
		return true;
	}
	/* What came while the agent waited for the collector is new: a file, or more of one. */
	uint64_t size = s->first_size < s->size ? s->first_size : s->size;
	if (!s->input || s->input->from != INPUT_FROM_END || !size ||
	    s->btime_ns >= d->begun_real_ns)
		return false;
	begin_at(s, descriptor_open(d->table, s) == 0 ? last_line_start(s, size) : size);
	return true;
}

void begin_stream(struct discover *d, struct source *s)
{
	(void)begin_first(d, s);
	names_begin(d, s);
}

/* The registry has how the file began, nothing of it was read, and now it begins otherwise: it was
 * emptied or replaced while the agent was away. */
static bool is_another(struct discover *d, struct source *s)
{
	return s->recorded && !s->cut && !source_was_stray(s) && s->ladder.n &&
	       s->tail_at == s->start && descriptor_open(d->table, s) == 0 && follow_verify(s) == 0;
}

void begin_fresh(struct discover *d, struct source *s)
{
	if (is_another(d, s)) {
		/* What it began with is looked for among the rotated files, and this one begins as
		 * a stream of its own. */
		s->cut = true;
		source_notice(d->table, s);
	}
	/* What was compared with the collector's streams may not be what had been seen any more. */
	if (s->early && !s->cut)
		s->early = descriptor_open(d->table, s) == 0 && follow_verify(s) == 0;
	/* One that the registry knows has been looked at already. (But it is written there, too,
	 * while the agent waits for the collector's streams: then only its bytes can tell.) */
	bool waits = s->between && !s->cut && s->state == SOURCE_NEW && s->cursor.offset == 0;
	bool unknown = !s->recorded || source_was_stray(s) || waits;
	if (begin_first(d, s) || !unknown || !stray_hold(d, s))
		names_begin(d, s);
}

/* What is closed becomes sealed: see janitor_inside.h. The level goes by how much waits. */
#include "collector/janitor_inside.h"

#include "common/clock.h"

#include <errno.h>

enum {
	ZSTD_IDLE = 9,
	ZSTD_BUSY = 1,
	GZIP_IDLE = 6,
	GZIP_BUSY = 1,
	GZIP_MAX = 9,
	LIKELY_RATIO = 4, /* of sealing; what is less well compressed fails without harm */
	SPARE_BYTES = 1 << 16,
};

uint64_t janitor_waiting(const struct janitor *j, uint64_t *ret_segments)
{
	uint64_t bytes = 0;
	*ret_segments = 0;
	for (size_t i = 0; i < j->n_rows; i++) {
		if (j->rows[i].state != SEGMENT_STATE_CLOSED)
			continue;
		bytes += j->rows[i].length;
		++*ret_segments;
	}
	return bytes;
}

static int choose_level(const struct janitor *j, uint64_t backlog)
{
	bool gzip = j->settings.form == SEGMENT_GZIP;
	if (j->settings.level)
		return gzip && j->settings.level > GZIP_MAX ? GZIP_MAX : j->settings.level;
	if (!gzip)
		return backlog > JANITOR_BACKLOG_BYTES ? ZSTD_BUSY : ZSTD_IDLE;
	return backlog > JANITOR_BACKLOG_BYTES ? GZIP_BUSY : GZIP_IDLE;
}

void janitor_class_of(struct janitor *j, const struct segment_row *row, char ret[JANITOR_CLASS_MAX])
{
	const struct policy *p = j->config.policy_get(j->config.user);
	janitor_class(policy_find(p, row->service), ret);
	j->config.policy_put(j->config.user);
}

static int seal_one(struct janitor *j, struct segment_row *row, uint64_t backlog)
{
	struct archive_meters *m = j->config.meters;
	struct archive_result result;
	char class[JANITOR_CLASS_MAX];
	janitor_class_of(j, row, class);
	struct archive_terms terms = {
		.form = j->settings.form, .level = choose_level(j, backlog), .class = class};
	int64_t start_ns = clock_mono_ns();
	int r = archive_seal(j->archive, row, &terms, &result);
	if (r < 0)
		return r;
	row->state = SEGMENT_STATE_SEALED;
	atomic_store_explicit(&m->level, terms.level, memory_order_relaxed);
	janitor_count(&m->sealed_segments, 1);
	janitor_count(&m->sealed_plain_bytes, result.plain_bytes);
	janitor_count(&m->sealed_bytes, result.bytes);
	janitor_count(&m->seal_ns, (uint64_t)(clock_mono_ns() - start_ns));
	return 0;
}

/* The sealed file stands beside the plain one for a while. A try that cannot succeed would only
 * take the last room from others; a smaller segment may fit, and what it frees is room for the
 * next. */
static bool has_room(const struct janitor *j, const struct segment_row *row)
{
	struct store_counters c;
	store_counters(j->store, &c);
	return j->settings.form == SEGMENT_CLOSED ||
	       c.free_bytes >= row->length / LIKELY_RATIO + SPARE_BYTES;
}

/* Several may fail and the others go on; when there was room and then none all stop. */
int janitor_seal(struct janitor *j)
{
	uint64_t segments, backlog = janitor_waiting(j, &segments);
	int r = segments ? store_settle(j->store) : 0, worst = r;
	for (size_t i = 0; i < j->n_rows && r != -ENOSPC && r != -ECANCELED && worst != -EIO; i++) {
		struct segment_row *row = &j->rows[i];
		janitor_show(&j->config.meters->waiting_segments, segments);
		janitor_show(&j->config.meters->waiting_bytes, backlog);
		if (row->state != SEGMENT_STATE_CLOSED)
			continue;
		if (janitor_is_stopping(j))
			return -ECANCELED;
		if (!has_room(j, row)) {
			worst = worst ? worst : -ENOSPC;
			continue;
		}
		r = seal_one(j, row, backlog);
		worst = r < 0 ? r : worst;
		backlog -= r == 0 ? row->length : 0;
		segments -= r == 0;
	}
	janitor_show(&j->config.meters->waiting_segments, segments);
	janitor_show(&j->config.meters->waiting_bytes, backlog);
	return worst;
}
